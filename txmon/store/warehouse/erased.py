"""What erasures of the journal mean for the warehouse: events, hits and alerts to take out or read again.

An erasure names journal rows and places. The files that hold these events are written again: what went is
left out, what stayed with other values is read from the journal. Owns the working out; the warehouse
carries it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from txmon.store import journal
from txmon.store.db import Store
from txmon.store.names import Erasure, RowErasure, by_row, read_erasure
from txmon.store.schema import journal as journal_table
from txmon.store.warehouse import files, layout, split
from txmon.store.warehouse.files import File

_BLOCK = 500


@dataclass
class Touched:
    """events: `ingest_seq` of events that went or changed, sorted; fresh: those that stayed, as they are."""

    events: npt.NDArray[np.int64]
    fresh: pa.Table
    hits_gone: set[int] = field(default_factory=set)
    hits_changed: set[int] = field(default_factory=set)
    alerts_gone: set[str] = field(default_factory=set)
    alerts_changed: set[str] = field(default_factory=set)


def touched(store: Store, after_seq: int, upto_seq: int) -> Touched | None:
    """Return what erasures after row `after_seq`, up to `upto_seq`, did to rows up to `after_seq`.

    None if there was no erasure.
    """
    found = [
        read_erasure(entry.document, f"journal row {entry.seq}")
        for entry in journal.read(store, after_seq + 1, upto_seq, kinds=["erasure"])
    ]
    if not found:
        return None
    named = {seq: row for seq, row in by_row(found).items() if seq <= after_seq}
    made = Touched(*_events(store, named))
    for erasure in found:
        _tables(erasure, made)
    return made


def _tables(erasure: Erasure, made: Touched) -> None:
    for keys, hit_ids, alert_ids in (
        (erasure.deleted, made.hits_gone, made.alerts_gone),
        (erasure.blanked, made.hits_changed, made.alerts_changed),
    ):
        hit_ids |= {int(key[0]) for key in keys.get("hits", [])}
        alert_ids |= {str(key[0]) for key in keys.get("alerts", [])}


def _events(store: Store, named: dict[int, RowErasure]) -> tuple[npt.NDArray[np.int64], pa.Table]:
    """Numbers of the events named, and those that are still there."""
    numbers: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64)]
    rewritten: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64)]
    entries = []
    for seq, first, count in _places(store, sorted(named)):
        row = named[seq]
        gone = range(count) if row.gone is None else sorted(row.gone)
        numbers.append(first + np.array(gone, np.int64))
        if row.new:
            rewritten.append(first + np.array(sorted(row.new), np.int64))
            entries += list(journal.read(store, seq, seq))
    stayed = np.concatenate(rewritten)
    fresh = split.events_of(entries)
    fresh = fresh.filter(pc.is_in(fresh.column("ingest_seq"), value_set=pa.array(stayed)))
    return np.unique(np.concatenate([*numbers, stayed])), fresh


def _places(store: Store, seqs: Sequence[int]) -> list[tuple[int, int, int]]:
    """Number, first event and count of events of those of these journal rows that hold events."""
    columns = journal_table.c
    rows: list[Any] = []
    with store.read() as conn:
        for i in range(0, len(seqs), _BLOCK):
            query = sa.select(columns.seq, columns.first_event_seq, columns.event_count).where(
                columns.seq.in_(seqs[i : i + _BLOCK]), columns.kind == journal.EVENTS
            )
            rows += conn.execute(query).all()
    return [(row.seq, row.first_event_seq, row.event_count) for row in rows]


def hold_any(known: Sequence[File], events: npt.NDArray[np.int64]) -> list[File]:
    """Return the files whose span of numbers has one of these events in it."""
    return [
        file
        for file in known
        if np.searchsorted(events, file.first_event) < np.searchsorted(events, file.last_event, "right")
    ]


def rewritten(folder: Path, file: File, work: Touched, number: int) -> tuple[bool, File | None]:
    """Write a file again without what went; returns whether it held any, and the new one if any is left.

    Raises:
        WarehouseDamaged: it is not what was written.
    """
    table = files.read(folder, file)
    numbers = table.column("ingest_seq").to_numpy()
    hit = np.isin(numbers, work.events, kind="sort")
    if not hit.any():
        return False, None
    again = work.fresh.filter(pc.is_in(work.fresh.column("ingest_seq"), value_set=pa.array(numbers[hit])))
    left = pa.concat_tables([table.filter(pa.array(~hit)), again.cast(layout.EVENTS)]).sort_by("ingest_seq")
    return True, files.write(folder, file.day, number, left) if len(left) else None
