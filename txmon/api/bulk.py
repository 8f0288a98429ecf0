"""`POST /v1/events:bulk`: a stream of events, as long as it likes, in bounded memory.

The body is read no faster than events are stored: a few portions are under way, and the next is read when
the oldest is committed. What was stored before a failure stays stored, and is told with the error; sent
again, those events count as duplicates. Owns this route.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pyarrow as pa

from txmon.api.arrowframes import Frames
from txmon.api.bodies import BODY_MAX_S, JSON, NDJSON, Gone, media_type, too_deep, unread_type
from txmon.api.context import Answer, Decode, Exchange, Parts, json_answer
from txmon.api.handover import Handover
from txmon.api.idempotency import Keeper, idempotency_key, replay, request_hash
from txmon.api.ingest import Feeds
from txmon.api.problems import Problem, problem_of
from txmon.errors import Busy
from txmon.pipeline.work import Decoded, Outcome, Sender, Work

ARROW = "application/vnd.apache.arrow.stream"
_UNDER_WAY = 3  # portions
_BLOCK_BYTES = 1 << 20
_BUSY_PAUSE_S, _BUSY_TRIES = 0.05, 600
_SPACE = b" \t\r"
_BINARY = (b"\xff\xff\xff\xff", b"ARROW1")


@dataclass
class Portion:
    """Rows to be submitted together: as payloads, or decoded."""

    payloads: Sequence[bytes] = ()
    decoded: Decoded | None = None


@dataclass
class Sums:
    """What has been stored so far."""

    rows: int = 0
    accepted: int = 0
    duplicates: int = 0
    quarantined: int = 0
    hits: int = 0
    alerts: int = 0
    last_seq: int = 0

    def add(self, outcome: Outcome) -> None:
        """Add an outcome."""
        self.rows += outcome.accepted + outcome.duplicates + outcome.quarantined
        self.accepted += outcome.accepted
        self.duplicates += outcome.duplicates
        self.quarantined += outcome.quarantined
        self.hits += outcome.hits
        self.alerts += outcome.alerts
        self.last_seq = max(self.last_seq, outcome.seq)

    def shown(self, *, explained: bool) -> dict[str, Any]:
        """Return the sums; how many hits and alerts there were is a reason, not a fact of the sender's."""
        found = dict(vars(self))
        if not explained:
            del found["hits"], found["alerts"]
        return found


@dataclass
class _Transfer:
    """A bulk request under way."""

    sender: Sender
    handover: Handover
    decode: Decode | None
    sums: Sums = field(default_factory=Sums)
    flights: deque[asyncio.Future[Outcome]] = field(default_factory=deque)


class Bulk:
    """The handler."""

    def __init__(self, parts: Parts, keeper: Keeper, feeds: Feeds) -> None:
        self._parts, self._keeper, self._feeds = parts, keeper, feeds
        self._handover: Handover | None = None

    async def __call__(self, exchange: Exchange) -> Answer:
        """Answer a request."""
        headers = exchange.headers
        kind = media_type(headers.get(b"content-type"))
        if kind not in (ARROW, NDJSON):
            raise unread_type(kind, f"{ARROW} or {NDJSON}; {JSON} goes to /v1/events")
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise Problem("unsupported_media_type", "bodies are read as they are; send it unpacked")
        sender = self._parts.sender(exchange.who, self._feeds.of(exchange))
        key = idempotency_key(headers)
        body = _Body(exchange, self._parts.settings.bulk_max_bytes)
        if key is None:
            return await self._transfer(exchange, sender, kind, body)
        kept = await self._keeper.kept(exchange, key)
        if kept is not None:
            async for _ in body:
                pass
            return replay(kept, request_hash(exchange, body.digest()))
        # the request's hash is known at its end; until then the key stands for itself
        ticket = self._keeper.start(exchange, key, b"")
        try:
            answer = await self._transfer(exchange, sender, kind, body)
            ticket.request = request_hash(exchange, body.digest())
            await self._keeper.keep(ticket, answer)
        finally:
            self._keeper.end(ticket)
        return answer

    async def _transfer(self, exchange: Exchange, sender: Sender, kind: str, body: _Body) -> Answer:
        if self._handover is None or self._handover.loop is not asyncio.get_running_loop():
            self._handover = Handover(self._parts.settings.decision_timeout_ms / 1000)
        decode = None if self._parts.decode is None else self._parts.decode(sender)
        transfer = _Transfer(sender, self._handover, decode)
        try:
            portions = self._arrow(body, decode) if kind == ARROW else self._lines(body, decode)
            async for portion in portions:
                await self._submit(transfer, portion)
            await self._land(transfer, 0)
        except Exception as error:
            await self._settle(transfer)
            if isinstance(error, Gone):
                raise
            problem = problem_of(error)
            if problem.status == 500:
                raise
            stored = transfer.sums.shown(explained=exchange.explained)
            raise Problem(
                problem.code, problem.detail, headers=problem.headers, more=problem.more | {"stored": stored}
            ) from error
        return json_answer(transfer.sums.shown(explained=exchange.explained))

    async def _submit(self, transfer: _Transfer, portion: Portion) -> None:
        await self._land(transfer, _UNDER_WAY - 1)
        now = self._parts.clock.now_us()
        work = Work(transfer.sender, "bulk", now, portion.payloads, portion.decoded)
        for attempt in range(_BUSY_TRIES):
            future, told = transfer.handover.ticket(deadline=False)
            try:
                self._parts.service.submit(work, told)
            except Busy:
                future.cancel()
                if attempt + 1 == _BUSY_TRIES:
                    raise
                await asyncio.sleep(_BUSY_PAUSE_S)
            except BaseException:
                future.cancel()
                raise
            else:
                transfer.flights.append(future)
                return

    async def _land(self, transfer: _Transfer, left: int) -> None:
        """Wait until at most `left` portions are under way."""
        while len(transfer.flights) > left:
            transfer.sums.add(await transfer.flights[0])
            transfer.flights.popleft()

    async def _settle(self, transfer: _Transfer) -> None:
        """Wait for what is under way, so that the sums are true."""
        for result in await asyncio.gather(*transfer.flights, return_exceptions=True):
            if isinstance(result, Outcome):
                transfer.sums.add(result)
        transfer.flights.clear()

    # -- portions ------------------------------------------------------------------------------------

    async def _arrow(self, body: _Body, decode: Decode | None) -> AsyncIterator[Portion]:
        frames, most = Frames(), self._parts.settings.batch_events
        async for chunk in body:
            for found in frames.feed(chunk):
                for portion in await asyncio.to_thread(_checked, found.payload, found.rows, most, decode):
                    yield portion
        frames.finish()

    async def _lines(self, body: _Body, decode: Decode | None) -> AsyncIterator[Portion]:
        settings = self._parts.settings
        rest = b""
        async for chunk in body:
            rest += chunk
            if len(rest) < _BLOCK_BYTES:
                continue
            whole, mark, tail = rest.rpartition(b"\n")
            if not mark and len(rest) > settings.request_max_bytes:
                raise Problem("too_large", f"a line has at most {settings.request_max_bytes:,} bytes")
            if mark:
                rest = tail
                for portion in await asyncio.to_thread(self._cut, whole, decode):
                    yield portion
        if rest:
            for portion in await asyncio.to_thread(self._cut, rest, decode):
                yield portion

    def _cut(self, block: bytes, decode: Decode | None) -> list[Portion]:
        """Lines of a block, in portions of a commit's size."""
        settings, most = self._parts.settings, self._parts.settings.batch_events
        lines = [line for line in (part.strip(_SPACE) for part in block.split(b"\n")) if line]
        for line in lines:
            if too_deep(line, settings.json_depth_max):
                raise Problem("too_deep", f"at most {settings.json_depth_max} levels of brackets are read")
            if line.startswith(_BINARY):
                raise Problem("malformed_json", "a line is binary data; say so with its content type")
        runs = [lines[i : i + most] for i in range(0, len(lines), most)]
        return [Portion(run) if decode is None else Portion(decoded=decode(run)) for run in runs]


def _checked(payload: bytes, rows: int, most: int, decode: Decode | None) -> list[Portion]:
    """Read a portion whole, every offset of it checked, and cut it to a commit's size."""
    try:
        with pa.ipc.open_stream(pa.py_buffer(payload)) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, NotImplementedError):
        raise Problem(
            "malformed_arrow", "a record batch of the stream cannot be read; write it anew"
        ) from None
    if rows == 0:
        return []
    whole = [payload] if rows <= most else [_stream(table.slice(i, most)) for i in range(0, rows, most)]
    return [Portion((each,)) if decode is None else Portion(decoded=decode((each,))) for each in whole]


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return bytes(sink.getvalue())


class _Body:
    """The chunks of a body, counted and hashed."""

    def __init__(self, exchange: Exchange, limit: int) -> None:
        self._exchange, self._limit = exchange, limit
        self._hash, self._size = sha256(), 0

    def digest(self) -> bytes:
        """Return the SHA-256 of what was read."""
        return self._hash.digest()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            try:
                async with asyncio.timeout(BODY_MAX_S):
                    message = await self._exchange.receive()
            except TimeoutError:
                raise Problem("request_timeout", f"nothing came for {BODY_MAX_S} seconds") from None
            if message["type"] == "http.disconnect":
                raise Gone
            chunk, more = message.get("body", b""), message.get("more_body", False)
            self._size += len(chunk)
            if self._size > self._limit:
                raise Problem("too_large", f"at most {self._limit:,} bytes a request; send several")
            self._hash.update(chunk)
            if chunk:
                yield chunk
