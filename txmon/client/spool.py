"""Requests that could not be delivered, kept in order until they can.

`MemorySpool` ends with the process; `FileSpool` does not. Both are bounded and safe for threads. A record
keeps its `Idempotency-Key`, so that one which had arrived after all changes nothing. Owns the keeping;
never sends, never logs. The file holds events: only its owner may read it.

File: a first line ``txmon-spool 1 <offset, 20 digits>``, then a line of JSON for each record. What lies
before the offset is delivered; a last line without an end was never promised to anybody and is cut off.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import orjson

from txmon.client.wire import Call
from txmon.errors import ConfigError, StateError

_HEAD = "txmon-spool 1 {:020d}\n"
_HEAD_BYTES = len(_HEAD.format(0))
_COMPACT_BYTES = 4 << 20  # delivered bytes before the file is written anew


@dataclass(frozen=True)
class Bounds:
    """How much a spool may hold."""

    events: int = 100_000
    bytes: int = 256 << 20


class Spool(Protocol):
    """See the module."""

    @property
    def waiting(self) -> int:
        """Return how many requests wait."""
        ...

    @property
    def events(self) -> int:
        """Return how many events they hold."""
        ...

    def put(self, call: Call) -> bool:
        """Keep a request; False where there is no room. OSError: the disk failed, nothing is kept."""
        ...

    def first(self) -> Call | None:
        """Return the oldest request that waits."""
        ...

    def done(self, *, refused: str | None = None) -> None:
        """Let go of the oldest; `refused` says why the service will never take it."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


def open_spool(path: Path | None, bounds: Bounds) -> Spool:
    """Return a spool in a file, or in memory without one.

    Raises:
        ConfigError: another process has the file, or it cannot be opened. StateError: it is damaged.
    """
    return MemorySpool(bounds) if path is None else FileSpool(path, bounds)


class MemorySpool:
    """A spool that ends with the process."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds, self._lock = bounds, threading.Lock()
        self._calls: deque[Call] = deque()
        self._bytes = self._events = 0

    @property
    def waiting(self) -> int:
        """Return how many requests wait."""
        return len(self._calls)

    @property
    def events(self) -> int:
        """Return how many events they hold."""
        return self._events

    def put(self, call: Call) -> bool:
        """Keep a request; False where there is no room."""
        with self._lock:
            if not _room(self._bounds, self._events + call.events, self._bytes + len(call.body)):
                return False
            self._calls.append(call)
            self._events += call.events
            self._bytes += len(call.body)
            return True

    def first(self) -> Call | None:
        """Return the oldest request that waits."""
        with self._lock:
            return self._calls[0] if self._calls else None

    def done(self, *, refused: str | None = None) -> None:  # noqa: ARG002 - as the protocol has it
        """Let go of the oldest; one that was refused is only in the report of the flush."""
        with self._lock:
            call = self._calls.popleft()
            self._events -= call.events
            self._bytes -= len(call.body)

    def close(self) -> None:
        """Nothing to let go of."""


class FileSpool:
    """A spool in a file of one process; requests that were refused go to ``<file>.refused``."""

    def __init__(self, path: Path, bounds: Bounds) -> None:
        self._path, self._bounds, self._lock = path, bounds, threading.Lock()
        self._records: deque[tuple[int, int]] = deque()  # length of the line, events in it
        self._events = 0
        self._guard = _locked(path)
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                self._start, self._end = self._load()
            except BaseException:
                os.close(self._file)
                raise
        except OSError as error:
            os.close(self._guard)
            raise ConfigError(f"spool {path}: {error.strerror}; name a file that can be written") from error
        except StateError:
            os.close(self._guard)
            raise

    @property
    def waiting(self) -> int:
        """Return how many requests wait."""
        return len(self._records)

    @property
    def events(self) -> int:
        """Return how many events they hold."""
        return self._events

    def put(self, call: Call) -> bool:
        """Keep a request on disk; False where there is no room.

        Raises:
            OSError: the disk failed; nothing is kept.
        """
        line = _line(call)
        with self._lock:
            size = self._end - self._start + len(line)
            if not _room(self._bounds, self._events + call.events, size):
                return False
            try:
                _write_at(self._file, line, self._end)
                os.fsync(self._file)
            except OSError:
                os.ftruncate(self._file, self._end)
                raise
            self._end += len(line)
            self._records.append((len(line), call.events))
            self._events += call.events
            return True

    def first(self) -> Call | None:
        """Return the oldest request that waits."""
        with self._lock:
            if not self._records:
                return None
            return _call(os.pread(self._file, self._records[0][0], self._start))

    def done(self, *, refused: str | None = None) -> None:
        """Let go of the oldest; `refused` says why the service will never take it."""
        with self._lock:
            length, events = self._records[0]
            if refused is not None:
                self._keep_refused(os.pread(self._file, length, self._start), refused)
            self._records.popleft()
            self._events -= events
            self._start += length
            if not self._records:
                self._start = self._end = _HEAD_BYTES
                self._mark()  # first: a crash in between sends delivered records again, which changes nothing
                os.ftruncate(self._file, _HEAD_BYTES)
            elif self._start > _COMPACT_BYTES and self._start > self._end // 2:
                self._compact()
            else:
                self._mark()

    def close(self) -> None:
        """Let go of the file; what waits stays in it."""
        with self._lock:
            os.close(self._file)
            os.close(self._guard)

    def _mark(self) -> None:
        _write_at(self._file, _HEAD.format(self._start).encode(), 0)

    def _keep_refused(self, line: bytes, reason: str) -> None:
        """Append a record to the file of refused ones, which is bounded as the spool is."""
        side = os.open(f"{self._path}.refused", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(side).st_size + len(line) <= self._bounds.bytes:
                os.write(side, orjson.dumps({"refused": reason} | orjson.loads(line)) + b"\n")
        finally:
            os.close(side)

    def _compact(self) -> None:
        """Write what waits to a new file and put it in the place of the old one."""
        temporary = f"{self._path}.new"
        made = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        rest = os.pread(self._file, self._end - self._start, self._start)
        _write_at(made, _HEAD.format(_HEAD_BYTES).encode() + rest, 0)
        os.fsync(made)
        os.replace(temporary, self._path)
        os.close(self._file)
        self._file, self._start, self._end = made, _HEAD_BYTES, _HEAD_BYTES + len(rest)

    def _load(self) -> tuple[int, int]:
        """Read what an earlier process left; returns where the waiting records start and end."""
        head = os.pread(self._file, _HEAD_BYTES, 0)
        if len(head) < _HEAD_BYTES:  # new, or ended while it was made
            os.ftruncate(self._file, 0)
            _write_at(self._file, _HEAD.format(_HEAD_BYTES).encode(), 0)
            return _HEAD_BYTES, _HEAD_BYTES
        words = head.decode("ascii", "replace").split()
        if words[:2] != ["txmon-spool", "1"] or not words[2].isdigit():
            raise StateError(f"{self._path} is not a spool of this version; name another file")
        size = os.fstat(self._file).st_size
        start = min(max(int(words[2]), _HEAD_BYTES), size)
        end = start
        for number, line in enumerate(os.pread(self._file, size - start, start).splitlines(keepends=True), 1):
            if not line.endswith(b"\n"):
                break
            try:
                events = _call(line).events
            except (ValueError, KeyError, TypeError):
                raise StateError(
                    f"{self._path}: waiting record {number} is damaged; move the file away, each line is JSON"
                ) from None
            self._records.append((len(line), events))
            self._events += events
            end += len(line)
        os.ftruncate(self._file, end)
        return start, end


def _locked(path: Path) -> int:
    """Take the lock of a spool; it ends with the process."""
    try:
        guard = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"spool {path}: {error.strerror}; name a file that can be written") from error
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(guard)
        raise ConfigError(f"spool {path}: another client has it; give each process its own file") from error
    return guard


def _line(call: Call) -> bytes:
    kept = {"key": call.key, "path": call.path, "events": call.events, "body": call.body.decode()}
    return orjson.dumps(kept) + b"\n"


def _call(line: bytes) -> Call:
    kept = orjson.loads(line)
    return Call("POST", kept["path"], kept["body"].encode(), key=kept["key"], events=int(kept["events"]))


def _write_at(file: int, content: bytes, offset: int) -> None:
    while content:
        written = os.pwrite(file, content, offset)
        content, offset = content[written:], offset + written


def _room(bounds: Bounds, events: int, size: int) -> bool:
    return events <= bounds.events and size <= bounds.bytes
