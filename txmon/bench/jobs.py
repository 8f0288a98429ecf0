"""What each engine does with the workload: from a Parquet file to written hits, in a process of its own.

Every job first runs the whole of its work untimed on the first rows, so that no engine is timed while it
loads code. Owns the timed sections; comparing is another module's.
"""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from txmon.bench.isolate import THREADS
from txmon.bench.spec import BenchRule, workload_measures
from txmon.bench.sql import load_sql, mask_sql, quoted, window_sql
from txmon.clock import monotonic_s, peak_rss_mb
from txmon.model.keys import PanKey
from txmon.rules.ir import Plan

WARM_ROWS = 1_000
FEED = "native"
_WRITE_MASKS = Template(
    "COPY (SELECT event_id, $mask AS mask FROM f ORDER BY event_id) TO '$path' (FORMAT parquet)"
)
# Nothing of the workload looks like a card number; a run must not make or read the user's own key.
KEY = PanKey("00000000", bytes(32))


@dataclass(frozen=True)
class Timing:
    """Result of a job: rows, wall and processor seconds of the timed section, peak memory in MiB.

    Processor time is that of all threads; it tells more than wall time on a machine that others use.
    """

    engine: str
    events: int
    seconds: float
    cpu_seconds: float
    peak_rss_mb: float

    @property
    def per_second(self) -> float:
        """Events per second."""
        return self.events / self.seconds

    def best(self, other: Timing) -> Timing:
        """The least time and the most memory of two runs."""
        return replace(
            self,
            seconds=min(self.seconds, other.seconds),
            cpu_seconds=min(self.cpu_seconds, other.cpu_seconds),
            peak_rss_mb=max(self.peak_rss_mb, other.peak_rss_mb),
        )


def _warm_file(events: Path, folder: str) -> Path:
    path = Path(folder) / "warm.parquet"
    batch = next(pq.ParquetFile(events).iter_batches(WARM_ROWS))
    pq.write_table(pa.Table.from_batches([batch]), path)
    return path


def run_txmon(events: Path, pack: Path, out: Path) -> Timing:
    """Run a file through the native feed and the engine; hits.parquet, texts included, lands below `out`."""
    # Imported here so that the processes of the other engines do not carry the engine's memory.
    from txmon.engine.warm import warm_up
    from txmon.rules.pack import load_pack

    plan = load_pack(pack)
    warm_up(lambda _: None)
    with TemporaryDirectory() as folder:
        _txmon_once(_warm_file(events, folder), plan, Path(folder))
    gc.freeze()  # as `txmon score` does
    started, cpu = monotonic_s(), time.process_time()
    rows = _txmon_once(events, plan, out)
    return Timing("txmon", rows, monotonic_s() - started, time.process_time() - cpu, peak_rss_mb())


def _txmon_once(events: Path, plan: Plan, out: Path) -> int:
    from txmon.anomaly import make_detector
    from txmon.engine.engine import Engine
    from txmon.engine.hits import HIT_COLUMNS
    from txmon.model.rates import Rates
    from txmon.streams.feedfile import load_feed
    from txmon.streams.source import open_source

    out.mkdir(parents=True, exist_ok=True)
    engine, rows = Engine(plan, Rates(plan.base_currency), make_detector), 0
    with pq.ParquetWriter(out / "hits.parquet", HIT_COLUMNS, compression="zstd") as writer:
        for batch in open_source(load_feed(FEED), events, key=KEY, rates=Rates(plan.base_currency)):
            outcome = engine.apply(batch.events)
            writer.write_table(outcome.hits.select(HIT_COLUMNS.names))
            rows += len(outcome.accepted)
    return rows


def run_duckdb(events: Path, rules: tuple[BenchRule, ...], out: Path) -> Timing:
    """Window functions over the whole file, masks of hits written to `out`."""
    with TemporaryDirectory() as folder:
        _duckdb_once(_warm_file(events, folder), rules, Path(folder) / "out.parquet")
    started, cpu = monotonic_s(), time.process_time()
    rows = _duckdb_once(events, rules, out)
    return Timing("duckdb", rows, monotonic_s() - started, time.process_time() - cpu, peak_rss_mb())


def _duckdb_once(events: Path, rules: tuple[BenchRule, ...], out: Path) -> int:
    with duckdb.connect() as database:
        database.execute(f"SET threads = {THREADS}; SET enable_progress_bar = false")
        database.execute(load_sql(events))
        database.execute(f"CREATE TABLE f AS {window_sql(workload_measures())}")
        database.execute(_WRITE_MASKS.substitute(mask=mask_sql(rules), path=quoted(out)))
        row = database.execute("SELECT count(*) FROM w").fetchone()
    return int(row[0]) if row else 0


def run_polars(events: Path, rules: tuple[BenchRule, ...], out: Path) -> Timing:
    """Rolling groups by key and window, masks of hits written to `out`."""
    with TemporaryDirectory() as folder:
        _polars_once(_warm_file(events, folder), rules, Path(folder) / "out.parquet")
    started, cpu = monotonic_s(), time.process_time()
    rows = _polars_once(events, rules, out)
    return Timing("polars", rows, monotonic_s() - started, time.process_time() - cpu, peak_rss_mb())


def _polars_once(events: Path, rules: tuple[BenchRule, ...], out: Path) -> int:
    import polars as pl  # an extra: the other engines are measured without it

    measures = workload_measures()
    used = sorted({m.key for m in measures} | {m.column for m in measures if m.of})
    frame = pl.read_parquet(events, columns=["event_id", "event_time", "amount_minor", *used])
    frame = frame.with_columns(pl.col(used).cast(pl.Categorical))
    wide = frame.select("event_id", "amount_minor")
    for key, window, span in dict.fromkeys((m.key, m.window, m.span_us) for m in measures):
        own = [m for m in measures if (m.key, m.window) == (key, window)]
        rolled = frame.rolling("event_time", period=f"{span}us", closed="right", group_by=key).agg(
            pl.col("event_id").last(), *(_polars_measure(pl, m).alias(m.name) for m in own)
        )
        wide = wide.join(rolled.drop(key, "event_time"), on="event_id", how="left", maintain_order="left")
    mask = pl.lit(0, pl.Int64)
    for i, rule in enumerate(rules):
        reached = [
            pl.col("amount_minor" if c.measure is None else c.measure.name) >= c.threshold
            for c in rule.conditions
        ]
        mask = mask + pl.all_horizontal(reached).cast(pl.Int64) * (1 << i)
    wide.select("event_id", mask.alias("mask")).write_parquet(out)
    return len(frame)


def _polars_measure(pl: Any, measure: Any) -> Any:
    if measure.agg == "count":
        return pl.len()
    return pl.col("amount_minor").sum() if measure.agg == "sum" else pl.col(measure.column).n_unique()
