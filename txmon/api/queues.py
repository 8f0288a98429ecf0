"""What waits for people: the queue of alerts, work on many of them, and the words and lists for it.

Owns these routes; what is in the queue and what a word means is the part of `txmon.cases`.
"""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Response

from txmon.api import masking
from txmon.api.alerts import alert_shown
from txmon.api.caseshapes import QueueFilter, SupportFilter, Working
from txmon.api.changes import change
from txmon.api.context import Exchange, Parts
from txmon.api.pages import cached, key_of, page, plain
from txmon.api.personal import Asked, note_read
from txmon.api.problems import Problem
from txmon.api.shapes import micros, query
from txmon.cases import queue
from txmon.cases.texts import neutral_texts, organisations, signs
from txmon.cases.words import vocabulary
from txmon.clock import rfc3339
from txmon.store.identity import Principal

_SCORE = re.compile(r"[0-9](?:\.[0-9]{1,20})?(?:e-[0-9]{1,3})?", re.ASCII)


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""

    @router.get("/v1/queue")
    def list_queue(exchange: Asked, which: query(QueueFilter)) -> Response:  # type: ignore[valid-type]
        return _queue(parts, exchange, which)

    @router.post("/v1/queue:work")
    def work_on_alerts(exchange: Asked, asked: Working) -> Response:
        def work(tx: Any) -> Any:
            return queue.work(tx, exchange.who, asked.seen, asked.action, asked.value, asked.reason)

        return plain({"results": change(parts, work)})

    @router.get("/v1/vocabulary")
    def show_vocabulary(exchange: Asked) -> Response:
        settings = parts.settings
        found = vocabulary() | {"texts": neutral_texts(settings.neutral_texts_file)}
        found["signs"] = [vars(sign) for sign in signs(settings.signs_file)]
        return cached(exchange, found)

    @router.get("/v1/support")
    def list_support(exchange: Asked, which: query(SupportFilter)) -> Response:  # type: ignore[valid-type]
        return _support(parts, exchange, which)


def identity_of(asked: str | None, who: Principal) -> str | None:
    """Return whose alerts or cases a filter means: an identity, "" for nobody's, None for all."""
    if asked is None:
        return None
    return {"none": "", "me": who.identity}.get(asked, f"person:{asked}")


def _queue(parts: Parts, exchange: Exchange, which: QueueFilter) -> Response:
    who, now = exchange.who, parts.clock.now_us()
    chosen = queue.Which(
        which.order, which.severity, which.typology, which.min_score, micros(which.opened_before),
        which.protect, identity_of(which.assignee, who), which.snoozed, which.entity, which.mode,
    )  # fmt: skip
    after = key_of(which.cursor, *queue.KEY_TYPES[which.order])
    if which.order == "score" and after is not None and not _SCORE.fullmatch(str(after[0])):
        raise Problem("invalid_cursor", "use the `next_cursor` of a page of this very list")
    with parts.store.read() as conn:
        rows, last = queue.page(conn, who, chosen, now, after, which.limit)
        counted = queue.counts(conn, who, now)
    personal = note_read(parts, exchange, "queue.list", None)
    counted["oldest"] = {name: rfc3339(value) for name, value in counted.pop("oldest_us").items()}
    items = []
    for row in rows:
        until = row["snoozed_until_us"]
        more = {"assignee": row["assignee"], "snoozed_until": None if until is None else rfc3339(until)}
        items.append(alert_shown(row, explained=True, personal=personal) | more)
    if personal:
        with parts.store.read() as conn:
            items = masking.of_alerts(parts, conn, items)
    return page(exchange, items, last, counts=counted)


def _support(parts: Parts, exchange: Exchange, which: SupportFilter) -> Response:
    found = [
        {name: value for name, value in vars(each).items() if name != "verified"}
        | {"verified": each.verified.isoformat()}
        for each in organisations(parts.settings.support_file)
        if which.country in (None, *each.countries) and which.kind in (None, *each.kinds)
    ]
    return cached(exchange, {"items": found, "next_cursor": None})
