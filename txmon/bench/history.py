"""Does the amount of history matter? Time per event behind more and more events inside the windows.

Streams are made in memory, batch by batch, so that memory is the engine's own. Owns the timed section
and the account of state; scoring is the scorer's.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from txmon.bench.data import Shape, Stream
from txmon.bench.jobs import FEED, KEY
from txmon.clock import monotonic_s, peak_rss_mb
from txmon.engine.warm import warm_up
from txmon.model.pan import Tokeniser
from txmon.model.rates import Rates
from txmon.pipeline.scorer import Scorer
from txmon.rules.pack import load_pack
from txmon.streams.canonical import Context, canonical
from txmon.streams.faults import Faults
from txmon.streams.feedfile import load_feed

SIZES = (200_000, 5_000_000, 20_000_000)
ROWS = 50_000  # of a batch
TIMED = 10  # batches at the end, timed one by one; at most half of all


@dataclass(frozen=True)
class History:
    """Figures behind `events` events of history, all of them inside the longest window.

    us_per_event, cpu_us_per_event: wall and processor time, median over the last batches.
    bytes_per_event: rows, positions and distinct values of all groups.
    bytes_per_key: a key's line in all groups, its text and its code.
    bytes_per_identity: the table of duplicates.
    """

    events: int
    us_per_event: float
    cpu_us_per_event: float
    bytes_per_event: float
    bytes_per_key: float
    bytes_per_identity: float
    peak_rss_mb: float


def run_history(events: int, pack: Path) -> History:
    """Score `events` events of a 30-day stream whose keys grow with it; time the last of them."""
    plan = load_pack(pack)
    warm_up(lambda _: None)
    context = Context(load_feed(FEED), Tokeniser(KEY), Rates("EUR"))
    for batch in Stream(Shape.scaled(2_000)).batches(1_000):
        Scorer(plan).apply(canonical_rows(batch, context))
    scorer = Scorer(plan)
    costs: list[tuple[float, float]] = []
    for batch in Stream(Shape.scaled(events)).batches(ROWS):
        table = canonical_rows(batch, context)
        started, cpu = monotonic_s(), time.process_time()
        scorer.apply(table)
        wall, cpu = monotonic_s() - started, time.process_time() - cpu
        costs.append((wall / len(table), cpu / len(table)))
    timed = costs[-max(1, min(TIMED, len(costs) // 2)) :]
    wall, cpu = (round(statistics.median(part) * 1e6, 3) for part in zip(*timed, strict=True))
    return History(events, wall, cpu, *_bytes(scorer, events), peak_rss_mb())


def canonical_rows(batch: pa.Table, context: Context) -> pa.Table:
    """Canonical events, as the native feed makes them."""
    columns = {name: batch.column(name).combine_chunks() for name in batch.column_names}
    return canonical(columns, len(batch), context, Faults(len(batch)))


def _bytes(scorer: Scorer, events: int) -> tuple[float, float, float]:
    engine = scorer.engine
    groups = [slot.group.bytes_used() for slot in engine.store.slots]
    rows = sum(part for group in groups for name, part in group.items() if name != "keys")
    texts = [engine.store.keys.texts[name] for name in ("account", "merchant")]
    keys = sum(group["keys"] for group in groups)
    keys += sum(text.pairs.table.nbytes + text.texts().nbytes for text in texts)
    count = sum(len(text) for text in texts)
    return (
        round(rows / events, 1),
        round(keys / max(1, count), 1),
        round(engine.gate.bytes_used() / events, 1),
    )
