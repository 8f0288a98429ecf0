"""Every test with `store` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pgkit
import pytest
from dispatchkit import TurnClock, open_store

from txmon.store import Store


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder, and an empty database."""
    return str(tmp_path / "store") if request.param == "sqlite" else pgkit.fresh_database()


@pytest.fixture
def clock() -> TurnClock:
    """Time that stands until it is moved."""
    return TurnClock()


@pytest.fixture
def store(place: str, clock: TurnClock, tmp_path: Path) -> Iterator[Store]:
    """An open, empty store."""
    with open_store(place, clock, tmp_path) as opened:
        yield opened
