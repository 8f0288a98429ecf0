"""Every test with `place` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pgkit
import pytest
from storekit import open_store

from txmon.store import Store


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder, and an empty database."""
    return str(tmp_path / "store") if request.param == "sqlite" else pgkit.fresh_database()


@pytest.fixture
def side(tmp_path: Path) -> dict[str, Path]:
    """Where heads and erasures are kept, whatever the database."""
    return {"heads": tmp_path / "heads.log", "erasures": tmp_path / "erasures.log"}


@pytest.fixture
def store(place: str, side: dict[str, Path]) -> Iterator[Store]:
    """An open, empty store."""
    with open_store(place, **side) as opened:
        yield opened
