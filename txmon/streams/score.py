"""Score files of a feed into a folder: hits, alerts and quarantine as Parquet.

Owns the writing of results and the count of what happened to every row; scoring is the pipeline's,
reading the source's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from txmon.clock import monotonic_s, peak_rss_mb
from txmon.engine import dedup
from txmon.engine.hits import HIT_COLUMNS
from txmon.errors import InputError
from txmon.pipeline.refusals import REFUSALS
from txmon.pipeline.scorer import Scorer
from txmon.streams.feed import Feed
from txmon.streams.quarantine import QUARANTINE, quarantine_rows
from txmon.streams.source import FeedBatch, Source

HITS_FILE, ALERTS_FILE, QUARANTINE_FILE = "hits.parquet", "alerts.parquet", "quarantine.parquet"


@dataclass
class Summary:
    """Counts of a run; `rows` = events + duplicates + quarantined."""

    rows: int = 0
    events: int = 0
    duplicates: int = 0
    quarantined: int = 0
    hits: int = 0
    alerts: int = 0
    seconds: float = 0.0
    events_per_second: float = 0.0
    peak_rss_mb: float = 0.0
    unconverted: int = 0
    rows_looked_back: int = 0
    quarantine_reasons: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The summary as plain values."""
        return asdict(self)


def score(source: Source, feed: Feed, scorer: Scorer, out: Path) -> Summary:
    """Read a source to its end, score it, and write the results below `out`.

    Seconds count from the first row read to the last row written.

    Raises:
        InputError: a file of the source cannot be read at all, or `out` cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        hits = pq.ParquetWriter(out / HITS_FILE, HIT_COLUMNS, compression="zstd")
        refused = pq.ParquetWriter(out / QUARANTINE_FILE, QUARANTINE, compression="zstd")
    except OSError as error:
        raise InputError(
            f"cannot write below {out}: {error.strerror}; name another folder with --out"
        ) from error
    summary, reasons = Summary(), Counter[str]()
    started = monotonic_s()
    with hits, refused:
        for batch in source:
            result = scorer.apply(batch.events)
            quarantine = pa.concat_tables([batch.quarantine, *_refused(batch, result.verdict, feed)])
            if len(result.hits):
                hits.write_table(result.hits)
            if len(quarantine):
                refused.write_table(quarantine)
                reasons.update(quarantine.column("reason").to_pylist())
            _count(summary, batch, result.accepted, result.verdict, len(result.hits), len(quarantine))
        alerts = scorer.alerts.table()
        pq.write_table(alerts, out / ALERTS_FILE, compression="zstd")
    summary.alerts = len(alerts)
    summary.seconds = monotonic_s() - started
    summary.events_per_second = round(summary.events / summary.seconds, 1) if summary.seconds else 0.0
    summary.seconds = round(summary.seconds, 3)
    summary.peak_rss_mb = peak_rss_mb()
    summary.rows_looked_back = scorer.engine.rows_looked_back
    summary.quarantine_reasons = dict(sorted(reasons.items()))
    return summary


def _refused(batch: FeedBatch, verdict: np.ndarray, feed: Feed) -> Sequence[pa.Table]:
    """Quarantine rows for what the engine refused."""
    tables = []
    for code, refusal in REFUSALS.items():
        rows = np.flatnonzero(verdict == code)
        if len(rows):
            events, lines = batch.events.take(pa.array(rows)), batch.lines[rows]
            tables.append(
                quarantine_rows(
                    events, refusal.field, refusal.reason, refusal.message, feed=feed.name, lines=lines
                )
            )
    return tables


def _count(
    summary: Summary, batch: FeedBatch, accepted: pa.Table, verdict: np.ndarray, hits: int, quarantined: int
) -> None:
    summary.rows += batch.rows_read
    summary.events += len(accepted)
    summary.duplicates += int((verdict == dedup.DUPLICATE).sum())
    summary.quarantined += quarantined
    summary.hits += hits
    summary.unconverted += int(
        (accepted.column("unconverted").combine_chunks().true_count) if len(accepted) else 0
    )
