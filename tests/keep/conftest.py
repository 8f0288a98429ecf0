"""A desk over each kind of store, in a place that outlives its service."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "api"))
sys.path.append(str(Path(__file__).parents[1] / "cases"))

import pgkit
from apikit import CRITICAL, THREE, on_bench
from caseskit import PROTECTED, Desk
from servicekit import Bench, simple_rules


@pytest.fixture(params=["folder", "postgres"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """A place for a store, of each kind."""
    place = str(tmp_path / "store") if request.param == "folder" else pgkit.fresh_database()
    (tmp_path / "state").mkdir()
    return Bench(tmp_path, simple_rules(tmp_path, THREE, CRITICAL, PROTECTED), place)


@pytest.fixture
def either(bench: Bench) -> Iterator[Desk]:
    """A desk over each kind of store."""
    with on_bench(bench) as api:
        yield Desk(api)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk over a store in a folder."""
    bench = Bench(tmp_path, simple_rules(tmp_path, THREE, CRITICAL, PROTECTED), str(tmp_path / "store"))
    with on_bench(bench) as api:
        yield Desk(api)
