"""Alerts: lists, one with its evidence, and the way through its states.

    open -> in_review -> escalated | dismissed(reason)

Owns these routes and which of an alert's fields are whose to see: some everybody's who may read, most only
with the scope `explain`, and those that name a person only for a purpose.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

import orjson
import sqlalchemy as sa
from fastapi import APIRouter, Header, Response

from txmon.api import masking
from txmon.api.changes import change
from txmon.api.context import Exchange, Parts
from txmon.api.evidence import evidence
from txmon.api.pages import key_of, page, plain, tagged
from txmon.api.personal import Asked, chosen, note_read, require_purpose, within
from txmon.api.problems import Problem
from txmon.api.shapes import AlertFilter, OurId, Transition, micros, query
from txmon.cases import queue
from txmon.cases.sight import alert_shut
from txmon.clock import rfc3339
from txmon.errors import NotFound, StoreConflict
from txmon.store import Tx, workflow
from txmon.store.decisions import decided
from txmon.store.foureyes import APPROVED, Proposal
from txmon.store.identity import Principal
from txmon.store.schema import alerts

DISMISSAL = "alert_dismissal"
_NEXT = {"open": ("in_review",), "in_review": ("escalated", "dismissed")}
_TAG = re.compile(r'(?:W/)?"v(\d{1,18})[ep]?"')
_NEUTRAL = (
    "alert_id", "entity", "mode", "recommendation", "opened_source", "opened_event_id", "revision", "state",
    "historic", "version",
)  # fmt: skip
_FULL = ("subject_type", "severity", "score", "protect", "hit_count")
_LISTS = ("typologies", "rule_ids")


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""

    @router.get("/v1/alerts")
    def list_alerts(exchange: Asked, which: query(AlertFilter)) -> Response:  # type: ignore[valid-type]
        return _listed(parts, exchange, which)

    @router.get("/v1/alerts/{alert_id}")
    def show_alert(exchange: Asked, alert_id: OurId) -> Response:
        with parts.store.read() as conn:
            row = alert_row(conn, exchange.who, alert_id)
        personal = note_read(parts, exchange, "alert.read", alert_id)
        shown = alert_shown(row, explained=exchange.explained, personal=personal)
        if exchange.explained:
            shown |= evidence(parts.store, exchange.who, alert_id, personal=personal)
        if personal:
            with parts.store.read() as conn:
                (shown,) = masking.of_alerts(parts, conn, [shown])
        form = "p" if personal and exchange.explained else "e" if exchange.explained else ""
        return tagged(exchange, orjson.dumps(shown), f'"v{row["version"]}{form}"')

    @router.patch("/v1/alerts/{alert_id}")
    def move_alert(
        exchange: Asked,
        alert_id: OurId,
        to: Transition,
        if_match: Annotated[str | None, Header(description='The ETag that was read, as `"v3"`')] = None,
    ) -> Response:
        version = _version(if_match)
        moved = change(parts, lambda tx: _move(tx, parts, exchange.who, (alert_id, version), to))
        if "proposal_id" in moved:
            return plain(moved, 202)
        return plain(moved, headers={"etag": f'"v{moved["version"]}"'})


def alert_shown(row: sa.RowMapping, *, explained: bool, personal: bool) -> dict[str, Any]:
    """Return an alert as one may see it."""
    found = {name: row[name] for name in _NEUTRAL}
    found["opened_time"] = rfc3339(row["opened_time"])
    found["created"], found["changed"] = rfc3339(row["created_us"]), rfc3339(row["changed_us"])
    if not explained:
        return found
    found |= {name: row[name] for name in _FULL}
    found |= {name: json.loads(row[name]) for name in _LISTS}
    found |= {name: rfc3339(row[name]) for name in ("first_event_time", "last_event_time")}
    found["personal"] = personal
    if personal:
        found |= {name: row[name] for name in ("subject_id", "explanation", "state_reason")}
        found |= {name: _json(row[name]) for name in ("parts", "holders_first", "holders_latest")}
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # an erasure put a mark in its place
        return text


def _listed(parts: Parts, exchange: Exchange, which: AlertFilter) -> Response:
    who = exchange.who
    if not exchange.explained and (
        which.severity or which.typology or which.rule or which.min_score is not None
    ):
        raise Problem("forbidden", "filters by severity, typology, rule and score take the scope explain")
    if which.subject is not None:
        require_purpose(exchange, "who is the subject of an alert")
    where = [
        *within(who, alerts),
        sa.not_(alert_shut(who, alerts.c.alert_id)),
        *chosen(alerts, subject_id=which.subject, entity=which.entity, mode=which.mode),
    ]
    where.append(alerts.c.historic if which.historic else ~alerts.c.historic)
    for column, values in ((alerts.c.state, which.state), (alerts.c.severity, which.severity)):
        if values:
            where.append(column.in_(values))
    for column, name in ((alerts.c.typologies, which.typology), (alerts.c.rule_ids, which.rule)):
        if name is not None:
            where.append(column.contains(f'"{name}"', autoescape=True))
    if which.min_score is not None:
        where.append(alerts.c.score >= which.min_score)
    since, until = micros(which.since), micros(which.until)
    if since is not None:
        where.append(alerts.c.created_us >= since)
    if until is not None:
        where.append(alerts.c.created_us < until)
    after = key_of(which.cursor, int, str)
    if after is not None:
        where.append(sa.tuple_(alerts.c.created_us, alerts.c.alert_id) < sa.tuple_(*map(sa.literal, after)))
    order = (alerts.c.created_us.desc(), alerts.c.alert_id.desc())
    with parts.store.read() as conn:
        rows = (
            conn.execute(sa.select(alerts).where(*where).order_by(*order).limit(which.limit + 1))
            .mappings()
            .all()
        )
    shown, more = rows[: which.limit], len(rows) > which.limit
    personal = exchange.explained and note_read(parts, exchange, "alert.list", which.subject)
    last = (shown[-1]["created_us"], shown[-1]["alert_id"]) if more else None
    items = [alert_shown(row, explained=exchange.explained, personal=personal) for row in shown]
    if personal:
        with parts.store.read() as conn:
            items = masking.of_alerts(parts, conn, items)
    return page(exchange, items, last)


def alert_row(conn: sa.Connection, who: Principal, alert_id: str) -> sa.RowMapping:
    """Return an alert.

    Raises:
        NotFound: there is none, or none that this one may know of.
    """
    query = sa.select(alerts).where(
        alerts.c.alert_id == alert_id, sa.not_(alert_shut(who, alerts.c.alert_id))
    )
    row = conn.execute(query).mappings().first()
    if row is None or not who.may_touch(row["mode"], row["entity"]):
        raise NotFound("there is no such alert")
    return row


def _version(if_match: str | None) -> int:
    if if_match is None:
        raise Problem("precondition_required", "send the ETag of the alert as you read it in If-Match")
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        raise Problem("conflict", "the alert is not in this version; read it again")
    return int(found[1])


def _move(tx: Tx, parts: Parts, who: Principal, which: tuple[str, int], to: Transition) -> dict[str, Any]:
    who.require_person()
    alert_id, version = which
    row = alert_row(tx.conn, who, alert_id)
    if row["version"] != version:
        raise StoreConflict("the alert is not in this version any more; read it again")
    allowed = _NEXT.get(row["state"], ())
    if to.state not in allowed:
        raise Problem("transition", f"from {row['state']} it goes to {' or '.join(allowed) or 'nowhere'}")
    if to.state == "dismissed":
        if to.reason is None:
            raise Problem("invalid", "say why it is dismissed")
        if row["severity"] == "critical":
            body = {"alert_id": alert_id, "revision": row["revision"], "reason": to.reason}
            body |= {"code": to.code}
            number = parts.access.proposals.propose(
                tx, DISMISSAL, body | {"entity": row["entity"], "mode": row["mode"]}, who
            )
            return {"proposal_id": number, "alert_id": alert_id, "state": row["state"]}
    facts = {"alert": alert_id, "from": row["state"], "to": to.state, "reason": to.reason}
    seq = decided(tx, "alert.state", who, **facts, code=to.code)
    if to.state == "dismissed":
        queue.note(tx, alert_id, seq, dismissal=to.code)
    new = workflow.set_alert_state(tx, alert_id, to.state, reason=to.reason, version=version, journal_seq=seq)
    return {"alert_id": alert_id, "state": to.state, "version": new}


def dismissed(tx: Tx, proposal: Proposal, by: Principal) -> None:
    """What the approval of a dismissal leads to."""
    if proposal.state != APPROVED:
        return
    body = proposal.body
    row = alert_row(tx.conn, by, body["alert_id"])
    if row["state"] != "in_review" or row["revision"] != body["revision"]:
        raise StoreConflict("the alert has new evidence or another state since; reject this and look again")
    facts = {"alert": body["alert_id"], "from": row["state"], "to": "dismissed", "reason": body["reason"]}
    code = body.get("code")  # proposals of earlier versions have none
    seq = decided(tx, "alert.state", by, proposal=proposal.id, author=proposal.author, code=code, **facts)
    queue.note(tx, body["alert_id"], seq, dismissal=code)
    workflow.set_alert_state(
        tx, body["alert_id"], "dismissed", reason=body["reason"], version=row["version"], journal_seq=seq
    )
