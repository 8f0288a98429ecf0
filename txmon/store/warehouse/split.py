"""Cuts the journal into steps, and rows of it into tables of events, one a day. Owns no file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from txmon.store import journal
from txmon.store.journal import Entry
from txmon.store.warehouse import layout

STEP_EVENTS = 100_000
_DAY_US = 86_400_000_000
_EPOCH = date(1970, 1, 1)


def steps(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Cut journal rows into steps of about STEP_EVENTS events."""
    step: list[Entry] = []
    size = 0
    for entry in entries:
        step.append(entry)
        size += entry.event_count
        if size >= STEP_EVENTS:
            yield step
            step, size = [], 0
    if step:
        yield step


def events_of(entries: Sequence[Entry]) -> pa.Table:
    """Return the events of journal rows in the warehouse's columns, in order of arrival.

    Columns that a row does not have are null, those that no event has by the schema are left out.
    """
    rows = [entry for entry in entries if entry.kind == journal.EVENTS and len(entry.rows)]
    if not rows:
        return layout.EVENTS.empty_table()
    runs: list[list[pa.Table]] = []
    for entry in rows:
        if runs and runs[-1][0].schema.equals(entry.table.schema):
            runs[-1].append(entry.table)
        else:
            runs.append([entry.table])
    counts = [len(entry.rows) for entry in rows]
    numbers = np.concatenate([entry.first_event_seq + entry.rows for entry in rows])
    given = {
        "ingest_seq": pa.array(numbers),
        "journal_seq": pa.array(np.repeat([entry.seq for entry in rows], counts)),
        "received_at": pa.array(np.repeat([entry.received_at_us for entry in rows], counts)).cast(
            pa.timestamp("us")
        ),
    }
    return _in_columns(
        pa.concat_tables([_canonical(pa.concat_tables(run).combine_chunks()) for run in runs]), given
    )


def _canonical(table: pa.Table) -> pa.Table:
    arrays, fields = [], []
    for field in layout.EVENTS:
        if field.name in table.column_names:
            arrays.append(table.column(field.name).cast(field.type))
        else:
            arrays.append(pa.nulls(len(table), field.type))
        fields.append(field)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _in_columns(table: pa.Table, given: dict[str, pa.Array]) -> pa.Table:
    for name, values in given.items():
        at = layout.EVENTS.get_field_index(name)
        table = table.set_column(at, layout.EVENTS.field(at), values)
    return table


def by_day(table: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    """Yield events by UTC day of the event, inside a day in the order they have."""
    if not len(table):
        return
    times = table.column("event_time").cast(pa.int64()).to_numpy()
    days = np.floor_divide(times, _DAY_US)
    if np.any(days[1:] < days[:-1]):
        order = np.argsort(days, kind="stable")
        table, days = table.take(pa.array(order)), days[order]
    edges = np.flatnonzero(np.diff(days)) + 1
    for start, stop in zip([0, *edges.tolist()], [*edges.tolist(), len(days)], strict=True):
        yield _EPOCH + timedelta(days=int(days[start])), table.slice(start, stop - start)
