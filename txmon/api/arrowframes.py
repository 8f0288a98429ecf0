"""Cuts an Arrow IPC stream into messages as its bytes arrive, and looks at each before Arrow does.

    frames = Frames(); for portion in frames.feed(chunk): portion.payload, portion.rows

A portion is a whole IPC stream of its own: schema, dictionaries, one record batch. What a message says of
itself is checked first: its size, its number of rows, and how large packed buffers become, so that a small
body cannot fill the memory. Owns the framing (the published IPC format, metadata version 5); reads no value.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from txmon.api.problems import Problem

MESSAGE_MAX = 64 << 20  # bytes of one message, packed or not
ROWS_MAX = 1_000_000  # of one record batch
_METADATA_MAX = 1 << 20
_CONTINUED = b"\xff\xff\xff\xff"
_END = _CONTINUED + bytes(4)
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3


@dataclass(frozen=True)
class Portion:
    """One record batch as a stream of its own."""

    payload: bytes
    rows: int


class Frames:
    """See the module."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._schema = b""
        self._dictionaries: dict[int, list[bytes]] = {}
        self._need = 8  # bytes before it is worth looking again
        self.ended = False

    def feed(self, chunk: bytes) -> Iterator[Portion]:
        """Take bytes; yield the portions that they complete.

        Raises:
            Problem: malformed_arrow, too_large.
        """
        self._bytes += chunk
        while not self.ended:
            message = self._message()
            if message is None:
                return
            try:
                portion = self._take(message)
            except (struct.error, IndexError, OverflowError):
                raise _malformed("a message's metadata cannot be read") from None
            if portion is not None:
                yield portion
        if self._bytes:
            raise _malformed("something follows the end of the stream")

    def finish(self) -> None:
        """Raises: Problem: the stream broke off."""
        if self._bytes or not self._schema:
            raise _malformed("the stream breaks off, or is empty")

    def _message(self) -> _Message | None:
        """Take a whole message off the bytes."""
        head = self._bytes
        if len(head) < self._need:
            return None
        if head[:4] != _CONTINUED:
            raise _malformed("it is no stream of messages (a file, or a format before version 0.15)")
        (size,) = struct.unpack_from("<i", head, 4)
        if size == 0:
            self.ended = True
            del self._bytes[:8]
            return None
        if not 0 < size <= _METADATA_MAX:
            raise _malformed("a message's metadata has an impossible size")
        if len(head) < 8 + size:
            self._need = 8 + size
            return None
        try:
            metadata = _Table.root(bytes(head[8 : 8 + size]))
            body = metadata.number(3, "<q")
        except struct.error:
            raise _malformed("a message's metadata cannot be read") from None
        if not 0 <= body <= MESSAGE_MAX:
            raise Problem(
                "too_large", f"a record batch has at most {MESSAGE_MAX >> 20} MiB; send smaller ones"
            )
        whole = 8 + size + body
        if len(head) < whole:
            self._need = whole
            return None
        self._need = 8
        found = _Message(bytes(head[:whole]), metadata, 8 + size)
        del self._bytes[:whole]
        return found

    def _take(self, message: _Message) -> Portion | None:
        kind = message.metadata.number(1, "<B")
        if kind == _SCHEMA and not self._schema:
            self._schema = message.whole
            return None
        if kind not in (_DICTIONARY, _BATCH) or not self._schema:
            raise _malformed("a message is out of place: schema first, then dictionaries and record batches")
        header = message.metadata.table(2)
        if kind == _DICTIONARY:
            _check_batch(header.table(1), message)
            known = self._dictionaries.setdefault(header.number(0, "<q"), [])
            if not header.number(2, "<B"):
                known.clear()
            known.append(message.whole)
            if sum(len(each) for run in self._dictionaries.values() for each in run) > MESSAGE_MAX:
                raise Problem("too_large", "the stream's dictionaries are too large; send plain columns")
            return None
        rows = _check_batch(header, message)
        dictionaries = b"".join(each for run in self._dictionaries.values() for each in run)
        return Portion(b"".join((self._schema, dictionaries, message.whole, _END)), rows)


@dataclass(frozen=True)
class _Message:
    """A message: all its bytes, its metadata, where its body begins."""

    whole: bytes
    metadata: _Table
    body: int


@dataclass(frozen=True)
class _Table:
    """A FlatBuffers table; reads outside the buffer are `struct.error`."""

    buffer: bytes
    at: int

    @classmethod
    def root(cls, buffer: bytes) -> _Table:
        """Return the outermost table."""
        return cls(buffer, _unpack("<I", buffer, 0))

    def field(self, number: int) -> int:
        """Return where a field is, 0 if it has its default."""
        table = self.at - _unpack("<i", self.buffer, self.at)
        size = _unpack("<H", self.buffer, table)
        if 4 + 2 * number >= size:
            return 0
        offset = _unpack("<H", self.buffer, table + 4 + 2 * number)
        return self.at + offset if offset else 0

    def number(self, number: int, form: str) -> int:
        """Return a number, 0 by default."""
        at = self.field(number)
        return _unpack(form, self.buffer, at) if at else 0

    def reference(self, number: int) -> int:
        """Return where a field points to, 0 if it is absent."""
        at = self.field(number)
        return at + _unpack("<I", self.buffer, at) if at else 0

    def table(self, number: int) -> _Table:
        """Return a table inside.

        Raises:
            struct.error: it is absent.
        """
        at = self.reference(number)
        if not at:
            raise struct.error("absent")
        return _Table(self.buffer, at)


def _unpack(form: str, buffer: bytes, at: int) -> int:
    if at < 0:
        raise struct.error("outside")
    found: int = struct.unpack_from(form, buffer, at)[0]
    return found


def _check_batch(batch: _Table, message: _Message) -> int:
    """Return the rows of a record batch that may be read."""
    rows = batch.number(0, "<q")
    if not 0 <= rows <= ROWS_MAX:
        raise Problem("too_large", f"a record batch has at most {ROWS_MAX:,} rows; send smaller ones")
    buffers = batch.reference(2)
    if batch.reference(3) and buffers:
        unpacked = 0
        for number in range(_unpack("<I", batch.buffer, buffers)):
            offset, length = struct.unpack_from("<qq", batch.buffer, buffers + 4 + 16 * number)
            if length >= 8:
                unpacked += max(_unpack("<q", message.whole, message.body + offset), 0)
            if unpacked > MESSAGE_MAX:
                raise Problem(
                    "too_large",
                    f"a record batch has at most {MESSAGE_MAX >> 20} MiB unpacked; send smaller ones",
                )
    return rows


def _malformed(what: str) -> Problem:
    return Problem("malformed_arrow", f"the body is not an Arrow IPC stream: {what}")
