"""Damage is found and named, and a rebuild from the journal gives equal rows."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path
from typing import Any

import duckdb
import pytest
from warehousekit import assert_equal, everything, fill, parquet_files

from txmon.errors import StateError, StoreCorrupt, StoreUnavailable, TxmonError, WarehouseDamaged
from txmon.store import Store
from txmon.store.warehouse import Warehouse, files, inspect, layout


@pytest.fixture
def closed(store: Store, folder: Path) -> Path:
    """A warehouse of some days that was closed in order."""
    fill(store, random.Random(1), 20, days=4)
    with Warehouse.open(folder) as warehouse:
        warehouse.catch_up(store)
    assert inspect(folder).state == "ok"
    return folder


def flip(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    at = draw.randrange(len(content))
    content[at] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def cut(path: Path, draw: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: draw.randrange(path.stat().st_size)])


def swap_bytes(path: Path, draw: random.Random) -> None:
    content = path.read_bytes()
    at = draw.randrange(1, len(content))
    path.write_bytes(content[at:] + content[:at])


def lose(path: Path, _draw: random.Random) -> None:
    path.unlink()


def mend(store: Store, folder: Path) -> None:
    """Rebuild, and be equal."""
    with Warehouse.open(folder, anew=True) as warehouse:
        warehouse.catch_up(store)
        assert_equal(warehouse, store)
        assert warehouse.check() == []
    assert inspect(folder).state == "ok"


@pytest.mark.parametrize("round_", range(12))
@pytest.mark.parametrize("harm", [flip, cut, swap_bytes, lose])
def test_damage_of_a_file_is_found_and_mended(store: Store, closed: Path, harm: Any, round_: int) -> None:
    draw = random.Random(f"{harm.__name__} {round_}")
    some = [*parquet_files(closed), closed / layout.DATABASE]
    path = some[-1] if round_ % 3 == 0 else draw.choice(some[:-1])
    harm(path, draw)
    state = inspect(closed)
    assert state.state == "damaged"
    assert state.damages[0].file == path.relative_to(closed).as_posix()
    mend(store, closed)


def test_damage_below_an_open_warehouse(store: Store, closed: Path) -> None:
    draw = random.Random(2)
    with Warehouse.open(closed) as warehouse:
        for path, harm in zip(parquet_files(closed), (flip, cut, lose), strict=False):
            harm(path, draw)
            assert path.relative_to(closed).as_posix() in {d.file for d in warehouse.check()}
        warehouse.rebuild(store)
        assert warehouse.check() == []
        assert_equal(warehouse, store)


@pytest.mark.parametrize("round_", range(20))
def test_a_process_that_was_killed_leaves_no_seal(
    store: Store, folder: Path, tmp_path: Path, round_: int
) -> None:
    """Without a seal, DuckDB's own checks speak: what it reads is right, or it says so."""
    import shutil

    draw = random.Random(round_)
    fill(store, random.Random(3), 6, days=2)
    with Warehouse.open(folder) as warehouse:
        warehouse.catch_up(store)
        shutil.copytree(folder, tmp_path / "killed")
    killed = tmp_path / "killed"
    flip(draw.choice([killed / layout.DATABASE, killed / "warehouse.duckdb.wal"]), draw)
    if inspect(killed).state == "ok":
        try:
            with Warehouse.open(killed) as warehouse:
                warehouse.catch_up(store)
                assert_equal(warehouse, store)
        except (WarehouseDamaged, StateError):
            mend(store, killed)
    else:
        mend(store, killed)


def test_opening_says_what_to_do(store: Store, closed: Path) -> None:
    lost = parquet_files(closed)[0]
    lost.unlink()
    with pytest.raises(WarehouseDamaged, match="txmon store rebuild"):
        Warehouse.open(closed)
    mend(store, closed)
    (closed / layout.DATABASE).unlink()
    with pytest.raises(WarehouseDamaged, match="catalogue is gone"):
        Warehouse.open(closed)
    assert inspect(closed).damages[0].what == "is missing"
    mend(store, closed)


def test_files_of_nobody_are_removed(store: Store, closed: Path) -> None:
    strange = [
        closed / "events" / "day=2026-01-05" / "0000009999.parquet",
        closed / "events" / "day=1999-01-01" / "0000009998.parquet",
        closed / "events" / "day=2026-01-05" / "0000009997.parquet.new",
    ]
    for path in strange:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half a file")
    (closed / layout.SPILL).mkdir()
    (closed / layout.SPILL / "duckdb_temp_storage-0.tmp").write_bytes(b"values")
    with Warehouse.open(closed) as warehouse:
        assert not any(path.exists() for path in strange)
        assert not strange[1].parent.exists()
        assert_equal(warehouse, store)
    assert not (closed / layout.SPILL).exists()


def test_another_layout_is_rebuilt(store: Store, closed: Path) -> None:
    with duckdb.connect(str(closed / layout.DATABASE)) as con:
        con.execute("update layout set version = 99")
    (closed / layout.SEAL).unlink()
    assert inspect(closed).state == "damaged"
    with pytest.raises(StateError, match="layout 99"):
        Warehouse.open(closed)
    mend(store, closed)


def test_open_elsewhere_and_absent(warehouse: Warehouse, folder: Path, tmp_path: Path) -> None:
    assert inspect(tmp_path / "nothing").state == "absent"
    assert inspect(folder).state == "open_elsewhere"
    warehouse.close()
    assert inspect(folder).state == "ok"
    warehouse.close()  # a second time is nothing


def test_a_full_disk_costs_nothing(
    store: Store, warehouse: Warehouse, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, random.Random(4), 5)
    warehouse.catch_up(store)
    before = everything(warehouse)
    fill(store, random.Random(5), 5)
    for times in range(1, 7):
        left = [times]

        def failing(path: Path, real: Any = files.sync, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(path)

        monkeypatch.setattr(files, "sync", failing)
        with pytest.raises(StoreUnavailable, match="disk is full"):
            warehouse.catch_up(store)
        monkeypatch.undo()
        assert everything(warehouse) == before
    warehouse.catch_up(store)
    assert_equal(warehouse, store)
    assert warehouse.check() == []


def test_errors_name_no_value(folder: Path) -> None:
    """DuckDB's texts quote statements and values; ours do not."""
    from txmon.store.warehouse import catalog

    con = duckdb.connect()
    with pytest.raises(TxmonError) as caught, catalog.translated("reading"):
        con.execute("select 'person-1'::integer")
    assert "person-1" not in str(caught.value)


def test_a_journal_that_cannot_be_read_costs_no_row(store: Store, warehouse: Warehouse) -> None:
    """What the journal cannot give again is not thrown away."""
    fill(store, random.Random(6), 4)
    before = warehouse.catch_up(store)
    fill(store, random.Random(7), 1)
    with store.write() as tx:
        tx.conn.exec_driver_sql(f"update journal set payload = zeroblob(20) where seq = {before.seq + 1}")
    with pytest.raises(StoreCorrupt, match=f"journal row {before.seq + 1}") as caught:
        warehouse.catch_up(store)
    assert not isinstance(caught.value, WarehouseDamaged)
    assert warehouse.mark == before
