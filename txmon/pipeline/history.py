"""The journal as the engine reads it again: configs in force, and runs of events of a comfortable size.

An *epoch* is the part of the journal in which one config was in force. A config's own engine state is that
of all history under its rules, so that a new rule knows the past on its first day; hits count from the
epoch's start only, and the alert book goes from epoch to epoch. Owns reading; never writes and never scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from txmon.model.schema import CANONICAL
from txmon.pipeline.config import Config, load_config
from txmon.rules.ir import Rule
from txmon.store import Store, journal
from txmon.store.journal import Entry

RUN_ROWS = 16_384
EVENTS: pa.Schema = pa.schema([pa.field(f.name, f.type) for f in CANONICAL if f.name != "ingest_seq"])


@dataclass(frozen=True)
class Epoch:
    """A config and the journal row that put it in force."""

    first_seq: int
    document: bytes
    known: Config | None = None

    @cached_property
    def config(self) -> Config:
        """The config; its rules are read when first asked for."""
        return self.known or load_config(self.document)


@dataclass(frozen=True)
class Run:
    """Events with their numbers, rising, and the journal rows they came from (both included)."""

    numbers: npt.NDArray[np.int64]
    events: pa.Table
    from_seq: int
    to_seq: int


def epochs(store: Store, known: Sequence[Config] = ()) -> list[Epoch]:
    """Return the epochs of a store, oldest first; `known` configs need not be read again."""
    read = {config.document: config for config in known}
    return [
        Epoch(entry.seq, entry.document, read.get(entry.document))
        for entry in journal.read(store, kinds=("config",))
    ]


def former_rules(earlier: Sequence[Epoch]) -> tuple[Rule, ...]:
    """Return the newest version of every rule of earlier epochs: what their alerts may rest on."""
    rules = {rule.id: rule for epoch in earlier for rule in epoch.config.plan.rules}
    return tuple(rules.values())


def runs(store: Store, from_seq: int, to_seq: int | None, rows: int = RUN_ROWS) -> Iterator[Run]:
    """Yield the events of journal rows, both ends included, gathered into runs of about `rows`."""
    waiting: list[Entry] = []
    size = 0
    for entry in journal.read(store, from_seq, to_seq, kinds=(journal.EVENTS,)):
        if len(entry.rows) == 0:  # all of it was erased
            continue
        if size >= rows:
            yield _run(waiting)
            waiting, size = [], 0
        waiting.append(entry)
        size += len(entry.rows)
    if waiting:
        yield _run(waiting)


def plain(table: pa.Table) -> pa.Table:
    """Return events with the canonical columns; those that a stored table lacks are null."""
    columns = [
        table.column(f.name).cast(f.type) if f.name in table.column_names else pa.nulls(len(table), f.type)
        for f in EVENTS
    ]
    return pa.Table.from_arrays(columns, schema=EVENTS)


def _run(entries: Sequence[Entry]) -> Run:
    table = pa.concat_tables([plain(entry.table) for entry in entries]).combine_chunks()
    numbers = np.concatenate([entry.first_event_seq + entry.rows for entry in entries])
    return Run(numbers, table, entries[0].seq, entries[-1].seq)
