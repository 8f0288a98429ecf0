"""The canonical bytes of an event as a DuckDB expression over its columns, so that SQL alone compares them.

`CANONICAL_TEXT` reads the columns of events.parquet and, for doubles, `content`: DuckDB cannot write the
bits of a double, but it can read them, so the digits are taken from the content where they give the
column's value. Owns this text; what they are is said in `txmon.store.canonical`.
"""

from __future__ import annotations

import pyarrow as pa

from txmon.model.schema import FIELDS
from txmon.rules.sqltext import name, text
from txmon.store.canonical import SKIPPED

# IEEE 754 of sixteen hexadecimal digits h
_BITS = "('0x' || h)::ubigint"
_EXPONENT = f"({_BITS} >> 52) & 2047"
_MANTISSA = f"({_BITS} & 4503599627370495)::double"
_DOUBLE = (
    f"(case when {_BITS} >> 63 = 1 then -1 else 1 end) * case when {_EXPONENT} = 0"
    f" then {_MANTISSA} * pow(2.0, -1074)"
    f" else pow(2.0, ({_EXPONENT})::integer - 1023) * (1 + {_MANTISSA} / 4503599627370496.0) end"
)


def _piece(column: str, said: str) -> str:
    """Name, length in bytes and text of a value; nothing for null."""
    return f"coalesce({text(column + '=')} || strlen({said}) || ':' || {said} || ';', '')"


def _entries(values: str, entry: str) -> str:
    """The text of a list: for each entry its length and text."""
    shown = f"lambda e: case when e is null then '-:~;' else strlen({entry}) || ':' || ({entry}) || ';' end"
    return f"case when {values} is not null then array_to_string(list_transform({values}, {shown}), '') end"


def _said(column: str, kind: pa.DataType) -> str:
    """The text of a value."""
    shown = name(column)
    if pa.types.is_floating(kind):
        found = f"regexp_extract_all(content, {text(f'{column}=16:([0-9a-f]{{16}});')}, 1)"
        digits = f"list_filter({found}, lambda h: ({_DOUBLE}) = {shown})[1]"
        return f"case when {shown} is not null then coalesce({digits}, 'other') end"
    if pa.types.is_timestamp(kind):
        return f"epoch_us({shown})::varchar"
    if pa.types.is_date(kind):
        return f"({shown} - date '1970-01-01')::varchar"
    if pa.types.is_map(kind):
        return _entries(
            f"map_entries({shown})", f"({_piece('key', 'e.key')} || {_piece('value', 'e.value')})"
        )
    if pa.types.is_list(kind):
        fields = sorted((f.name, f.type) for f in kind.value_type)
        return _entries(shown, "(" + " || ".join(_piece(n, _member(n, t)) for n, t in fields) + ")")
    return f"{shown}::varchar"


def _member(column: str, kind: pa.DataType) -> str:
    return f"epoch_us(e.{name(column)})::varchar" if pa.types.is_timestamp(kind) else f"e.{name(column)}"


CANONICAL_TEXT = "\n    || ".join(
    _piece(f.name, _said(f.name, f.type))
    for f in sorted(FIELDS, key=lambda f: f.name.encode())
    if f.name not in SKIPPED
)
