"""Parquet files of events: written whole or not at all, read only if they are what was written.

A file is written beside its place, synced, renamed, and its folder synced, before the catalogue names it.
Owns bytes on disk; which files count is the catalogue's to say.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from hashlib import file_digest, sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from txmon.errors import StoreUnavailable, WarehouseDamaged
from txmon.store.warehouse import layout

_SUFFIX = ".new"
_GROUP_ROWS = 122_880  # what DuckDB gives a thread at a time
_AT_ONCE = 4  # files being written: each waits for the disk most of the time
REMEDY = "run `txmon store rebuild`"


@dataclass(frozen=True)
class File:
    """A file as the catalogue names it. first_event, last_event: lowest and highest `ingest_seq` in it."""

    number: int
    name: str
    day: date
    rows: int
    bytes: int
    sha256: str
    first_event: int
    last_event: int


@contextmanager
def written(doing: str) -> Iterator[None]:
    """Turn an error of the file system into ours: what is derived can wait for room."""
    try:
        yield
    except OSError as error:
        why = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise StoreUnavailable(
            f"{doing}: {why}; the journal is not touched, the warehouse goes on when this is mended"
        ) from error


def write(folder: Path, day: date, number: int, table: pa.Table) -> File:
    """Write events of one day to a new file; on the disk when this returns.

    Raises:
        StoreUnavailable: the disk is full or fails.
    """
    name = layout.file_name(day, number)
    path = folder / name
    with written(f"writing {name}"):
        new_folder = not path.parent.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + _SUFFIX)
        pq.write_table(table, beside, compression="zstd", compression_level=1, row_group_size=_GROUP_ROWS)
        sync(beside)
        with beside.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        size = beside.stat().st_size
        beside.replace(path)
        sync(path.parent)
        if new_folder:
            sync(path.parent.parent)
    ends = pc.min_max(table.column("ingest_seq")).as_py()
    return File(number, name, day, len(table), size, digest, ends["min"], ends["max"])


def write_days(folder: Path, days: Iterable[tuple[date, pa.Table]], number: int) -> list[File]:
    """Write events to new files, one a day, numbered on from `number`; several at once, as disks like it.

    Raises:
        StoreUnavailable: the disk is full or fails; none of them is left.
    """
    numbered = [(day, number + i, table) for i, (day, table) in enumerate(days)]
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(lambda each: write(folder, *each), numbered))
    except BaseException:
        with suppress(StoreUnavailable):  # what is left is removed at the next opening
            remove(folder, [layout.file_name(day, taken) for day, taken, _ in numbered])
        raise


def read(folder: Path, file: File) -> pa.Table:
    """Return the events of a file, after comparing its checksum.

    Raises:
        WarehouseDamaged: it is missing or not what was written.
    """
    try:
        content = (folder / file.name).read_bytes()
    except OSError as error:
        raise WarehouseDamaged(f"warehouse file {file.name}: {error.strerror}; {REMEDY}") from error
    if sha256(content).hexdigest() != file.sha256:
        raise WarehouseDamaged(f"warehouse file {file.name} is not what was written; {REMEDY}")
    return pq.read_table(pa.BufferReader(content), schema=layout.EVENTS, partitioning=None)


def damage(folder: Path, file: File, *, content: bool) -> str | None:
    """Say what is wrong with a file, None if nothing is. content: compare its checksum, too."""
    path = folder / file.name
    try:
        size = path.stat().st_size
        if size != file.bytes:
            return f"has {size} bytes, {file.bytes} were written"
        if content:
            with path.open("rb") as opened:
                if file_digest(opened, "sha256").hexdigest() != file.sha256:
                    return "is not what was written: its checksum differs"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None


def remove(folder: Path, names: Iterable[str]) -> None:
    """Remove files that count no more, and folders of days that are left empty."""
    with written("removing files"):
        for name in names:
            path = folder / name
            path.unlink(missing_ok=True)
            if path.parent.exists() and not any(path.parent.iterdir()):
                path.parent.rmdir()


def remove_strangers(folder: Path, known: set[str]) -> int:
    """Remove files of events that the catalogue does not name: a crash left them. Returns how many."""
    root = folder / layout.EVENTS_FOLDER
    strange = [
        path.relative_to(folder).as_posix()
        for path in root.rglob("*")
        if path.is_file() and path.relative_to(folder).as_posix() not in known
    ]
    remove(folder, strange)
    return len(strange)


def sync(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
