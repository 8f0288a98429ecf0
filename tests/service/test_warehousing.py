"""A thread keeps the warehouse up with the journal, mends it by itself, and stops when told."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import pytest
from warehousekit import assert_equal, fill, open_store, parquet_files

from txmon.metrics import Metrics
from txmon.pipeline import warehousing
from txmon.pipeline.warehousing import Warehousing
from txmon.store import Store
from txmon.store.erase import Why, erase_subjects
from txmon.store.warehouse import Warehouse, inspect


class Log:
    """Remembers what was said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.heard = threading.Event()

    def warning(self, event: str, *, exc_info: object = None, **_: object) -> None:
        self.said.append((event, getattr(exc_info, "code", "")))
        self.heard.set()

    info = error = warning


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehousing, "_PAUSE_S", 0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store" / "warehouse"


def until(running: Warehousing, seq: int) -> None:
    """Wait until the warehouse is at a row."""
    end = time.monotonic() + 60
    while running.warehouse is None or running.warehouse.mark.seq < seq:
        assert time.monotonic() < end, running.problem
        time.sleep(0.01)


def started(store: Store, folder: Path, log: Log) -> Warehousing:
    running = Warehousing(store, folder, Metrics(), log)
    running.start()
    return running


def test_it_follows_and_is_closed_in_order(tmp_path: Path, folder: Path) -> None:
    draw, log = random.Random(1), Log()
    with open_store(tmp_path / "store") as store:
        running = started(store, folder, log)
        for _ in range(3):
            fill(store, draw, 2)
            until(running, store.marks.seq)
        erase_subjects(store, ["person-1"], Why("r", "ana", "ben"))
        until(running, store.marks.seq)
        running.stop(30)
        assert (log.said, running.problem) == ([], None)
        assert inspect(folder).state == "ok"
        with Warehouse.open(folder) as warehouse:
            assert_equal(warehouse, store)


def test_it_mends_what_is_damaged(tmp_path: Path, folder: Path) -> None:
    log = Log()
    with open_store(tmp_path / "store") as store:
        fill(store, random.Random(2), 5)
        with Warehouse.open(folder) as warehouse:
            warehouse.catch_up(store)
        path = parquet_files(folder)[0]
        path.write_bytes(path.read_bytes()[::-1])
        running = started(store, folder, log)
        assert log.heard.wait(30)
        end = time.monotonic() + 60
        while running.problem is not None and time.monotonic() < end:
            time.sleep(0.01)
        running.stop(30)
        assert log.said == [("warehouse.damaged", "warehouse_damaged")]
        with Warehouse.open(folder) as warehouse:
            assert_equal(warehouse, store)


def test_it_waits_for_another_process(tmp_path: Path, folder: Path) -> None:
    log = Log()
    with open_store(tmp_path / "store") as store:
        fill(store, random.Random(3), 3)
        other = Warehouse.open(folder)
        running = started(store, folder, log)
        assert log.heard.wait(30)
        assert running.problem == "writer_active"
        other.close()
        until(running, store.marks.seq)
        running.stop(30)


def test_a_damaged_journal_costs_no_warehouse(tmp_path: Path, folder: Path) -> None:
    """What the journal cannot give again is not thrown away."""
    log = Log()
    with open_store(tmp_path / "store") as store:
        fill(store, random.Random(4), 4)
        with Warehouse.open(folder) as warehouse:
            warehouse.catch_up(store)
        seq = store.marks.seq
        fill(store, random.Random(5), 1)
        with store.write() as tx:
            tx.conn.exec_driver_sql(f"update journal set payload = zeroblob(20) where seq = {seq + 1}")
        running = started(store, folder, log)
        assert log.heard.wait(30)
        running.stop(30)
        assert {code for _, code in log.said} == {"store_corrupt"}
        assert inspect(folder).mark is not None
        assert inspect(folder).mark.seq == seq  # type: ignore[union-attr]
