"""What boards and alerts need beside the gauges of every second is measured by a running service."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "service"))

from servicekit import Bench, Service, metric, pay, send, simple_rules

from txmon.metrics import Metrics
from txmon.pipeline.housekeeping import Housekeeping
from txmon.pipeline.standing import Standing
from txmon.store import Tx, workflow

HOUR_US = 3_600_000_000


def rule(name: str, typology: str, severity: str = "critical") -> dict[str, Any]:
    return {
        "id": name, "subject": "payer", "score": 0.9, "severity": severity, "typology": typology,
        "let": {"n": "count(*) over payer_3d"}, "when": f"n >= 1 and payee = '{name}'", "explain": "{n} payments",
    }  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    rules = simple_rules(tmp_path, rule("child", "child-exploitation"), rule("shop", "merchant-laundering"))
    return Bench(tmp_path, rules, str(tmp_path / "store"))


def series(service: Service, name: str) -> dict[tuple[str, ...], float]:
    found = [s for family in service.metrics.registry.collect() for s in family.samples if s.name == name]
    return {tuple(s.labels.values()): s.value for s in found}


def test_only_what_concerns_children_or_procurement_is_urgent(bench: Bench) -> None:
    service = bench.open()
    housekeeping = Housekeeping(service)
    send(service, [pay("a", payee="child", payer="p1"), pay("b", 1, payee="shop", payer="p2")])
    bench.clock.time_us += 2 * HOUR_US
    housekeeping.round()
    critical = series(service, "txmon_alert_unacknowledged_seconds")
    urgent = series(service, "txmon_alert_urgent_unacknowledged_seconds")
    assert (len(critical), len(urgent)) == (2, 1)
    (name,) = next(iter(urgent))
    assert urgent[(name,)] == critical[name, "critical"] == 7200
    assert series(service, "txmon_alerts_waiting")["critical", "under_1d"] == 2

    def taken_up(tx: Tx) -> None:
        workflow.set_alert_state(tx, name, "in_review", reason=None, version=1, journal_seq=1)
        workflow.set_alert_state(tx, name, "escalated", reason=None, version=2, journal_seq=1)

    service.change(taken_up).result(60)
    bench.clock.time_us += HOUR_US
    housekeeping.round()
    assert series(service, "txmon_alert_urgent_unacknowledged_seconds") == {}
    decided = series(service, "txmon_rule_decided_alerts")
    assert decided == {
        ("child", "escalated"): 1, ("child", "dismissed"): 0, ("shop", "escalated"): 0, ("shop", "dismissed"): 0,
    }  # fmt: skip
    assert service.close()


def test_counters_exist_before_the_first_event_of_their_kind(bench: Bench) -> None:
    service = bench.open()
    Housekeeping(service).round()
    assert series(service, "txmon_hits_total") == {
        ("child", "child-exploitation", "critical", "live"): 0, ("shop", "merchant-laundering", "critical", "live"): 0,
    }  # fmt: skip
    assert metric(service, "txmon_events_total", source_kind="http", outcome="quarantined") == 0
    assert metric(service, "txmon_store_failures_total", kind="store_fatal") == 0
    assert metric(service, "txmon_disk_size_bytes") >= metric(service, "txmon_disk_free_bytes") > 0
    assert metric(service, "txmon_detectors_warming") == 0
    assert service.close()


def test_a_rule_that_is_taken_away_has_no_drift(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    service = bench.open()
    standing = Standing(service)
    service.metrics.rule_fire_psi.labels("child").set(2.0)
    standing.round()
    assert series(service, "txmon_rule_fire_psi") == {("child",): 2.0}
    monkeypatch.setattr(type(service), "plan_hash", "another")
    standing.round()
    assert series(service, "txmon_rule_fire_psi") == {}
    assert service.close()


def test_late_scans_are_counted(bench: Bench) -> None:
    service = bench.open()
    housekeeping = Housekeeping(service)
    send(service, [pay("a", 10, payee="x"), pay("b", 0, payee="x")])
    housekeeping.round()
    seen = metric(service, "txmon_looked_back_rows_total")
    assert seen > 0
    housekeeping.round()
    assert metric(service, "txmon_looked_back_rows_total") == seen
    assert service.close()


def test_only_families_of_listed_labels_are_made_whole() -> None:
    with pytest.raises(TypeError, match="not all have lists"):
        Metrics().hits_total.touch()
