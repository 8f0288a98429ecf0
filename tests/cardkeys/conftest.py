"""Stores of both kinds, empty."""

from __future__ import annotations

from pathlib import Path

import pgkit
import pytest


@pytest.fixture(params=["folder", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of each kind."""
    return str(tmp_path / "store") if request.param == "folder" else pgkit.fresh_database()
