"""Late events: hits of the engine against SQL that is right for any order of arrival.

Owns the sample and the comparison; speed is measured by the same job as in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from txmon.bench.calibrate import calibrated
from txmon.bench.compare import Pairs, hits_of_scoring
from txmon.bench.data import make_late
from txmon.bench.isolate import fresh
from txmon.bench.jobs import run_txmon
from txmon.bench.packs import write_pack
from txmon.bench.spec import BenchRule, workload_measures
from txmon.bench.sql import asof_sql, condition_sql, load_sql, second_sql

_WHERE = Template("SELECT event_id FROM f WHERE $condition")
_TIMES = Template("SELECT event_id, epoch_us(as_of) FROM ($second)")
LateHits = set[tuple[str, str, int]]  # event_id, rule_id, as_of in microseconds


@dataclass(frozen=True)
class LateCheck:
    """Hits of a sample with late events, in the engine and in SQL."""

    events: int
    event_hits: int
    late_hits: int
    event_hits_equal: bool
    late_hits_equal: bool


def late_file(events: Path, out: Path) -> Path:
    """Write the events with 5 % of them late by up to a day."""
    pq.write_table(make_late(pq.read_table(events)), out, compression="zstd")
    return out


def check_late(events: Path, rows: int, folder: Path) -> LateCheck:
    """Score the first `rows` rows of a late stream and compare every hit with SQL."""
    folder.mkdir(parents=True, exist_ok=True)
    sample = folder / "sample.parquet"
    pq.write_table(pq.read_table(events).slice(0, rows), sample)
    # Thresholds that fit the sample: those of a month would let the long windows never hit.
    rules = calibrated(sample, in_order=False)
    pack = write_pack(rules, folder / "rules")
    timing = fresh(run_txmon, sample, pack, folder / "out")
    scored = folder / "out" / "hits.parquet"
    expected = first_hits(sample, rules), second_hits(sample, rules)
    found = hits_of_scoring(scored, "event"), late_hits_of_scoring(scored)
    return LateCheck(
        timing.events, len(expected[0]), len(expected[1]), found[0] == expected[0], found[1] == expected[1]
    )


def first_hits(events: Path, rules: Sequence[BenchRule]) -> Pairs:
    """Hits at arrival, by the as-of join."""
    hits: Pairs = set()
    with duckdb.connect() as database:
        database.execute(load_sql(events))
        database.execute(f"CREATE TABLE f AS {asof_sql(workload_measures())}")
        for rule in rules:
            rows = database.execute(_WHERE.substitute(condition=condition_sql(rule))).fetchall()
            hits |= {(event, rule.id) for (event,) in rows}
    return hits


def second_hits(events: Path, rules: Sequence[BenchRule]) -> LateHits:
    """Hits of second evaluations, with the time at which each was found."""
    hits: LateHits = set()
    with duckdb.connect() as database:
        database.execute(load_sql(events))
        for rule in rules:
            rows = database.execute(_TIMES.substitute(second=second_sql(rule))).fetchall()
            hits |= {(event, rule.id, int(as_of)) for event, as_of in rows}
    return hits


def late_hits_of_scoring(path: Path) -> LateHits:
    """Hits with trigger `late` in hits.parquet."""
    table = pq.read_table(path, filters=[("trigger", "=", "late")])
    columns = [table.column("event_id"), table.column("rule_id"), table.column("as_of").cast(pa.int64())]
    return set(zip(*(c.to_pylist() for c in columns), strict=True))
