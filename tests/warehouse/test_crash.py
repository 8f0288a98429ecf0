"""A process that dies at any moment leaves a warehouse that goes on where its mark is."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from warehousekit import assert_equal, fill, open_store, shown

from txmon.store import Store
from txmon.store.erase import Why, erase_events, erase_subjects
from txmon.store.verify import verify
from txmon.store.warehouse import Warehouse, catalog, files, main, swap

WHY = Why("request 12", "ana", "ben")


@pytest.mark.slow
def test_killed_at_random(tmp_path: Path) -> None:
    """Ten rounds of kill -9 of a process that journals, erases and applies."""
    place = tmp_path / "store"
    draw = random.Random(1)
    marks = []
    for round_ in range(10):
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("applier.py")), str(place), str(round_)],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        for _ in range(draw.randrange(1, 4)):
            line = process.stdout.readline()  # a line a step
            assert line, f"the process ended by itself: {process.wait()}"
        time.sleep(draw.random() * 0.3)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        with open_store(place, seed=100 + round_) as store:
            assert verify(store).ok
            with Warehouse.open(place / "warehouse") as warehouse:
                once = shown(warehouse, "select count(*) = count(distinct ingest_seq) as once from events")
                assert once == [{"once": True}]
                assert warehouse.check() == []
                assert warehouse.mark.seq >= int(line)
                marks.append(warehouse.mark.seq)
                warehouse.catch_up(store)
                assert_equal(warehouse, store)
    assert marks == sorted(marks)


def _every_point(monkeypatch: pytest.MonkeyPatch, folder: Path, copies: Path) -> None:
    """Copy the warehouse as a crash would leave it, before and after everything that changes its files."""
    counter = iter(range(10_000))
    monkeypatch.setattr(files, "_AT_ONCE", 1)  # a folder is copied while nothing else moves in it

    def watched(owner: Any, attribute: str) -> None:
        real: Callable[..., Any] = getattr(owner, attribute)

        def watching(*args: Any, **more: Any) -> Any:
            shutil.copytree(folder, copies / f"{next(counter):04d} before {attribute}")
            try:
                return real(*args, **more)
            finally:
                shutil.copytree(folder, copies / f"{next(counter):04d} after {attribute}")

        monkeypatch.setattr(owner, attribute, watching)

    for owner, attribute in (
        (files, "write"), (files, "sync"), (files, "remove"), (files, "remove_strangers"),
        (catalog, "insert"), (catalog, "replace_files"), (catalog, "set_mark"), (catalog, "show"),
        (swap, "copy"), (swap, "exchange"), (swap, "sync"), (main.seal, "lift"), (main.seal, "put"),
        (main.Warehouse, "_committed"), (main.Warehouse, "_disconnect"), (main.Warehouse, "_connect"),
    ):  # fmt: skip
        watched(owner, attribute)


def _assert_all_go_on(store: Store, copies: Path, least: int) -> None:
    found = sorted(copies.iterdir())
    assert len(found) >= least
    for copy in found:
        with Warehouse.open(copy) as warehouse:
            assert warehouse.check() == [], copy.name
            warehouse.catch_up(store)
            assert_equal(warehouse, store)
        shutil.rmtree(copy)


@pytest.mark.slow
def test_every_point_of_applying_and_merging(
    store: Store, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(2)
    warehouse = Warehouse.open(folder)
    for _ in range(6):
        fill(store, draw, 1, days=1)
        warehouse.catch_up(store)
    fill(store, draw, 2, days=2)
    with monkeypatch.context() as patched:
        _every_point(patched, folder, tmp_path / "copies")
        for seq in range(warehouse.mark.seq + 1, store.marks.seq + 1):
            warehouse.catch_up(store, upto=seq)
        warehouse.close()
    _assert_all_go_on(store, tmp_path / "copies", 60)


@pytest.mark.slow
def test_every_point_of_erasing(
    store: Store, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(3)
    fill(store, draw, 8, days=2)
    warehouse = Warehouse.open(folder)
    warehouse.catch_up(store)
    erase_subjects(store, ["person-1", "person-2"], WHY)
    first = shown(warehouse, "select source, event_id from events where memo is not null limit 2")
    erase_events(store, [(r["source"], r["event_id"]) for r in first], WHY, ["memo"])
    with monkeypatch.context() as patched:
        _every_point(patched, folder, tmp_path / "copies")
        warehouse.catch_up(store)
        warehouse.close()
    _assert_all_go_on(store, tmp_path / "copies", 50)
