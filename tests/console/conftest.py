"""One service for all tests of the console, a browser for each file; skipped, with the reason, where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path += [str(Path(__file__).parents[1] / "operate"), str(Path(__file__).parent)]

if TYPE_CHECKING:
    from consolekit import Site
    from playwright.sync_api import Browser

EVENTS, SEED = 12_000, 7
BAD = [b'{"event_id": "bad-%d", "amount": "much", "currency": "EUR"}' % i for i in range(3)]


def _require_browser() -> None:
    pytest.importorskip("playwright", reason="the package playwright is not here")
    from consolekit import chromium

    if chromium() is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser of the file's own: its driver keeps an event loop running, which other tests cannot have beside theirs."""
    _require_browser()
    from consolekit import browsing

    with browsing() as found:
        yield found


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Simulated events in their order."""
    from operatekit import command, environment
    from soakload import rows_of

    folder = tmp_path_factory.mktemp("simulated")
    file = folder / "events.parquet"
    command(environment(folder), "simulate", "--events", str(EVENTS), "--seed", str(SEED), "--out", file)
    return list(rows_of(file))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A service with alerts of the packs that ship, rows in quarantine, and four people."""
    _require_browser()
    simulated: list[dict[str, Any]] = request.getfixturevalue("simulated")
    from consolekit import hire, lines_of, site_of
    from operatekit import environment, serving

    folder = tmp_path_factory.mktemp("console")
    place = folder / "store"
    keys, people, pipeline = hire(place)
    settings = environment(folder, TXMON_ENTITY_TZ="Europe/Berlin")
    with serving(place, settings, folder / "log") as served:
        served.key = pipeline
        served.send([*lines_of(simulated), *BAD])
        served.key = keys["Ana"]
        served.wait_for_warehouse()
        yield site_of(served, place, keys, people)
