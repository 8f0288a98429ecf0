"""Names, paths and column types of the warehouse, in one place. Owns no file and no statement.

Times are UTC without a zone in the column's type: DuckDB then truncates, casts and prints them alike on
every machine, whatever zone its session is in.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa

from txmon.engine.hits import HIT_COLUMNS
from txmon.model.schema import CANONICAL
from txmon.store.schema import alert_hits, alerts

VERSION = 1  # of tables and files; another one is rebuilt
FOLDER = "warehouse"  # below the store's folder
DATABASE, SEAL, EVENTS_FOLDER, SPILL = "warehouse.duckdb", "warehouse.sha256", "events", "tmp"
FULL_ROWS = 250_000  # a file of that many rows is not merged any more
_MICROS = pa.timestamp("us")
_LISTS = ("typologies", "rule_ids")
_TIMES = {"first_event_time", "last_event_time", "opened_time", "created_us", "changed_us"}


def plain(kind: pa.DataType) -> pa.DataType:
    """A type with its times in UTC without a zone, inside lists and structs too."""
    if pa.types.is_timestamp(kind):
        return _MICROS
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(f.name, plain(f.type)) for f in kind])
    if pa.types.is_list(kind):
        return pa.list_(plain(kind.value_type))
    return kind


EVENTS: pa.Schema = pa.schema(
    [
        *(pa.field(f.name, plain(f.type)) for f in CANONICAL),
        pa.field("journal_seq", pa.int64()),
        pa.field("received_at", _MICROS),
    ]
)
HITS: pa.Schema = pa.schema(
    [
        pa.field("hit_id", pa.int64()),
        *(pa.field(f.name, plain(f.type)) for f in HIT_COLUMNS),
        *(pa.field(n, pa.int64()) for n in ("ingest_seq", "journal_seq")),
        *(pa.field(n, pa.string()) for n in ("entity", "mode")),
    ]
)


def _alert_type(name: str, python: type) -> pa.DataType:
    if name in _LISTS:
        return pa.list_(pa.string())
    if name in _TIMES:
        return _MICROS
    return {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}[python]


def shown_as(name: str) -> str:
    """Name in the warehouse of a column of the store."""
    return {"created_us": "created_at", "changed_us": "changed_at"}.get(name, name)


ALERTS: pa.Schema = pa.schema(
    [pa.field(shown_as(c.name), _alert_type(c.name, c.type.python_type)) for c in alerts.columns]
)
LINKS: pa.Schema = pa.schema(
    [pa.field(c.name, _alert_type(c.name, c.type.python_type)) for c in alert_hits.columns]
)


def folder_of(place: Path) -> Path:
    """Folder of the warehouse of a store's folder."""
    return place / FOLDER


def day_folder(day: date) -> str:
    """Folder of a day's files below the warehouse."""
    return f"{EVENTS_FOLDER}/day={day.isoformat()}"


def file_name(day: date, number: int) -> str:
    """Name of a file below the warehouse."""
    return f"{day_folder(day)}/{number:010d}.parquet"
