"""What the journal let go of, the warehouse lets go of: no row, no value, no byte."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from txkit import DAY, START_US, event, table
from warehousekit import (
    add,
    assert_equal,
    everything,
    expected,
    fill,
    open_store,
    parquet_files,
    random_events,
    shown,
)

from txmon.errors import StoreUnavailable
from txmon.store import Store
from txmon.store.erase import Why, erase_events, erase_subjects, retain
from txmon.store.verify import verify
from txmon.store.warehouse import Warehouse, forget, inspect

WHY = Why("request 12", "ana", "ben")


def test_subjects_events_values_and_days(any_store: Store, warehouse: Warehouse, tmp_path: Path) -> None:
    draw = random.Random(1)
    fill(any_store, draw, 20)
    warehouse.catch_up(any_store)
    rows = everything(warehouse)["events"]
    some = [(r["source"], r["event_id"]) for r in draw.sample(rows, 5)]
    steps = [
        lambda: erase_subjects(any_store, ["person-3", "person-11"], WHY),
        lambda: erase_events(any_store, some, WHY),
        lambda: erase_events(
            any_store, [(r["source"], r["event_id"]) for r in rows[::9]], WHY, ["memo", "lat"]
        ),
        lambda: retain(any_store, START_US + DAY, WHY, keep=[r["ingest_seq"] for r in rows[::5]]),
    ]
    for step in steps:
        assert step().rows
        fill(any_store, draw, 2)
        warehouse.catch_up(any_store)
        assert_equal(warehouse, any_store)
        assert warehouse.check() == []
    assert verify(any_store).ok
    with Warehouse.open(tmp_path / "anew") as anew:
        anew.catch_up(any_store)
        assert everything(anew) == everything(warehouse)


def test_several_erasures_before_the_warehouse_looks(store: Store, warehouse: Warehouse) -> None:
    draw = random.Random(2)
    for _ in range(5):
        fill(store, draw, 6)
        warehouse.catch_up(store, upto=store.marks.seq - draw.randrange(4))
        rows = everything(warehouse)["events"]
        erase_subjects(store, [f"person-{draw.randrange(20)}"], WHY)
        fill(store, draw, 2)
        erase_events(store, [(r["source"], r["event_id"]) for r in draw.sample(rows, 3)], WHY, ["payee"])
        erase_events(store, [(r["source"], r["event_id"]) for r in draw.sample(rows, 3)], WHY)
    warehouse.catch_up(store)
    assert_equal(warehouse, store)


def test_an_upto_before_the_erasure(store: Store, warehouse: Warehouse) -> None:
    draw = random.Random(3)
    fill(store, draw, 10)
    warehouse.catch_up(store, upto=4)
    erase_subjects(store, ["person-1", "person-2", "person-3"], WHY)
    warehouse.catch_up(store, upto=9)
    warehouse.catch_up(store)
    assert_equal(warehouse, store)


def test_a_day_that_is_wholly_gone_has_no_folder(store: Store, warehouse: Warehouse, folder: Path) -> None:
    draw = random.Random(4)
    fill(store, draw, 12, days=3)
    warehouse.catch_up(store)
    assert len({f.parent for f in parquet_files(folder)}) >= 3
    retain(store, START_US + 30 * DAY, WHY)
    warehouse.catch_up(store)
    assert list((folder / "events").glob("*")) == []
    assert shown(warehouse, "select count(*) as n from events") == [{"n": 0}]
    assert len(everything(warehouse)["hits"]) == len(expected(store)["hits"]) > 0


def test_a_query_that_does_not_end(store: Store, folder: Path) -> None:
    draw = random.Random(5)
    fill(store, draw, 8)
    with Warehouse.open(folder, reader_wait_s=0.2) as warehouse:
        before = warehouse.catch_up(store)
        erase_subjects(store, ["person-1"], WHY)
        inside, leave = threading.Event(), threading.Event()
        seen: list[Any] = []

        def reader() -> None:
            with warehouse.read() as cursor:
                inside.set()
                leave.wait(30)
                seen.append(cursor.execute("select count(*) from events where payer = 'person-1'").fetchone())

        thread = threading.Thread(target=reader)
        thread.start()
        inside.wait(30)
        with pytest.raises(StoreUnavailable, match="query on the warehouse"):
            warehouse.catch_up(store)
        assert warehouse.mark.seq == before.seq
        leave.set()
        thread.join()
        assert seen[0][0] > 0  # it saw its own moment to the end
        warehouse.catch_up(store)
        assert_equal(warehouse, store)
        assert warehouse.check() == []


def name(i: int) -> str:
    return f"kunde{i:05d}x"


def crowd(store: Store, people: int, days: int = 3) -> None:
    """Events, hits and alerts that name people in ids, holders, free text and attributes."""
    draw = random.Random(6)
    for day in range(days):
        for start in range(0, people, 500):
            rows = []
            for i in range(start, min(start + 500, people)):
                time = START_US + day * DAY + i
                holder = {"party": f"{name(i)}", "role": "owner", "valid_from": None, "valid_to": None}
                text = f"für {name(i)}, danke" if draw.random() < 0.5 else None
                more = {"attributes": [("ref", f"nr {name(i)}")]} if draw.random() < 0.3 else {}
                rows.append(
                    event(
                        f"o{day}-{i}",
                        time,
                        kind="account.opened",
                        account=name(i),
                        amount=None,
                        holders=[holder],
                    )
                )
                rows.append(event(f"p{day}-{i}", time, payer=name(i), payee="shop", memo=text, **more))
                rows.append(event(f"q{day}-{i}", time, payer="employer", payee=name(i)))
            add(store, table(rows), every=7)


def found_in(folder: Path, names: Iterable[str]) -> dict[str, list[str]]:
    """Which names are in which files: in the bytes, and in what Parquet and DuckDB decode to."""
    wanted = [n.encode() for n in names]
    found: dict[str, list[str]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += repr(pq.read_table(path, partitioning=None).to_pylist()).encode()
        if path.name == "warehouse.duckdb":
            with duckdb.connect(str(path), read_only=True) as con:
                for each in ("hits", "alerts", "alert_hits"):
                    content += repr(con.execute(f"select * from {each}").fetchall()).encode()
        names_there = [n.decode() for n in wanted if n in content]
        if names_there:
            found[path.relative_to(folder).as_posix()] = names_there
    return found


def test_no_byte_of_a_tenth_of_the_subjects_is_left(tmp_path: Path) -> None:
    """100 of 1,000; TXMON_ERASE_SUBJECTS=10000 makes it 1,000 of 10,000."""
    people = int(os.environ.get("TXMON_ERASE_SUBJECTS", "1000"))
    gone = random.Random(7).sample([name(i) for i in range(people)], people // 10)
    place = tmp_path / "store"
    snapshots = place / "snapshots"
    with open_store(place) as store:
        crowd(store, people)
        with Warehouse.open(place / "warehouse") as warehouse:
            warehouse.catch_up(store)
        snapshots.mkdir()
        (snapshots / "1.arrow").write_text(" ".join(gone))
        before = found_in(place, gone)
        assert {p.split("/")[0].removesuffix("-wal") for p in before} == {
            "snapshots",
            "txmon.db",
            "warehouse",
        }
        assert sum("day=" in p for p in before) == 3
        assert len(before["warehouse/warehouse.duckdb"]) > people // 50

        erase_subjects(store, gone, WHY)
        assert forget(store, place / "warehouse", snapshots) == 1
        assert found_in(place, gone) == {}
        assert verify(store).ok
        assert inspect(place / "warehouse").state == "ok"
        with Warehouse.open(place / "warehouse") as warehouse:
            assert_equal(warehouse, store)
            assert shown(warehouse, "select count(*) as n from events") == [{"n": people * 9 * 9 // 10}]


def test_forgetting_mends_a_damaged_warehouse(store: Store, folder: Path) -> None:
    fill(store, random.Random(8), 10)
    with Warehouse.open(folder) as warehouse:
        warehouse.catch_up(store)
    parquet_files(folder)[0].write_bytes(b"PAR1")
    erase_subjects(store, ["person-1"], WHY)
    forget(store, folder, folder.parent / "snapshots")
    with Warehouse.open(folder) as warehouse:
        assert_equal(warehouse, store)


def test_forgetting_makes_no_warehouse(store: Store, folder: Path) -> None:
    add(store, random_events(random.Random(9), 10, 0))
    assert forget(store, folder, folder.parent / "snapshots") == 0
    assert not folder.exists()


def test_an_erasure_reads_no_damaged_file_as_good(store: Store, warehouse: Warehouse, folder: Path) -> None:
    """A changed file would be written again with a right checksum: its checksum is compared first."""
    from txmon.errors import WarehouseDamaged

    fill(store, random.Random(10), 10, days=1)
    warehouse.catch_up(store)
    for path in parquet_files(folder):
        changed = pq.read_table(path, partitioning=None)
        at = changed.schema.get_field_index("memo")
        empty = pa.nulls(len(changed), pa.string())
        pq.write_table(changed.set_column(at, changed.schema.field(at), empty), path)
    erase_subjects(store, ["person-1"], WHY)
    with pytest.raises(WarehouseDamaged, match="txmon store rebuild"):
        warehouse.catch_up(store)
    warehouse.rebuild(store)
    assert_equal(warehouse, store)
