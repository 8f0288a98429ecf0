"""Follows a growing file, or a folder of files: every whole line, or every whole file, is a message.

A partition is a file, a position the byte behind the last line taken. A last line without its newline
waits. Owns offsets and the cutting into lines; never writes, moves or deletes a file and keeps none open.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import BinaryIO

from txmon.clock import monotonic_s, sleep_s
from txmon.errors import SourceError
from txmon.streams.consumer import Message, Positions, Stored
from txmon.streams.readers.lines import MAX_LINE_BYTES
from txmon.streams.tailfiles import Folder, FolderAddress, Found

BLOCK_BYTES = 1 << 20
MAX_FILE_BYTES = 64 << 20  # of a file that is one message
LOOK_S = 0.1  # how often the folder is looked at while nothing comes
_KEPT_OF_LONG = 65_536


class TailConsumer:
    """A `Consumer` of files."""

    def __init__(
        self,
        address: FolderAddress,
        *,
        stored: Stored = dict,
        sleep: Callable[[float], None] = sleep_s,
        now_s: Callable[[], float] = monotonic_s,
    ) -> None:
        self._address, self._sleep, self._now_s = address, sleep, now_s
        self._folder = Folder(address)
        self._taken: dict[str, int] = dict(stored())
        self._first: dict[str, int] = dict(self._taken)
        self._files: list[Found] = []
        self._looked = self._paused = self._ended = False
        self._problem: str | None = None

    @property
    def name(self) -> str:
        return self._address.name

    @property
    def ended(self) -> bool:
        """Whether all is read; never while files are followed."""
        return self._ended

    @property
    def problem(self) -> str | None:
        return self._problem

    def poll(self, limit: int, timeout_s: float) -> list[Message]:
        until = self._now_s() + timeout_s
        while True:
            out = [] if self._paused else self._take(limit)
            left = until - self._now_s()
            if out or self._ended or left <= 0:
                return out
            self._sleep(min(left, LOOK_S))

    def seek(self, positions: Positions) -> None:
        self._taken = {**self._first, **positions}
        self._ended = False

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def dead_letter(self, message: Message, reason: str, body: bytes) -> None:
        """A folder has no place for them; the quarantine keeps them."""

    def flush(self, timeout_s: float) -> None:
        """Nothing is on its way."""

    def lag(self) -> Mapping[str, int]:
        """Return bytes that were not read, of each file that is there."""
        return {f.identity: max(0, f.size - self._taken.get(f.identity, 0)) for f in self._files}

    def close(self) -> None:
        """No file is kept open."""

    def _take(self, limit: int) -> list[Message]:
        """Return what is there, file by file."""
        self._look()
        out: list[Message] = []
        for file in self._files:
            offset = self._taken.get(file.identity, 0)
            while len(out) < limit and offset < file.size:
                part = self._read(file, offset)[: limit - len(out)]
                if not part:
                    break
                out += part
                offset = self._taken[file.identity] = part[-1].position
        self._ended = not (out or self._address.follow or self._problem)
        return out

    def _look(self) -> None:
        try:
            self._files = self._folder.look()
        except OSError as error:
            self._files = []
            self._problem = f"{self._address.folder} cannot be read: {error.strerror}"
            return
        self._problem = None
        for file in self._files:
            if file.identity not in self._first:
                skip = self._address.start_at_end and not self._looked
                self._first[file.identity] = file.size if skip else 0
                self._taken.setdefault(file.identity, self._first[file.identity])
            taken = self._taken.get(file.identity, 0)
            if taken > file.size and not self._address.whole:
                raise SourceError(
                    f"{file.path} ends at byte {file.size}, but was read up to {taken}: it was cut short;"
                    " move it away and write what is new to another file"
                )
        self._looked = True

    def _read(self, file: Found, offset: int) -> list[Message]:
        """Return the next messages of a file, at least one if one is whole."""
        try:
            with file.path.open("rb") as stream:
                if os.fstat(stream.fileno()).st_ino != file.inode:
                    return []  # rotated since the look; the next look finds it
                if self._address.whole:
                    return [Message(_content(stream, file.size), file.identity, file.size)]
                stream.seek(offset)
                return _lines(stream, file.identity, offset, last=not self._address.follow)
        except FileNotFoundError:
            return []
        except OSError as error:
            self._problem = f"{file.path} cannot be read: {error.strerror}"
            return []


def _content(stream: BinaryIO, size: int) -> bytes:
    """Return a file's content; of one that is too large its beginning, which no feed takes for whole."""
    return stream.read(MAX_FILE_BYTES if size <= MAX_FILE_BYTES else _KEPT_OF_LONG)


def _lines(stream: BinaryIO, identity: str, offset: int, *, last: bool) -> list[Message]:
    """Cut the next block into lines; `last` says that the file's end ends a line, too."""
    out: list[Message] = []
    while not out:  # a block may hold nothing but empty lines
        data = stream.read(BLOCK_BYTES)
        while b"\n" not in data:
            more = stream.read(BLOCK_BYTES)
            if not more:
                return [Message(data, identity, offset + len(data))] if data and last else []
            data += more
            if len(data) > MAX_LINE_BYTES:
                end = _end_of_line(stream, offset + len(data), data)
                return [] if end is None else [Message(data[:_KEPT_OF_LONG], identity, end)]
        # only a newline ends a line; a carriage return before it is not the row's
        lines = data[: data.rfind(b"\n")].split(b"\n")
        for line in lines:
            offset += len(line) + 1
            text = line.rstrip(b"\r")
            if text:
                out.append(Message(text, identity, offset))
        stream.seek(offset)
    return out


def _end_of_line(stream: BinaryIO, offset: int, data: bytes) -> int | None:
    """Return where an overlong line ends, or None if it has not ended yet."""
    while True:
        newline = data.find(b"\n")
        if newline >= 0:
            return offset - len(data) + newline + 1
        data = stream.read(BLOCK_BYTES)
        if not data:
            return None
        offset += len(data)
