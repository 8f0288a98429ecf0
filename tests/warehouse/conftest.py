"""A store and its warehouse; what reads the store is tested on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pgkit
import pytest
from warehousekit import open_store

from txmon.store import Store
from txmon.store.warehouse import Warehouse


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder, and an empty database."""
    return str(tmp_path / "store") if request.param == "sqlite" else pgkit.fresh_database()


@pytest.fixture
def any_store(place: str, tmp_path: Path) -> Iterator[Store]:
    """An open, empty store on either database."""
    with open_store(place, erasures=tmp_path / "erasures.log") as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open, empty store in a folder."""
    with open_store(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the warehouse is."""
    return tmp_path / "store" / "warehouse"


@pytest.fixture
def warehouse(folder: Path) -> Iterator[Warehouse]:
    """An open, empty warehouse."""
    with Warehouse.open(folder) as opened:
        yield opened
