"""An issuer, an API that knows it, and people: Ana and Ben administer, Cem works; Cem is linked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from issuerkit import Issuer, serving, usual_keys
from placekit import GROUPS, REDIRECT, Place  # first: it says where the others are

from apikit import CRITICAL, on_bench  # isort: skip
from servicekit import Bench, simple_rules  # isort: skip


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, simple_rules(tmp_path, CRITICAL), str(tmp_path / "store"))


@pytest.fixture
def issuer(bench: Bench) -> Iterator[Issuer]:
    with serving(Issuer(lambda: bench.clock.now_us() // 1_000_000, keys=usual_keys())) as found:
        yield found


@pytest.fixture
def options() -> dict[str, Any]:
    """Settings besides the usual ones; a test may ask for others by a marker of its own fixture."""
    return {}


@pytest.fixture
def place(bench: Bench, issuer: Issuer, options: dict[str, Any], tmp_path: Path) -> Iterator[Place]:
    groups, secret = tmp_path / "groups.toml", tmp_path / "client.secret"
    groups.write_text(GROUPS)
    secret.write_text(issuer.secret or "")
    secret.chmod(0o600)
    usual: dict[str, Any] = {
        "oidc_issuer": issuer.url, "oidc_audience": "https://txmon", "oidc_groups": groups, "oidc_client_id": "txmon-web",
        "oidc_client_secret_file": secret, "oidc_redirect_url": REDIRECT, "oidc_test_loopback": True, "oidc_timeout_ms": 600_000,
        "auth_failures": 1_000_000, "oidc_keys_seconds": 86_400, "oidc_keys_pause_seconds": 3600,
    }  # fmt: skip
    with on_bench(bench, **(usual | options)) as api:
        ana, ben = api.service.change(
            lambda tx: api.access.bootstrap(tx, [("Ana", ["analyst"]), ("Ben", ["approver"])])
        ).result(60)
        people = {p["name"]: p["person_id"] for p in api.get("/v1/people", ana.token).json()["items"]}
        found = Place(api, issuer, bench, {"Ana": ana.token, "Ben": ben.token}, people)
        found.hire("Cem", "analyst", "approver")
        found.link("Cem", "cem-1")
        issuer.user = "cem-1"
        yield found
