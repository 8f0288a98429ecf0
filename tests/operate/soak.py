"""`make soak`: a service under half of what it can take, for half an hour, watched from outside.

    soak.py --minutes 30 --rate 345                  one event a request
    soak.py --minutes 30 --rate 13500 --batch 1000   in bulk

Starts `txmon serve` and a load (soakload.py) as processes of their own, writes a sample every ten seconds to
soak.ndjson, and ends with one line of figures; it exits 1 when a promise was broken. Memory is judged after
the warm-up: when event time has gone far enough beyond the longest window, what the windows hold has stopped
to grow. docs/operations.md says what is compared with what. Owns the run and its judgement.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent))

import soakload
from operatekit import TXMON, Served, command, environment, open_store, serving

from txmon.clock import SystemClock
from txmon.store import journal
from txmon.store.access import Access

MIB = 1 << 20
# the longest window of the packs that ship; rows outside it are let go in steps, and what is kept of them is level
# when a key has seen three times as much; and the lateness that is accepted
LEVEL_DAYS = 3 * 400 + 30
SIMULATED_DAYS = 60
SLOPE_MIB_MIN = 1.0
TIMES_LIVE = 2.0
SLACK = 16 * MIB  # what empty ones cost, and the log that DuckDB writes before it rewrites its tables
WAL_MOST = 3 * 16 * MIB  # a checkpoint is due at 16 MiB and waits for readers
LOG_MOST = MIB
HEADS_A_SECOND = 200  # bytes: two lines


@dataclass(frozen=True)
class Plan:
    """What is run."""

    seconds: float
    rate: float  # events a second
    batch: int = 1
    connections: int = 16
    every_s: float = 10.0
    warm_s: float | None = None  # None: a third of the time
    seed: int = 7
    program: Sequence[str] = tuple(TXMON)

    @property
    def warm(self) -> float:
        return self.seconds / 3 if self.warm_s is None else self.warm_s

    @property
    def cycle(self) -> int:
        """Events of SIMULATED_DAYS, so that event time passes LEVEL_DAYS within the warm-up."""
        a_day = self.rate * self.warm / LEVEL_DAYS
        return min(max(200, int(a_day * SIMULATED_DAYS)), 1_000_000)


@dataclass
class Sample:
    """One look. Sizes in bytes."""

    second: float
    rss: int
    anonymous: int
    files: dict[str, int]
    load: dict[str, Any]
    processor_s: float


@dataclass
class Outcome:
    """What was found."""

    figures: dict[str, Any] = field(default_factory=dict)
    breaches: list[str] = field(default_factory=list)


# -- judgement -------------------------------------------------------------------------------------------


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes of all pairs (Theil and Sen): a passing peak, as of a snapshot, moves nothing."""
    slopes = [
        (y2 - y1) / (x2 - x1)
        for i, (x1, y1) in enumerate(points)
        for x2, y2 in points[i + 1 :]
        if x2 > x1
    ]  # fmt: skip
    return statistics.median(slopes) if slopes else 0.0


def judge_memory(samples: Sequence[Sample], warm_s: float, outcome: Outcome, warm_days: float = 0) -> None:
    """Memory after the warm-up, in seconds and in days of events, and how long the machine let nobody run."""
    gaps = [b.second - a.second for a, b in itertools.pairwise(samples)]
    outcome.figures["stood_still_s"] = round(
        sum(max(0.0, gap - 2 * statistics.median(gaps)) for gap in gaps), 1
    )
    judged = [s for s in samples if s.second >= warm_s and s.load.get("days", warm_days) >= warm_days]
    warm = [(s.second / 60, s.rss / MIB) for s in judged]
    outcome.figures |= {
        "rss_slope_mib_min": round(slope(warm), 3),
        "rss_mib": round(warm[-1][1], 1) if warm else None,
        "rss_most_mib": round(max((s.rss for s in samples), default=0) / MIB, 1),
        "samples_judged": len(warm),
    }
    if len(warm) < 5:
        outcome.breaches.append(f"only {len(warm)} samples after the warm-up; run it longer")
    elif slope(warm) > SLOPE_MIB_MIN:
        outcome.breaches.append(f"memory grows by {slope(warm):.2f} MiB a minute, {SLOPE_MIB_MIN} may be")


def judge_sizes(samples: Sequence[Sample], live: dict[str, int], outcome: Outcome) -> None:
    """Files as they were while the service ran, against the same data written anew."""
    last = samples[-1].files
    outcome.figures["sizes_mib"] = {k: round(v / MIB, 2) for k, v in last.items()}
    outcome.figures["live_mib"] = {k: round(v / MIB, 2) for k, v in live.items()}
    for name, size in live.items():
        if last[name] > TIMES_LIVE * size + SLACK:
            outcome.breaches.append(f"{name}: {last[name]} bytes for {size} of live data")
    wal = max(s.files["wal"] for s in samples)
    outcome.figures["wal_most_mib"] = round(wal / MIB, 2)
    if wal > WAL_MOST:
        outcome.breaches.append(f"the write-ahead log grew to {wal} bytes, {WAL_MOST} may be")
    if last["log"] > LOG_MOST:
        outcome.breaches.append(f"the service logged {last['log']} bytes, {LOG_MOST} may be")
    if last["heads"] > HEADS_A_SECOND * samples[-1].second + SLACK:
        outcome.breaches.append(
            f"the log of heads has {last['heads']} bytes after {samples[-1].second:.0f} s"
        )


def judge_errors(load: dict[str, Any], log: Sequence[dict[str, Any]], plan: Plan, outcome: Outcome) -> None:
    """What the senders were told, what the service logged, and whether the load was what it should be."""
    said: dict[str, int] = {}
    for line in log:
        name = f"{line.get('level')}:{line.get('event')}"
        said[name] = said.get(name, 0) + 1
    errors = dict(load["errors"]) | {k: n for k, n in said.items() if not k.startswith("info:")}
    rate = load["acked"] / plan.seconds
    outcome.figures |= {"acked": load["acked"], "events_per_second": round(rate, 1), "errors": errors}
    outcome.breaches += [f"{what}: {count} times" for what, count in errors.items()]
    if rate < 0.9 * plan.rate:
        outcome.breaches.append(f"{rate:.0f} events a second were sent, not {plan.rate:.0f}")


# -- the run ---------------------------------------------------------------------------------------------


def soak(plan: Plan, folder: Path, out: Path) -> Outcome:
    """Run it in an empty folder; samples go to `out`."""
    store, outcome = folder / "store", Outcome()
    pause = max(30, min(600, int(plan.seconds / 10)))
    settings = environment(folder, TXMON_SNAPSHOT_SECONDS=str(pause))
    events = folder / "events.parquet"
    _simulate(plan, settings, events)
    key = _key(store)
    with serving(store, settings, folder / "service.log", plan.program) as served, out.open("w") as file:
        samples = _watch(plan, served, _load(plan, served.port, key, folder), folder, file)
    load = _last(folder / "load.ndjson")
    judge_memory(samples, plan.warm, outcome, LEVEL_DAYS if plan.warm_s is None else 0)
    judge_sizes(samples, _live(folder, settings), outcome)
    judge_errors(load, _log(folder / "service.log"), plan, outcome)
    found = command(settings, "store", "verify", "--store", store)
    stored = _stored(store)
    outcome.figures |= {"stored": stored, "verified": found["ok"], "warehouse": found["warehouse"]["state"]}
    if (
        not load["acked"] <= stored <= load["sent"]
        or not found["ok"]
        or found["warehouse"]["rows"] != found["events"]
    ):
        outcome.breaches.append(
            f"{load['acked']} events were acknowledged, {stored} are stored; see `verified`"
        )
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(outcome.figures | {"breaches": outcome.breaches}) + "\n")
    return outcome


def _simulate(plan: Plan, settings: dict[str, str], events: Path) -> None:
    """Make a portfolio whose last days have as many events as the plan wants; accounts are years older."""
    asked = plan.cycle
    for _ in range(2):
        asked = min(max(asked, 1_000), 10_000_000)
        command(settings, "simulate", "--events", str(asked), "--seed", str(plan.seed), "--out", events)
        _, within = soakload.parts_of(soakload.rows_of(events), SIMULATED_DAYS)
        asked = int(asked * plan.cycle / len(within))


def _key(store: Path) -> str:
    with open_store(store) as opened, opened.write() as tx:
        people = [("Ana", ("admin", "ingest")), ("Ben", ("admin", "approver"))]
        return Access(opened).bootstrap(tx, people)[0].token


def _load(plan: Plan, port: int, key: str, folder: Path) -> subprocess.Popen[bytes]:
    _, within = soakload.parts_of(soakload.rows_of(folder / "events.parquet"), SIMULATED_DAYS)
    days = plan.seconds * plan.rate / len(within) * SIMULATED_DAYS
    now = datetime.fromtimestamp(SystemClock().now_us() // 1_000_000, UTC)
    start = (now - timedelta(days=1.2 * days + SIMULATED_DAYS)).replace(hour=0, minute=0, second=0)
    words = [port, key, folder / "events.parquet", folder / "load.ndjson", plan.rate, plan.batch]
    words += [plan.connections, plan.seconds, start.isoformat(), SIMULATED_DAYS]
    with (folder / "load.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, str(Path(soakload.__file__)), *map(str, words)], stdout=log, stderr=log
        )


def _watch(
    plan: Plan, served: Served, load: subprocess.Popen[bytes], folder: Path, file: Any
) -> list[Sample]:
    """Look until the load is done; a service that ends is found by who waits for it."""
    samples: list[Sample] = []
    started = due = time.monotonic()
    try:
        while load.poll() is None and served.process.poll() is None:
            due = max(due + plan.every_s, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
            if served.process.poll() is None:
                samples.append(look(served.process.pid, folder, time.monotonic() - started))
                file.write(json.dumps(vars(samples[-1])) + "\n")
                file.flush()
        if load.wait():
            raise RuntimeError((folder / "load.log").read_text(errors="replace")[-2000:])
    finally:
        load.kill()
        load.wait()
    return samples


def look(pid: int, folder: Path, second: float) -> Sample:
    """Take a sample of a running service: of its process, its engine's and what those forked."""
    memory = anonymous = 0
    seconds = 0.0
    for each in _family(pid):
        with suppress(OSError):  # one that writes a snapshot may have ended
            # what several share counts once
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()[1:]
            kib = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            memory, anonymous = memory + kib["Pss"] * 1024, anonymous + kib["Pss_Anon"] * 1024
            seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return Sample(round(second, 2), memory, anonymous, _sizes(folder), _last(folder / "load.ndjson"), seconds)


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    with suppress(OSError):
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        below = [int(child) for task in tasks for child in (task / "children").read_text().split()]
        return [pid, *(each for child in below for each in _family(child))]
    return [pid]


def _sizes(folder: Path) -> dict[str, int]:
    store = folder / "store"
    return {
        "database": _size(store / "txmon.db"),
        "wal": _size(store / "txmon.db-wal"),
        "warehouse": _size(store / "warehouse"),
        "snapshots": _size(store / "snapshots"),
        "heads": _size(store / "heads.log"),
        "log": _size(folder / "service.log"),
    }


def _size(path: Path) -> int:
    total = 0
    for one in [path, *path.rglob("*")] if path.is_dir() else [path]:
        try:
            total += one.stat().st_size if one.is_file() else 0
        except FileNotFoundError:  # it was replaced meanwhile
            continue
    return total


def _live(folder: Path, settings: dict[str, str]) -> dict[str, int]:
    """The same data without what is left over: the database written anew, a warehouse made of it, one snapshot."""
    anew = folder / "anew"
    anew.mkdir()
    with closing(sqlite3.connect(folder / "store" / "txmon.db")) as conn:
        conn.execute("vacuum into ?", [str(anew / "txmon.db")])
    command(settings, "store", "rebuild", "--store", anew)
    newest = sorted((folder / "store" / "snapshots").glob("*.arrow"))[-1:]
    return {
        "database": _size(anew / "txmon.db"),
        "warehouse": _size(anew / "warehouse"),
        "snapshots": sum(_size(path) for path in newest),
    }


def _stored(store: Path) -> int:
    """Events in the journal without the service's own marks of time."""
    with open_store(store, read_only=True) as opened:
        entries = journal.read(opened, kinds=(journal.EVENTS,))
        return sum(sum(s != "txmon" for s in e.table.column("source").to_pylist()) for e in entries)


def _last(path: Path) -> dict[str, Any]:
    if path.exists():
        for line in reversed(path.read_bytes().splitlines(keepends=True)):
            if line.endswith(b"\n"):
                return dict(json.loads(line))
    return {"sent": 0, "acked": 0, "errors": {}}


def _log(path: Path) -> list[dict[str, Any]]:
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            found.append({"level": "text", "event": line[:100]})
    return [line for line in found if "clean" not in line]


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=345, help="events a second")
    parser.add_argument("--batch", type=int, default=1, help="events a request")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--warm-up", type=float, help="seconds; else a third of the time")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("soak.ndjson"))
    parser.add_argument("--keep", type=Path, help="work in this new folder and leave it")
    chosen = parser.parse_args()
    plan = Plan(
        chosen.minutes * 60,
        chosen.rate,
        chosen.batch,
        chosen.connections,
        warm_s=chosen.warm_up,
        seed=chosen.seed,
    )
    if chosen.keep is not None:
        chosen.keep.mkdir(parents=True)
        outcome = soak(plan, chosen.keep.absolute(), chosen.out)
    else:
        with tempfile.TemporaryDirectory(prefix="txmon-soak-") as folder:
            outcome = soak(plan, Path(folder), chosen.out)
    sys.stdout.write(json.dumps(outcome.figures | {"breaches": outcome.breaches}) + "\n")
    sys.exit(1 if outcome.breaches else 0)


if __name__ == "__main__":
    main()
