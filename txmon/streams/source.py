"""Opens files with a feed and yields canonical events and quarantine rows, chunk by chunk.

Memory is bounded by the chunk, not the file. A row that fails never stops the rest; only a file that
cannot be read at all, or lacks the columns its feed needs, raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from txmon.errors import InputError
from txmon.model.keys import PanKey
from txmon.model.pan import Tokeniser
from txmon.model.rates import Rates
from txmon.streams.canonical import EVENTS_SCHEMA, ID_FIELDS, Context, canonical, event_id_text
from txmon.streams.faults import Faults
from txmon.streams.feed import Feed, target_fields
from txmon.streams.mapping import Mapper
from txmon.streams.quarantine import Row, fault_row, quarantine_table, reject_row
from txmon.streams.readers import Chunk, open_reader

__all__ = ["EVENTS_SCHEMA", "FeedBatch", "Progress", "Source", "open_source"]

DEFAULT_BASE = "EUR"
DEFAULT_BATCH = 32_768
_CHUNK_MIN, _CHUNK_MAX = 16_384, 262_144
# canonical columns that hold numbers or times: a run of digits there is a card number only if a scheme has it
_NUMERIC = frozenset({"event_time", "amount", "amount_minor", "lat", "lon"})

Progress = Callable[[int, int], None]  # (bytes or rows done, total or 0 if unknown)


@dataclass(frozen=True)
class FeedBatch:
    """Some rows of a source.

    events: canonical, in order of arrival, without ingest_seq (`EVENTS_SCHEMA`; text columns may be
        dictionaries). lines: source line of each event. rows_read = events + quarantine rows.
    """

    events: pa.Table
    quarantine: pa.Table
    rows_read: int
    lines: np.ndarray


class Source:
    """An iterator of `FeedBatch` over one or more files, in the order given."""

    def __init__(
        self,
        feed: Feed,
        paths: Sequence[Path],
        *,
        key: PanKey,
        rates: Rates,
        batch_rows: int = DEFAULT_BATCH,
        progress: Progress | None = None,
    ) -> None:
        if batch_rows < 1:
            raise InputError(f"batch rows must be at least 1, not {batch_rows}")
        self._context = Context(feed, Tokeniser(key), rates)
        self._paths = list(paths)
        self._batch_rows = batch_rows
        self._progress = progress
        self._mapper = Mapper(feed)
        self._strict = _strict_fields(feed)
        self._ignored: set[str] = set()

    @property
    def ignored_columns(self) -> tuple[str, ...]:
        """Source columns seen so far that the feed does not read, sorted."""
        return tuple(sorted(self._context.tokeniser.text(n) for n in self._ignored))

    def __iter__(self) -> Iterator[FeedBatch]:
        rows = min(max(self._batch_rows, _CHUNK_MIN), _CHUNK_MAX)
        for path in self._paths:
            reader = open_reader(self._context.feed, path)
            hide = self._context.tokeniser.text
            self._mapper.check(path, None if reader.names is None else [hide(n) for n in reader.names])
            self._ignored |= self._mapper.ignored(reader.names or ())
            for chunk in reader.chunks(rows):
                yield from self._batches(chunk)
                if self._progress is not None:
                    self._progress(chunk.done, reader.total)

    def _batches(self, chunk: Chunk) -> Iterator[FeedBatch]:
        events, quarantine, lines = self._convert(chunk)
        step = self._batch_rows
        if events.num_rows <= step:
            yield FeedBatch(events, quarantine, events.num_rows + quarantine.num_rows, lines)
            return
        yield FeedBatch(events[:step], quarantine, step + quarantine.num_rows, lines[:step])
        empty = quarantine[:0]
        for at in range(step, events.num_rows, step):
            part = events[at : at + step]
            yield FeedBatch(part, empty, part.num_rows, lines[at : at + step])

    def _convert(self, chunk: Chunk) -> tuple[pa.Table, pa.Table, np.ndarray]:
        context = self._context
        faults = Faults(chunk.rows)
        mapped = self._mapper.apply(chunk, faults)
        events = canonical(mapped, chunk.rows, context, faults)
        lines = chunk.lines
        name = context.feed.name
        rows: list[Row] = [reject_row(name, r, context.tokeniser) for r in chunk.rejects]
        good = faults.good()
        if good is not None:
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
            events, lines = events.filter(pa.array(good)), lines[good]
        return events, quarantine_table(rows), lines


def open_source(
    feed: Feed,
    paths: Path | Sequence[Path],
    *,
    key: PanKey,
    rates: Rates | None = None,
    base_currency: str | None = None,
    batch_rows: int = DEFAULT_BATCH,
    progress: Progress | None = None,
) -> Source:
    """Read files of `feed`; iterate the result for `FeedBatch`es of at most `batch_rows` events.

    Base currency: that of `rates` if given, else `base_currency`, else the feed's, else EUR.

    Raises:
        InputError: while iterating, if a file cannot be read at all or lacks columns.
        ConfigError: an unknown base currency.
    """
    if rates is None:
        rates = Rates(base_currency or feed.base_currency or DEFAULT_BASE)
    elif base_currency is not None and base_currency != rates.base_currency:
        raise InputError(f"rates are in {rates.base_currency}, but the base currency is {base_currency}")
    files = [paths] if isinstance(paths, Path) else list(paths)
    return Source(feed, files, key=key, rates=rates, batch_rows=batch_rows, progress=progress)


def _strict_fields(feed: Feed) -> frozenset[str]:
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
