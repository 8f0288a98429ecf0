"""An API that knows the issuer of the tests, and the people who work with it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from issuerkit import Issuer

sys.path.append(str(Path(__file__).parents[1] / "api"))
sys.path.append(str(Path(__file__).parents[1] / "service"))

from apikit import Api
from servicekit import Bench

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
