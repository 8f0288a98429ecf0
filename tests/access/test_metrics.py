"""Metrics: what their names and labels are held to, and that the documentation names them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import Gauge
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_plain

from txmon import metrics as module
from txmon.metrics import Family, Metrics, declarations, reference

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


def samples(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Label values -> value of every series of a name."""
    found = [s for family in metrics.registry.collect() for s in family.samples if s.name == name]
    return {tuple(s.labels.values()): s.value for s in found}


def test_the_documentation_is_made_from_the_declarations() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert text.endswith("\n\n" + reference()), (
        "docs/metrics.md is stale; put `txmon.metrics.reference()` into it"
    )


def test_names_follow_the_convention() -> None:
    for line in declarations():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", line.name)
        assert line.name.endswith("_total") == (line.kind == "counter"), line.name
        assert not re.search(r"_(ms|us|milliseconds|kb|mb|minutes|hours|percent)(_|$)", line.name)
        assert line.doc[0].isupper() or line.doc[0].isdigit()
        assert not line.doc.endswith(".")
        if line.kind == "histogram":
            assert line.name.endswith(("_seconds", "_bytes", "_events"))


def test_what_was_agreed_is_there() -> None:
    labels = {line.name: (line.kind, *line.bounds) for line in declarations()}
    assert labels["events_total"] == ("counter", "source_kind", "outcome")
    assert labels["request_seconds"] == ("histogram", "route", "method", "status_class")
    assert labels["hits_total"] == ("counter", "rule", "typology", "severity", "status")
    assert labels["alert_unacknowledged_seconds"] == ("gauge", "alert_id", "severity")
    assert labels["consumer_lag_messages"] == ("gauge", "consumer", "partition")
    assert labels["rule_fire_psi"] == ("gauge", "rule")


def test_both_forms_of_text_are_read_by_their_parsers() -> None:
    metrics = Metrics()
    metrics.events_total.labels("http", "accepted").inc(3)
    metrics.events_total.labels(outcome="accepted", source_kind="http").inc()
    metrics.batch_events.observe(5)
    body, kind = metrics.render()
    assert kind.startswith("text/plain; version=0.0.4")
    assert samples(metrics, "txmon_events_total") == {("http", "accepted"): 4.0}
    assert b"_created" not in body
    assert {"txmon_events", "txmon_batch_events"} <= {f.name for f in read_plain(body.decode())}
    body, kind = metrics.render("application/openmetrics-text; version=1.0.0, text/plain;q=0.5")
    assert kind.startswith(module.OPENMETRICS)
    assert {f.name for f in read_openmetrics(body.decode())} >= {"txmon_events", "txmon_batch_events"}
    assert b"_created" not in body


def test_two_objects_share_nothing() -> None:
    one, two = Metrics(), Metrics()
    one.late_events_total.inc(7)
    assert samples(two, "txmon_late_events_total") == {(): 0.0}


def test_an_unknown_value_of_a_listed_label_is_other() -> None:
    metrics = Metrics()
    metrics.auth_failures_total.labels("unknown").inc()
    for i in range(100):
        metrics.auth_failures_total.labels(f"made up {i}").inc()
    assert samples(metrics, "txmon_auth_failures_total") == {("unknown",): 1.0, ("other",): 100.0}


def test_a_label_without_a_list_is_bounded_in_number() -> None:
    metrics = Metrics()
    for i in range(500):
        metrics.quarantined_total.labels(f"r{i}").inc()
        metrics.quarantined_total.labels("r1").inc()
    found = samples(metrics, "txmon_quarantined_total")
    assert len(found) == 61
    assert found["other",] == 440.0
    assert found["r1",] == 501.0


def test_a_metric_of_many_labels_is_bounded_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SERIES_MAX", 10)
    family = Family(Gauge("x", "x", ("a", "b"), registry=None), {"a": 100, "b": 100})
    for i in range(100):
        family.labels(str(i % 9), str(i % 10)).set(1)
    found = {tuple(s.labels.values()) for m in family._metric.collect() for s in m.samples}
    assert len(found) == 11
    assert ("other", "other") in found


def test_labels_that_were_not_declared_are_a_mistake() -> None:
    metrics = Metrics()
    for values, named in ((("http",), {}), ((), {"outcome": "accepted"}), (("http",), {"outcome": "x"})):
        with pytest.raises(TypeError, match="labels are"):
            metrics.events_total.labels(*values, **named)
    assert samples(metrics, "txmon_events_total") == {}


def test_the_fifty_oldest_unacknowledged_alerts_are_named() -> None:
    metrics = Metrics()
    metrics.set_unacknowledged([(f"al-{i}", "critical", float(i)) for i in range(200)])
    found = samples(metrics, "txmon_alert_unacknowledged_seconds")
    assert found == {(f"al-{i}", "critical"): float(i) for i in range(150, 200)}
    metrics.set_unacknowledged([("al-500", "critical", 1.0)])
    assert samples(metrics, "txmon_alert_unacknowledged_seconds") == {("al-500", "critical"): 1.0}
    metrics.set_unacknowledged([])
    assert samples(metrics, "txmon_alert_unacknowledged_seconds") == {}


def test_readiness_is_the_least_of_its_series() -> None:
    metrics = Metrics()
    metrics.set_ready([])
    assert set(samples(metrics, "txmon_ready").values()) == {1.0}
    metrics.set_ready(["disk", "never heard of"])
    found = samples(metrics, "txmon_ready")
    assert {reason for (reason,), value in found.items() if value == 0} == {"disk", "other"}
    metrics.set_ready([])
    assert set(samples(metrics, "txmon_ready").values()) == {1.0}


def test_the_rules_at_work_are_one_series() -> None:
    metrics = Metrics()
    metrics.set_build("1.0", "aa")
    metrics.set_build("1.0", "bb")
    assert samples(metrics, "txmon_build_info") == {("1.0", "bb"): 1.0}


def test_a_gauge_filled_anew_forgets_what_is_gone() -> None:
    metrics = Metrics()
    for i in range(64):
        metrics.consumer_lag_messages.labels("k", str(i)).set(i)
    metrics.consumer_lag_messages.labels("k", "64").set(9)
    assert samples(metrics, "txmon_consumer_lag_messages")["k", "other"] == 9
    metrics.consumer_lag_messages.clear()
    metrics.consumer_lag_messages.labels("k", "64").set(9)
    assert samples(metrics, "txmon_consumer_lag_messages") == {("k", "64"): 9.0}
