"""Reads a Redis stream, from positions that the pipeline stores and not the server.

The one partition is the stream, a position the entry's id (`txmon.streams.redisid`). No consumer group is
made and nothing is acknowledged or deleted. Owns the connection, the cursor and the check that nothing was
trimmed unread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from txmon.clock import sleep_s
from txmon.errors import SourceError
from txmon.streams.consumer import Message, Positions, Stored
from txmon.streams.pullsize import PullSize
from txmon.streams.redisid import BEFORE_ALL, EntryId, id_of, last_alike, parse_id, position_of
from txmon.streams.redisurl import RedisAddress

PARTITION = "0"
_ANSWER_S = 5.0
_PROBLEM_S = 0.2  # how long a poll waits at most while the server is away
_RAW = ("XRANGE", "XREAD", "XINFO STREAM")
Entry = tuple[bytes, Sequence[bytes]]


class _Look(NamedTuple):
    """What one look at the stream found: entries behind the cursor, and the stream's own counts."""

    here: bool  # the entry at the cursor
    entries: Sequence[Entry]
    last: EntryId
    length: int
    added: int | None  # entries ever added; None before Redis 7


class RedisConsumer:
    """A `Consumer` of one stream."""

    def __init__(
        self, address: RedisAddress, *, stored: Stored = dict, sleep: Callable[[float], None] = sleep_s
    ) -> None:
        """Prepare; the server need not be there yet."""
        self._address, self._stored, self._sleep = address, stored, sleep
        self._client = Redis(
            **address.connection(),
            protocol=2, retry=Retry(NoBackoff(), 0),
            socket_timeout=_ANSWER_S, socket_connect_timeout=_ANSWER_S,
        )  # fmt: skip
        for command in _RAW:  # as they come: ids and fields in order, a field that is there twice included
            self._client.set_response_callback(command, lambda response, **_: response)
        self._key = address.stream.encode()
        self._first: int | None = None  # position stored when it was first begun
        self._start = BEFORE_ALL  # where it is begun without one
        self._skip = address.from_end  # what is there now, once that is known
        self._cursor: EntryId | None = None  # last entry handed out; None until a position was asked for
        self._read: int | None = None  # how many entries were ever added up to the cursor, where known
        self._added = 0
        self._size = PullSize()
        self._paused = False
        self._problem: str | None = "not connected yet"
        self._letters: list[dict[Any, Any]] = []

    @property
    def name(self) -> str:
        return self._address.name

    @property
    def ended(self) -> bool:
        """A stream never ends."""
        return False

    @property
    def problem(self) -> str | None:
        """What keeps it from reading now, or None."""
        return self._problem

    def poll(self, limit: int, timeout_s: float) -> list[Message]:
        if self._cursor is None:
            self._first = self._stored().get(PARTITION)
            self._begin(self._first)
        if self._paused:
            self._sleep(timeout_s)
            return []
        try:
            out = self._fetch(limit)
            if not out and timeout_s > 0 and self._problem is None and self._wait(timeout_s):
                out = self._fetch(limit)
        except (RedisError, OSError) as error:
            self._problem = f"Redis: {_text(error)}"
            out = []
        if not out and self._problem is not None:
            self._sleep(min(timeout_s, _PROBLEM_S))
        return out

    def seek(self, positions: Positions) -> None:
        self._begin(positions.get(PARTITION, self._first))

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def dead_letter(self, message: Message, reason: str, body: bytes) -> None:
        """Set aside as an entry with `data` and `txmon-reason`, `txmon-stream`, `txmon-id`."""
        if self._address.dead_letter is not None:
            entry = {b"data": body, b"txmon-reason": reason.encode(), b"txmon-stream": self._key}
            self._letters.append(entry | {b"txmon-id": message.key or b""})

    def flush(self, timeout_s: float) -> None:  # noqa: ARG002 - the connection has its own time
        if not self._letters:
            return
        dead = self._address.dead_letter or ""
        try:
            with self._client.pipeline(transaction=True) as pipe:
                for letter in self._letters:
                    pipe.xadd(dead, letter)
                pipe.execute()
        except (RedisError, OSError) as error:
            waiting = len(self._letters)
            del self._letters[:-_KEPT_LETTERS]  # sent again with the next ones
            raise SourceError(
                f"dead-letter stream {dead} did not take {waiting} messages ({_text(error)});"
                " the quarantine has them all"
            ) from error
        self._letters = []

    def lag(self) -> Mapping[str, int]:
        """Return how many entries were not handed out; known from the start of the stream or its end on."""
        return {} if self._read is None else {PARTITION: max(0, self._added - self._read)}

    def close(self) -> None:
        self._client.close()

    def _begin(self, position: int | None) -> None:
        self._cursor = self._start if position is None else id_of(position)
        self._read = None

    def _fetch(self, limit: int) -> list[Message]:
        assert self._cursor is not None
        if self._skip and self._cursor == BEFORE_ALL:
            self._to_the_end()
        look = self._look(self._size.ask(limit))
        if look is None:
            return []
        self._problem = None
        self._check(look)
        before = look.length if self._cursor == BEFORE_ALL else None
        out = [self._message(entry) for entry in look.entries]
        if out:
            self._cursor = parse_id(look.entries[-1][0])
            self._size.note(len(out), sum(len(m.payload) for m in out))
        self._count(look, before)
        return out

    def _look(self, count: int) -> _Look | None:
        """Look at the stream at one moment; None where there is none yet."""
        assert self._cursor is not None
        at = self._cursor.text
        with self._client.pipeline(transaction=True) as pipe:
            pipe.xrange(self._key, at, last_alike(self._cursor), 1)
            pipe.xrange(self._key, f"({at}", "+", count)
            pipe.xinfo_stream(self._key)
            here, entries, info = pipe.execute(raise_on_error=False)
        for answer in (here, entries):
            if isinstance(answer, Exception):
                raise answer
        if isinstance(info, Exception):
            if self._cursor != BEFORE_ALL:
                raise SourceError(self._made_anew("is not there"))
            self._problem = f"Redis: there is no stream {self._address.stream} yet"
            return None
        facts = dict(zip(info[::2], info[1::2], strict=True))
        last = parse_id(facts[b"last-generated-id"])
        return _Look(bool(here), entries, last, facts[b"length"], facts.get(b"entries-added"))

    def _check(self, look: _Look) -> None:
        """Refuse to pass over what was trimmed unread.

        While the entry at the cursor is there, everything behind it is. Where it is gone, the count of
        entries ever added tells whether unread ones went with it; without that count it is refused.
        """
        cursor = self._cursor
        if cursor is None or cursor == BEFORE_ALL or look.here:
            return
        if look.last < cursor:
            raise SourceError(self._made_anew(f"ends at {look.last.text}"))
        if look.last == cursor or self._address.accept_gap:
            return
        if self._read is not None and look.added is not None:
            if look.added - look.length <= self._read:
                return
            found = "were"
        else:
            found = "may have been"
        raise SourceError(
            f"Redis stream {self._address.stream}: entries behind {cursor.text} {found} trimmed unread;"
            " restore them, keep the stream longer, or accept the gap with ?gap=accept"
        )

    def _made_anew(self, what: str) -> str:
        assert self._cursor is not None
        return (
            f"Redis stream {self._address.stream} {what}, but {self._cursor.text} was read before; if it was"
            " made anew, give it another name with ?name="
        )

    def _count(self, look: _Look, unread: int | None) -> None:
        """Note how many entries were added up to the cursor: known at the stream's beginning and its end."""
        if look.added is None:
            return
        self._added = look.added
        if look.last == self._cursor:
            self._read = look.added
        elif self._read is not None:
            self._read += len(look.entries)
        elif unread is not None:
            self._read = look.added - unread + len(look.entries)

    def _to_the_end(self) -> None:
        if self._client.exists(self._key):
            info = self._client.xinfo_stream(self._key)
            facts: dict[bytes, Any] = dict(zip(info[::2], info[1::2], strict=True))  # type: ignore[index]
            self._cursor = self._start = parse_id(facts[b"last-generated-id"])
        self._skip = False

    def _wait(self, timeout_s: float) -> bool:
        """Wait for an entry behind the cursor; the next look reads it."""
        assert self._cursor is not None
        milliseconds = max(1, int(min(timeout_s, _ANSWER_S / 2) * 1000))
        return bool(self._client.xread({self._key: self._cursor.text}, 1, milliseconds))

    def _message(self, entry: Entry) -> Message:
        id, fields = entry
        names = fields[::2]
        try:
            payload = fields[2 * names.index(self._address.payload_field.encode()) + 1]
        except ValueError:
            payload = _row(names, fields[1::2])
        return Message(payload, PARTITION, position_of(parse_id(id)), id)


_KEPT_LETTERS = 10_000  # while the stream takes none; the quarantine keeps all


def _row(names: Sequence[bytes], values: Sequence[bytes]) -> bytes:
    """Return an entry's fields as one JSON object; of one that has a name twice, or is no text, no JSON."""
    try:
        row = {n.decode(): v.decode() for n, v in zip(names, values, strict=True)}
    except UnicodeDecodeError:
        row = {}
    if len(row) < len(names):
        return b" ".join(n + b"=" + v for n, v in zip(names, values, strict=True))
    return orjson.dumps(row)


def _text(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
