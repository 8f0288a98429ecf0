"""Opens files with a feed and yields canonical events and quarantine rows, chunk by chunk.

Memory is bounded by the chunk, not the file. A row that fails never stops the rest; only a file that
cannot be read at all, or lacks the columns its feed needs, raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from txmon.errors import InputError
from txmon.model.aliases import Aliases
from txmon.model.keys import PanKey
from txmon.model.pan import Tokeniser
from txmon.model.rates import Rates
from txmon.streams.canonical import EVENTS_SCHEMA, Context
from txmon.streams.convert import Converter
from txmon.streams.feed import Feed
from txmon.streams.quarantine import quarantine_table
from txmon.streams.readers import Chunk, open_reader

__all__ = ["EVENTS_SCHEMA", "FeedBatch", "Progress", "Source", "open_source"]

DEFAULT_BASE = "EUR"
DEFAULT_BATCH = 32_768
_CHUNK_MIN, _CHUNK_MAX = 16_384, 262_144

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
        aliases: Aliases | None = None,
    ) -> None:
        if batch_rows < 1:
            raise InputError(f"batch rows must be at least 1, not {batch_rows}")
        self._feed = feed
        self._converter = Converter(Context(feed, Tokeniser(key, aliases), rates))
        self._paths = list(paths)
        self._batch_rows = batch_rows
        self._progress = progress
        self._ignored: set[str] = set()

    @property
    def ignored_columns(self) -> tuple[str, ...]:
        """Source columns seen so far that the feed does not read, sorted."""
        return tuple(sorted(self._converter.tokeniser.text(n) for n in self._ignored))

    def __iter__(self) -> Iterator[FeedBatch]:
        rows = min(max(self._batch_rows, _CHUNK_MIN), _CHUNK_MAX)
        for path in self._paths:
            reader = open_reader(self._feed, path)
            hide = self._converter.tokeniser.text
            self._converter.mapper.check(
                path, None if reader.names is None else [hide(n) for n in reader.names]
            )
            self._ignored |= self._converter.mapper.ignored(reader.names or ())
            for chunk in reader.chunks(rows):
                yield from self._batches(chunk)
                if self._progress is not None:
                    self._progress(chunk.done, reader.total)

    def _batches(self, chunk: Chunk) -> Iterator[FeedBatch]:
        events, refused, lines = self._converter.convert(chunk)
        quarantine = quarantine_table(refused)
        step = self._batch_rows
        if events.num_rows <= step:
            yield FeedBatch(events, quarantine, events.num_rows + quarantine.num_rows, lines)
            return
        yield FeedBatch(events[:step], quarantine, step + quarantine.num_rows, lines[:step])
        empty = quarantine[:0]
        for at in range(step, events.num_rows, step):
            part = events[at : at + step]
            yield FeedBatch(part, empty, part.num_rows, lines[at : at + step])


def open_source(
    feed: Feed,
    paths: Path | Sequence[Path],
    *,
    key: PanKey,
    rates: Rates | None = None,
    base_currency: str | None = None,
    batch_rows: int = DEFAULT_BATCH,
    progress: Progress | None = None,
    aliases: Aliases | None = None,
) -> Source:
    """Read files of `feed`; iterate the result for `FeedBatch`es of at most `batch_rows` events.

    Base currency: that of `rates` if given, else `base_currency`, else the feed's, else EUR.
    Aliases: tokens that cards keep from before their key was changed; nothing is noted here.

    Raises:
        InputError: while iterating, if a file cannot be read at all or lacks columns.
        ConfigError: an unknown base currency.
    """
    if rates is None:
        rates = Rates(base_currency or feed.base_currency or DEFAULT_BASE)
    elif base_currency is not None and base_currency != rates.base_currency:
        raise InputError(f"rates are in {rates.base_currency}, but the base currency is {base_currency}")
    files = [paths] if isinstance(paths, Path) else list(paths)
    key = replace(key, successor=None)  # files have no store to note aliases in
    return Source(
        feed, files, key=key, rates=rates, batch_rows=batch_rows, progress=progress, aliases=aliases
    )
