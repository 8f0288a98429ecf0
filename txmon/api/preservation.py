"""Preservation orders: listed, made, renewed, shared, and ended by two people.

An order that is not the caller's to know is not found. Owns these routes; what an order is and does is the
part of `txmon.store.preserve`.
"""

from __future__ import annotations

import re
from typing import Any

import orjson
from fastapi import APIRouter, Response

from txmon.api.cases import IfMatch
from txmon.api.changes import change
from txmon.api.context import Exchange, Parts
from txmon.api.keepshapes import NewOrder, OrderAccess, Release, Renewal
from txmon.api.pages import key_of, page, plain, tagged
from txmon.api.personal import Asked, note_read, require_whole
from txmon.api.problems import Problem
from txmon.api.shapes import OurId, PageFilter, micros, query
from txmon.cases.sight import sees
from txmon.clock import rfc3339
from txmon.errors import NotFound
from txmon.store import Tx, preserve
from txmon.store.preserve import Order, Terms

_TAG = re.compile(r'(?:W/)?"v(\d{1,18})p?"')


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""

    @router.get("/v1/preservation")
    def list_orders(exchange: Asked, which: query(PageFilter)) -> Response:  # type: ignore[valid-type]
        require_whole(exchange.who)
        after = key_of(which.cursor, int, str)
        key = None if after is None else (int(after[0]), str(after[1]))
        with parts.store.read() as conn:
            found = preserve.listed(conn, exchange.who, key, which.limit + 1)
        shown, more = found[: which.limit], len(found) > which.limit
        last = (shown[-1].created_us, shown[-1].order_id) if more else None
        return page(exchange, [_shown(parts, each) for each in shown], last)

    @router.post("/v1/preservation")
    def make_order(exchange: Asked, asked: NewOrder) -> Response:
        require_whole(exchange.who)
        order_id = change(parts, lambda tx: _make(tx, exchange, asked))
        return plain({"order_id": order_id, "version": 1}, 201, {"etag": '"v1"'})

    @router.get("/v1/preservation/{order_id}")
    def show_order(exchange: Asked, order_id: OurId) -> Response:
        require_whole(exchange.who)
        with parts.store.read() as conn:
            order = preserve.find(conn, exchange.who, order_id)
            people = preserve.people_of(conn, order_id)
        personal = note_read(parts, exchange, "preservation.read", order_id)
        shown = _shown(parts, order) | {"people": people, "personal": personal}
        if personal:
            shown |= {"authority": order.authority, "reference": order.reference, "reason": order.reason}
            shown |= {"subjects": list(order.subjects), "cases": list(order.cases)}
            shown["events"] = [{"source": source, "event_id": key} for source, key in order.events]
            shown |= {"since": _time(order.from_us), "until": _time(order.to_us)}
        tag = f'"v{order.version}{"p" if personal else ""}"'
        return tagged(exchange, orjson.dumps(shown), tag)

    @router.post("/v1/preservation/{order_id}/renewal")
    def renew_order(exchange: Asked, order_id: OurId, asked: Renewal, if_match: IfMatch = None) -> Response:
        require_whole(exchange.who)
        version = _version(if_match)

        def renew(tx: Tx) -> int:
            return preserve.renew(tx, exchange.who, order_id, version, asked.days, asked.reason)

        return _done(order_id, change(parts, renew))

    @router.post("/v1/preservation/{order_id}/access")
    def share_order(
        exchange: Asked, order_id: OurId, asked: OrderAccess, if_match: IfMatch = None
    ) -> Response:
        require_whole(exchange.who)
        version = _version(if_match)

        def grant(tx: Tx) -> int:
            return preserve.grant(tx, exchange.who, order_id, version, asked.person_id, asked.allowed)

        return _done(order_id, change(parts, grant))

    @router.post("/v1/preservation/{order_id}/release")
    def release_order(exchange: Asked, order_id: OurId, asked: Release, if_match: IfMatch = None) -> Response:
        require_whole(exchange.who)
        version = _version(if_match)

        def propose(tx: Tx) -> str:
            proposals = parts.access.proposals
            return preserve.propose_release(tx, proposals, exchange.who, order_id, version, asked.reason)

        return plain({"order_id": order_id, "version": version, "proposal_id": change(parts, propose)}, 202)


def _make(tx: Tx, exchange: Exchange, asked: NewOrder) -> str:
    for case_id in asked.cases:
        if not sees(tx.conn, exchange.who, case_id):
            raise NotFound("there is no such case")
    terms = Terms(
        asked.authority, asked.reference, asked.reason, tuple(asked.subjects),
        tuple((each.source, each.event_id) for each in asked.events), tuple(asked.cases),
        micros(asked.since), micros(asked.until),
    )  # fmt: skip
    return preserve.make(tx, exchange.who, terms, asked.days, asked.people)


def _version(if_match: str | None) -> int:
    if if_match is None:
        raise Problem("precondition_required", "send the ETag of the order as you read it in If-Match")
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        raise Problem("conflict", "the order is not in this version; read it again")
    return int(found[1])


def _done(order_id: str, version: int) -> Response:
    return plain({"order_id": order_id, "version": version}, headers={"etag": f'"v{version}"'})


def _shown(parts: Parts, order: Order) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "in_force": order.in_force(parts.clock.now_us()),
        "author": order.author,
        "created": rfc3339(order.created_us),
        "ends": rfc3339(order.until_us),
        "ended": _time(order.ended_us),
        "version": order.version,
    }


def _time(value: int | None) -> str | None:
    return None if value is None else rfc3339(value)
