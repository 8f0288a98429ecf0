"""What happened in a case, in the order of time: payments, alerts, and what people decided.

A payment is a hop of money from one country to another: each end says its jurisdiction, and its time is given
in UTC and, where the zone is known, as the clock on the wall showed it. A zone that is not known is none,
never UTC. Owns the joining; reads only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from txmon.cases.sight import alert_shut, hit_shut
from txmon.clock import rfc3339
from txmon.store import Store
from txmon.store.casetables import case_alerts, case_log
from txmon.store.eventrows import events_of
from txmon.store.identity import Principal
from txmon.store.schema import alert_hits, alerts, hits

PAGE_MAX = 500  # entries of a page
ALERT, DECISION, EVENT = "alert", "decision", "event"  # in this order within a moment
_RANKS = (ALERT, DECISION, EVENT)
_MONEY = ("amount_minor", "currency")
Key = tuple[int, int, str]  # moment in microseconds UTC, place of its kind in _RANKS, what it is called


@dataclass(frozen=True)
class Which:
    """Which entries. zone: IANA zone of the reporting entity, for what happened here; None: not known.

    after: the key of the entry before; personal: whether what names somebody is told.
    """

    zone: str | None
    personal: bool
    after: Key | None = None
    most: int = PAGE_MAX


def events_in(who: Principal, case_id: str) -> sa.Subquery:
    """Return the events that the hits of a case's alerts rest on, each once: its place and its moment.

    Of a hit at a mark of time the event is the mark.
    """
    moment = sa.case((hits.c.trigger == "tick", hits.c.as_of), else_=hits.c.event_time)
    return (
        sa.select(
            hits.c.journal_seq, hits.c.ingest_seq, sa.func.max(moment).label("at_us"),
            sa.func.max(hits.c.hit_id).label("newest"),
        )
        .join(alert_hits, alert_hits.c.hit_id == hits.c.hit_id)
        .join(case_alerts, case_alerts.c.alert_id == alert_hits.c.alert_id)
        .where(case_alerts.c.case_id == case_id, sa.not_(hit_shut(who, hits.c.hit_id)))
        .group_by(hits.c.journal_seq, hits.c.ingest_seq)
        .subquery()
    )  # fmt: skip


def page(store: Store, who: Principal, case_id: str, which: Which) -> tuple[list[dict[str, Any]], Key | None]:
    """Return entries, the oldest first, and the key of the last one if there are more."""
    with store.read() as conn:
        found = _alerts(conn, who, case_id, which) + _log(conn, case_id, which)
        events = _events(conn, who, case_id, which) if which.personal else []
    found += [(key, row) for key, row in events]
    found.sort(key=lambda each: each[0])
    shown = found[: which.most]
    rows = [row for key, row in shown if key[1] == _RANKS.index(EVENT)]
    told = {event["ingest_seq"]: event for event in events_of(store, rows, which.most)}
    entries = []
    for key, entry in shown:
        if key[1] != _RANKS.index(EVENT):
            entries.append(entry)
        elif entry["ingest_seq"] in told:  # it was not erased
            entries.append(_hop(told[entry["ingest_seq"]]))
    return entries, shown[-1][0] if len(found) > which.most else None


def span(store: Store, who: Principal, case_id: str) -> dict[str, str] | None:
    """Return the first and the last time of the payments of a case."""
    events = events_in(who, case_id)
    with store.read() as conn:
        first, last = conn.execute(sa.select(sa.func.min(events.c.at_us), sa.func.max(events.c.at_us))).one()
    return None if first is None else {"first": rfc3339(first), "last": rfc3339(last)}


def _behind(which: Which, what: str, moment: Any, name: Any) -> list[sa.ColumnElement[bool]]:
    """The condition on rows of one kind that leaves those behind a key."""
    if which.after is None:
        return []
    at, rank, last = which.after
    own = _RANKS.index(what)
    if own < rank:
        return [moment > at]
    if own > rank:
        return [moment >= at]
    return [sa.or_(moment > at, sa.and_(moment == at, name > (last if what == ALERT else int(last))))]


def _events(conn: sa.Connection, who: Principal, case_id: str, which: Which) -> list[tuple[Key, Any]]:
    events = events_in(who, case_id)
    query = (
        sa.select(events)
        .where(*_behind(which, EVENT, events.c.at_us, events.c.ingest_seq))
        .order_by(events.c.at_us, events.c.ingest_seq)
        .limit(which.most + 1)
    )
    rank = _RANKS.index(EVENT)
    return [((row["at_us"], rank, _padded(row["ingest_seq"])), row) for row in conn.execute(query).mappings()]


def _padded(number: int) -> str:
    """A number as text that sorts as it does."""
    return f"{number:018d}"


def _hop(event: dict[str, Any]) -> dict[str, Any]:
    entry = _at(_micros(event["event_time"]), event.get("tz"))
    entry |= {"what": EVENT, "kind": event.get("kind")}
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


def _alerts(conn: sa.Connection, who: Principal, case_id: str, which: Which) -> list[tuple[Key, Any]]:
    query = (
        sa.select(alerts.c.alert_id, alerts.c.created_us, alerts.c.severity, alerts.c.state)
        .join(case_alerts, case_alerts.c.alert_id == alerts.c.alert_id)
        .where(case_alerts.c.case_id == case_id, sa.not_(alert_shut(who, alerts.c.alert_id)))
        .where(*_behind(which, ALERT, alerts.c.created_us, alerts.c.alert_id))
        .order_by(alerts.c.created_us, alerts.c.alert_id)
        .limit(which.most + 1)
    )
    found: list[tuple[Key, Any]] = []
    for row in conn.execute(query):
        entry = _at(row.created_us, which.zone)
        entry |= {"what": ALERT, "alert_id": row.alert_id, "severity": row.severity, "state": row.state}
        found.append(((row.created_us, _RANKS.index(ALERT), row.alert_id), entry))
    return found


def _log(conn: sa.Connection, case_id: str, which: Which) -> list[tuple[Key, Any]]:
    query = (
        sa.select(case_log)
        .where(case_log.c.case_id == case_id)
        .where(*_behind(which, DECISION, case_log.c.at_us, case_log.c.journal_seq))
        .order_by(case_log.c.at_us, case_log.c.journal_seq)
        .limit(which.most + 1)
    )
    found: list[tuple[Key, Any]] = []
    for row in conn.execute(query):
        entry = _at(row.at_us, which.zone) | {"what": DECISION, "decision": row.kind, "by": row.author}
        entry["journal_seq"] = row.journal_seq
        if which.personal:
            entry["facts"] = _facts(row.facts)
        found.append(((row.at_us, _RANKS.index(DECISION), _padded(row.journal_seq)), entry))
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
