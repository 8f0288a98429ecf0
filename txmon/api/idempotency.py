"""`Idempotency-Key`: the same request again gets the same bytes, another one is refused.

    keeper.once(exchange, key, body, make)     the kept answer, or `make()` and keep what it returns

An answer is kept in memory at once and in the store a moment later, many in one transaction, for a day. A
process that is killed within that moment forgets it; events are then found by their own (source, event_id)
and answered as duplicates. Answers that hold a key's text are never written. Whether the store may know a
key is asked of a filter in memory, so that a new key costs no query.
Owns keeping and comparing; an error that changed nothing is not kept, so that it can be tried again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256

import sqlalchemy as sa

from txmon.api.context import Answer, Exchange, Parts
from txmon.api.problems import Problem, retry_after
from txmon.errors import Stopping, TxmonError
from txmon.store import Tx, answers
from txmon.store.answers import Answer as Kept
from txmon.store.schema import answers as answers_table

KEY_MAX = 255
REPLAYED = (b"idempotent-replayed", b"true")
_FLUSH_S, _AGAIN_S, _FLUSH_MAX_S = 0.05, 1.0, 5.0
_MEMORY_BYTES = 32 << 20
_BITS = 1 << 26  # of the filter: 8 MiB, one false alarm in a thousand at 4 million keys
_PROBES = 4
_FORGET = sa.delete(answers_table).where(
    answers_table.c.owner == sa.bindparam("o"), answers_table.c.key_hash == sa.bindparam("k")
)
Make = Callable[[], Awaitable[Answer]]
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


class Keeper:
    """See the module. Used in the event loop only, but for what it does in the writer's turn."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._under_way: dict[_Name, bytes] = {}  # hash of the request
        self._memory: OrderedDict[_Name, Kept] = OrderedDict()
        self._size = 0
        self._pending: list[tuple[str, str, Kept]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._filter = Filter()
        self._loading: asyncio.Future[Filter] | None = None
        self._loaded = False

    async def once(
        self, exchange: Exchange, key: str, body: bytes, make: Make, *, memory_only: bool = False
    ) -> Answer:
        """Answer a request once.

        Raises:
            Problem: idempotency_mismatch, idempotency_in_flight; and whatever `make` raises.
        """
        request = request_hash(exchange, sha256(body).digest())
        kept = await self.kept(exchange, key)
        if kept is not None:
            return replay(kept, request)
        return await self.run(exchange, key, request, make, memory_only=memory_only)

    async def run(
        self, exchange: Exchange, key: str, request: bytes, make: Make, *, memory_only: bool = False
    ) -> Answer:
        """Make an answer that was not kept, and keep it.

        Raises:
            Problem: idempotency_in_flight, idempotency_mismatch; and whatever `make` raises.
        """
        name = self.start(exchange, key, request)
        try:
            answer = await make()
            if 200 <= answer.status < 300:
                self.keep(exchange, key, request, answer, memory_only=memory_only)
            return answer
        finally:
            self.end(name)

    def end(self, name: _Name) -> None:
        """Unmark a key."""
        del self._under_way[name]

    def start(self, exchange: Exchange, key: str, request: bytes) -> _Name:
        """Mark a key as being answered."""
        name = _name(exchange, key)
        other = self._under_way.get(name)
        if other is not None:
            if other != request:
                raise _mismatch()
            raise Problem(
                "idempotency_in_flight", "wait for its answer, then ask again", headers=(retry_after(1),)
            )
        self._under_way[name] = request
        return name

    async def kept(self, exchange: Exchange, key: str) -> Kept | None:
        """Return what was answered for a key before."""
        name = _name(exchange, key)
        found = self._memory.get(name)
        if found is not None or name in self._under_way:
            return found
        await self._know_the_stored()
        if name not in self._filter:
            return self._memory.get(name)  # it may have been answered while this one waited
        owner = name[0]

        def look() -> Kept | None:
            with self._parts.store.read() as conn:
                return answers.get(conn, owner, key)

        stored = await asyncio.to_thread(look)
        return stored or self._memory.get(name)

    async def _know_the_stored(self) -> None:
        """Read once which keys the store knows."""
        if self._loading is None:
            self._loading = asyncio.ensure_future(asyncio.to_thread(self._load))
        if not self._loaded:
            stored = await asyncio.shield(self._loading)
            if not self._loaded:
                self._filter.merge(stored)
                self._loaded = True

    def keep(
        self, exchange: Exchange, key: str, request: bytes, answer: Answer, *, memory_only: bool = False
    ) -> None:
        """Keep an answer."""
        name = _name(exchange, key)
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in answer.headers}
        kept = Kept(request, answer.status, headers, answer.body, self._parts.clock.now_us())
        self._memory[name] = kept
        self._size += _size(kept)
        while self._size > _MEMORY_BYTES and len(self._memory) > 1:
            _, oldest = self._memory.popitem(last=False)
            self._size -= _size(oldest)
        if memory_only:
            return
        self._pending.append((name[0], key, kept))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.get_running_loop().create_task(self._flush_soon())

    async def _flush_soon(self) -> None:
        await asyncio.sleep(_FLUSH_S)
        while self._pending:
            try:
                await self._write()
            except Stopping:
                return  # nothing is written any more; an event that comes again is known by its own id
            except TxmonError:  # they stay in memory and are written when the store can again
                await asyncio.sleep(_AGAIN_S)

    async def flush(self) -> None:
        """Write what waits, if that can be done within a few seconds; what stays is only in memory."""
        if self._flushing is not None and not self._flushing.done():
            await asyncio.wait((self._flushing,), timeout=_FLUSH_MAX_S)
            self._flushing.cancel()

    async def _write(self) -> None:
        """Write what waits.

        Raises:
            TxmonError: the store cannot take it now; it still waits.
        """
        pending, self._pending = self._pending, []
        if not pending:
            return

        def write(tx: Tx) -> None:
            # a key may be there already if this process could not know it; the newer answer stays
            tx.conn.execute(_FORGET, [{"o": owner, "k": _hash(key)} for owner, key, _ in pending])
            for owner, key, kept in pending:
                answers.put(tx, owner, key, kept)

        try:
            await asyncio.wrap_future(self._parts.service.change(write))
        except TxmonError:
            self._pending = pending + self._pending
            raise
        for owner, key, _ in pending:
            self._filter.add((owner, _hash(key)))

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
