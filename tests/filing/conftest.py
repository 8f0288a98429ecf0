"""A desk over each kind of store, and what an institution has on record of the people of its alerts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parents[1] / each) for each in ("api", "cases", "service")]

import pgkit
from apikit import CRITICAL, THREE, on_bench
from caseskit import PROTECTED, Desk
from reportkit import report
from servicekit import Bench, simple_rules

from txmon.reports.modeljson import part_of


@pytest.fixture(params=["folder", "postgres"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """A desk over each kind of store."""
    place = str(tmp_path / "store") if request.param == "folder" else pgkit.fresh_database()
    bench = Bench(tmp_path, simple_rules(tmp_path, THREE, CRITICAL, PROTECTED), place)
    with on_bench(bench) as api:
        yield Desk(api)


@pytest.fixture
def filer(tmp_path: Path) -> Path:
    """A filer's file with one entry, for the United Arab Emirates."""
    made = report()
    entry = {
        "jurisdiction": "AE",
        "local_currency": "AED",
        "filer": part_of(made.filer),
        "reporting_person": part_of(made.reporting_person),
    }
    path = tmp_path / "filer.json"
    path.write_text(json.dumps({"version": 1, "institutions": [entry]}), encoding="utf-8")
    return path
