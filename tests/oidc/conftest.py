"""An issuer, an API that knows it, and people: Ana and Ben administer, Cem works; Cem is linked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from issuerkit import Issuer, serving, usual_keys

sys.path.append(str(Path(__file__).parents[1] / "api"))
sys.path.append(str(Path(__file__).parents[1] / "service"))

from apikit import CRITICAL, Api, on_bench
from servicekit import Bench, simple_rules

GROUPS = """
[groups.analysts]
roles = ["analyst", "approver"]
[groups.northern]
roles = ["analyst"]
entities = ["north"]
[groups.southern]
roles = ["auditor"]
entities = ["south"]
[groups."all of it"]
roles = ["admin", "analyst", "approver", "auditor", "ingest", "safeguarding", "coalition"]
"""
REDIRECT = "https://txmon.example.com/auth/callback"


@dataclass
class Place:
    """What a test has. keys: of Ana and Ben, and of Cem; people by name."""

    api: Api
    issuer: Issuer
    bench: Bench
    keys: dict[str, str]
    people: dict[str, str]

    def link(self, name: str, subject: str) -> str:
        """Have Ana propose a link and Ben approve it."""
        made = self.api.post(
            f"/v1/people/{self.people[name]}/links", self.keys["Ana"], json={"subject": subject}
        )
        assert made.status_code == 202, made.text
        decided = self.decide(made.json()["proposal_id"])
        assert decided.status_code == 200, decided.text
        found: str = made.json()["link_id"]
        return found

    def decide(self, proposal: str, by: str = "Ben") -> Any:
        return self.api.post(
            f"/v1/proposals/{proposal}/decision", self.keys.get(by, by), json={"approve": True}
        )

    def hire(self, name: str, *roles: str, entities: list[str] | None = None) -> str:
        """A person with roles, without a key."""
        body = {"name": name, "roles": list(roles)} | ({"entities": entities} if entities else {})
        made = self.api.post("/v1/people", self.keys["Ana"], json=body).json()
        assert self.decide(made["proposal_id"]).status_code == 200
        self.people[name] = made["person_id"]
        return self.people[name]


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
