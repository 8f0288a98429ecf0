"""Which columns a stream of JSON rows really has, and of what types, learned from the rows themselves.

A source knows dozens of columns and a stream uses ten of them. Owns what was seen and the schema made of
it; a wrong guess only costs time, since the parser refuses a block that does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import orjson
import pyarrow as pa
import pyarrow.json as pajson

from txmon.model.schema import FIELDS
from txmon.streams.feed import Feed, target_fields

MAX_ATTRIBUTES = 64  # names of attributes that are read as columns; a stream with more is read row by row
EXACT = pa.decimal128(38, 6)
_TYPES = {
    "varchar": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "decimal": EXACT,
    "boolean": pa.bool_(),
    "timestamp": pa.string(),
    "date": pa.string(),
}
_MINUS_ZERO = re.compile(rb":\s*-0\s*[,}]")


class Shape:
    """What is known of the rows of one stream."""

    def __init__(self, feed: Feed) -> None:
        full, self.nested = expected(feed)
        self.full = full
        self.wanted = [*full.names, *self.nested]
        self._known = set(self.wanted)
        self._types: dict[str, pa.DataType] = {}
        self._guessed: set[str] = set()  # columns that were null so far
        self._attributes: set[str] = set()
        self._foreign: set[str] = set()
        self._rows: set[str] = set()  # nested columns that only the row-by-row reader takes
        self._native = feed.native
        self._options: pajson.ParseOptions | None = None

    def learn(self, texts: Iterable[bytes]) -> bool:
        """Look at rows; return whether anything was new. Rows that are no objects are passed over."""
        new, self._options = False, None
        for text in texts:
            try:
                row = orjson.loads(text)
            except orjson.JSONDecodeError:
                continue
            if isinstance(row, dict):
                new |= self._learn_row(row)
        return new

    def _learn_row(self, row: Mapping[str, object]) -> bool:
        new = False
        for name, value in row.items():
            if name not in self._known:
                new |= name not in self._foreign and len(self._foreign) < 1024
                self._foreign.add(name)
            elif name in self.nested:
                new |= self._learn_nested(name, value)
            elif name not in self._types or (name in self._guessed and value is not None):
                declared = self.full.field(name).type
                self._types[name] = declared if value is None else _fitting(declared, value)
                (self._guessed.add if value is None else self._guessed.discard)(name)
                new = True
        return new

    def _learn_nested(self, name: str, value: object) -> bool:
        if value is None:
            return False
        plain = isinstance(value, dict) and all(isinstance(v, str) or v is None for v in value.values())
        if self._native and name == "attributes" and plain:
            assert isinstance(value, dict)
            before = len(self._attributes)
            self._attributes.update(value)
            return len(self._attributes) > before
        new = name not in self._rows
        self._rows.add(name)
        return new

    def options(self) -> pajson.ParseOptions:
        """Return what the parser must expect: the columns seen so far, and nothing else if possible."""
        if self._options is None:
            self._options = pajson.ParseOptions(
                explicit_schema=self._schema(), unexpected_field_behavior="error" if self.closed else "infer"
            )
        return self._options

    def _schema(self) -> pa.Schema:
        fields = [pa.field(f.name, self._types[f.name]) for f in self.full if f.name in self._types]
        if self._attributes:
            children = [pa.field(n, pa.string()) for n in sorted(self._attributes)]
            fields.append(pa.field("attributes", pa.struct(children)))
        return pa.schema(fields)

    @property
    def closed(self) -> bool:
        """Whether every key seen so far is a column, so that an unknown key may be an error."""
        return not self._foreign

    def fast(self, data: bytes) -> bool:
        """Return whether a block may be parsed by columns."""
        if len(self._attributes) > MAX_ATTRIBUTES:
            return False
        for name in self._rows:
            if f'"{name}"'.encode() in data:
                return False
        numbers_as_text = any(pa.types.is_integer(t) for t in self._types.values())
        return not (numbers_as_text and _MINUS_ZERO.search(data))


def _fitting(declared: pa.DataType, value: object) -> pa.DataType:
    """Return the type that takes this value without changing it; text where it is written as text."""
    if isinstance(value, str):
        return pa.string()
    if pa.types.is_string(declared) and isinstance(value, int) and not isinstance(value, bool):
        return pa.int64()
    return declared


def expected(feed: Feed) -> tuple[pa.Schema, list[str]]:
    """Return all columns a feed reads with their types, and apart those that hold objects or lists."""
    if feed.native:
        nested = ["attributes", "holders"]
        made = {"event_time": pa.string(), "amount_minor": pa.int64()}
        fields = [pa.field(f.name, made.get(f.name, f.type)) for f in FIELDS if f.name not in nested]
        known = [f for f in fields if not pa.types.is_date(f.type) and f.name != "ingest_seq"]
        return pa.schema([*known, pa.field("amount", EXACT)]), nested
    money = {
        f for n in ("amount", "amount_minor") if n in feed.columns for f in target_fields(feed.columns[n])
    }
    schema = pa.schema(
        [
            pa.field(f.name, EXACT if f.type == "double" and f.name in money else _TYPES[f.type])
            for f in feed.fields.values()
            if f.type != "json"
        ]
    )
    return schema, [f.name for f in feed.fields.values() if f.type == "json"]
