"""`txmon bench` from end to end: data, rounds of all engines, comparison, the other parts.

Owns the order of the parts and the figures that come out; every timed section is a job's.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from txmon.bench.compare import Pairs, hits_of_masks, hits_of_scoring
from txmon.bench.history import SIZES, History, run_history
from txmon.bench.isolate import fresh
from txmon.bench.jobs import Timing, run_duckdb, run_polars, run_txmon
from txmon.bench.late import LateCheck, check_late, late_file
from txmon.bench.packs import write_pack
from txmon.bench.river import RiverRun, run_river
from txmon.bench.windows import LONG, SHORT, year_file, year_packs
from txmon.bench.workload import Workload, make_workload

Say = Callable[[str], None]
RIVER_EVENTS = 20_000


@dataclass(frozen=True)
class Options:
    """What to measure.

    events: rows of the workload. rounds: every engine runs so often, in turn; the best counts. late_sample:
    rows whose hits are compared for late events. year_events: rows of the 400-day stream, 0 for none.
    history: sizes of the history part, empty for none. river: also run the peers' river pipeline. peers:
    folder of the peers' scripts, None for the place beside the repository.
    """

    events: int = 200_000
    rounds: int = 3
    late: bool = True
    late_sample: int = 20_000
    year_events: int = 100_000
    history: tuple[int, ...] = ()
    river: bool = False
    peers: Path | None = None


@dataclass
class Figures:
    """What was measured; parts that were not asked for are None or empty."""

    origin: str
    best: dict[str, Timing]
    hits: dict[str, int]
    hits_equal: bool
    late: Timing | None = None
    late_check: LateCheck | None = None
    year: dict[str, Timing] = field(default_factory=dict)
    history: list[History] = field(default_factory=list)
    river: RiverRun | None = None


def bench(options: Options, folder: Path, say: Say) -> Figures:
    """Measure into `folder`; `say` is told what takes a while.

    Raises:
        InputError: a file cannot be read or written.
    """
    say(f"making {options.events:,} events")
    workload = make_workload(folder, options.events, options.peers)
    pack = write_pack(workload.rules, folder / "rules")
    found: dict[str, Pairs] = {}
    best: dict[str, Timing] = {}
    jobs = _jobs(workload, pack, folder, options.late)
    for round_number in range(1, options.rounds + 1):
        for name, job in jobs.items():
            say(f"round {round_number} of {options.rounds}: {name}")
            _keep_best(best, name, job())
    late = best.pop("txmon, late", None)
    found["txmon"] = hits_of_scoring(folder / "txmon" / "hits.parquet")
    found |= {n: hits_of_masks(folder / f"{n}.parquet", workload.rules) for n in best if n != "txmon"}
    equal = all(pairs == found["txmon"] for pairs in found.values())
    figures = Figures(workload.origin, best, {n: len(p) for n, p in found.items()}, equal, late)
    if options.late:
        rows = min(options.events, options.late_sample)
        say(f"comparing late hits on {rows:,} events")
        figures.late_check = check_late(folder / "late.parquet", rows, folder / "late")
    if options.year_events:
        figures.year = _year(options, folder / "year", say)
    for size in options.history:
        say(f"history of {size:,} events")
        figures.history.append(fresh(run_history, size, pack))
    if options.river:
        say(f"river on {RIVER_EVENTS:,} events")
        figures.river = run_river(workload, RIVER_EVENTS, found["txmon"], folder)
    return figures


def _jobs(workload: Workload, pack: Path, folder: Path, late: bool) -> dict[str, Callable[[], Timing]]:
    events, rules = workload.events, workload.rules
    jobs: dict[str, Callable[[], Timing]] = {
        "txmon": lambda: fresh(run_txmon, events, pack, folder / "txmon"),
        "duckdb": lambda: fresh(run_duckdb, events, rules, folder / "duckdb.parquet"),
    }
    if importlib.util.find_spec("polars") is not None:
        jobs["polars"] = lambda: fresh(run_polars, events, rules, folder / "polars.parquet")
    if late:
        stream = late_file(events, folder / "late.parquet")
        jobs["txmon, late"] = lambda: fresh(run_txmon, stream, pack, folder / "txmon-late")
    return jobs


def _keep_best(best: dict[str, Timing], name: str, timing: Timing) -> None:
    best[name] = timing.best(best.get(name, timing))


def _year(options: Options, folder: Path, say: Say) -> dict[str, Timing]:
    say(f"making {options.year_events:,} events of 400 days")
    events = year_file(options.year_events, folder)
    packs, best = year_packs(events, folder), dict[str, Timing]()
    for round_number in range(1, options.rounds + 1):
        for window in (SHORT, LONG):
            say(f"round {round_number} of {options.rounds}: windows of {window}")
            _keep_best(best, window, fresh(run_txmon, events, packs[window], folder / f"out-{window}"))
    return best


__all__ = ["SIZES", "Figures", "Options", "bench"]
