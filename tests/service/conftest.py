"""Stores of every kind, and a bench to open services on them."""

from __future__ import annotations

from pathlib import Path

import pgkit
import pytest
from servicekit import Bench, busy_rules, simple_rules


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
