"""Every drill with `place` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pgkit
import pytest


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder, and an empty database."""
    return str(tmp_path / "store") if request.param == "sqlite" else pgkit.fresh_database()
