"""Two people at work on the demo's service: a key for the pipeline, which one of them alone cannot give.

Ana (analyst) makes the key, her own approval is refused, Ben (approver) approves. Everything goes through
the HTTP API, as it would from outside. Owns these steps and what is told of them; starts no service.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from txmon.client import Client
from txmon.errors import StateError
from txmon.store import Store

ANA, BEN = "Ana", "Ben"


@dataclass(frozen=True)
class Desk:
    """A running service: its address, its store, and a key of each person by name."""

    url: str
    store: Store
    keys: Mapping[str, str]


class OpenDesk(Protocol):
    """Starts a service on a fresh store below a folder."""

    def __call__(self, out: Path) -> AbstractContextManager[Desk]:
        """Open it, with what `txmon.demo.papers` wrote there."""
        ...


def pipeline_key(desk: Desk) -> tuple[str, str]:
    """Return the pipeline's key, approved by a second person, and what is told of it.

    Raises:
        StateError: the service let one person do what takes two.
    """
    spec = {"name": "payment pipeline", "scopes": ["ingest"], "roles": ["ingest"], "mode": "live"}
    made = _ask(desk, ANA, "/v1/keys", spec, 201)
    decision = f"/v1/proposals/{made['proposal_id']}/decision"
    refused = _post(desk, ANA, decision, {"approve": True})
    if refused.is_success:
        raise StateError("the service let the author approve her own proposal")
    problem = refused.json()
    _ask(desk, BEN, decision, {"approve": True, "reason": "the pipeline of this demo"}, 200)
    told = (
        f"{ANA} (analyst) made the pipeline's key; her own approval was refused ({problem['code']}), "
        f"{BEN} (approver) gave it"
    )
    return made["token"], told


def send(desk: Desk, key: str, events: Path) -> dict[str, Any]:
    """Send a file of events through the API; returns the service's summary."""
    with Client(desk.url, key) as client:
        result = client.bulk(events)
    return {"rows": result.rows, "quarantined": result.quarantined}


def take_up(desk: Desk, alert_id: str) -> str:
    """Let Ana take an alert up, and return what is told of it."""
    headers = {"X-Purpose": "first look at a new alert"}
    with _http(desk, ANA) as http:
        found = http.get(f"/v1/alerts/{alert_id}", headers=headers)
        found.raise_for_status()
        changed = http.patch(
            f"/v1/alerts/{alert_id}", json={"state": "in_review"}, headers={"If-Match": found.headers["etag"]}
        )
        changed.raise_for_status()
    return f"{ANA} took the alert up ({changed.json()['state']}); her reading it, and what for, is on record"


def person(desk: Desk, name: str, purpose: str) -> httpx.Client:
    """Return an HTTP client of a person, who reads for a purpose."""
    headers = {"Authorization": f"Bearer {desk.keys[name]}", "X-Purpose": purpose}
    return httpx.Client(base_url=desk.url, headers=headers, timeout=60, trust_env=False)


def ok(answer: httpx.Response, status: int) -> Any:
    """Return the JSON of an answer.

    Raises:
        StateError: it is of another status.
    """
    if answer.status_code != status:
        raise StateError(f"{answer.request.url.path} answered {answer.status_code}: {answer.text[:200]}")
    return answer.json()


def _ask(desk: Desk, person: str, path: str, body: Any, status: int) -> Any:
    answer = _post(desk, person, path, body)
    if answer.status_code != status:
        raise StateError(
            f"{path} answered {answer.status_code} to {person}, not {status}: {answer.text[:200]}"
        )
    return answer.json()


def _post(desk: Desk, person: str, path: str, body: Any) -> httpx.Response:
    with _http(desk, person) as http:
        return http.post(path, json=body)


def _http(desk: Desk, person: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {desk.keys[person]}"}
    return httpx.Client(base_url=desk.url, headers=headers, timeout=30, trust_env=False)
