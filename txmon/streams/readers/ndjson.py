"""Reads NDJSON: one JSON object a line; a JSON array of one object a line is not NDJSON.

Numbers are read as decimals from their digits, never through floats (coordinates apart). A block that
has the types the feed expects is parsed by Arrow; any other block line by line, every value as text, so
that only the lines that are wrong are rejected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.json as pajson

from txmon.model.schema import FIELDS
from txmon.streams.faults import Reason
from txmon.streams.feed import Feed, target_fields
from txmon.streams.jsontext import Number, write_json
from txmon.streams.readers.chunk import Chunk, Reject
from txmon.streams.readers.csvs import slice_chunk
from txmon.streams.readers.lines import Block, read_blocks

MAX_DEPTH = 64
_MARKS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')
_EXACT = pa.decimal128(38, 6)
_TYPES = {
    "varchar": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "decimal": _EXACT,
    "boolean": pa.bool_(),
    "timestamp": pa.string(),
    "date": pa.string(),
}


class NdjsonReader:
    """Streams one NDJSON file."""

    def __init__(self, path: Path, feed: Feed) -> None:
        self.path = path
        self.total = path.stat().st_size if path.suffix != ".gz" else 0
        self.names: list[str] | None = None
        self._schema, self._nested = _expected(feed)
        self._wanted = [*self._schema.names, *self._nested]
        self._slow_keys = [f'"{n}"'.encode() for n in self._nested]

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """Yield the rows block by block, at most `rows` at a time."""
        for block in read_blocks(self.path):
            chunk = self._parse(block)
            for start in range(0, max(chunk.rows, 1), rows):
                yield slice_chunk(chunk, start, rows) if chunk.rows > rows else chunk

    def _parse(self, block: Block) -> Chunk:
        if block.too_long:
            reject = Reject(block.line, Reason.TOO_LONG, "the line is too long", block.data)
            return self._chunk({}, [], np.empty(0, np.int64), block.done, [reject])
        data = block.data.replace(b"\r\n", b"\n")
        count = data.count(b"\n")
        if _one_object_a_line(data, count):
            columns = self._fast(data, count)
            if columns is not None:
                numbers = np.arange(block.line, block.line + count)
                return self._chunk(columns, _Lines(data), numbers, block.done, [])
        lines = [text.strip(b" \t\r") for text in data.split(b"\n")]
        kept = [i for i, text in enumerate(lines) if text]
        return self._slow([lines[i] for i in kept], np.array(kept, np.int64) + block.line, block.done)

    def _fast(self, data: bytes, count: int) -> dict[str, pa.Array] | None:
        """Parse a block of `count` objects of the expected types, else return None."""
        if any(key in data for key in self._slow_keys):
            return None
        if data.count(b"{") + data.count(b"[") > count + MAX_DEPTH:
            return None  # perhaps nested deeper than the slow path takes
        try:
            data.decode("utf-8")
            table = pajson.read_json(
                pa.py_buffer(data),
                read_options=pajson.ReadOptions(use_threads=False, block_size=len(data) + 1),
                parse_options=pajson.ParseOptions(
                    explicit_schema=self._schema, unexpected_field_behavior="ignore"
                ),
            )
        except (pa.ArrowException, UnicodeDecodeError):
            return None
        if table.num_rows != count:
            return None
        return {n: table.column(i).combine_chunks() for i, n in enumerate(table.column_names)}

    def _slow(self, texts: list[bytes], numbers: np.ndarray, done: int) -> Chunk:
        good: list[int] = []
        rejects: list[Reject] = []
        values: dict[str, list[str | None]] = {n: [] for n in self._wanted}
        for i, text in enumerate(texts):
            try:
                row = read_object(text, self._wanted)
            except UnicodeDecodeError:
                rejects.append(Reject(int(numbers[i]), Reason.BAD_UTF8, "the line is not UTF-8", text))
                continue
            except ValueError as error:
                rejects.append(Reject(int(numbers[i]), Reason.BAD_JSON, str(error), text))
                continue
            good.append(i)
            for name, column in values.items():
                column.append(_text(row.get(name)))
        columns = {n: pa.array(v, pa.string()) for n, v in values.items()}
        return self._chunk(columns, [texts[i] for i in good], numbers[good], done, rejects)

    def _chunk(
        self,
        columns: Mapping[str, pa.Array],
        texts: Sequence[bytes] | _Lines,
        numbers: np.ndarray,
        done: int,
        rejects: list[Reject],
    ) -> Chunk:
        if not columns:
            columns = {n: pa.array([], pa.string()) for n in self._wanted}

        def row(i: int) -> Mapping[str, object]:
            return read_object(texts[i], self._wanted)

        return Chunk(columns, len(numbers), numbers, row, done, tuple(rejects))


class _Lines:
    """The lines of a block, cut when the first one is asked for: only failing rows are."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @cached_property
    def _cut(self) -> list[bytes]:
        return self._data.split(b"\n")

    def __getitem__(self, i: int) -> bytes:
        return self._cut[i]


def _one_object_a_line(data: bytes, count: int) -> bool:
    """Return whether every line begins with { and ends with }; no JSON text holds a bare newline."""
    return data[:1] == b"{" and data.count(b"}\n") == count and data.count(b"\n{") == count - 1


class _Object(dict[str, object]):
    """A JSON object that remembers which keys came twice."""

    twice: frozenset[str] = frozenset()


def read_object(text: bytes, wanted: Sequence[str]) -> Mapping[str, object]:
    """Read one line as an object whose numbers keep their digits.

    Raises:
        UnicodeDecodeError: not UTF-8.
        ValueError: not one JSON object, nested too deeply, a wanted key twice, or a number such as NaN;
            never quotes the line.
    """
    decoded = text.decode("utf-8")
    if _depth(decoded) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    try:
        value = json.loads(
            decoded,
            parse_float=Number,
            parse_int=Number,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON at character {error.pos + 1}: {error.msg}") from None
    if not isinstance(value, _Object):
        raise ValueError("the line is JSON, but not an object")
    if value.twice.intersection(wanted):
        raise ValueError(f"key {min(value.twice.intersection(wanted))} appears twice")
    try:
        write_json(value).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair") from None
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def _object(pairs: list[tuple[str, object]]) -> _Object:
    out = _Object(pairs)
    if len(out) != len(pairs):
        names = [name for name, _ in pairs]
        out.twice = frozenset(n for n in out if names.count(n) > 1)
    return out


def _depth(text: str) -> int:
    """Return how deep brackets nest outside of strings; quick for a text with few brackets."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for mark in _MARKS.findall(text):
        depth += 1 if mark in "[{" else -1 if mark in "]}" else 0
        deepest = max(deepest, depth)
    return deepest


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return write_json(value)


def _expected(feed: Feed) -> tuple[pa.Schema, list[str]]:
    """Return the types the fast parser expects, and the columns only the slow one can read."""
    if feed.native:
        nested = ["attributes", "holders"]
        made = {"event_time": pa.string(), "amount_minor": pa.int64()}
        fields = [pa.field(f.name, made.get(f.name, f.type)) for f in FIELDS if f.name not in nested]
        known = [f for f in fields if not pa.types.is_date(f.type) and f.name != "ingest_seq"]
        return pa.schema([*known, pa.field("amount", _EXACT)]), nested
    money = {
        f for n in ("amount", "amount_minor") if n in feed.columns for f in target_fields(feed.columns[n])
    }
    schema = pa.schema(
        [
            pa.field(f.name, _EXACT if f.type == "double" and f.name in money else _TYPES[f.type])
            for f in feed.fields.values()
            if f.type != "json"
        ]
    )
    return schema, [f.name for f in feed.fields.values() if f.type == "json"]
