"""Tables of the DuckDB file: what counts. Owns their statements; never a transaction, never a Parquet file.

    layout(version)                               of these tables
    mark(seq, head, events, next_file)            journal row that everything is brought up to
    files(number, name, day, rows, ...)           Parquet files that count
    hits, alerts, alert_hits                      as the store has them

No table has a primary key: a row is replaced by deleting and inserting it, once a transaction.
"""

# ruff: noqa: S608 - names are our own; values are parameters or quoted

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from txmon.errors import StateError, StoreError, StoreUnavailable, WarehouseDamaged, WriterActive
from txmon.store.db import GENESIS
from txmon.store.warehouse import layout, views
from txmon.store.warehouse.files import REMEDY, File

_TYPES = {
    "string": "varchar",
    "int64": "bigint",
    "double": "double",
    "bool": "boolean",
    "timestamp[us]": "timestamp",
}
TABLES: dict[str, pa.Schema] = {"hits": layout.HITS, "alerts": layout.ALERTS, "alert_hits": layout.LINKS}
_OWN = {
    "layout": "version integer",
    "mark": "seq bigint, head blob, events bigint, next_file bigint",
    "files": "number bigint, name varchar, day date, rows bigint, bytes bigint, sha256 varchar, "
    "first_event bigint, last_event bigint",
}


@dataclass(frozen=True)
class Mark:
    """How far the warehouse is. seq, head: of the newest journal row in it; events: journaled up to there."""

    seq: int = 0
    head: bytes = GENESIS
    events: int = 0
    next_file: int = 1


def connect(folder: Path, *, memory_mb: int = 512, threads: int = 2, read_only: bool = False) -> Any:
    """Open the DuckDB file.

    Raises:
        WriterActive: another process has it open. WarehouseDamaged: it cannot be read.
    """
    settings = {
        "threads": threads,
        "memory_limit": f"{memory_mb}MB",
        "temp_directory": str(folder / layout.SPILL),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    with translated("opening the warehouse"):
        return duckdb.connect(str(folder / layout.DATABASE), read_only=read_only, config=settings)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn DuckDB's errors into ours. Its texts may quote values, so they never go into ours.

    Raises:
        WriterActive, StoreUnavailable, WarehouseDamaged.
    """
    try:
        yield
    except duckdb.Error as error:
        raise _meaning(error, doing) from None


def _meaning(error: Any, doing: str) -> StoreError:
    text = str(error)
    if "lock on file" in text:
        return WriterActive(f"{doing}: another process has it open; stop that one, or ask it")
    if isinstance(error, duckdb.InterruptException):
        return StoreUnavailable(f"{doing}: interrupted; what was committed is there")
    if "No space left" in text or isinstance(error, duckdb.OutOfMemoryException):
        return StoreUnavailable(f"{doing}: no room on the disk or in memory; the journal is not touched")
    return WarehouseDamaged(f"{doing}: DuckDB says {type(error).__name__}; {REMEDY}")


def create(con: Any, prefix: str = "") -> None:
    """Make every table, empty. prefix: of an attached database, with its dot."""
    for name, columns in _OWN.items():
        con.execute(f"create table {prefix}{name}({columns})")
    for name, schema in TABLES.items():
        con.execute(f"create table {prefix}{name}({', '.join(_column(f) for f in schema)})")
    con.execute(f"insert into {prefix}layout values (?)", [layout.VERSION])
    con.execute(f"insert into {prefix}mark values (?, ?, ?, ?)", astuple(Mark()))


def _column(field: pa.Field) -> str:
    if pa.types.is_list(field.type):
        return f'"{field.name}" varchar[]'
    return f'"{field.name}" {_TYPES[str(field.type)]}'


def is_empty(con: Any) -> bool:
    """Say whether the file is new."""
    return not con.execute("select 1 from duckdb_tables()").fetchall()


def require_version(con: Any) -> None:
    """Raises: StateError: tables of another version."""
    found = con.execute("select max(version) from layout").fetchone()[0]
    if found != layout.VERSION:
        raise StateError(f"the warehouse has layout {found}, this txmon reads {layout.VERSION}; {REMEDY}")


def read_mark(con: Any) -> Mark:
    """Return how far the warehouse is."""
    rows = con.execute("select seq, head, events, next_file from mark").fetchall()
    if len(rows) != 1:
        raise WarehouseDamaged(f"the warehouse has {len(rows)} marks; {REMEDY}")
    return Mark(*rows[0])


def set_mark(con: Any, mark: Mark, prefix: str = "") -> None:
    """Move the mark."""
    con.execute(f"update {prefix}mark set seq = ?, head = ?, events = ?, next_file = ?", astuple(mark))


def read_files(con: Any) -> list[File]:
    """Return the files that count, by number."""
    names = ", ".join(f.name for f in fields(File))
    return [File(*row) for row in con.execute(f"select {names} from files order by number").fetchall()]


def replace_files(con: Any, gone: Iterable[File], new: Sequence[File], prefix: str = "") -> None:
    """Take files out of the catalogue and put others in."""
    numbers = [file.number for file in gone]
    if numbers:
        con.execute(f"delete from {prefix}files where list_contains(?, number)", [numbers])
    if new:
        rows = pa.Table.from_pylist([file.__dict__ for file in new], schema=_FILES)
        insert(con, f"{prefix}files", rows)


_FILES = pa.schema(
    [
        ("number", pa.int64()), ("name", pa.string()), ("day", pa.date32()), ("rows", pa.int64()),
        ("bytes", pa.int64()), ("sha256", pa.string()), ("first_event", pa.int64()),
        ("last_event", pa.int64()),
    ]
)  # fmt: skip


def insert(con: Any, table: str, rows: pa.Table) -> None:
    """Append rows to a table."""
    if not len(rows):
        return
    con.register("incoming", rows)
    try:
        con.execute(f"insert into {table} by name select * from incoming")
    finally:
        con.unregister("incoming")


def replace_alerts(con: Any, rows: pa.Table) -> None:
    """Put alerts in the place of what the warehouse says of them."""
    if not len(rows):
        return
    con.execute("delete from alerts where list_contains(?, alert_id)", [rows.column("alert_id").to_pylist()])
    insert(con, "alerts", rows)


def newest_hit(con: Any) -> int:
    """Return the highest number of a hit, 0 if there is none."""
    return int(con.execute("select coalesce(max(hit_id), 0) from hits").fetchone()[0])


def show(con: Any, folder: Path, names: Iterable[str]) -> None:
    """Make the views anew over these files."""
    con.execute(views.events(folder, names, "no_events"))
    for statement in views.STATIC:
        con.execute(statement)


def create_no_events(con: Any) -> None:
    """Make the empty table that stands for events where there is no file."""
    if con.execute("select 1 from duckdb_tables() where table_name = 'no_events'").fetchall():
        return
    con.register("incoming", layout.EVENTS.empty_table())
    try:
        con.execute("create table no_events as select *, null::date as day from incoming")
    finally:
        con.unregister("incoming")
