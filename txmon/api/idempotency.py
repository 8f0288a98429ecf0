"""`Idempotency-Key`: the same request again gets the same bytes, another one is refused.

    keeper.once(exchange, key, body, make)     the kept answer, or `make(ticket)` and keep what it returns
    Work(..., keep=ticket.keeping(form))       `make` may have the answer stored with what it tells of

An answer is in the store before it is given: that to events in their own transaction, others in one of many.
Who got none of these others, since the process was killed between the deed and the keeping, does it again.
Answers that hold a key's text are kept in memory only. Whether the store may know a key is asked of a filter
in memory, so that a new key costs no query.
Owns keeping and comparing; an error that changed nothing is not kept, so that it can be tried again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

import sqlalchemy as sa

from txmon.api.context import Answer, Exchange, Parts
from txmon.api.problems import Problem, retry_after
from txmon.clock import Clock
from txmon.errors import TxmonError
from txmon.pipeline.work import Keep, Outcome
from txmon.store import Tx, answers
from txmon.store.answers import Answer as Kept
from txmon.store.answers import Named
from txmon.store.schema import answers as answers_table

KEY_MAX = 255
REPLAYED = (b"idempotent-replayed", b"true")
_MEMORY_BYTES = 32 << 20
_BITS = 1 << 26  # of the filter: 8 MiB, one false alarm in a thousand at 4 million keys
_PROBES = 4
_Name = tuple[str, bytes]  # owner, hash of the key


def idempotency_key(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the request's key.

    Raises:
        Problem: it is empty, long, or not plain ASCII.
    """
    value = headers.get(b"idempotency-key")
    if value is None:
        return None
    if not 1 <= len(value) <= KEY_MAX or not all(0x21 <= byte <= 0x7E for byte in value):
        raise Problem("bad_request", f"an Idempotency-Key is 1 to {KEY_MAX} visible ASCII characters")
    return value.decode("ascii")


class Filter:
    """Says of a key that the store does not know it, or may (a Bloom filter)."""

    def __init__(self) -> None:
        self._bits = bytearray(_BITS // 8)

    def add(self, name: _Name) -> None:
        """Remember a key."""
        for bit in self._places(name):
            self._bits[bit >> 3] |= 1 << (bit & 7)

    def merge(self, other: Filter) -> None:
        """Remember what another filter remembers."""
        both = int.from_bytes(self._bits, "little") | int.from_bytes(other._bits, "little")
        self._bits[:] = both.to_bytes(_BITS // 8, "little")

    def __contains__(self, name: _Name) -> bool:
        return all(self._bits[bit >> 3] >> (bit & 7) & 1 for bit in self._places(name))

    @staticmethod
    def _places(name: _Name) -> list[int]:
        words = sha256(name[0].encode() + name[1]).digest()
        return [int.from_bytes(words[i : i + 4], "big") % _BITS for i in range(0, 4 * _PROBES, 4)]


@dataclass
class Ticket:
    """A request whose answer will be kept; `kept` is that, once it is made."""

    name: _Name
    request: bytes  # its hash
    clock: Clock
    kept: Kept | None = None
    _made: Answer | Exception | None = None

    def take(self, answer: Answer) -> Kept | None:
        """Return what is kept of an answer; of one that is an error, nothing."""
        if not 200 <= answer.status < 300:
            return None
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in answer.headers}
        self.kept = Kept(self.request, answer.status, headers, answer.body, self.clock.now_us())
        return self.kept

    def keeping(self, form: Callable[[Outcome], Answer]) -> Keep:
        """Return what makes the answer in the writer's turn, and hands it over to be stored."""

        def keep(outcome: Outcome) -> Named | None:
            self.kept = None
            try:
                self._made = form(outcome)
            except Exception as error:  # the sender's to be told: the events are stored all the same
                self._made = error
                return None
            kept = self.take(self._made)
            return None if kept is None else (*self.name, kept)

        return keep

    def made(self) -> Answer:
        """Return the answer that was made in the writer's turn, behind its commit.

        Raises:
            Exception: what making it failed with.
        """
        if isinstance(self._made, Answer):
            return self._made
        raise self._made or RuntimeError("no answer was made of what is stored")


Make = Callable[[Ticket], Awaitable[Answer]]


class Keeper:
    """See the module. Used in the event loop only, but for what it does in the writer's turn."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._under_way: dict[_Name, bytes] = {}  # hash of the request
        self._memory: OrderedDict[_Name, Kept] = OrderedDict()
        self._size = 0
        self._unstored: dict[_Name, Kept] = {}  # made, and not given yet
        self._writing: asyncio.Task[TxmonError | None] | None = None
        self._patience_s = parts.settings.decision_timeout_ms / 1000
        self._filter = Filter()
        self._loading: asyncio.Future[Filter] | None = None
        self._loaded = False

    async def once(
        self, exchange: Exchange, key: str, body: bytes, make: Make, *, memory_only: bool = False
    ) -> Answer:
        """Answer a request once.

        Raises:
            Problem: idempotency_mismatch, idempotency_in_flight; what `keep` and whatever `make` raises.
        """
        request = request_hash(exchange, sha256(body).digest())
        kept = await self.kept(exchange, key)
        if kept is not None:
            return replay(kept, request)
        ticket = self.start(exchange, key, request)
        try:
            answer = await make(ticket)
            await self.keep(ticket, answer, memory_only=memory_only)
            return answer
        finally:
            self.end(ticket)

    def end(self, ticket: Ticket) -> None:
        """Unmark a key."""
        del self._under_way[ticket.name]

    def start(self, exchange: Exchange, key: str, request: bytes) -> Ticket:
        """Mark a key as being answered.

        Raises:
            Problem: idempotency_in_flight, idempotency_mismatch.
        """
        name = _name(exchange, key)
        other = self._under_way.get(name)
        if other is not None:
            if other != request:
                raise _mismatch()
            raise Problem(
                "idempotency_in_flight", "wait for its answer, then ask again", headers=(retry_after(1),)
            )
        self._under_way[name] = request
        self._filter.add(name)  # the answer may be stored though whoever waits for it gives up
        return Ticket(name, request, self._parts.clock)

    async def kept(self, exchange: Exchange, key: str) -> Kept | None:
        """Return what was answered for a key before.

        Raises:
            As `keep`: its answer is not in the store yet.
        """
        name = _name(exchange, key)
        await self._stored(name)
        found = self._memory.get(name)
        if found is not None or name in self._under_way:
            return found
        await self._know_the_stored()
        if name not in self._filter:
            return self._memory.get(name)  # it may have been answered while this one waited

        def look() -> Kept | None:
            with self._parts.store.read() as conn:
                return answers.get(conn, *name)

        stored = await asyncio.to_thread(look)
        return stored or self._memory.get(name)

    async def _know_the_stored(self) -> None:
        """Read once which keys the store knows."""
        if self._loading is None or (self._loading.done() and not self._loaded):
            self._loading = asyncio.ensure_future(asyncio.to_thread(self._load))
        if not self._loaded:
            stored = await asyncio.shield(self._loading)
            if not self._loaded:
                self._filter.merge(stored)
                self._loaded = True

    async def keep(self, ticket: Ticket, answer: Answer, *, memory_only: bool = False) -> None:
        """Keep an answer; it may be given when this returns.

        Raises:
            Problem: unavailable. TxmonError: the store cannot take it now. It is kept all the same, and given
            to who asks again once the store has it.
        """
        stored = ticket.kept is not None
        kept = ticket.kept or ticket.take(answer)
        if kept is None:
            return
        if not stored and not memory_only:
            self._unstored[ticket.name] = kept
        self._remember(ticket.name, kept)
        await self._stored(ticket.name)

    def _remember(self, name: _Name, kept: Kept) -> None:
        self._memory[name] = kept
        self._size += _size(kept)
        while self._size > _MEMORY_BYTES and len(self._memory) > 1:
            _, oldest = self._memory.popitem(last=False)
            self._size -= _size(oldest)

    async def _stored(self, name: _Name) -> None:
        """Wait until an answer is in the store, if it is one that must be."""
        if name not in self._unstored:
            return
        try:
            async with asyncio.timeout(self._patience_s):
                while name in self._unstored:
                    if self._writing is None or self._writing.done():
                        self._writing = asyncio.ensure_future(self._write())
                    error = await asyncio.shield(self._writing)
                    if error is not None:
                        raise error
        except TimeoutError:
            raise Problem(
                "unavailable",
                "it was done, and its answer waits for the store; send the same request again",
                headers=(retry_after(1),),
            ) from None

    async def _write(self) -> TxmonError | None:
        """Write every answer that waits; returns why the store could not take them."""
        entries = list(self._unstored.items())

        def write(tx: Tx) -> None:
            answers.put(tx, [(*name, kept) for name, kept in entries])

        try:
            await asyncio.wrap_future(self._parts.service.change(write))
        except TxmonError as error:
            return error
        for name, _ in entries:
            del self._unstored[name]
        return None

    def _load(self) -> Filter:
        found = Filter()
        with self._parts.store.read() as conn:
            query = sa.select(answers_table.c.owner, answers_table.c.key_hash)
            for owner, named in conn.execution_options(yield_per=10_000).execute(query):
                found.add((owner, bytes(named)))
        return found


def request_hash(exchange: Exchange, body_hash: bytes) -> bytes:
    """Return what makes two requests the same: method, path, query and body."""
    scope = exchange.scope
    parts = (scope["method"].encode(), scope["path"].encode(), scope.get("query_string", b""), body_hash)
    return sha256(b"\n".join(parts)).digest()


def replay(kept: Kept, request: bytes) -> Answer:
    """Return the kept answer.

    Raises:
        Problem: idempotency_mismatch.
    """
    if kept.request_hash != request:
        raise _mismatch()
    headers = tuple((k.encode("latin-1"), v.encode("latin-1")) for k, v in kept.headers.items())
    return Answer(kept.status, kept.body, (*headers, REPLAYED))


def _mismatch() -> Problem:
    return Problem("idempotency_mismatch", "take a new key for a new request, or send the first one again")


def _name(exchange: Exchange, key: str) -> _Name:
    return exchange.who.key_id or "", _hash(key)


def _hash(key: str) -> bytes:
    return sha256(key.encode()).digest()


def _size(kept: Kept) -> int:
    return len(kept.body) + 600
