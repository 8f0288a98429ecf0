"""Reads NDJSON files: one JSON object a line; a JSON array of one object a line is not NDJSON.

Owns lines and their numbers; what a line holds is `jsonrows`' to read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np

from txmon.streams.faults import Reason
from txmon.streams.feed import Feed
from txmon.streams.readers.chunk import Chunk, Reject
from txmon.streams.readers.csvs import slice_chunk
from txmon.streams.readers.jsonrows import JsonRows
from txmon.streams.readers.lines import Block, read_blocks


class NdjsonReader:
    """Streams one NDJSON file."""

    def __init__(self, path: Path, feed: Feed) -> None:
        self.path = path
        self.total = path.stat().st_size if path.suffix != ".gz" else 0
        self.names: list[str] | None = None
        self._rows = JsonRows(feed)

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """Yield the rows block by block, at most `rows` at a time."""
        for block in read_blocks(self.path):
            chunk = self._parse(block)
            for start in range(0, max(chunk.rows, 1), rows):
                yield slice_chunk(chunk, start, rows) if chunk.rows > rows else chunk

    def _parse(self, block: Block) -> Chunk:
        if block.too_long:
            reject = Reject(block.line, Reason.TOO_LONG, "the line is too long", block.data)
            return self._rows.chunk({}, [], np.empty(0, np.int64), block.done, [reject])
        data = block.data.replace(b"\r\n", b"\n") if b"\r" in block.data else block.data
        texts = _Lines(data)
        columns = self._rows.block(data, texts.cut)
        if columns is not None:
            numbers = np.arange(block.line, block.line + data.count(b"\n"))
            return self._rows.chunk(columns, texts, numbers, block.done)
        lines = [text.strip(b" \t\r") for text in data.split(b"\n")]
        kept = [i for i, text in enumerate(lines) if text]
        return self._rows.rows([lines[i] for i in kept], np.array(kept, np.int64) + block.line, block.done)


class _Lines(Sequence[bytes]):
    """The lines of a block, cut when the first one is asked for: only failing rows are."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @cached_property
    def _cut(self) -> list[bytes]:
        return self._data.split(b"\n")[:-1]

    def cut(self) -> Sequence[bytes]:
        """Return the lines."""
        return self._cut

    def __len__(self) -> int:
        return len(self._cut)

    @overload
    def __getitem__(self, i: int) -> bytes: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[bytes]: ...
    def __getitem__(self, i: int | slice) -> bytes | Sequence[bytes]:
        return self._cut[i]
