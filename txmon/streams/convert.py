"""Chunks of a source to canonical events and quarantine rows: what files and brokers have in common.

Owns the order of the steps (map, canonicalise, refuse); never opens, cuts or waits.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from txmon.model.pan import Tokeniser
from txmon.streams.canonical import EVENTS_SCHEMA, ID_FIELDS, Context, canonical, event_id_text
from txmon.streams.faults import Faults
from txmon.streams.feed import Feed, target_fields
from txmon.streams.mapping import Mapper
from txmon.streams.quarantine import Row, fault_row, reject_row
from txmon.streams.readers.chunk import Chunk

# canonical columns that hold numbers or times: a run of digits there is a card number only if a scheme has it
_NUMERIC = frozenset({"event_time", "amount", "amount_minor", "lat", "lon"})


class Converter:
    """Applies one feed to chunks."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.mapper = Mapper(context.feed)
        self._strict = strict_fields(context.feed)

    @property
    def tokeniser(self) -> Tokeniser:
        """What hides card numbers."""
        return self.context.tokeniser

    def convert(self, chunk: Chunk) -> tuple[pa.Table, list[Row], np.ndarray]:
        """Return (events, quarantine rows in no order, line of each event)."""
        context, name = self.context, self.context.feed.name
        rows: list[Row] = [reject_row(name, r, context.tokeniser) for r in chunk.rejects]
        if not chunk.rows:
            return EVENTS_SCHEMA.empty_table(), rows, chunk.lines
        faults = Faults(chunk.rows)
        mapped = self.mapper.apply(chunk, faults)
        events = canonical(mapped, chunk.rows, context, faults)
        lines = chunk.lines
        good = faults.good()
        if good is None:
            return events, rows, lines
        rows += [
            fault_row(
                name,
                int(lines[i]),
                event_id_text(mapped, i),
                fault,
                chunk.source_row(i),
                context.tokeniser,
                self._strict,
            )
            for i, fault in sorted(faults.by_row.items())
        ]
        return events.filter(pa.array(good)), rows, lines[good]


def strict_fields(feed: Feed) -> frozenset[str]:
    """Source (and canonical) columns whose digits are ids, times or numbers rather than free text."""
    strict = ID_FIELDS | _NUMERIC
    if feed.native:
        return strict
    used: set[str] = set()
    for name in strict:
        if name in feed.columns:
            used.update(target_fields(feed.columns[name]))
    free = {f for n, t in feed.columns.items() if n not in strict for f in target_fields(t)}
    return frozenset(strict | (used - free))
