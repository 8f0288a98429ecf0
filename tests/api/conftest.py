"""An API over one service for the tests that do not disturb each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from apikit import Api, opened


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """An API of its own for a test: one rule that opens alerts at the third payment, one that is critical."""
    with opened(tmp_path) as found:
        yield found


@pytest.fixture(scope="session")
def shared_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One API for tests that only look, or that use names of their own."""
    with opened(tmp_path_factory.mktemp("shared"), auth_failures=1_000_000) as found:
        yield found
