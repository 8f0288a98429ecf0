"""Two people work on the demo's alert: a case, who plays which part, what was seen, what is done.

Ana (analyst) makes a case of the alert, says which part the receiver plays, notes what was seen and proposes
to limit that account; her own approval is refused, Ben (approver, safeguarding) approves. Every step is a
call of the HTTP API, as a script could make it. Owns these steps and what is told of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from txmon.demo.desk import ANA, BEN, Desk, ok, person
from txmon.errors import StateError

PURPOSE = "work on the case of this demo"


@dataclass
class CaseWork:
    """A case at work: its id, and what is told of it."""

    case_id: str
    told: list[str] = field(default_factory=list)


def work(desk: Desk, alert: Mapping[str, Any], receiver: str | None, now: str) -> CaseWork:
    """Make a case of an alert and decide on it.

    Args:
        receiver: the account that most of the money went to, if any.
        now: RFC 3339, when the facts are known.

    Raises:
        StateError: the service answered otherwise than it must.
    """
    with person(desk, ANA, PURPOSE) as ana, person(desk, BEN, PURPOSE) as ben:
        seen = [_seen(ana, alert["alert_id"])]
        title = f"What came in to {alert['subject_id']} and where it went"
        opened = ok(
            ana.post("/v1/cases", json={"alerts": seen, "reason": "to be looked into", "title": title}), 201
        )
        made = CaseWork(opened["case_id"])
        path = f"/v1/cases/{made.case_id}"
        _change(ana, path, "PATCH", "", {"state": "investigating", "reason": "taken up"})
        if receiver is not None:
            made.told += _receiver(ana, ben, path, receiver)
        sign = {"sign": "wage-taken", "answer": "seen", "witness": "the payments themselves"}
        _change(ana, path, "POST", "/checklist", {"answers": [sign]})
        facts = {"facts_known_at": now, "reason": "who pays, who takes, how often: read and understood"}
        _change(ana, path, "PATCH", "", facts)
    return made


def _receiver(ana: httpx.Client, ben: httpx.Client, path: str, receiver: str) -> list[str]:
    """Name who takes the money, and limit that account by two people."""
    basis = "most of what came in was passed on to this account, again and again, within hours"
    suspect = {"kind": "account", "ref": receiver, "role": "suspect", "confidence": "medium", "basis": basis}
    _change(ana, path, "POST", "/parties", suspect)
    action = {"ref": receiver, "action": "limit", "reason": "no more income of others is to arrive there"}
    proposed = ok(ana.post(f"{path}/actions", json=action), 202)
    decision = f"/v1/proposals/{proposed['proposal_id']}/decision"
    refused = ana.post(decision, json={"approve": True, "reason": "my own"})
    if refused.is_success:
        raise StateError("the service let the author approve her own proposal")
    reason = "proportionate, can be taken back, and is not the holder's account"
    ok(ben.post(decision, json={"approve": True, "reason": reason}), 200)
    case_id = path.rsplit("/", 1)[-1]
    return [
        f"{ANA} made case {case_id}: the holder as a possible victim, {receiver} as a suspect",
        f"{ANA} proposed to limit {receiver}; her own approval was refused ({refused.json()['code']}), "
        f"{BEN} approved it",
    ]


def _seen(http: httpx.Client, alert_id: str) -> dict[str, Any]:
    found = ok(http.get(f"/v1/alerts/{alert_id}"), 200)
    return {"alert_id": alert_id, "version": found["version"]}


def _change(http: httpx.Client, path: str, method: str, below: str, body: Mapping[str, Any]) -> Any:
    """Change a case in the version that it is in."""
    tag = http.get(path).headers["etag"]
    answer = http.request(method, path + below, json=body, headers={"If-Match": tag})
    return ok(answer, 201 if answer.status_code == 201 else 200)
