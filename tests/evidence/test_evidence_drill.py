"""The drill of `make evidence-drill`, a small share of it, and that it would see what it looks for."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from pathlib import Path

import mutate
import pytest
from evidence_drill import Drill, run
from evidencekit import alert_with, bundle_of, files_in

from txmon.store import Store


@pytest.mark.slow
def test_a_share_of_the_drill(crowd: Store, tmp_path: Path) -> None:
    """Late events, ties, combinations and a detector: all pass, and every change is found."""
    out = io.StringIO()
    figures = run(crowd, Drill(5, 40, 5, 7, tmp_path, out))
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert figures["failures"] == 0, [line for line in lines if line.get("missed")]
    assert (figures["alerts"], figures["passed"], figures["mutations"]) == (5, 5, 40)
    assert figures["signed anew"] == 20
    assert figures["found by both"] + figures["found by verify alone"] == 40
    assert {line["signed"] for line in lines if "due" in line} == {True, False}


def test_every_kind_of_change_is_drawn(crowd: Store, tmp_path: Path) -> None:
    files = files_in(bundle_of(crowd, alert_with(crowd, "both"), tmp_path / "b.zip").path)
    chance, drawn = random.Random(3), Counter[str]()
    for number in range(300):
        made = mutate.draw(files, chance, number)
        assert made.files != files
        drawn[f"{made.file} {made.signed}"] += 1
    wanted = (
        "events.parquet",
        "hits.parquet",
        "proofs.parquet",
        "chain.parquet",
        "custody.json",
        "verify.sql",
    )
    assert all(drawn[f"{name} {signed}"] for name in wanted for signed in (True, False)), drawn


@pytest.mark.slow
def test_a_change_that_nobody_sees_would_be_told(
    crowd: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        mutate, "draw", lambda files, chance, number: mutate.Change(files, "x", "none", False, mutate.BOTH)
    )
    out = io.StringIO()
    figures = run(crowd, Drill(4, 1, 1, 7, tmp_path, out))
    assert (figures["missed"], figures["failures"]) == (1, 1)
