"""Stores with alerts: a small stream with everything in it, and the simulated portfolio."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

sys.path.append(str(Path(__file__).parents[1] / "service"))

from evidence_drill import native
from evidencekit import reading
from servicekit import CROWD, Bench, busy_rules, send, stream

from txmon.rules.pack import default_pack
from txmon.simulate import simulate, write
from txmon.store import Store

SIMULATED = 20_000


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Late events, ties, marks of time, hits of hits, a detector; sent in pieces."""
    folder = tmp_path_factory.mktemp("crowd")
    service = Bench(folder, busy_rules(folder), str(folder / "store")).open()
    send(service, stream(CROWD), cuts=range(0, 400, 37))
    assert service.close()
    with reading(folder / "store") as store:
        yield store


@pytest.fixture(scope="session")
def portfolio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The simulated portfolio with its planted scenarios, scored by the rules that ship."""
    folder = tmp_path_factory.mktemp("portfolio")
    write(simulate(SIMULATED, 7), folder / "events.parquet", folder / "labels.parquet")
    service = Bench(folder, default_pack(), str(folder / "store")).open()
    rows = pq.read_table(folder / "events.parquet").to_pylist(maps_as_pydicts="strict")
    send(service, [native(row) for row in rows], cuts=range(0, len(rows), 2_000))
    assert service.close()
    with reading(folder / "store") as store:
        yield store
