"""`GET /v1/alerts/stream`: alerts as they open and grow, as server-sent events.

The stream is what the outbox holds, so `Last-Event-ID` goes on where a connection broke off, for as long as
sent messages are kept. Owns this route; what a message says was written with the alert.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
import sqlalchemy as sa

from txmon.api.callers import caller
from txmon.api.context import Exchange, Message, Parts
from txmon.api.masking import key_of
from txmon.api.personal import note_read
from txmon.api.problems import Problem, retry_after
from txmon.cases.addresses import masked
from txmon.cases.sight import about_children, shut_alerts
from txmon.errors import StoreError
from txmon.pipeline.messages import TOPIC
from txmon.store.identity import Principal
from txmon.store.schema import alerts, outbox

STREAMS_MAX = 64
_POLL_S, _BEAT_S, _CHECK_S = 0.1, 15.0, 5.0
_ROWS = 100
_PERSONAL = ("subject_id", "explanation")
_HEADERS = ((b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no"))


@dataclass(frozen=True)
class _Told:
    """A message. bodies: both forms, without addresses where children are concerned. shut: not this one's."""

    id: int
    kind: str
    bodies: Mapping[str, Mapping[str, Any]]
    shut: bool


class Live:
    """The handler."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._open = 0
        self._closing = False
        self._headers = (*_HEADERS, *parts.transport_headers())

    def close(self) -> None:
        """End every stream, and refuse new ones."""
        self._closing = True

    async def __call__(self, exchange: Exchange) -> None:
        """Stream until the caller hangs up."""
        after = self._first(exchange)
        if self._open >= STREAMS_MAX or self._closing:
            raise Problem("busy", f"at most {STREAMS_MAX} streams at once", headers=(retry_after(5),))
        personal = exchange.explained and note_read(self._parts, exchange, "alert.stream", None)
        self._open += 1
        gone = asyncio.ensure_future(_hung_up(exchange))
        try:
            exchange.status = 200
            headers = [*self._headers, (b"x-request-id", exchange.request_id.encode())]
            await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._run(exchange, after, personal, gone)
            if not gone.done():
                await exchange.send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            self._open -= 1

    def _first(self, exchange: Exchange) -> int:
        given = exchange.headers.get(b"last-event-id")
        if given is None:
            return self._parts.store.marks.outbox - 1
        if not given.isdigit() or len(given) > 18:
            raise Problem(
                "bad_request", "Last-Event-ID is none of ours; leave it out to begin with new alerts"
            )
        return int(given)

    async def _run(self, exchange: Exchange, after: int, personal: bool, gone: asyncio.Future[None]) -> None:
        await _send(exchange, b"retry: 2000\n\n")
        quiet = checked = 0.0
        while not (gone.done() or self._closing or "stopping" in self._parts.service.readiness()):
            if self._parts.store.marks.outbox - 1 > after:
                try:
                    rows = await asyncio.to_thread(self._read, exchange.who, after)
                except StoreError:  # it is away for a while; the stream goes on when it is back
                    rows = []
                if rows:
                    after = int(rows[-1].id)
                    texts = [self._text(exchange, row, personal) for row in rows]
                    await _send(exchange, b"".join(texts))
                    quiet = 0.0
                    continue
            await asyncio.wait((gone,), timeout=_POLL_S)
            quiet, checked = quiet + _POLL_S, checked + _POLL_S
            if quiet >= _BEAT_S:
                quiet = 0.0
                await _send(exchange, b": still here\n\n")
            if checked >= _CHECK_S:
                checked = 0.0
                if not await self._still_known(exchange):
                    return

    async def _still_known(self, exchange: Exchange) -> bool:
        """Whether the caller still is who it was when the stream began."""
        try:
            return await caller(self._parts, exchange, used=False) == exchange.who
        except Exception:  # revoked, expired, or not to be told: the caller may come back and ask
            return False

    def _read(self, who: Principal, after: int) -> list[_Told]:
        """The next messages, as this one may see them; past alerts and those of shut cases are marked."""
        query = (
            sa.select(outbox.c.id, outbox.c.kind, outbox.c.body)
            .where(outbox.c.topic == TOPIC, outbox.c.id > after)
            .order_by(outbox.c.id)
            .limit(_ROWS)
        )
        past = self._parts.past()
        query = query.where(outbox.c.created_us > past.before("outbox"))
        bound = replace(who, past=past)
        with self._parts.store.read() as conn:
            rows = [(row, orjson.loads(row.body)) for row in conn.execute(query)]
            names = {str(body["neutral"]["alert_id"]) for _, body in rows}
            there = set(
                conn.execute(sa.select(alerts.c.alert_id).where(alerts.c.alert_id.in_(names))).scalars()
            )
            shut, children = shut_alerts(conn, bound, names) | (names - there), about_children(conn, names)
        key = key_of(self._parts) if children else None
        found = []
        for row, body in rows:
            name = body["neutral"]["alert_id"]
            shown = masked(body, key) if name in children else body
            found.append(_Told(int(row.id), row.kind, shown, name in shut))
        return found

    def _text(self, exchange: Exchange, row: _Told, personal: bool) -> bytes:
        """A message as the caller may see it; what is not theirs only moves the id on."""
        head = f"id: {row.id}\n".encode()
        neutral: Mapping[str, Any] = row.bodies["neutral"]
        mine = exchange.who.may_touch(neutral["mode"], neutral["entity"])
        if not mine or row.shut:
            return head + b"\n"
        shown = dict(row.bodies["full"] if exchange.explained else neutral)
        if not personal:
            for name in _PERSONAL:
                shown.pop(name, None)
        return head + f"event: {row.kind}\ndata: ".encode() + orjson.dumps(shown) + b"\n\n"


async def _send(exchange: Exchange, body: bytes) -> None:
    await exchange.send({"type": "http.response.body", "body": body, "more_body": True})


async def _hung_up(exchange: Exchange) -> None:
    while True:
        message: Message = await exchange.receive()
        if message["type"] == "http.disconnect":
            return
