"""Helpers of the store's tests: a clock that only moves when told, events, hits and alerts by the dozen."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from txkit import START_US, event, table

from txmon.alerts.tables import ALERTS, CHANGES
from txmon.engine.hits import HIT_COLUMNS
from txmon.store import Store, answers, journal, offsets, outbox, quarantine, workflow
from txmon.store.journal import Entry

HITS = pa.schema([*HIT_COLUMNS, ("ingest_seq", pa.int64()), ("entity", pa.string()), ("mode", pa.string())])


class TestClock:
    """Moves by a millisecond at every look."""

    __test__ = False

    def __init__(self) -> None:
        self.time_us = START_US

    def now_us(self) -> int:
        self.time_us += 1000
        return self.time_us


def chance(seed: int = 1) -> Callable[[int], bytes]:
    """Random bytes that are the same on every run."""
    return random.Random(seed).randbytes


def open_store(place: str | Path, **more: Any) -> Store:
    """A store with the tests' clock and chance."""
    return Store.open(
        place, clock=more.pop("clock", TestClock()), random_bytes=more.pop("random_bytes", chance()), **more
    )


def events(count: int, first: int = 0, people: int = 7) -> pa.Table:
    """Events of a few people, with texts outside ASCII, nulls, lists and maps."""
    rows = []
    for i in range(first, first + count):
        more: dict[str, Any] = {}
        if i % 3 == 0:
            more = {"memo": f"Miete für März {i} ✓", "lat": 52.37 + i / 1000, "card_prepaid": i % 2 == 0}
        if i % 4 == 1:
            more["attributes"] = [("order", str(i)), ("leer", None)]
        if i % 5 == 2:
            more["holders"] = [
                {"party": f"p{i % people}", "role": "owner", "valid_from": START_US, "valid_to": None}
            ]
        rows.append(
            event(
                f"ev-{i}",
                START_US + i,
                amount=i * 7 - 3,
                payer=f"person-{i % people}",
                payee=f"shop-{i % 3}",
                **more,
            )
        )
    return table(rows)


def hits(first: int, count: int) -> pa.Table:
    """A hit for each of `count` events from `first` on."""
    rows = [
        {"source": "test", "event_id": f"ev-{i}", "leg": None, "event_time": START_US + i, "rule_id": "fee", "rule_version": 1,
         "subject_type": "account", "subject_id": f"person-{i % 7}", "score": 0.6, "features": '{"fees":3}', "trigger": "event",
         "as_of": None, "explanation": f"3 payments to person-{i % 7}", "ingest_seq": i, "entity": "default", "mode": "live"}
        for i in range(first, first + count)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=HITS)


def alert(alert_id: str, subject: str = "person-0", **more: Any) -> dict[str, Any]:
    """A row of ALERTS."""
    row: dict[str, Any] = {
        "alert_id": alert_id, "subject_type": "account", "subject_id": subject, "typologies": ["other"], "severity": "high", "score": 0.6,
        "protect": False, "first_event_time": START_US, "last_event_time": START_US, "hit_count": 1, "rule_ids": ["fee"],
        "entity": "default", "mode": "live", "recommendation": "review", "opened_time": START_US, "opened_source": "test",
        "opened_event_id": "ev-0", "opened_rule_id": "fee", "revision": 0, "explanation": f"seen with {subject}", "parts": "[]",
        "holders_first": [{"party": "p1", "role": "owner"}], "holders_latest": [],
    }  # fmt: skip
    return row | more


def alerts(*rows: dict[str, Any]) -> pa.Table:
    """A table of ALERTS."""
    return pa.Table.from_pylist(list(rows), schema=ALERTS)


def changes(*rows: tuple[int, str, str]) -> pa.Table:
    """A table of CHANGES: row of the hit, alert, what it did."""
    return pa.Table.from_pylist([{"hit": h, "alert_id": a, "change": c} for h, a, c in rows], schema=CHANGES)


def refused(*raws: str) -> pa.Table:
    """Quarantine rows with these raw texts."""
    rows = [{"feed": "native", "line": i, "event_id": None, "field": "amount", "value": "x", "reason": "bad_amount", "message": "no number", "raw": raw} for i, raw in enumerate(raws)]  # fmt: skip
    schema = pa.schema([(n, pa.int64() if n == "line" else pa.string()) for n in quarantine.COLUMNS])
    return pa.Table.from_pylist(rows, schema=schema)


def add_batch(store: Store, count: int = 10, hit_count: int = 2, **more: Any) -> Entry:
    """Journal a batch with its consequences: hits, an alert, an offset and a message."""
    first = store.marks.events
    now = store.clock.now_us()
    with store.write() as tx:
        entry = journal.append(tx, "events", events(count, first, **more), now)
        ids = workflow.add_hits(tx, hits(first, hit_count), entry.seq)
        if hit_count:
            subject = f"person-{first % 7}"
            now_alerts = alerts(alert(f"al-{entry.seq}", subject))
            workflow.apply_alerts(
                tx, changes((0, f"al-{entry.seq}", "opened")), now_alerts, ids, entry.seq, now_us=now
            )
            outbox.add(
                tx,
                [outbox.Message("alerts", "opened", f'{{"subject":"{subject}"}}'.encode())],
                entry.seq,
                now,
            )
        offsets.put(tx, "file", {"0": store.marks.events + count}, entry.seq)
    return entry


def fill(store: Store, batches: int = 12) -> None:
    """A journal with rows of several kinds."""
    for i in range(batches):
        add_batch(store, 1 + i % 5 * 3, hit_count=i % 2)
        if i % 4 == 3:
            with store.write() as tx:
                journal.append(
                    tx, "decision", f'{{"who":"ana","why":"case {i}"}}'.encode(), store.clock.now_us()
                )
        if i % 5 == 4:
            with store.write() as tx:
                rows = refused(f'{{"payer":"person-{i}"}}', "not json")
                entry = journal.append(tx, "quarantine", rows, store.clock.now_us())
                quarantine.add(tx, rows, entry.seq, store.clock.now_us())
    with store.write() as tx:
        kept = answers.Answer(b"h", 200, {"a": "b"}, b"person-1 was here", store.clock.now_us())
        answers.put(tx, [("key-1", b"again", kept)])


def count(store: Store, which: sa.Table) -> int:
    """Rows of a table."""
    with store.read() as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(which)).scalar_one())
