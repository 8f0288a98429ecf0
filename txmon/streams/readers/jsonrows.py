"""Rows of JSON text to columns: whole blocks by Arrow where they fit, else text by text.

Numbers are read as decimals from their digits, never through floats (coordinates apart). What does not
fit is read row by row, every value as text, so that only the rows that are wrong are rejected; both ways
give the same events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.json as pajson

from txmon.streams.faults import Reason
from txmon.streams.feed import Feed
from txmon.streams.flatten import flatten
from txmon.streams.nested import attributes_of_struct
from txmon.streams.paths import Nested
from txmon.streams.readers.chunk import Chunk, Reject
from txmon.streams.readers.jsonline import MAX_DEPTH, cell_text, read_object
from txmon.streams.readers.jsonshape import Shape

_RELEARN_ROWS = 20_000
_FEW = 96  # up to so many texts are read faster one by one than Arrow's reader starts (measured)
_NEWLINE, _OPEN, _CLOSE = ord("\n"), ord("{"), ord("}")


class JsonRows:
    """Parses blocks of one stream of rows; it learns the stream's columns as it goes."""

    def __init__(self, feed: Feed) -> None:
        self._shape = Shape(feed)
        self._learned = False
        self._nested = feed.nested if feed.nested and feed.nested.of == "json" else None
        self._wanted = sorted(_first_steps(self._nested)) if self._nested else self._shape.wanted

    def block(self, data: bytes, lines: Callable[[], Sequence[bytes]]) -> dict[str, pa.Array] | None:
        """Parse objects, one a line, each line ended by a newline; None where `rows` must do it.

        `lines` cuts the block and is only called when the columns must be learned.
        """
        count = data.count(b"\n")
        if self._nested or count <= _FEW or not _one_object_a_line(data, count):
            return None
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            return None
        if not self._learned:
            self._learned = True
            self._shape.learn(lines()[:8])
        columns = self._fast(data, count)
        if columns is None and self._shape.learn(lines()[:_RELEARN_ROWS]):
            columns = self._fast(data, count)
        return columns

    def rows(self, texts: Sequence[bytes], lines: np.ndarray, done: int) -> Chunk:
        """Parse texts one by one; `lines` are their numbers."""
        good: list[int] = []
        found: list[Mapping[str, object]] = []
        rejects: list[Reject] = []
        wanted = self._wanted
        for i, text in enumerate(texts):
            try:
                row = read_object(text, wanted)
            except UnicodeDecodeError:
                rejects.append(Reject(int(lines[i]), Reason.BAD_UTF8, "the line is not UTF-8", text))
                continue
            except ValueError as error:
                rejects.append(Reject(int(lines[i]), Reason.BAD_JSON, str(error), text))
                continue
            good.append(i)
            found.append(row)
        if self._nested is not None:
            flat = [flatten(row, self._nested) for row in found]
            columns = {n: pa.array([r[n] for r in flat], pa.string()) for n in self._nested.paths}
        else:
            present = set().union(*found) if found else set()
            columns = {
                n: pa.array([cell_text(row.get(n)) for row in found], pa.string())
                for n in wanted
                if n in present
            }
        return self.chunk(columns, [texts[i] for i in good], lines[good], done, rejects)

    def chunk(
        self,
        columns: Mapping[str, pa.Array],
        texts: Sequence[bytes],
        lines: np.ndarray,
        done: int,
        rejects: Sequence[Reject] = (),
    ) -> Chunk:
        """Return the parsed rows with their texts, which are read again where a row is refused."""

        def row(i: int) -> Mapping[str, object]:
            return read_object(texts[i], self._wanted)

        return Chunk(columns, len(lines), lines, row, done, tuple(rejects))

    def _fast(self, data: bytes, count: int) -> dict[str, pa.Array] | None:
        """Parse a block of `count` objects that have the columns and types seen so far, else None."""
        shape = self._shape
        if not shape.fast(data):
            return None
        if not shape.closed and data.count(b"{") + data.count(b"[") > count + MAX_DEPTH:
            return None  # perhaps nested deeper than the other way takes
        options = shape.options()
        schema = options.explicit_schema
        try:
            table = pajson.read_json(
                pa.py_buffer(data),
                read_options=pajson.ReadOptions(use_threads=False, block_size=len(data) + 1),
                parse_options=options,
            )
        except pa.ArrowException:
            return None
        if table.num_rows != count:
            return None
        extra = set(table.column_names) - set(schema.names)
        if extra.intersection(shape.wanted) or any(table.schema.field(f.name) != f for f in schema):
            return None  # a column, or a name within attributes, that was not looked for
        return {n: _column(table.column(n)) for n in schema.names}


def _column(column: pa.ChunkedArray) -> pa.Array:
    plain = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return attributes_of_struct(plain) if pa.types.is_struct(plain.type) else plain


def _one_object_a_line(data: bytes, count: int) -> bool:
    """Return whether every line begins with { and ends with }; no JSON text holds a bare newline."""
    if data[:1] != b"{" or data[-2:] != b"}\n":
        return False
    octets = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(octets == _NEWLINE)
    if len(ends) != count:
        return False
    return bool((octets[ends - 1] == _CLOSE).all() and (octets[ends[:-1] + 1] == _OPEN).all())


def _first_steps(nested: Nested) -> set[str]:
    """The keys of the message itself that are read, and so may not come twice."""
    return {p.steps[0] for paths in nested.paths.values() for p in paths if p.steps}
