"""What an alert rests on: its hits with the values they saw, and the events themselves.

Owns what is shown of a hit, for whoever may see it.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from txmon.cases.sight import hit_shut
from txmon.clock import rfc3339
from txmon.store import Store
from txmon.store.eventrows import events_of
from txmon.store.identity import Principal
from txmon.store.schema import alert_hits, hits

HITS_MAX, EVENTS_MAX = 200, 100
_SHOWN = (
    "hit_id", "source", "event_id", "rule_id", "rule_version", "subject_type", "score", "trigger", "entity",
    "mode",
)  # fmt: skip


def evidence(store: Store, who: Principal, alert_id: str, *, personal: bool) -> dict[str, Any]:
    """Return the newest hits of an alert that are not past, and if `personal` their events."""
    query = (
        sa.select(hits, alert_hits.c.change)
        .join(alert_hits, alert_hits.c.hit_id == hits.c.hit_id)
        .where(alert_hits.c.alert_id == alert_id, sa.not_(hit_shut(who, hits.c.hit_id)))
        .order_by(hits.c.hit_id.desc())
        .limit(HITS_MAX)
    )
    with store.read() as conn:
        rows = conn.execute(query).mappings().all()
    found: dict[str, Any] = {
        "hits": [hit_shown(row, personal=personal) | {"change": row["change"]} for row in rows]
    }
    if personal:
        found["events"] = events_of(store, rows, EVENTS_MAX)
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
