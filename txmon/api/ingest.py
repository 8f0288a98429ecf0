"""`POST /v1/events`: one event or a few, scored and stored before the answer.

The hot way: one read of the body, checks on bytes, one hand-over to the writer, one answer. Owns this route;
everything about who may send was decided at the gate.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import partial
from urllib.parse import parse_qsl

from txmon.api.bodies import JSON, NDJSON, XML, json_rows, line_rows, media_type, read_body, unread_type
from txmon.api.context import Answer, Exchange, Parts
from txmon.api.decisions import answer_many, answer_one
from txmon.api.handover import Handover
from txmon.api.idempotency import Keeper, Ticket, idempotency_key
from txmon.api.problems import Problem
from txmon.errors import ConfigError, FeedError
from txmon.pipeline.work import Keep, Outcome, Sender, Work
from txmon.streams.feedfile import load_feed

_FEED = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class Feeds:
    """Which feeds a request may name: those that ship, by name, and the service's own."""

    def __init__(self, own: str) -> None:
        self._own = own
        self._known = {own}

    def of(self, exchange: Exchange) -> str:
        """Return the feed of a request.

        Raises:
            Problem: unknown_feed, bad_request.
        """
        query = exchange.scope.get("query_string", b"")
        if not query:
            return self._own
        given = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        if [name for name, _ in given] != ["feed"]:
            raise Problem("bad_request", "this route takes one parameter, `feed`")
        name = str(given[0][1])
        if name not in self._known:
            self._learn(name)
        return name

    def _learn(self, name: str) -> None:
        try:
            if not _FEED.fullmatch(name):
                raise ConfigError("no name of a feed")
            load_feed(name)
        except (ConfigError, FeedError):
            raise Problem(
                "unknown_feed", "no feed of this name ships; `txmon feeds list` names them"
            ) from None
        self._known.add(name)


class Submitter:
    """Hands payloads to the writer and waits for their outcome."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._handover: Handover | None = None

    async def submit(self, payloads: Sequence[bytes], sender: Sender, keep: Keep | None = None) -> Outcome:
        """Return the outcome, committed.

        Args:
            keep: see `Work`.

        Raises:
            Busy, Stopping. Problem: decision_timeout. What the pipeline failed with.
        """
        if self._handover is None or self._handover.loop is not asyncio.get_running_loop():
            self._handover = Handover(self._parts.settings.decision_timeout_ms / 1000)
        future, told = self._handover.ticket()
        try:
            work = Work(sender, "http", self._parts.clock.now_us(), payloads, keep=keep)
            self._parts.service.submit(work, told)
        except BaseException:
            future.cancel()
            raise
        return await future


class Ingest:
    """The handler."""

    def __init__(self, parts: Parts, keeper: Keeper, feeds: Feeds, submitter: Submitter) -> None:
        self._parts, self._keeper, self._feeds, self._submitter = parts, keeper, feeds, submitter

    async def __call__(self, exchange: Exchange) -> Answer:
        """Answer a request."""
        settings, headers = self._parts.settings, exchange.headers
        kind = media_type(headers.get(b"content-type")) or JSON
        if kind not in (JSON, NDJSON, *XML):
            raise unread_type(kind, f"{JSON} or {NDJSON}; Arrow goes to the bulk route")
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise Problem("unsupported_media_type", "bodies are read as they are; send it unpacked")
        sender = self._parts.sender(exchange.who, self._feeds.of(exchange))
        key = idempotency_key(headers)
        body = await read_body(exchange.receive, headers.get(b"content-length"), settings.request_max_bytes)
        make = partial(self._score, exchange, kind, body, sender)
        return await make(None) if key is None else await self._keeper.once(exchange, key, body, make)

    async def _score(
        self, exchange: Exchange, kind: str, body: bytes, sender: Sender, ticket: Ticket | None
    ) -> Answer:
        settings = self._parts.settings
        single = False
        if kind == JSON:
            rows, single = json_rows(body, settings.json_depth_max, settings.request_items_max)
        elif kind == NDJSON:
            rows = line_rows(body, settings.json_depth_max, settings.request_items_max)
        else:
            rows, single = [_document(body)], True
        if not rows:
            return answer_many((), explained=exchange.explained)
        form = partial(_answer, single=single, explained=exchange.explained)
        if ticket is not None:
            await self._submitter.submit(rows, sender, ticket.keeping(form))
            return ticket.made()
        outcome = await self._submitter.submit(rows, sender)
        # what duplicates led to before is read from the store, which may take a moment
        return await asyncio.to_thread(form, outcome) if outcome.duplicates else form(outcome)


def _answer(outcome: Outcome, *, single: bool, explained: bool) -> Answer:
    return (answer_one if single else answer_many)(outcome.rows, explained=explained)


def _document(body: bytes) -> bytes:
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise Problem("bad_request", "the body is not an XML document")
    return body
