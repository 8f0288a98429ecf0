"""A thread keeps the warehouse up with the journal, mends it by itself, and stops when told."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import pytest
from warehousekit import assert_equal, fill, parquet_files, random_events

from txmon.errors import StoreUnavailable, TxmonError
from txmon.store import Store
from txmon.store.erase import Why, erase_subjects
from txmon.store.warehouse import Follower, Warehouse, inspect, main


def until(follower: Follower, seq: int) -> None:
    """Wait until the warehouse is at a row."""
    end = time.monotonic() + 30
    while follower.mark.seq < seq:
        assert time.monotonic() < end, follower.failure
        time.sleep(0.01)


def test_it_follows(store: Store, folder: Path) -> None:
    draw = random.Random(1)
    told: list[str] = []
    points: list[str] = []
    follower = Follower(
        store, folder, pause_s=0.01, point=points.append, tell=lambda what, _: told.append(what)
    )
    with pytest.raises(StoreUnavailable, match="starting"), follower.read():
        pass
    follower.start()
    for _ in range(5):
        fill(store, draw, 2)
        until(follower, store.marks.seq)
        with follower.read() as cursor:
            assert cursor.execute("select count(*) from events").fetchone() == (store.marks.events,)
    erase_subjects(store, ["person-1"], Why("r", "ana", "ben"))
    until(follower, store.marks.seq)
    assert follower.size_bytes > 0
    assert follower.stop()
    assert (told, follower.failure, follower.rebuilds) == ([], None, 0)
    assert set(points) == {"warehouse_applied"}
    assert inspect(folder).state == "ok"
    with Warehouse.open(folder) as warehouse:
        assert_equal(warehouse, store)


def test_it_mends_what_is_damaged(store: Store, folder: Path) -> None:
    fill(store, random.Random(2), 5)
    with Warehouse.open(folder) as warehouse:
        warehouse.catch_up(store)
    parquet_files(folder)[0].write_bytes(b"PAR1")
    told: list[tuple[str, str]] = []

    def tell(what: str, error: TxmonError | None) -> None:
        told.append((what, error.code if error else ""))

    follower = Follower(store, folder, pause_s=0.01, tell=tell)
    follower.start()
    until(follower, store.marks.seq)
    assert follower.stop()
    assert told == [("warehouse.rebuilding", "warehouse_damaged")]
    assert follower.rebuilds == 1
    with Warehouse.open(folder) as warehouse:
        assert_equal(warehouse, store)


def test_it_waits_for_another_process(store: Store, folder: Path) -> None:
    fill(store, random.Random(3), 3)
    seen = threading.Event()
    other = Warehouse.open(folder)
    follower = Follower(store, folder, pause_s=0.01, tell=lambda *_: seen.set())
    follower.start()
    assert seen.wait(30)
    assert follower.failure == "writer_active"
    other.close()
    until(follower, store.marks.seq)
    assert follower.stop()


def test_it_stops_between_two_steps(
    store: Store, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "STEP_EVENTS", 1)
    from warehousekit import add

    for _ in range(6):
        add(store, random_events(random.Random(4), 5, store.marks.events))
    asked: list[int] = []

    def enough() -> bool:
        asked.append(warehouse.mark.seq)
        return len(asked) == 3

    assert warehouse.catch_up(store, enough=enough).seq == 3
    assert asked == [1, 2, 3]
    warehouse.catch_up(store)
    assert_equal(warehouse, store)


def test_a_damaged_journal_costs_no_warehouse(store: Store, folder: Path) -> None:
    """What the journal cannot give again is not thrown away."""
    draw = random.Random(5)
    fill(store, draw, 4)
    follower = Follower(store, folder, pause_s=0.01)
    follower.start()
    until(follower, store.marks.seq)
    assert follower.stop()
    seq = store.marks.seq
    fill(store, draw, 1)
    with store.write() as tx:
        tx.conn.exec_driver_sql(f"update journal set payload = zeroblob(20) where seq = {seq + 1}")
    seen = threading.Event()
    again = Follower(store, folder, pause_s=0.01, tell=lambda *_: seen.set())
    again.start()
    assert seen.wait(30)
    assert (again.failure, again.rebuilds, again.mark.seq) == ("store_corrupt", 0, seq)
    with again.read() as cursor:
        assert cursor.execute("select max(journal_seq) <= ? from events", [seq]).fetchone() == (True,)
    assert again.stop()
