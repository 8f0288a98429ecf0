"""A desk over a new vault, and the API over a service with one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "api"))
sys.path.append(str(Path(__file__).parents[1] / "cases"))

import pgkit
from apikit import CRITICAL, THREE
from caseskit import PROTECTED
from servicekit import Bench, simple_rules
from vaultapi import VaultDesk, opened, vault_desk
from vaultkit import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk(tmp_path)
    yield found
    found.vault.close()


@pytest.fixture
def vault_api(tmp_path: Path) -> Iterator[VaultDesk]:
    with vault_desk(tmp_path) as found:
        yield found


@pytest.fixture(params=["folder", "postgres"])
def either_api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VaultDesk]:
    """The same over each kind of main store."""
    place = str(tmp_path / "store") if request.param == "folder" else pgkit.fresh_database()
    bench = Bench(tmp_path, simple_rules(tmp_path, THREE, CRITICAL, PROTECTED), place)
    with opened(tmp_path, bench) as found:
        yield found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultDesk]:
    """One service for the tests of a module that use reports of their own."""
    with vault_desk(tmp_path_factory.mktemp("shared"), auth_failures=1_000_000) as found:
        yield found
