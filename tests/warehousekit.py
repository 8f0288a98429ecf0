"""Helpers of the warehouse's tests: a varied journal, and what the warehouse must say of it, in plain Python."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from txkit import DAY, START_US, event, moment, table

from txmon.alerts.tables import ALERTS, CHANGES
from txmon.engine.hits import HIT_COLUMNS
from txmon.store import Store, journal, schema, workflow
from txmon.store.journal import Entry
from txmon.store.warehouse import Warehouse

HITS = pa.schema([*HIT_COLUMNS, ("ingest_seq", pa.int64()), ("entity", pa.string()), ("mode", pa.string())])
Rows = list[dict[str, Any]]


class TestClock:
    """Moves by a millisecond at every look."""

    __test__ = False

    def __init__(self) -> None:
        self.time_us = START_US

    def now_us(self) -> int:
        self.time_us += 1000
        return self.time_us


def open_store(place: str | Path, seed: int = 1, **more: Any) -> Store:
    """A store with the tests' clock and chance."""
    return Store.open(place, clock=TestClock(), random_bytes=random.Random(seed).randbytes, **more)


def _random_event(draw: random.Random, number: int, people: int, days: int) -> dict[str, Any]:
    """A payment or a profile event, on any of some days, with texts outside ASCII and nulls."""
    time = START_US + draw.randrange(days) * DAY + draw.randrange(DAY)
    who = f"person-{draw.randrange(people)}"
    if draw.random() < 0.1:
        holder = {"party": f"p-{who}", "role": "owner", "valid_from": time, "valid_to": None}
        return event(
            f"ev-{number}", time, kind=draw.choice(["account.opened", "account.updated"]), amount=None,
            account=who, tz=draw.choice([None, "Europe/Berlin", "Asia/Tokyo"]), holders=[holder],
            attributes=[("home_city", draw.choice(["Köln", "大阪"])), ("leer", None)],
        )  # fmt: skip
    more: dict[str, Any] = {}
    if draw.random() < 0.3:
        more = {
            "memo": f"Miete {number} ✓ für {who}",
            "lat": draw.random(),
            "card_prepaid": draw.random() < 0.5,
        }
    if draw.random() < 0.2:
        more |= {"currency": "JPY", "base_currency": draw.choice(["JPY", "BHD"])}
    kind = draw.choice(["payment", "transfer", "refund", "authorization"])
    status = draw.choice([None, "settled", "declined"])
    payee = draw.choice([None, f"shop-{draw.randrange(5)}"])
    return event(
        f"ev-{number}", time, kind=kind, status=status, amount=draw.randrange(10**15),
        payer=who, payee=payee, **more,
    )  # fmt: skip


def random_events(draw: random.Random, count: int, first: int, people: int = 20, days: int = 5) -> pa.Table:
    """Canonical events of people on some days, in any order of time."""
    return table([_random_event(draw, first + i, people, days) for i in range(count)])


def hits_of(events: pa.Table, first: int, every: int = 7) -> pa.Table:
    """A hit for some of the events of a batch that begins with event `first`."""
    rows = [
        {"source": row["source"], "event_id": row["event_id"], "leg": [None, "out", "in"][i % 3], "event_time": row["event_time"],
         "rule_id": "fee", "rule_version": 1, "subject_type": "account", "subject_id": row["payer"] or row["account"] or "nobody", "score": 0.6,
         "features": '{"fees":3}', "trigger": "late" if i % 2 else "event", "as_of": row["event_time"] if i % 2 else None,
         "explanation": f"3 payments by {row['payer']}", "ingest_seq": first + i, "entity": "default", "mode": "live"}
        for i, row in enumerate(events.to_pylist()) if (first + i) % every == 0
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=HITS)


def alert_row(named: str, subject: str, **more: Any) -> dict[str, Any]:
    """A row of ALERTS."""
    return {
        "alert_id": named, "subject_type": "account", "subject_id": subject, "typologies": ["other", "x"], "severity": "high", "score": 0.6,
        "protect": False, "first_event_time": START_US, "last_event_time": START_US, "hit_count": 1, "rule_ids": ["fee"],
        "entity": "default", "mode": "live", "recommendation": "review", "opened_time": START_US, "opened_source": "test",
        "opened_event_id": "ev-0", "opened_rule_id": "fee", "revision": 0, "explanation": f"seen with {subject}", "parts": "[]",
        "holders_first": [{"party": "p1", "role": "owner"}], "holders_latest": [],
    } | more  # fmt: skip


def alert_id(subject: str) -> str:
    """An id that does not show whom it is about, as the engine's do not."""
    return f"al-{sha256(subject.encode()).hexdigest()[:12]}"


def add(store: Store, events: pa.Table, every: int = 7) -> Entry:
    """Journal events with hits, and an alert a subject that grows with its hits."""
    first, now = store.marks.events, store.clock.now_us()
    found = hits_of(events, first, every)
    with store.write() as tx:
        entry = journal.append(tx, "events", events, now)
        ids = workflow.add_hits(tx, found, entry.seq)
        subjects = found.column("subject_id").to_pylist()
        rows = [alert_row(alert_id(s), s, hit_count=i + 1) for i, s in enumerate(dict.fromkeys(subjects))]
        links = [{"hit": i, "alert_id": alert_id(s), "change": "opened"} for i, s in enumerate(subjects)]
        workflow.apply_alerts(
            tx,
            pa.Table.from_pylist(links, schema=CHANGES),
            pa.Table.from_pylist(rows, schema=ALERTS),
            ids,
            entry.seq,
            now_us=now,
        )
    return entry


def decide(store: Store, named: str) -> None:
    """A human decision that moves an alert on."""
    with store.write() as tx:
        version = tx.conn.execute(
            sa.select(schema.alerts.c.version).where(schema.alerts.c.alert_id == named)
        ).scalar_one()
        entry = journal.append(tx, "decision", b'{"who":"ana"}', store.clock.now_us())
        workflow.set_alert_state(
            tx, named, "in_review", reason="looking", version=version, journal_seq=entry.seq
        )


def fill(store: Store, draw: random.Random, batches: int, **more: Any) -> None:
    """A journal of batches of several sizes, with decisions in between."""
    for i in range(batches):
        size = draw.choice([1, 3, 16, 60])
        add(store, random_events(draw, size, store.marks.events, **more))
        if i % 4 == 3:
            with store.read() as conn:
                some = conn.execute(sa.select(schema.alerts.c.alert_id).limit(3)).scalars().all()
            for named in some[-1:]:
                decide(store, named)


def journal_events(store: Store, upto: int | None = None) -> Rows:
    """Every event of the journal as the warehouse must show it, in order of arrival."""
    found = []
    for entry in journal.read(store, to_seq=upto, kinds=["events"]):
        for place, row in zip(entry.rows.tolist(), entry.table.to_pylist(), strict=True):
            shown = {name: _plain(value) for name, value in row.items()}
            shown |= {
                "ingest_seq": entry.first_event_seq + place,
                "journal_seq": entry.seq,
                "received_at": _plain(moment(entry.received_at_us)),
                "day": row["event_time"].date(),
            }
            found.append(shown)
    return found


def _plain(value: Any) -> Any:
    """A value as DuckDB gives it: UTC without a zone, maps as dicts."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, list):
        if value and isinstance(value[0], tuple):
            return dict(value)
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value


def stored(store: Store, which: sa.Table) -> Rows:
    """Rows of a table of the store as the warehouse must show them."""
    with store.read() as conn:
        rows = [dict(row) for row in conn.execute(sa.select(which)).mappings()]
    times = {
        "event_time",
        "as_of",
        "first_event_time",
        "last_event_time",
        "opened_time",
        "created_us",
        "changed_us",
    }
    for row in rows:
        for name in times & set(row):
            row[name] = None if row[name] is None else _plain(moment(row[name]))
        for name in {"typologies", "rule_ids"} & set(row):
            row[name] = json.loads(row[name])
        if "leg" in row:
            row["leg"] = row["leg"] or None
        for name in ("created", "changed"):
            if f"{name}_us" in row:
                row[f"{name}_at"] = row.pop(f"{name}_us")
    return _sorted(rows)


def _sorted(rows: Iterable[dict[str, Any]]) -> Rows:
    keys = ("ingest_seq", "leg_order", "hit_id", "alert_id")
    return sorted(rows, key=lambda row: [str(row[k]).rjust(12) for k in keys if k in row])


def shown(warehouse: Warehouse, query: str, *values: Any) -> Rows:
    """Rows of a query as dicts."""
    with warehouse.read() as cursor:
        result = cursor.execute(query, list(values))
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


CANONICAL_AND_MORE = "* exclude (amount, amount_original, moved, signed_amount)"


def everything(warehouse: Warehouse) -> dict[str, Rows]:
    """All that the warehouse holds, in an order of its own."""
    events = shown(warehouse, f"select {CANONICAL_AND_MORE} from events order by ingest_seq")
    others = {t: _sorted(shown(warehouse, f"select * from {t}")) for t in ("hits", "alerts", "alert_hits")}
    return {"events": events} | others


def expected(store: Store) -> dict[str, Rows]:
    """All that a warehouse brought up to date must hold."""
    return {
        "events": journal_events(store),
        "hits": stored(store, schema.hits),
        "alerts": stored(store, schema.alerts),
        "alert_hits": stored(store, schema.alert_hits),
    }


def assert_equal(warehouse: Warehouse, store: Store) -> None:
    """The warehouse says what journal and store say, row for row."""
    found, wanted = everything(warehouse), expected(store)
    for name, rows in wanted.items():
        assert found[name] == rows, name


def parquet_files(folder: Path) -> list[Path]:
    """Files of events, in order of their names."""
    return sorted(folder.glob("events/day=*/*.parquet"))


def day_of(path: Path) -> date:
    """The day that a file's folder names."""
    return date.fromisoformat(path.parent.name.removeprefix("day="))
