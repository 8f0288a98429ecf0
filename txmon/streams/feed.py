"""The typed form of a feed file: which columns a source has and how they become canonical columns.

Owns the data classes; `txmon.streams.feedfile` makes them from YAML and nothing else changes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from txmon.streams.iso8583spec import Spec
from txmon.streams.paths import Nested

Format = Literal["parquet", "ipc", "csv", "ndjson", "xml"]
FORMATS: tuple[Format, ...] = ("parquet", "ipc", "csv", "ndjson", "xml")
FIELD_TYPES: tuple[str, ...] = (
    "varchar",
    "bigint",
    "double",
    "decimal",
    "boolean",
    "timestamp",
    "date",
    "json",
)


@dataclass(frozen=True)
class SourceField:
    """One column of the source: its name, DuckDB type, and whether a file may lack it."""

    name: str
    type: str
    optional: bool = False


@dataclass(frozen=True)
class Rename:
    """The canonical column is a column of the source."""

    field: str


@dataclass(frozen=True)
class Const:
    """The canonical column is the same in every row."""

    value: str | bool | int | Decimal


@dataclass(frozen=True)
class Sql:
    """The canonical column is a DuckDB scalar expression over the source's columns.

    `text` is what the feed says, `query` the same with quoted columns.
    """

    text: str
    query: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class ValueMap:
    """The canonical column is looked up: source text -> canonical value.

    A value that is not in `table` is quarantined when `refuse`, else it becomes `default` (None is
    null). A null stays null.
    """

    of: Rename | Sql
    table: Mapping[str, str | None]
    default: str | None
    refuse: bool


Target = Rename | Const | Sql | ValueMap


@dataclass(frozen=True)
class Bounds:
    """What the feed holds possible: amounts in major units, times in microseconds UTC, both inclusive."""

    amount_max: Decimal | None
    time_from_us: int
    time_to_us: int


@dataclass(frozen=True)
class Feed:
    """A checked feed file.

    `native` feeds have canonical names themselves and no `fields` or `columns`. `negative` is the kind
    that a negative amount turns an event into, with payer and payee exchanged; without it negative
    amounts are quarantined. `nested` says how messages are flattened to `fields`; `iso8583` how an acquirer
    writes its messages, whose fields are then columns.
    """

    name: str
    version: int
    doc: str
    path: str
    formats: tuple[Format, ...]
    source: str
    base_currency: str | None
    time_resolution: str
    time_zone: str
    bounds: Bounds
    native: bool
    fields: Mapping[str, SourceField]
    columns: Mapping[str, Target]
    attributes: Mapping[str, Target]
    negative: str | None
    auth_is_final: bool
    delimiter: str
    content_hash: str
    nested: Nested | None = None
    iso8583: Spec | None = None


def target_fields(target: Target) -> tuple[str, ...]:
    """Return the source columns a target reads."""
    if isinstance(target, Const):
        return ()
    if isinstance(target, ValueMap):
        return target_fields(target.of)
    return (target.field,) if isinstance(target, Rename) else target.fields
