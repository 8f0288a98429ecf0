"""A drill: simulated events through a real service, read by a real Prometheus, which tells a real Alertmanager.

Every query of every panel must return data, every recording and every alert must come about by an incident
that is planted here, with the committed expressions and times made six hundred times shorter. Three
thresholds are put where ordinary life lies instead, since nothing here fills a disk or a topic.
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from boardkit import asked, rules
from drillkit import LONG_S, Drill, Traffic, until

from txmon.dashboards import Tuning
from txmon.dashboards.rulefiles import all_alerts
from txmon.simulate import simulate, write

TUNING = Tuning(scale=1 / 600, disk_share=1.1, webhook_backlog=-1, behind_messages=-1)
# Panels that show something only after an incident, which this drill does not plant: none.
NEED_AN_INCIDENT: frozenset[str] = frozenset()
JSON = {"content-type": "application/json"}
_RULE = """\
id: {name}
version: 1
title: A rule of the drill
status: shadow
typology: general-aml
subject: payer
severity: low
score: 0.1
when: kind = '{kind}'
explain: "an event"
"""
RULES = {
    n: _RULE.format(name=n, kind=k) for n, k in (("drill-silent", "payment"), ("drill-wild", "transfer"))
}
IN_GRAFANA = {"$__rate_interval": "20s", "$__range": "10m", "$job": ".*", "$instance": ".*"}


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    found = Drill(tmp_path_factory.mktemp("drill"), TUNING, RULES)
    try:
        yield found
    finally:
        found.close()


def simulated(folder: Path) -> pa.Table:
    write(simulate(20_000, 7), folder / "events.parquet", None)
    return pq.read_table(folder / "events.parquet")


def event(number: int, newest: datetime) -> bytes:
    """Ordinary traffic of the days after the simulation: transfers alone, some without a rate, some that are none."""
    row = {
        "event_id": f"x{number}", "source": "drill", "kind": "transfer", "currency": "EUR" if number % 5 else "USD",
        "event_time": (newest + timedelta(hours=number % 30, seconds=number)).isoformat(), "payer": f"p{number % 50}",
    }  # fmt: skip
    return json.dumps(row | {"amount": "no number" if number % 4 == 1 else "12.00"}).encode()


def feed(drill: Drill, events: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, events.schema) as writer:
        for batch in events.to_batches(max_chunksize=400):
            writer.write_batch(batch)
    headers = {"content-type": "application/vnd.apache.arrow.stream"}
    content = sink.getvalue().to_pybytes()
    answer = drill.api(
        "POST", "/v1/events:bulk", drill.sender, headers=headers, content=content, timeout=LONG_S
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] == len(events)


def decide(drill: Drill) -> str:
    """Take the oldest urgent alert up and escalate it; returns its id."""
    (oldest, *_) = until(
        "an urgent alert", lambda: drill.ask("topk(1, txmon_alert_urgent_unacknowledged_seconds)")
    )
    name = str(oldest["metric"]["alert_id"])
    for state in ("in_review", "escalated"):
        tag = drill.api("GET", f"/v1/alerts/{name}", drill.analyst).headers["etag"]
        moved = drill.api(
            "PATCH", f"/v1/alerts/{name}", drill.analyst, headers={"if-match": tag}, json={"state": state}
        )
        assert moved.status_code == 200, moved.text
    return name


def empty_panels(drill: Drill) -> set[str]:
    """Panels whose query returns nothing, or nothing that is a number."""
    found = set()
    for query in asked():
        expr = query.expr
        for name, value in IN_GRAFANA.items():
            expr = expr.replace(name, value)
        expr = re.sub(r"\$[a-z]+", ".*", expr)
        values = [series["value"][1] for series in drill.ask(expr)]
        if not [value for value in values if value != "NaN"]:
            found.add(query.name)
    return found


@pytest.mark.slow
def test_every_panel_has_data_and_every_incident_arrives(drill: Drill, tmp_path: Path) -> None:
    events = simulated(tmp_path)
    newest = max(t for t in events["event_time"].to_pylist() if t is not None).astimezone(UTC)
    with drill.watchers():
        with drill.service() as running:
            feed(drill, events)
            drill.followed.write_bytes(event(2_000_000, newest) + b"\n")
            with Traffic(drill, lambda number: event(number, newest)) as traffic:
                ordinary(drill)
                assert 200 in traffic.statuses
                locked_store(drill, newest)
            running.terminate()
            running.wait(LONG_S)
        drill.arrive("TxmonAbsent")
        with held_warehouse(drill.store), drill.service():
            drill.arrive("TxmonWarehouseStalled")
    every = {alert.name for alert in all_alerts(TUNING)}
    assert drill_told(drill) <= every


def ordinary(drill: Drill) -> None:
    """What comes about by the data alone; then every query of every panel."""
    drill.arrive(
        "TxmonUrgentAlertUnacknowledged", "TxmonLag", "TxmonConsumerBehind", "TxmonQuarantineSpike", "TxmonUnconverted",
        "TxmonDiskLow", "TxmonWebhooksBehind",
    )  # fmt: skip
    name = decide(drill)
    until("the end of its alert", lambda: name not in urgent(drill))
    assert_ids_alone(drill)
    until("a silent rule", lambda: "drill-silent" in of_rules(drill, "TxmonRuleSilent"))
    until("a wild rule", lambda: "drill-wild" in of_rules(drill, "TxmonRuleWild"))
    assert "drill-silent" not in of_rules(drill, "TxmonRuleWild")
    until("data in every panel", lambda: empty_panels(drill) <= NEED_AN_INCIDENT, 60)
    for rule in rules():
        if "record" in rule:
            assert drill.ask(rule["record"]), rule["record"]


def locked_store(drill: Drill, newest: datetime) -> None:
    """Another process holds the database: nothing can be committed, senders get 503, events pile up."""
    with closing(sqlite3.connect(drill.store / "txmon.db", isolation_level=None)) as other:
        until("the lock", lambda: locked(other))
        drill.arrive(
            "TxmonIngestErrorsFast", "TxmonIngestErrorsSlow", "TxmonIngestSlowFast", "TxmonIngestSlowSlow",
            "TxmonJournalStalled", "TxmonStoreFailing", "TxmonNotReady",
        )  # fmt: skip
        fill_queue(drill, newest)
        drill.arrive("TxmonQueueFilling")
        other.execute("rollback")
    until("a service that goes on", drill.ready)


def fill_queue(drill: Drill, newest: datetime) -> None:
    """Send events until more are refused; those that are not decided in time wait all the same."""
    for portion in range(30):
        many = b",".join(event(3_000_000 + 20 * portion + i, newest) for i in range(20))
        content = b"[" + many + b"]"
        answer = drill.api("POST", "/v1/events", drill.sender, headers=JSON, content=content)
        if answer.status_code == 429:
            break


def locked(other: sqlite3.Connection) -> bool:
    try:
        other.execute("begin immediate")
    except sqlite3.OperationalError:
        return False
    return True


@contextmanager
def held_warehouse(store: Path) -> Iterator[None]:
    """Another process has the warehouse's file open."""
    path = str(store / "warehouse" / "warehouse.duckdb")
    code = f"import duckdb, time; c = duckdb.connect({path!r}); print('held', flush=True); time.sleep(3600)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            yield
        finally:
            holder.kill()


def of_rules(drill: Drill, name: str) -> set[str]:
    return {labels["rule"] for labels in drill.alerts().get(name, [])}


def urgent(drill: Drill) -> set[str]:
    return {labels["alert_id"] for labels in drill.alerts().get("TxmonUrgentAlertUnacknowledged", [])}


def assert_ids_alone(drill: Drill) -> None:
    """Whoever is told of an urgent alert learns its id and nothing else about it."""
    told = [body for receiver, body in drill.hook.told if receiver == "compliance-duty"]
    assert told
    for body in told:
        for alert in body["alerts"]:
            labels = alert["labels"]
            assert labels == {
                "alertname": "TxmonUrgentAlertUnacknowledged", "severity": "critical", "concern": "compliance",
                "alert_id": labels["alert_id"],
            }  # fmt: skip
            assert alert["annotations"] == {
                "summary": f"Nobody has taken up alert {labels['alert_id']}",
                "runbook_url": "docs/runbook.md#txmonurgentalertunacknowledged",
            }


def drill_told(drill: Drill) -> set[str]:
    return {alert["labels"]["alertname"] for _, body in drill.hook.told for alert in body["alerts"]}
