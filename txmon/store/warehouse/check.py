"""Finds damage: files that are missing or changed, a DuckDB file that cannot be read to its end.

Owns the looking; repairs nothing, since a rebuild from the journal does.
"""

# ruff: noqa: S608 - names are our own; values are parameters or quoted

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from txmon.errors import StateError, StoreUnavailable, WarehouseDamaged, WriterActive
from txmon.store.dialects import FolderLock
from txmon.store.warehouse import catalog, files, layout, seal
from txmon.store.warehouse.catalog import Mark


@dataclass(frozen=True)
class Damage:
    """Something that is not as it was written. what: names the file, never a value in it."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


@dataclass
class State:
    """What a look from outside found. state: absent | open_elsewhere | ok | damaged."""

    state: str
    mark: Mark | None = None
    files: int = 0
    rows: int = 0
    damages: list[Damage] = field(default_factory=list)


def inspect(folder: Path) -> State:
    """Look at a warehouse that this process does not have open; changes nothing in it."""
    database = folder / layout.DATABASE
    if not folder.exists() or (not database.exists() and not (folder / layout.EVENTS_FOLDER).exists()):
        return State("absent")
    if not database.exists():
        return State("damaged", damages=[Damage(layout.DATABASE, "is missing")])
    try:
        lock = FolderLock(folder)  # nobody shall change it meanwhile
    except WriterActive:
        return State("open_elsewhere")
    try:
        return _opened(folder)
    finally:
        lock.release()


def _opened(folder: Path) -> State:
    found = [Damage(layout.DATABASE, "is not what was sealed")] if seal.broken(folder) else []
    try:
        con = catalog.connect(folder, read_only=True)
    except WriterActive:
        return State("open_elsewhere")  # to a program that is not ours
    except (WarehouseDamaged, StoreUnavailable) as error:
        return State("damaged", damages=[*found, Damage(layout.DATABASE, error.detail)])
    try:
        return _look(con, folder, found)
    finally:
        con.close()


def _look(con: Any, folder: Path, found: list[Damage]) -> State:
    found += tables(con)
    if found:
        return State("damaged", damages=found)
    known = catalog.read_files(con)
    found = parquet(folder, known)
    mark, rows = catalog.read_mark(con), sum(file.rows for file in known)
    return State("damaged" if found else "ok", mark, len(known), rows, found)


def tables(con: Any) -> list[Damage]:
    """Read every value of every table: DuckDB compares the checksum of each block it reads."""
    try:
        with catalog.translated("reading the warehouse"):
            catalog.require_version(con)
            catalog.read_mark(con)
            for table in ("files", *catalog.TABLES):
                con.execute(f"select bit_xor(hash(t)) from {table} t").fetchall()
    except (WarehouseDamaged, StoreUnavailable, StateError) as error:
        return [Damage(layout.DATABASE, error.detail)]
    return []


def parquet(folder: Path, known: list[files.File], *, content: bool = True) -> list[Damage]:
    """Compare files with the catalogue. content: checksums, too."""
    looked = ((file.name, files.damage(folder, file, content=content)) for file in known)
    return [Damage(name, what) for name, what in looked if what is not None]
