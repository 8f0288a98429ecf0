"""Canonical bytes of a row: what its leaf is the hash of, whatever batch the row came in.

    row    = for every column that is not null, in ascending order of the UTF-8 bytes of its name:
             name "=" length ":" text ";"            length: bytes of text, in decimal digits
    text   of a string or of bytes: itself       of an integer: decimal digits, "-" before a negative one
           of a bool: "true" or "false"          of a timestamp: integer microseconds since 1970, UTC
           of a date: integer days since 1970    of a double: 16 hexadecimal digits of IEEE 754, big end first
           of a struct: its row                  of a list: for every entry: length ":" text ";"
           of a map: that of a list of structs (key, value)

A null inside a list is written ``-:~;``. `ingest_seq` is left out: it is the place of the row in the
journal, not part of what the source said. Owns the layout of whole tables; never hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from txmon.errors import InputError
from txmon.store.encode import DOUBLE, NUMBER, TEXT, measure, write

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
SKIPPED = frozenset({"ingest_seq"})
_NO_BYTES: Any = np.frombuffer(b"\0", np.uint8)
_NO_WORDS: Any = np.frombuffer(bytes(8), np.int64)
_MICROS = pa.timestamp("us")


@dataclass(frozen=True)
class Rows:
    """Row i is ``data[edges[i] + head : edges[i + 1]]``; the `head` bytes before it are the caller's."""

    data: U8
    edges: I64
    head: int


@dataclass(frozen=True)
class _Column:
    """Values as the kernels read them; `bits` is Arrow's validity, absent where `checked` is false."""

    kind: int
    edges: Any  # places in `data` of a text, or the numbers themselves
    data: Any
    bits: Any
    first_bit: int
    checked: bool


def canonical_rows(table: pa.Table, head: int = 0) -> Rows:
    """Encode every row of a table, with `head` free bytes before each.

    Raises:
        InputError: a column of a type that has no canonical text.
    """
    names = sorted((n for n in table.column_names if n not in SKIPPED), key=lambda n: n.encode())
    columns = [(name, one_array(table.column(name))) for name in names]
    return _rows([(n, a) for n, a in columns if a.null_count < len(a)], len(table), head)


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array without dictionary."""
    if column.num_chunks == 1:
        array = column.chunk(0)
    elif column.num_chunks == 0:
        return pa.array([], plain_type(column.type))
    else:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        array = column.combine_chunks()
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of a dictionary's values, or the type itself."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _rows(columns: Sequence[tuple[str, pa.Array]], count: int, head: int) -> Rows:
    parts = [(_prefix(name), _column(name, array)) for name, array in columns]
    sizes = np.full(count, head, np.int64)
    for prefix, c in parts:
        measure(c.kind, c.edges, c.bits, c.first_bit, c.checked, len(prefix), sizes)
    edges = np.zeros(count + 1, np.int64)
    np.cumsum(sizes, out=edges[1:])
    data = np.empty(max(int(edges[-1]), 1), np.uint8)
    at = edges[:-1] + head
    for prefix, c in parts:
        write(c.kind, c.edges, c.data, c.bits, c.first_bit, c.checked, prefix, data, at)
    return Rows(data, edges, head)


_prefixes: dict[str, Any] = {}


def _prefix(name: str) -> Any:
    found = _prefixes.get(name)
    if found is None:
        found = _prefixes[name] = np.frombuffer(f"{name}=".encode(), np.uint8)
    return found


def _column(name: str, array: pa.Array) -> _Column:
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _text(array, np.int32)
    if pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        return _text(array, np.int64)
    if pa.types.is_boolean(kind) or pa.types.is_string_view(kind):
        return _text(array.cast(pa.string()), np.int32)
    if pa.types.is_float64(kind):
        return _numbers(DOUBLE, array)
    if pa.types.is_timestamp(kind):
        micros = array if kind.unit == "us" else array.cast(pa.timestamp("us", kind.tz))
        return _numbers(NUMBER, micros)
    if pa.types.is_int64(kind):
        return _numbers(NUMBER, array)
    if pa.types.is_date32(kind):
        return _numbers(NUMBER, array.cast(pa.int32()).cast(pa.int64()))
    if pa.types.is_integer(kind):
        return _numbers(NUMBER, array.cast(pa.int64()))
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        return _list(name, array)
    if pa.types.is_struct(kind):
        rows = _struct_rows(array)
        return _Column(TEXT, rows.edges, rows.data, *_validity(array))
    raise InputError(
        f"column {name} has type {kind}, which cannot be journaled; give text, integers, doubles, bools, "
        "times, dates, or lists, maps and structs of them"
    )


def _text(array: pa.Array, width: type[Any]) -> _Column:
    _, places, data = array.buffers()
    edges = np.frombuffer(places, width)[array.offset : array.offset + len(array) + 1]
    held = np.frombuffer(data, np.uint8) if data is not None and data.size else _NO_BYTES
    return _Column(TEXT, edges, held, *_validity(array))


def _numbers(kind: int, array: pa.Array) -> _Column:
    words = array.buffers()[1]
    values = np.frombuffer(words, np.int64)[array.offset : array.offset + len(array)] if words else _NO_WORDS
    return _Column(kind, values, _NO_BYTES, *_validity(array))


def _validity(array: pa.Array) -> tuple[Any, int, bool]:
    if array.null_count == 0:
        return _NO_BYTES, 0, False
    return np.frombuffer(array.buffers()[0], np.uint8), array.offset, True


def _struct_rows(array: pa.Array) -> Rows:
    fields = sorted(((f.name, array.field(i)) for i, f in enumerate(array.type)), key=lambda f: f[0].encode())
    # `field` of a slice is the slice of the field; a null struct is taken out by its own validity
    plain = [(n, a.dictionary_decode() if pa.types.is_dictionary(a.type) else a) for n, a in fields]
    return _rows([(n, a) for n, a in plain if a.null_count < len(a)], len(array), 0)


def _list(name: str, array: pa.Array) -> _Column:
    """Texts of lists: the entries, written one after another, cut where the lists are cut."""
    edges = array.offsets.to_numpy().astype(np.int64)
    start, stop = int(edges[0]), int(edges[-1])
    if pa.types.is_map(array.type):
        entries = pa.StructArray.from_arrays(
            [array.keys[start:stop], array.items[start:stop]], names=["key", "value"]
        )
    else:
        entries = array.values[start:stop]
    sizes = np.zeros(stop - start, np.int64)
    c = _column(name, entries)
    measure(c.kind, c.edges, c.bits, c.first_bit, c.checked, -1, sizes)
    places = np.zeros(stop - start + 1, np.int64)
    np.cumsum(sizes, out=places[1:])
    data = np.empty(max(int(places[-1]), 1), np.uint8)
    write(c.kind, c.edges, c.data, c.bits, c.first_bit, c.checked, _NO_BYTES[:0], data, places[:-1].copy())
    return _Column(TEXT, places[edges - start], data, *_validity(array))
