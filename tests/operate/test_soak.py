"""The judge of `make soak` lets a steady service pass and finds one that leaks, hoards, fails or is too slow."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from soak import MIB, Outcome, Plan, Sample, judge_errors, judge_memory, judge_sizes, slope, soak

LIVE = {"database": 100 * MIB, "warehouse": 50 * MIB, "snapshots": 20 * MIB}
FILES = {"database": 110 * MIB, "warehouse": 60 * MIB, "snapshots": 40 * MIB, "wal": 16 * MIB, "heads": MIB, "log": 1000}  # fmt: skip
LEAKY = """
import threading, time
kept = []
def leak():
    while True:
        kept.append(bytearray(b"x" * (1 << 20)))
        time.sleep(0.1)
threading.Thread(target=leak, daemon=True).start()
from txmon.cli import main
main()
"""


def samples(growth_mib_min: float, minutes: int = 30, noise: float = 20, **files: int) -> list[Sample]:
    """A sample every ten seconds: noise, a peak in each fifth, and growth."""
    chance = random.Random(1)
    made = []
    for i in range(1, minutes * 6 + 1):
        mib = 500 + growth_mib_min * i / 6 + chance.uniform(-noise, noise) + (i % 5 == 0) * 200
        made.append(Sample(i * 10.0, int(mib * MIB), 0, FILES | files, {}, 0.0))
    return made


@pytest.mark.parametrize(
    ("growth", "found"), [(0, False), (-5, False), (0.5, False), (1.6, True), (30, True)]
)
def test_growth_of_memory(growth: float, found: bool) -> None:
    outcome = Outcome()
    judge_memory(samples(growth), 300, outcome)
    assert bool(outcome.breaches) == found
    assert outcome.figures["rss_slope_mib_min"] == pytest.approx(growth, abs=0.5)


def test_growth_before_the_warm_up_is_none() -> None:
    outcome = Outcome()
    start = [
        Sample(s.second, s.rss + int((300 - s.second) * MIB), 0, s.files, {}, 0) for s in samples(0)[:30]
    ]
    judge_memory([*start, *samples(0)[30:]], 300, outcome)
    assert outcome.breaches == []


def test_the_warm_up_lasts_until_windows_are_full() -> None:
    """However slowly the events came."""
    slow = [Sample(s.second, s.rss, 0, s.files, {"days": s.second}, 0) for s in samples(0)]
    outcome = Outcome()
    judge_memory(slow, 300, outcome, 1000)
    assert outcome.figures["samples_judged"] == sum(s.second >= 1000 for s in slow)


def test_too_short_a_run_is_no_proof() -> None:
    outcome = Outcome()
    judge_memory(samples(0, minutes=1), 55, outcome)
    assert "run it longer" in outcome.breaches[0]


def test_a_slope_is_that_of_the_line() -> None:
    assert slope([(x, 3 * x + 1) for x in range(20)]) == pytest.approx(3)
    assert slope([]) == 0


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"database": 217 * MIB}, "database"),
        ({"warehouse": 117 * MIB}, "warehouse"),
        ({"snapshots": 70 * MIB}, "snapshots"),
        ({"wal": 49 * MIB}, "write-ahead"),
        ({"log": 2 * MIB}, "logged"),
        ({"heads": 20 * MIB}, "heads"),
    ],
)
def test_files_that_hold_more_than_they_should(files: dict[str, int], what: str) -> None:
    outcome = Outcome()
    judge_sizes(samples(0, **files), LIVE, outcome)
    (breach,) = outcome.breaches
    assert what in breach


def test_files_as_they_should_be() -> None:
    outcome = Outcome()
    judge_sizes(samples(0), LIVE, outcome)
    assert outcome.breaches == []


@pytest.mark.parametrize(
    ("load", "log", "count"),
    [
        ({"acked": 6000, "errors": {}}, [{"level": "info", "event": "engine.recovered"}], 0),
        ({"acked": 6000, "errors": {"status 503: busy": 1}}, [], 1),
        ({"acked": 6000, "errors": {}}, [{"level": "warning", "event": "chore.failed"}], 1),
        ({"acked": 6000, "errors": {}}, [{"level": "text", "event": "Traceback"}], 1),
        ({"acked": 5000, "errors": {}}, [], 1),
    ],
)
def test_errors_and_a_load_that_was_none(load: dict[str, Any], log: list[dict[str, Any]], count: int) -> None:
    outcome = Outcome()
    judge_errors(load, log, Plan(60, 100), outcome)
    assert len(outcome.breaches) == count


@pytest.mark.slow
def test_a_leak_of_a_real_service_is_found(tmp_path: Path) -> None:
    plan = Plan(8, 40, connections=4, every_s=0.25, warm_s=3, program=(sys.executable, "-c", LEAKY))
    outcome = soak(plan, tmp_path, tmp_path / "soak.ndjson")
    assert outcome.figures["rss_slope_mib_min"] > 100
    assert [b for b in outcome.breaches if "memory grows by" in b]
    assert outcome.figures["verified"]
    assert outcome.figures["stored"] >= outcome.figures["acked"] > 100
    *lines, last = (tmp_path / "soak.ndjson").read_text(encoding="utf-8").splitlines()
    assert json.loads(last)["breaches"] == outcome.breaches
    assert len(lines) > 10
    assert {"second", "rss", "files", "load"} <= json.loads(lines[0]).keys()
