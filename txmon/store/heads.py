"""The log of heads: a second place that knows how far the journal went.

    line = seq, head in hexadecimal, time of writing in microseconds; separated by spaces

Lines are only appended: after a commit when the last line is older than half a second, else by a timer
half a second later, so the file is never more than a second behind and grows by two lines a second at
most. Whoever can cut the journal and this file can hide the cut: keep a copy elsewhere. Owns the file; a
failure to write it never fails a commit that is stored, and shows in `failure`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from txmon.clock import Clock
from txmon.errors import StateError, StoreUnavailable

_PAUSE_S = 0.5
_TAIL = 4096
_LINES_AT_ONCE = 500


@dataclass(frozen=True)
class HeadLine:
    """A head as it was logged."""

    line: int
    seq: int
    head: bytes
    time_us: int


class HeadsLog:
    """An open log of heads."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path, self._clock = path, clock
        self.failure: str | None = None  # why the last line could not be written
        self._lock = threading.Lock()
        self._newest = 0  # row whose head is written or waits; row 0 stands for an empty journal
        self._pending: tuple[int, bytes] | None = None
        self._timer: threading.Timer | None = None
        self._closed = False
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(
                f"cannot write the log of heads {path}: {error.strerror}; name another file"
            ) from error
        self._mend()

    def _mend(self) -> None:
        """End a line that a crash cut."""
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")

    def check(self, head_of: Callable[[int], bytes | None], newest: int) -> None:
        """Compare the last line with the journal.

        Raises:
            StateError: the journal lacks a row that was committed, or has another in its place.
        """
        last = last_line(self.path)
        if last is None:
            return
        if head_of(last.seq) == last.head:
            self._newest = last.seq
            return
        found = "has another row there" if last.seq <= newest else f"ends at row {newest}"
        raise StateError(
            f"{self.path} says that row {last.seq} was committed, but the journal {found}; "
            "run `txmon store verify`. If an older backup was restored on purpose, move this file away"
        )

    def add(self, seq: int, head: bytes) -> None:
        """Log a head that was committed, once; a transaction without a journal row leaves it as it was."""
        with self._lock:
            if seq == self._newest:
                return
            self._newest, self._pending = seq, (seq, head)
            if self._timer is None:
                self._write()
                self._start()

    def _start(self) -> None:
        self._timer = threading.Timer(_PAUSE_S, self._later)
        self._timer.daemon = True
        self._timer.start()

    def _later(self) -> None:
        with self._lock:
            self._timer = None
            if self._pending is not None and not self._closed:
                self._write()
                self._start()

    def _write(self) -> None:
        """Append the newest head; what fails is tried again with the next."""
        if self._pending is None:
            return
        seq, head = self._pending
        try:
            os.write(self._file, f"{seq} {head.hex()} {self._clock.now_us()}\n".encode("ascii"))
        except OSError as error:
            self.failure = f"cannot append to {self.path}: {error.strerror}"
        else:
            self.failure = None
            self._pending = None

    def close(self) -> None:
        """Write what waits, and let go of the file."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._write()
            self._closed = True
            os.close(self._file)


def read_lines(path: Path) -> Iterator[HeadLine | int]:
    """Yield the lines of a log; a line that is none (a crash cut it, or a hand) as its number."""
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            yield _parse(number, text) or number


def last_line(path: Path) -> HeadLine | None:
    """Return the last whole line of a log."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _TAIL, 0))
        lines = file.read(_TAIL).split(b"\n")
    for text in reversed(lines):
        found = _parse(0, text)
        if found is not None:
            return found
    return None


def _parse(number: int, text: bytes) -> HeadLine | None:
    parts = text.split()
    if len(parts) != 3 or len(parts[1]) != 64 or not (parts[0].isdigit() and parts[2].isdigit()):
        return None
    try:
        return HeadLine(number, int(parts[0]), bytes.fromhex(parts[1].decode("ascii")), int(parts[2]))
    except ValueError:
        return None


def check_lines(
    path: Path, heads_of: Callable[[list[int]], dict[int, bytes]]
) -> Iterator[tuple[int, str] | None]:
    """Compare every line of a log with the journal; yields None for a good line, else the row and the fault.

    Args:
        heads_of: gives the heads of the journal rows asked for, as far as they exist.
    """
    waiting: list[HeadLine] = []
    newest = 0
    for line in read_lines(path):
        if isinstance(line, int):
            continue
        if line.seq < newest:
            yield line.seq, f"{path.name} line {line.line} goes back from row {newest}"
        newest = max(newest, line.seq)
        waiting.append(line)
        if len(waiting) == _LINES_AT_ONCE:
            yield from _compare(path, waiting, heads_of)
            waiting = []
    yield from _compare(path, waiting, heads_of)


def _compare(
    path: Path, lines: list[HeadLine], heads_of: Callable[[list[int]], dict[int, bytes]]
) -> Iterator[tuple[int, str] | None]:
    heads = heads_of(sorted({line.seq for line in lines}))
    for line in lines:
        found = heads.get(line.seq)
        if found == line.head:
            yield None
        elif found is None:
            yield line.seq, f"missing, but {path.name} line {line.line} says that it was committed"
        else:
            yield line.seq, f"has another head than {path.name} line {line.line} says"
