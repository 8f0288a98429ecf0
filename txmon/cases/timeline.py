"""What happened in a case, in the order of time: payments, alerts, and what people decided.

A payment is a hop of money from one country to another: each end says its jurisdiction, and its time is given
in UTC and, where the zone is known, as the clock on the wall showed it. A zone that is not known is none,
never UTC. Owns the joining; reads only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from txmon.clock import rfc3339
from txmon.store import Store
from txmon.store.casetables import case_alerts, case_log
from txmon.store.eventrows import events_of
from txmon.store.schema import alert_hits, alerts, hits

EVENTS_MAX = 500  # newest hits whose events are read
LOG_MAX = 500
_MONEY = ("amount_minor", "currency")


def hits_of(conn: sa.Connection, case_id: str, most: int = EVENTS_MAX) -> list[sa.RowMapping]:
    """Return the newest hits of the alerts of a case, one an event."""
    query = (
        sa.select(hits.c.journal_seq, hits.c.ingest_seq, sa.func.max(hits.c.hit_id).label("newest"))
        .join(alert_hits, alert_hits.c.hit_id == hits.c.hit_id)
        .join(case_alerts, case_alerts.c.alert_id == alert_hits.c.alert_id)
        .where(case_alerts.c.case_id == case_id)
        .group_by(hits.c.journal_seq, hits.c.ingest_seq)
        .order_by(sa.desc("newest"))
        .limit(most)
    )
    return list(conn.execute(query).mappings())


def of_case(store: Store, case_id: str, zone: str | None, *, personal: bool) -> list[dict[str, Any]]:
    """Return the entries, the oldest first; without `personal` what names somebody is left out.

    Args:
        zone: IANA zone of the reporting entity, for what happened here; None: not known.
    """
    with store.read() as conn:
        found = _alerts(conn, case_id, zone) + _log(conn, case_id, zone, personal)
        rows = hits_of(conn, case_id)
    if personal:
        found += [_hop(event) for event in events_of(store, rows, EVENTS_MAX)]
    return sorted(found, key=lambda entry: (entry["at"], entry["what"], entry.get("journal_seq", 0)))


def _hop(event: dict[str, Any]) -> dict[str, Any]:
    entry = _at(_micros(event["event_time"]), event.get("tz"))
    entry |= {"what": "event", "kind": event.get("kind")}
    entry |= {name: event.get(name) for name in ("source", "event_id", "channel", "rail", "status")}
    entry |= {name: event.get(name) for name in _MONEY}
    entry["from"] = {"account": event.get("payer"), "jurisdiction": event.get("payer_country")}
    to = event.get("payee") or event.get("merchant")
    where = event.get("payee_country") or event.get("merchant_country")
    entry["to"] = {"account": to, "jurisdiction": where}
    entry["cross_border"] = _differ(event.get("payer_country"), where)
    entry["time_resolution"] = event.get("time_resolution")
    return entry


def _differ(one: str | None, other: str | None) -> bool | None:
    return None if one is None or other is None else one != other


def _alerts(conn: sa.Connection, case_id: str, zone: str | None) -> list[dict[str, Any]]:
    query = (
        sa.select(alerts.c.alert_id, alerts.c.created_us, alerts.c.severity, alerts.c.state)
        .join(case_alerts, case_alerts.c.alert_id == alerts.c.alert_id)
        .where(case_alerts.c.case_id == case_id)
    )
    return [
        _at(row.created_us, zone)
        | {"what": "alert", "alert_id": row.alert_id, "severity": row.severity, "state": row.state}
        for row in conn.execute(query)
    ]


def _log(conn: sa.Connection, case_id: str, zone: str | None, personal: bool) -> list[dict[str, Any]]:
    query = (
        sa.select(case_log)
        .where(case_log.c.case_id == case_id)
        .order_by(case_log.c.journal_seq.desc())
        .limit(LOG_MAX)
    )
    found = []
    for row in conn.execute(query):
        entry = _at(row.at_us, zone) | {"what": "decision", "decision": row.kind, "by": row.author}
        entry["journal_seq"] = row.journal_seq
        if personal:
            entry["facts"] = _facts(row.facts)
        found.append(entry)
    return found


def _facts(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # an erasure put a mark in its place
        return text


def _at(time_us: int, zone: str | None) -> dict[str, Any]:
    local = None
    if zone is not None:
        seconds, micros = divmod(time_us, 1_000_000)
        moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
        local = moment.astimezone(ZoneInfo(zone)).isoformat()
    return {"at": rfc3339(time_us), "zone": zone, "local": local}


def _micros(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def span(entries: Sequence[dict[str, Any]]) -> dict[str, str] | None:
    """Return the first and the last time of the payments among entries."""
    times = [entry["at"] for entry in entries if entry["what"] == "event"]
    return {"first": min(times), "last": max(times)} if times else None
