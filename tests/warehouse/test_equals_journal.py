"""The warehouse says what the journal says, row for row, however it was brought up to date."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import sqlalchemy as sa
from warehousekit import (
    add,
    assert_equal,
    day_of,
    decide,
    everything,
    fill,
    journal_events,
    open_store,
    parquet_files,
    random_events,
    shown,
)

from txmon.errors import StateError, WriterActive
from txmon.store import Store, journal
from txmon.store.warehouse import Warehouse, compact, layout, source, split


def test_row_for_row_in_steps(any_store: Store, warehouse: Warehouse) -> None:
    draw = random.Random(1)
    for _ in range(6):
        fill(any_store, draw, 5)
        warehouse.catch_up(any_store)
        assert_equal(warehouse, any_store)
    assert warehouse.mark.seq == any_store.marks.seq
    assert warehouse.mark.events == any_store.marks.events


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_steps_of_any_size_end_alike(
    store: Store, tmp_path: Path, folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(seed)
    monkeypatch.setattr(split, "STEP_EVENTS", draw.choice([1, 50, 200]))
    fill(store, draw, 25)
    with Warehouse.open(folder) as pieces, Warehouse.open(tmp_path / "other") as whole:
        at = 0
        while at < store.marks.seq:
            at = min(at + draw.randrange(1, 6), store.marks.seq)
            assert pieces.catch_up(store, upto=at).seq == at
            assert [r["ingest_seq"] for r in everything(pieces)["events"]] == [
                r["ingest_seq"] for r in journal_events(store, at)
            ]
        whole.catch_up(store)
        assert everything(pieces) == everything(whole)
        assert_equal(whole, store)


def test_a_rebuild_is_equal(store: Store, warehouse: Warehouse) -> None:
    draw = random.Random(5)
    for _ in range(4):
        fill(store, draw, 4)
        warehouse.catch_up(store)
    before = everything(warehouse)
    assert warehouse.rebuild(store) == warehouse.mark
    assert everything(warehouse) == before
    assert warehouse.check() == []


def test_an_alert_that_changed_is_there_once(store: Store, warehouse: Warehouse) -> None:
    draw = random.Random(6)
    add(store, random_events(draw, 40, 0, people=2), every=5)
    warehouse.catch_up(store)
    alert_id = shown(warehouse, "select min(alert_id) as a from alerts")[0]["a"]
    for _ in range(3):
        decide(store, alert_id)
        add(store, random_events(draw, 20, store.marks.events, people=2), every=5)
        warehouse.catch_up(store)
    rows = shown(warehouse, "select state, version from alerts where alert_id = ?", alert_id)
    assert rows == [{"state": "in_review", "version": rows[0]["version"]}]
    assert_equal(warehouse, store)


def test_apply_takes_rows_at_hand(store: Store, warehouse: Warehouse) -> None:
    fill(store, random.Random(7), 6)
    rows = source.since(store, 0, 0, store.marks.seq)
    entries = list(journal.read(store))
    with pytest.raises(StateError, match="stands at row 0"):
        warehouse.apply(entries[1:], rows.hits, rows.alerts, rows.links)
    warehouse.apply(entries, rows.hits, rows.alerts, rows.links)
    assert_equal(warehouse, store)


def test_files_lie_in_the_folder_of_their_day(store: Store, warehouse: Warehouse, folder: Path) -> None:
    fill(store, random.Random(8), 10, days=4)
    warehouse.catch_up(store)
    files = parquet_files(folder)
    assert {day_of(f) for f in files} == {r["day"] for r in everything(warehouse)["events"]}
    for path in files:
        rows = shown(warehouse, "select distinct event_time::date as day from read_parquet(?)", str(path))
        assert rows == [{"day": day_of(path)}]


def test_small_files_become_few(store: Store, warehouse: Warehouse, folder: Path) -> None:
    draw = random.Random(9)
    for i in range(70):
        add(store, random_events(draw, 12, store.marks.events, days=2))
        warehouse.catch_up(store)
        if i % 20 == 0:
            assert_equal(warehouse, store)
    files = parquet_files(folder)
    sizes = len({(3 * k) for k in range(4)})
    assert len(files) <= 2 * (compact.TOGETHER - 1) * sizes
    assert len(files) < 40
    assert_equal(warehouse, store)
    assert warehouse.check() == []


def test_full_files_stay(
    store: Store, warehouse: Warehouse, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "FULL_ROWS", 100)
    draw = random.Random(10)
    for _ in range(40):
        add(store, random_events(draw, 30, store.marks.events, days=1))
        warehouse.catch_up(store)
    rows = shown(warehouse, "select rows from files")
    assert max(r["rows"] for r in rows) <= 100
    assert sum(r["rows"] for r in rows) == 1200
    assert_equal(warehouse, store)


def test_an_empty_warehouse_answers(store: Store, warehouse: Warehouse) -> None:
    warehouse.catch_up(store)
    for view in ("events", "legs", "hits", "alerts", "alert_hits", "profiles"):
        assert shown(warehouse, f"select count(*) as n from {view}") == [{"n": 0}]


def test_another_journal_is_refused(store: Store, warehouse: Warehouse, tmp_path: Path) -> None:
    fill(store, random.Random(11), 5)
    warehouse.catch_up(store)
    with open_store(tmp_path / "another", seed=2) as other:
        with pytest.raises(StateError, match="another journal"):
            warehouse.catch_up(other)
        fill(other, random.Random(12), 30)
        with pytest.raises(StateError, match="txmon store rebuild"):
            warehouse.catch_up(other)
        warehouse.rebuild(other)
        assert_equal(warehouse, other)


def test_one_process_has_it(warehouse: Warehouse, folder: Path) -> None:
    with pytest.raises(WriterActive):
        Warehouse.open(folder)


def test_a_reader_sees_one_moment_and_changes_nothing(store: Store, warehouse: Warehouse) -> None:
    draw = random.Random(13)
    fill(store, draw, 5)
    warehouse.catch_up(store)
    with warehouse.read() as cursor:
        before = cursor.execute("select count(*), sum(ingest_seq) from events").fetchone()
        hits = cursor.execute("select count(*) from hits").fetchone()
        for _ in range(12):  # merges files, too
            fill(store, draw, 1)
            warehouse.catch_up(store)
        assert cursor.execute("select count(*), sum(ingest_seq) from events").fetchone() == before
        assert cursor.execute("select count(*) from hits").fetchone() == hits
        with pytest.raises(Exception, match="read-only"):
            cursor.execute("delete from hits")
    assert_equal(warehouse, store)


def test_a_folder_may_move(store: Store, folder: Path, tmp_path: Path) -> None:
    fill(store, random.Random(14), 5)
    with Warehouse.open(folder) as warehouse:
        warehouse.catch_up(store)
    folder.rename(tmp_path / "elsewhere")
    with Warehouse.open(tmp_path / "elsewhere") as moved:
        assert_equal(moved, store)


def test_hits_numbered_again_after_an_erasure(store: Store, warehouse: Warehouse) -> None:
    """The store numbers hits on from the newest that is left; the warehouse must not mistake one for another."""
    from txmon.store.erase import Why, erase_events

    draw = random.Random(15)
    add(store, random_events(draw, 14, 0), every=7)
    warehouse.catch_up(store)
    with store.read() as conn:
        last = conn.execute(sa.text("select source, event_id from hits order by hit_id desc limit 1")).one()
    erase_events(store, [tuple(last)], Why("r", "ana", "ben"))
    store.reopen()
    add(store, random_events(draw, 14, store.marks.events), every=7)
    warehouse.catch_up(store)
    assert_equal(warehouse, store)
