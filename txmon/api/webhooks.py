"""Webhooks out: who is told of alerts, what was delivered, and telling them again.

Owns these routes and the bounds of an administrator who is limited to a mode or to reporting entities;
endpoints and their log are `txmon.notify`'s. A secret is in the answer that made it and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import sqlalchemy as sa
from fastapi import APIRouter, Response

from txmon.api.changes import change
from txmon.api.context import Exchange, Parts
from txmon.api.pages import cached, key_of, page, plain
from txmon.api.personal import Asked, require_whole
from txmon.api.problems import Problem
from txmon.api.shapes import NewWebhook, OurId, PageFilter, Replay, micros, query
from txmon.api.table import EXPLAIN
from txmon.clock import rfc3339
from txmon.errors import NotFound
from txmon.notify import Delivery, Endpoint, Master, Wanted, endpoints
from txmon.notify.message import FULL
from txmon.store import Tx
from txmon.store.identity import Principal
from txmon.store.retention import Past
from txmon.store.schema import outbox

T = TypeVar("T")


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""

    @router.get("/v1/webhooks")
    def list_webhooks(exchange: Asked) -> Response:
        with parts.store.read() as conn:
            found = [each for each in endpoints.listed(conn) if _touches(exchange.who, each)]
        return cached(exchange, {"items": [_shown(each) for each in found], "next_cursor": None})

    @router.post("/v1/webhooks")
    def add_webhook(exchange: Asked, new: NewWebhook) -> Response:
        return plain(_add(parts, exchange, new), 201)

    @router.delete("/v1/webhooks/{webhook_id}")
    def remove_webhook(exchange: Asked, webhook_id: OurId) -> Response:
        _change(parts, exchange, webhook_id, lambda tx, by: endpoints.remove(tx, webhook_id, by=by))
        return plain({"webhook_id": webhook_id, "state": "removed"})

    @router.post("/v1/webhooks/{webhook_id}/enable")
    def enable_webhook(exchange: Asked, webhook_id: OurId) -> Response:
        _change(parts, exchange, webhook_id, lambda tx, by: endpoints.enable(tx, webhook_id, by=by))
        return plain({"webhook_id": webhook_id, "state": endpoints.ACTIVE})

    @router.post("/v1/webhooks/{webhook_id}/disable")
    def disable_webhook(exchange: Asked, webhook_id: OurId) -> Response:
        _change(parts, exchange, webhook_id, lambda tx, by: endpoints.disable(tx, webhook_id, by=by))
        return plain({"webhook_id": webhook_id, "state": endpoints.DISABLED})

    @router.post("/v1/webhooks/{webhook_id}/rotation")
    def rotate_secret(exchange: Asked, webhook_id: OurId) -> Response:
        master = _master(parts)
        secret = _change(
            parts,
            exchange,
            webhook_id,
            lambda tx, by: endpoints.rotate_secret(tx, master, webhook_id, by=by),
        )
        return plain({"webhook_id": webhook_id, "secret": secret.text}, 201)

    @router.post("/v1/webhooks/{webhook_id}/retirement")
    def retire_old_secret(exchange: Asked, webhook_id: OurId) -> Response:
        _change(
            parts, exchange, webhook_id, lambda tx, by: endpoints.retire_old_secret(tx, webhook_id, by=by)
        )
        return plain({"webhook_id": webhook_id, "secrets": 1})

    @router.post("/v1/webhooks/{webhook_id}/replay")
    def replay_messages(exchange: Asked, webhook_id: OurId, which: Replay) -> Response:
        count = _change(
            parts, exchange, webhook_id, lambda tx, by: _replay(tx, webhook_id, which, by, parts.past())
        )
        return plain({"webhook_id": webhook_id, "messages": count}, 202)

    @router.get("/v1/webhooks/{webhook_id}/deliveries")
    def list_deliveries(exchange: Asked, webhook_id: OurId, which: query(PageFilter)) -> Response:  # type: ignore[valid-type]
        return _deliveries(parts, exchange, webhook_id, which)


def _add(parts: Parts, exchange: Exchange, new: NewWebhook) -> dict[str, Any]:
    who, master = exchange.who, _master(parts)
    if new.scope == FULL and EXPLAIN not in who.scopes:
        raise Problem(
            "forbidden", "a webhook that names rules and reasons is added with a key of the scope explain"
        )
    entities = None if new.entities is None else frozenset(new.entities)
    if not _may_tell(who, new.mode, entities):
        raise Problem("forbidden", "name the mode and the reporting entities, within those of your key")
    wanted = Wanted(
        new.url, new.scope, new.mode, entities, loopback=parts.settings.webhook_test_loopback
    )  # fmt: skip
    made, secret = change(parts, lambda tx: endpoints.add(tx, master, wanted, by=who.identity))
    parts.wake()
    return _shown(made) | {"secret": secret.text}


def _change(parts: Parts, exchange: Exchange, webhook_id: str, make: Callable[[Tx, str], T]) -> T:
    """Change an endpoint that is the caller's to change, and have the deliveries look at it."""
    who = exchange.who

    def checked(tx: Tx) -> T:
        if not _touches(who, endpoints.find(tx.conn, webhook_id)):
            raise NotFound("there is no such webhook endpoint; list them")
        return make(tx, who.identity)

    done = change(parts, checked)
    parts.wake()
    return done


def _replay(tx: Tx, webhook_id: str, which: Replay, by: str, past: Past) -> int:
    old = past.before("outbox")
    if which.messages is not None:
        there = sa.select(outbox.c.id).where(outbox.c.id.in_(which.messages), outbox.c.created_us <= old)
        if tx.conn.execute(there).first() is not None:
            raise NotFound("a message is past its retention; leave it out")
        return endpoints.replay(tx, webhook_id, which.messages, by=by)
    since, until = micros(which.since), micros(which.until)
    assert since is not None  # the body's own check
    return endpoints.replay_range(
        tx, webhook_id, max(since, old + 1), tx.clock.now_us() + 1 if until is None else until, by=by
    )


def _deliveries(parts: Parts, exchange: Exchange, webhook_id: str, which: PageFilter) -> Response:
    after = key_of(which.cursor, int)
    before = None if after is None else int(after[0])
    with parts.store.read() as conn:
        there = {each.id: each for each in endpoints.listed(conn)}.get(webhook_id)
        found = endpoints.log(conn, webhook_id, limit=which.limit + 1, before=before)
    if there is None and not found and before is None:
        raise NotFound("there is no such webhook endpoint; list them")
    if there is None:  # it was removed, and its bounds with it
        require_whole(exchange.who)
    elif not _touches(exchange.who, there):
        raise NotFound("there is no such webhook endpoint; list them")
    shown, more = found[: which.limit], len(found) > which.limit
    return page(exchange, [_delivery(each) for each in shown], (shown[-1].id,) if more else None)


def _master(parts: Parts) -> Master:
    if parts.master is None:
        raise Problem(
            "state", "no webhook is sent without a key file; set TXMON_WEBHOOK_KEY_FILE and start again"
        )
    return parts.master


def _may_tell(who: Principal, mode: str | None, entities: frozenset[str] | None) -> bool:
    """Whether a receiver of this mode and these entities learns no more than its administrator may see."""
    return who.mode in (None, mode) and (
        who.entities is None or (entities is not None and entities <= who.entities)
    )


def _touches(who: Principal, endpoint: Endpoint) -> bool:
    return _may_tell(who, endpoint.mode, endpoint.entities)


def _shown(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "webhook_id": endpoint.id,
        "url": endpoint.url,
        "scope": endpoint.scope,
        "mode": endpoint.mode,
        "entities": None if endpoint.entities is None else sorted(endpoint.entities),
        "state": endpoint.state,
        "failures": endpoint.failures,
        "secrets": endpoint.secrets,
        "created": rfc3339(endpoint.created_us),
        "created_by": endpoint.created_by,
    }


def _delivery(delivery: Delivery) -> dict[str, Any]:
    found = {f.name: getattr(delivery, f.name) for f in fields(delivery)}
    message, at_us = found.pop("outbox_id"), found.pop("at_us")
    del found["endpoint_id"]
    return {"message": message, "at": rfc3339(at_us)} | found
