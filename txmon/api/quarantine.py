"""Rows that are no events: looked at, tried again, corrected or given up.

A row tried again as it came takes one person; with another value it takes two. A row holds what a source
sent, of any mode and entity, so only keys that are limited to none see it. Owns these routes and the way of
a row back into the pipeline.
"""

from __future__ import annotations

import re
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response

from txmon.api.changes import change
from txmon.api.context import Exchange, Parts
from txmon.api.pages import cached, key_of, page, plain
from txmon.api.personal import Asked, chosen, note_read, require_whole
from txmon.api.problems import Problem, retry_after
from txmon.api.shapes import Fix, RowFilter, RowId, Why, query
from txmon.clock import rfc3339
from txmon.errors import NotFound, StoreConflict
from txmon.pipeline.work import QUARANTINED, Outcome, Sender, Work
from txmon.store import Tx
from txmon.store import quarantine as rows
from txmon.store.decisions import decided
from txmon.store.identity import Principal
from txmon.store.schema import quarantine

FIX = "quarantine_fix"
_PICTURE = "picture"  # the reason of rows of which nothing is kept
_WAIT_S = 30.0
_SHOWN = ("id", "feed", "line", "field", "reason", "state", "tries", "resubmitted_as")
_PERSONAL = ("event_id", "value", "message", "raw")
_FEED = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""

    @router.get("/v1/quarantine")
    def list_rows(exchange: Asked, which: query(RowFilter)) -> Response:  # type: ignore[valid-type]
        require_whole(exchange.who)
        where = [
            *_kept(exchange.who),
            *chosen(quarantine, state=which.state, reason=which.reason, feed=which.feed),
        ]
        after = key_of(which.cursor, int)
        if after is not None:
            where.append(quarantine.c.id < after[0])
        order = quarantine.c.id.desc()
        found = sa.select(quarantine).where(*where).order_by(order).limit(which.limit + 1)
        with parts.store.read() as conn:
            listed = conn.execute(found).mappings().all()
        shown, more = listed[: which.limit], len(listed) > which.limit
        items = [_row_shown(row, personal=False) for row in shown]
        return page(exchange, items, (shown[-1]["id"],) if more else None)

    @router.get("/v1/quarantine/{row_id}")
    def show_row(exchange: Asked, row_id: RowId) -> Response:
        require_whole(exchange.who)
        with parts.store.read() as conn:
            row = _row(conn, exchange.who, row_id)
        personal = note_read(parts, exchange, "quarantine.read", str(row_id))
        return cached(exchange, _row_shown(row, personal=personal))

    @router.post("/v1/quarantine/{row_id}/resubmit")
    def resubmit_row(exchange: Asked, row_id: RowId) -> Response:
        require_whole(exchange.who)
        with parts.store.read() as conn:
            row = _row(conn, exchange.who, row_id)
        return plain(resubmit(parts, exchange.who, row, row["raw"], None))

    @router.post("/v1/quarantine/{row_id}/fix")
    def fix_row(exchange: Asked, row_id: RowId, fix: Fix) -> Response:
        require_whole(exchange.who)
        number = change(parts, lambda tx: _propose(tx, parts, exchange.who, row_id, fix))
        return plain({"proposal_id": number, "id": row_id}, 202)

    @router.post("/v1/quarantine/{row_id}/drop")
    def drop_row(exchange: Asked, row_id: RowId, why: Why) -> Response:
        require_whole(exchange.who)

        def drop(tx: Tx) -> None:
            _open_row(tx.conn, exchange.who, row_id)
            decided(tx, "quarantine.dropped", exchange.who, row=row_id, reason=why.reason)
            rows.settle(tx, row_id, "dropped")

        change(parts, drop)
        return plain({"id": row_id, "state": "dropped"})


def _row_shown(row: sa.RowMapping, *, personal: bool) -> dict[str, Any]:
    found = {name: row[name] for name in _SHOWN} | {"received": rfc3339(row["received_us"])}
    return found | {name: row[name] for name in _PERSONAL} if personal else found


def _kept(who: Principal) -> list[sa.ColumnElement[bool]]:
    """The condition that leaves rows that are not past their retention."""
    return [] if who.past is None else [quarantine.c.received_us > who.past.before("quarantine")]


def _row(conn: sa.Connection, who: Principal, row_id: int) -> sa.RowMapping:
    query = sa.select(quarantine).where(quarantine.c.id == row_id, *_kept(who))
    row = conn.execute(query).mappings().first()
    if row is None:
        raise NotFound("there is no such row")
    return row


def _open_row(conn: sa.Connection, who: Principal, row_id: int) -> sa.RowMapping:
    row = _row(conn, who, row_id)
    if row["state"] != "open":
        raise StoreConflict(f"the row is {row['state']} already")
    return row


def _propose(tx: Tx, parts: Parts, who: Principal, row_id: int, fix: Fix) -> str:
    row = _open_row(tx.conn, who, row_id)
    if row["tries"] != fix.tries:
        raise StoreConflict("the row was tried since, it is in another version; read it again")
    body = {"row": row_id, "raw": fix.raw, "tries": fix.tries, "reason": fix.reason}
    return parts.access.proposals.propose(tx, FIX, body, who)


def fixed(parts: Parts, exchange: Exchange, body: dict[str, Any], proposal_id: str) -> dict[str, Any]:
    """Send a row with the value that two people agreed on; returns what became of it."""
    with parts.store.read() as conn:
        row = _row(conn, exchange.who, body["row"])
    if row["state"] != "open" or row["tries"] != body["tries"]:
        raise StoreConflict("the row was tried since, it is in another version; propose anew")
    return resubmit(parts, exchange.who, row, body["raw"], proposal_id)


def resubmit(
    parts: Parts, who: Principal, row: sa.RowMapping, raw: str, proposal_id: str | None
) -> dict[str, Any]:
    """Send a row into the pipeline and settle it by what becomes of it.

    Raises:
        Problem: not_permitted by its state or feed; busy, unavailable. StoreConflict: tried meanwhile.
    """
    if row["state"] != "open":
        raise StoreConflict(f"the row is {row['state']} already")
    if raw == row["raw"] and row["reason"] == _PICTURE:
        raise Problem("state", "nothing of this row was kept but its hash; have its source send it without")
    if not _FEED.fullmatch(row["feed"]):
        raise Problem("state", "the row came through a feed file that the service does not have")
    sender = Sender(row["feed"], parts.settings.entity)
    work = Work(sender, "http", parts.clock.now_us(), (raw.encode("utf-8", "surrogatepass"),))
    future: Future[Outcome] = Future()

    def told(result: Outcome | Exception) -> None:
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)

    parts.service.submit(work, told)
    try:
        found = future.result(_WAIT_S).rows
    except Late:
        raise Problem(
            "decision_timeout", "the row may have been taken; look again", headers=(retry_after(5),)
        ) from None
    refused = [each for each in found if each.status == QUARANTINED]
    change(parts, lambda tx: _settle(tx, who, row, found[0].event_id, refused, proposal_id))
    state = "open" if refused else "fixed"
    results = [{"status": each.status, "reason": each.reason} for each in found]
    return {"id": row["id"], "state": state, "results": results}


def _settle(
    tx: Tx, who: Principal, row: sa.RowMapping, event_id: str | None, refused: Any, proposal_id: str | None
) -> None:
    """Note what became of a row; the row that a failed try made anew is not kept twice."""
    decided(tx, "quarantine.resubmitted", who, row=row["id"], accepted=not refused, proposal=proposal_id)
    if refused:
        rows.settle(tx, row["id"], "open", tries=row["tries"])
        for each in refused:
            rows.settle(tx, each.quarantine_id, "dropped", resubmitted_as=f"row {row['id']}")
    else:
        rows.settle(tx, row["id"], "fixed", resubmitted_as=event_id, tries=row["tries"])
