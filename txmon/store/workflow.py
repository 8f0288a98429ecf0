"""Hits, alerts and what an alert rests on, as rows.

Hits are numbered on in journal order. An alert is one row that grows; every change adds one to its
`version`, which is its ETag. Owns these three tables; what opens an alert is `txmon.alerts`' part, what a
person may do with one is the API's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from txmon.alerts.tables import ALERTS
from txmon.engine.hits import HIT_COLUMNS
from txmon.errors import InputError, StoreConflict
from txmon.store.db import Tx
from txmon.store.schema import alert_hits, alerts, hits
from txmon.store.texts import as_json, clean, column

STATES = ("open", "in_review", "escalated", "dismissed")
_LISTS = ("typologies", "rule_ids", "holders_first", "holders_latest")
_BESIDES = ("ingest_seq", "entity", "mode")
_INSERT_HITS, _INSERT_ALERT_HITS = sa.insert(hits), sa.insert(alert_hits)


def add_hits(tx: Tx, table: pa.Table, journal_seq: int) -> range:
    """Store the hits of a journal row, in order; returns their numbers, one a row of `table`.

    Args:
        table: the columns of hits.parquet and `ingest_seq`, `entity`, `mode`; others are ignored.

    Raises:
        InputError: one of these columns is missing.
    """
    numbers = range(tx.marks.hit, tx.marks.hit + len(table))
    if not numbers:
        return numbers
    names = (*HIT_COLUMNS.names, *_BESIDES)
    missing = [n for n in names if n not in table.column_names]
    if missing:
        raise InputError(f"hits lack the columns {', '.join(missing)}; give the engine's whole table of hits")
    columns = {name: column(table, name) for name in names}
    columns["leg"] = [leg or "" for leg in columns["leg"]]
    rows = [
        dict(zip(columns, values, strict=True)) | {"hit_id": number, "journal_seq": journal_seq}
        for number, values in zip(numbers, zip(*columns.values(), strict=True), strict=True)
    ]
    tx.conn.execute(_INSERT_HITS, rows)
    tx.marks.hit = numbers.stop
    return numbers


def apply_alerts(
    tx: Tx,
    changes: pa.Table,
    alerts_now: pa.Table,
    hit_ids: Sequence[int],
    journal_seq: int,
    *,
    now_us: int,
    historic: bool = False,
) -> None:
    """Store what the hits of a journal row did to alerts.

    Args:
        changes: `txmon.alerts.tables.CHANGES`; `hit` is a row of the batch's hits.
        alerts_now: `ALERTS` rows, as they are now, of every alert that `changes` names.
        hit_ids: what `add_hits` returned for the batch.
        historic: alerts that these hits open are history: listed, never told.
    """
    if len(changes) == 0:
        return
    rows = [_alert_row(row) for row in alerts_now.to_pylist()]
    for row in rows:
        row |= {"journal_seq": journal_seq, "changed_seq": journal_seq}
        row |= {"created_us": now_us, "changed_us": now_us, "historic": historic}
    if rows:
        tx.conn.execute(_upsert(tx.conn.dialect.name), rows)
    tx.conn.execute(
        _INSERT_ALERT_HITS,
        [
            {"alert_id": row["alert_id"], "hit_id": hit_ids[row["hit"]], "change": row["change"]}
            for row in changes.to_pylist()
        ],
    )


def _alert_row(row: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"state": "open", "state_reason": None, "version": 1}
    for name, value in row.items():
        if name in _LISTS:
            made[name] = clean(as_json(value))
        elif isinstance(value, str):
            made[name] = clean(value)
        elif hasattr(value, "timestamp"):
            made[name] = _micros(value)
        else:
            made[name] = value
    return made


def _micros(value: Any) -> int:
    """Exact microseconds of an aware time."""
    return int(pa.scalar(value, pa.timestamp("us", "UTC")).value)


_upserts: dict[str, Any] = {}


def _upsert(dialect: str) -> Any:
    """Insert, or bring what the engine says up to date; what people decided stays."""
    found = _upserts.get(dialect)
    if found is None:
        insert: Any = (postgresql if dialect == "postgresql" else sqlite).insert(alerts)
        kept = {n: insert.excluded[n] for n in (*ALERTS.names, "changed_seq", "changed_us")}
        kept["version"] = alerts.c.version + 1
        found = _upserts[dialect] = insert.on_conflict_do_update(index_elements=["alert_id"], set_=kept)
    return found


def set_alert_state(
    tx: Tx, alert_id: str, state: str, *, reason: str | None, version: int, journal_seq: int
) -> int:
    """Move an alert to another state; returns its new version.

    Args:
        version: the one the person saw.
        journal_seq: of the decision's journal row.

    Raises:
        InputError: a state that is none. StoreConflict: the alert changed since, or is not there.
    """
    if state not in STATES:
        raise InputError(f"alert state {state!r} is not one of {', '.join(STATES)}")
    done = tx.conn.execute(
        sa.update(alerts)
        .where(alerts.c.alert_id == alert_id, alerts.c.version == version)
        .values(
            state=state,
            state_reason=reason,
            version=version + 1,
            changed_seq=journal_seq,
            changed_us=tx.clock.now_us(),
        )
    )
    if done.rowcount != 1:
        raise StoreConflict(f"alert {alert_id} is not in version {version} any more; read it again")
    return version + 1


def historic(tx: Tx, alert_ids: Sequence[str]) -> frozenset[str]:
    """Return which of these alerts are history."""
    if not alert_ids:
        return frozenset()
    query = sa.select(alerts.c.alert_id).where(alerts.c.alert_id.in_(alert_ids), alerts.c.historic)
    return frozenset(tx.conn.execute(query).scalars())


def wake(tx: Tx, alert_ids: Sequence[str], now_us: int) -> None:
    """Turn history into alerts to be worked on, as of now: something new was added to them."""
    if alert_ids:
        tx.conn.execute(
            sa.update(alerts)
            .where(alerts.c.alert_id.in_(alert_ids))
            .values(historic=False, created_us=now_us, version=alerts.c.version + 1)
        )
