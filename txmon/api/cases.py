"""Cases: listed, shown, opened, changed; what happened in one, and who is connected with whom.

A case that is not the caller's to see is not found. Owns these routes and what of a case is shown: what names
somebody only for a purpose, and every such look is recorded.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import orjson
import sqlalchemy as sa
from fastapi import APIRouter, Header, Response

from txmon.api import masking
from txmon.api.caseshapes import CaseChange, CaseFilter, NewCase, TimelineFilter
from txmon.api.changes import change
from txmon.api.context import Exchange, Parts
from txmon.api.pages import cached, key_of, page, plain, tagged
from txmon.api.personal import Asked, chosen, note_read, require_purpose
from txmon.api.problems import Problem
from txmon.api.queues import identity_of
from txmon.api.shapes import OurId, query
from txmon.cases import checks, files, moves, network, opening, timeline
from txmon.cases.rows import Wanted, listed, parties_of
from txmon.cases.sight import alert_shut, case_row, may_see
from txmon.cases.words import CLOCK_HOURS
from txmon.clock import rfc3339
from txmon.store.casetables import case_access, case_alerts, cases

IfMatch = Annotated[str | None, Header(description='The ETag of what was read, as `"v3"`')]
_TAG = re.compile(r'(?:W/)?"v(\d{1,18})p?"')
_NUMBER = re.compile(r"[0-9]{1,18}")
_HOUR_US = 3_600_000_000
_PLAIN = (
    "case_id", "entity", "mode", "state", "severity", "protect", "restriction", "assignee", "lead",
    "facts_known_by", "merged_into", "split_from", "version", "created_by",
)  # fmt: skip


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""

    @router.get("/v1/cases")
    def list_cases(exchange: Asked, which: query(CaseFilter)) -> Response:  # type: ignore[valid-type]
        return _listed(parts, exchange, which)

    @router.post("/v1/cases")
    def open_case(exchange: Asked, asked: NewCase) -> Response:
        new = opening.Opening(asked.title, asked.reason, asked.restriction)
        case_id = change(parts, lambda tx: opening.open_case(tx, exchange.who, asked.seen, new))
        return plain({"case_id": case_id, "version": 1}, 201, {"etag": '"v1"'})

    @router.get("/v1/cases/{case_id}")
    def show_case(exchange: Asked, case_id: OurId) -> Response:
        return _one(parts, exchange, case_id)

    @router.patch("/v1/cases/{case_id}")
    def change_case(exchange: Asked, case_id: OurId, asked: CaseChange, if_match: IfMatch = None) -> Response:
        wanted = Wanted(case_id, version_of(if_match))
        name, value = asked.named
        wish = moves.Change(name, value, asked.reason)
        proposals = parts.access.proposals
        return done(
            case_id, change(parts, lambda tx: moves.change(tx, proposals, exchange.who, wanted, wish))
        )

    @router.get("/v1/cases/{case_id}/timeline")
    def show_timeline(exchange: Asked, case_id: OurId, which: query(TimelineFilter)) -> Response:  # type: ignore[valid-type]
        return _timeline(parts, exchange, case_id, which)

    @router.get("/v1/cases/{case_id}/network")
    def show_network(exchange: Asked, case_id: OurId) -> Response:
        row = _seen(parts, exchange, case_id)
        require_purpose(exchange, "who is connected with whom")
        note_read(parts, exchange, "case.network", case_id)
        found = network.of_case(parts.store, exchange.who, case_id)
        return cached(exchange, masking.of_case(parts, row["restriction"], found))


def _timeline(parts: Parts, exchange: Exchange, case_id: str, which: TimelineFilter) -> Response:
    row = _seen(parts, exchange, case_id)
    after = key_of(which.cursor, int, int, str)
    if after is not None and not ((after[1] in (1, 2) and _NUMBER.fullmatch(str(after[2]))) or after[1] == 0):
        raise Problem("invalid_cursor", "use the `next_cursor` of a page of this very list")
    personal = note_read(parts, exchange, "case.timeline", case_id)
    wish = timeline.Which(parts.settings.entity_tz, personal, after, which.limit)  # type: ignore[arg-type]
    entries, last = timeline.page(parts.store, exchange.who, case_id, wish)
    span = timeline.span(parts.store, exchange.who, case_id) if personal else None
    return page(exchange, masking.of_case(parts, row["restriction"], entries), last, span=span)


def version_of(if_match: str | None, what: str = "case") -> int:
    """Return the version that If-Match names of a case, or of something else.

    Raises:
        Problem: precondition_required, conflict.
    """
    if if_match is None:
        raise Problem("precondition_required", f"send the ETag of the {what} as you read it in If-Match")
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        raise Problem("conflict", f"the {what} is not in this version; read it again")
    return int(found[1])


def done(case_id: str, made: dict[str, Any]) -> Response:
    """Return the answer to a change: 202 where it waits for a second person."""
    found = {"case_id": case_id} | made
    return plain(found, 202 if "proposal_id" in made else 200, {"etag": f'"v{made["version"]}"'})


def _seen(parts: Parts, exchange: Exchange, case_id: str) -> sa.RowMapping:
    with parts.store.read() as conn:
        return case_row(conn, exchange.who, case_id)


def _listed(parts: Parts, exchange: Exchange, which: CaseFilter) -> Response:
    where = may_see(exchange.who) + chosen(cases, entity=which.entity, mode=which.mode, protect=which.protect)
    for column, values in ((cases.c.state, which.state), (cases.c.severity, which.severity)):
        if values:
            where.append(column.in_(values))
    assignee = identity_of(which.assignee, exchange.who)
    if assignee is not None:
        where.append(cases.c.assignee.is_(None) if assignee == "" else cases.c.assignee == assignee)
    if which.restricted is not None:
        there = cases.c.restriction.is_not(None)
        where.append(there if which.restricted else sa.not_(there))
    put_off = sa.func.coalesce(cases.c.snoozed_until_us, 0) > parts.clock.now_us()
    where.append(put_off if which.snoozed else sa.not_(put_off))
    if which.alert is not None:
        linked = sa.select(case_alerts.c.case_id).where(case_alerts.c.alert_id == which.alert)
        where.append(cases.c.case_id.in_(linked))
    after = key_of(which.cursor, int, str)
    if after is not None:
        where.append(sa.tuple_(cases.c.created_us, cases.c.case_id) < sa.tuple_(*map(sa.literal, after)))
    order = (cases.c.created_us.desc(), cases.c.case_id.desc())
    found = sa.select(cases).where(*where).order_by(*order).limit(which.limit + 1)
    with parts.store.read() as conn:
        rows = list(conn.execute(found).mappings())
    shown, more = rows[: which.limit], len(rows) > which.limit
    personal = note_read(parts, exchange, "case.list", None)
    last = (shown[-1]["created_us"], shown[-1]["case_id"]) if more else None
    items = [masking.of_case(parts, row["restriction"], case_shown(row, personal=personal)) for row in shown]
    return page(exchange, items, last)


def case_shown(row: sa.RowMapping, *, personal: bool) -> dict[str, Any]:
    """Return a case as one may see it."""
    found = {name: row[name] for name in _PLAIN}
    found["typologies"] = listed(row["typologies"])
    for name in ("created", "changed", "snoozed_until"):
        found[name] = _time(row[f"{name}_us"])
    found["facts_known_at"] = _time(row["facts_known_us"])
    look, decide = CLOCK_HOURS[row["severity"]]
    found["due"] = {
        "look": _time(row["created_us"] + look * _HOUR_US) if row["state"] == "open" else None,
        "decide": _time(row["created_us"] + decide * _HOUR_US)
        if row["state"] in ("open", "investigating")
        else None,
    }
    found["personal"] = personal
    if personal:
        found |= {"title": row["title"], "state_reason": row["state_reason"]}
    return found


def _time(value: int | None) -> str | None:
    return None if value is None else rfc3339(value)


def _one(parts: Parts, exchange: Exchange, case_id: str) -> Response:
    with parts.store.read() as conn:
        row = case_row(conn, exchange.who, case_id)
        shut = alert_shut(exchange.who, case_alerts.c.alert_id)
        linked = sa.select(case_alerts.c.alert_id).where(case_alerts.c.case_id == case_id, sa.not_(shut))
        alert_ids = sorted(conn.execute(linked).scalars())
        access = conn.execute(sa.select(case_access).where(case_access.c.case_id == case_id)).all()
        parties, noted = parties_of(conn, case_id), checks.of_case(conn, case_id)
        attached = files.of_case(conn, exchange.who, case_id)
    personal = note_read(parts, exchange, "case.read", case_id)
    shown = case_shown(row, personal=personal) | {"alerts": alert_ids}
    shown["parties"] = [party_shown(each, personal) for each in parties]
    shown["access"] = [{"person_id": each.person_id, "granted_by": each.granted_by} for each in access]
    shown["checklist"] = [check_shown(each, personal) for each in noted]
    shown["files"] = [file_shown(each, personal) for each in attached]
    tag = f'"v{row["version"]}{"p" if personal else ""}"'
    return tagged(exchange, orjson.dumps(masking.of_case(parts, row["restriction"], shown)), tag)


def party_shown(row: sa.RowMapping, personal: bool) -> dict[str, Any]:
    """Return a party as one may see it."""
    found = {name: row[name] for name in ("party_id", "kind", "role", "confidence", "author")}
    found |= {"created": rfc3339(row["created_us"]), "contact": listed(row["contact"])}
    if personal:
        found |= {name: row[name] for name in ("ref", "name", "basis", "user_id")}
    return found


def check_shown(row: sa.RowMapping, personal: bool) -> dict[str, Any]:
    """Return a sign of the checklist as one may see it."""
    found = {name: row[name] for name in ("sign", "answer", "author")} | {"at": rfc3339(row["at_us"])}
    return found | ({"witness": row["witness"], "note": row["note"]} if personal else {})


def file_shown(row: sa.RowMapping, personal: bool) -> dict[str, Any]:
    """Return what is told of a file as one may see it."""
    found = {name: row[name] for name in ("file_id", "kind", "size", "author")}
    found |= {"sha256": row["sha256"].hex(), "added": rfc3339(row["added_us"])}
    return found | ({"name": row["name"]} if personal else {})
