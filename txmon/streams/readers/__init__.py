"""Readers of source files, one a format; a file's format is told by its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from txmon.errors import InputError
from txmon.streams.feed import Feed, Format
from txmon.streams.readers.chunk import Chunk, Reject
from txmon.streams.readers.csvs import CsvReader
from txmon.streams.readers.ndjson import NdjsonReader
from txmon.streams.readers.tables import IpcReader, ParquetReader
from txmon.streams.readers.xml import XmlReader

__all__ = ["Chunk", "Reader", "Reject", "format_of", "open_reader"]

SUFFIXES: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "ipc",
    ".arrows": "ipc",
    ".ipc": "ipc",
    ".feather": "ipc",
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
    ".xml": "xml",
}


class Reader(Protocol):
    """A file being read; `total` is bytes or rows (0 if unknown), `names` its header (None without)."""

    total: int
    names: list[str] | None

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """Yield the rows in order, at most `rows` at a time."""
        ...


def format_of(path: Path) -> Format:
    """Return the format that a file's name tells; ``.gz`` and ``.zst`` may follow for text formats.

    Raises:
        InputError: the suffix is none of them.
    """
    name = path.with_suffix("") if path.suffix in (".gz", ".zst") else path
    found = SUFFIXES.get(name.suffix.lower())
    if found is None:
        raise InputError(f"{path}: cannot tell the format; name it {', '.join(SUFFIXES)}")
    return found


def open_reader(feed: Feed, path: Path) -> Reader:
    """Open a file of `feed`.

    Raises:
        InputError: no such file, a format the feed does not take, or not readable as that format.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    kind = format_of(path)
    if kind not in feed.formats:
        raise InputError(f"{path}: feed {feed.name} takes {', '.join(feed.formats)}, not {kind}")
    if kind == "parquet":
        return ParquetReader(path)
    if kind == "ipc":
        return IpcReader(path)
    if kind == "csv":
        return CsvReader(path, feed.delimiter)
    if kind == "xml":
        return XmlReader(path, feed)
    return NdjsonReader(path, feed)
