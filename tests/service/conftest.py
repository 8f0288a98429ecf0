"""Stores of every kind, and a bench to open services on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pgkit
import pytest
from servicekit import CROWD, Bench, busy_rules, send, simple_rules, stored, stream


@pytest.fixture(params=["folder", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of each kind, empty."""
    return str(tmp_path / "store") if request.param == "folder" else pgkit.fresh_database()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A folder, and the rules that use every part of the engine."""
    return Bench(tmp_path, busy_rules(tmp_path), str(tmp_path / "store"))


@pytest.fixture
def simple(tmp_path: Path) -> Bench:
    """A folder, and one rule: three payments in three days."""
    return Bench(tmp_path, simple_rules(tmp_path), str(tmp_path / "store"))


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What the stream CROWD leads to when it is sent at once."""
    folder = tmp_path_factory.mktemp("whole")
    service = Bench(folder, busy_rules(folder), str(folder / "store")).open()
    send(service, stream(CROWD))
    found = stored(service)
    assert service.close()
    return found
