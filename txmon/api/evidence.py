"""What an alert rests on: its hits with the values they saw, and the events themselves.

Owns the reading of a hit and of an event out of the journal, for whoever may see them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from txmon.clock import rfc3339
from txmon.store import Store, journal
from txmon.store.schema import alert_hits, hits

HITS_MAX, EVENTS_MAX = 200, 100
_SHOWN = (
    "hit_id", "source", "event_id", "rule_id", "rule_version", "subject_type", "score", "trigger", "entity",
    "mode",
)  # fmt: skip


def evidence(store: Store, alert_id: str, *, personal: bool) -> dict[str, Any]:
    """Return the newest hits of an alert and their events; events name people, so only if `personal`."""
    query = (
        sa.select(hits, alert_hits.c.change)
        .join(alert_hits, alert_hits.c.hit_id == hits.c.hit_id)
        .where(alert_hits.c.alert_id == alert_id)
        .order_by(hits.c.hit_id.desc())
        .limit(HITS_MAX)
    )
    with store.read() as conn:
        rows = conn.execute(query).mappings().all()
    found: dict[str, Any] = {
        "hits": [hit_shown(row, personal=personal) | {"change": row["change"]} for row in rows]
    }
    if personal:
        found["events"] = events_of(store, rows)
    return found


def hit_shown(row: sa.RowMapping, *, personal: bool) -> dict[str, Any]:
    """Return a hit as one may see it."""
    found = {name: row[name] for name in _SHOWN}
    found["leg"] = row["leg"] or None
    found["event_time"] = rfc3339(row["event_time"])
    found["as_of"] = None if row["as_of"] is None else rfc3339(row["as_of"])
    if personal:
        found |= {"subject_id": row["subject_id"], "explanation": row["explanation"]}
        found["features"] = _features(row["features"])
    return found


def _features(text: str) -> Any:
    """Exact decimals stay exact: they are shown as text."""
    try:
        return json.loads(text, parse_float=str)
    except ValueError:  # an erasure put a mark in its place
        return text


def events_of(store: Store, rows: Sequence[sa.RowMapping]) -> list[dict[str, Any]]:
    """Return the events of hits, the newest first; what was erased is not there."""
    wanted: dict[int, set[int]] = defaultdict(set)
    for row in rows[:EVENTS_MAX]:
        wanted[row["journal_seq"]].add(row["ingest_seq"])
    found: dict[int, dict[str, Any]] = {}
    for seq, numbers in wanted.items():
        for entry in journal.read(store, seq, seq, (journal.EVENTS,)):
            places = np.flatnonzero(np.isin(entry.rows + entry.first_event_seq, sorted(numbers)))
            table = entry.table.take(pa.array(places))
            given = (entry.rows[places] + entry.first_event_seq).tolist()
            for number, event in zip(given, table.to_pylist(), strict=True):
                found[number] = {"ingest_seq": number} | _plain(event)
    return [found[number] for number in sorted(found, reverse=True)]


def _plain(event: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in event.items() if value is not None}


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list):
        if value and isinstance(value[0], tuple):  # a map
            return dict(value)
        return [_plain(each) if isinstance(each, Mapping) else _value(each) for each in value]
    if hasattr(value, "isoformat"):
        return value.isoformat().replace("+00:00", "Z")
    return value
