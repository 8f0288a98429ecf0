"""Merges small files of a day, so that a day that came in pieces does not stay in pieces.

Eight files of about one size become one: an event is rewritten once for every eightfold of its file, and a
day has few files whatever the pieces were. Owns the choice; the warehouse carries it out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa

from txmon.store.warehouse import files, layout
from txmon.store.warehouse.files import File

TOGETHER = 8


def choose(known: Iterable[File]) -> Iterator[list[File]]:
    """Yield groups of files to merge, each of one day and no larger than a full file."""
    sizes: dict[tuple[date, int], list[File]] = defaultdict(list)
    for file in known:
        if file.rows < layout.FULL_ROWS:
            sizes[file.day, _size(file.rows)].append(file)
    for _, same in sorted(sizes.items()):
        if len(same) >= TOGETHER:
            yield from _groups(same)


def _size(rows: int) -> int:
    """How often eight goes into a number of rows."""
    return (rows.bit_length() - 1) // 3


def _groups(same: list[File]) -> Iterator[list[File]]:
    group: list[File] = []
    rows = 0
    for file in sorted(same, key=lambda f: f.first_event):
        if group and rows + file.rows > layout.FULL_ROWS:
            if len(group) > 1:
                yield group
            group, rows = [], 0
        group.append(file)
        rows += file.rows
    if len(group) > 1:
        yield group


def merge(folder: Path, group: list[File], number: int) -> File:
    """Write one file in place of several, in order of arrival; the old ones stay.

    Raises:
        WarehouseDamaged: one of them is not what was written.
    """
    table = pa.concat_tables([files.read(folder, file) for file in group])
    return files.write(folder, group[0].day, number, table.sort_by("ingest_seq"))
