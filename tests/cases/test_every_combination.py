"""Every transition, role and pair of eyes, from the tables that define them: what they allow, and nothing else."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from apikit import problem
from caseskit import WHY, Desk, ok
from test_moves import put

from txmon.api import alerts as alert_routes
from txmon.api import proposals as proposal_routes
from txmon.api.table import BY_NAME
from txmon.cases.words import NEXT, STATES
from txmon.store import workflow
from txmon.store.foureyes import KINDS
from txmon.store.identity import ROLES
from txmon.store.schema import alerts

PEOPLES = sorted(ROLES - {"ingest"})
DECIDES = BY_NAME["POST /v1/proposals/{proposal_id}/decision"]
# what follows an approval outside its transaction looks into the body; a rejection passes the same checks
ONLY_REJECTED = ("quarantine_fix", "rule_activation", "list_change", "grant", "bulk_dismissal")


def twin(desk: Desk, key: str) -> str:
    """A second key of the same person."""
    who = desk.api.access.known[key]
    return desk.api._known(
        type(who)(**(vars(who) | {"key_id": f"key_{'z' * 15}{len(desk.api.access.known) % 6 + 2}"}))
    )


@pytest.mark.slow
@pytest.mark.parametrize("role", PEOPLES)
def test_cases(desk: Desk, role: str) -> None:
    """From each state to each, protected or not, with a lead or without, by each role."""
    case_id, key = desk.open(desk.alert()), desk.person(role)
    admitted = BY_NAME["PATCH /v1/cases/{case_id}"].admits(desk.api.access.known[key])
    lead = f"person:{desk.id_of(desk.sara)}"
    for old, new, protect, led in itertools.product(STATES, STATES, (False, True), (None, lead)):
        put(desk, case_id, state=old, protect=protect, lead=led)
        answer = desk.patch(case_id, key, state=new)
        if not admitted:
            problem(answer, 403, "forbidden")
        elif new not in NEXT[old]:
            problem(answer, 409, "transition")
        elif new == "decided" and protect and role != "safeguarding":
            problem(answer, 403, "forbidden")
        elif new == "decided" and protect and led is None:
            problem(answer, 409, "transition")
        else:
            ok(answer)
            assert desk.decisions()[-1]["to"] == {"state": new}
            continue
        found = desk.case(case_id)
        assert (found["state"], found["protect"], found["lead"]) == (old, protect, led)


@pytest.mark.slow
@pytest.mark.parametrize("role", PEOPLES)
def test_alerts(desk: Desk, role: str) -> None:
    """From each state to each, of each severity; a critical one is dismissed by two."""
    alert, key = desk.alert(), desk.person(role)
    path = f"/v1/alerts/{alert['alert_id']}"
    admitted = BY_NAME["PATCH /v1/alerts/{alert_id}"].admits(desk.api.access.known[key])
    for old, new, severity in itertools.product(workflow.STATES, workflow.STATES[1:], ("high", "critical")):
        values = {"state": old, "severity": severity}
        desk.change(lambda tx, values=values: tx.conn.execute(alerts.update().values(values)) and None)
        tag = {"if-match": f'"v{desk.get(path)["version"]}"'}
        answer = desk.api.call("PATCH", path, key, json={"state": new, "reason": WHY}, headers=tag)
        if not admitted:
            problem(answer, 403, "forbidden")
        elif new not in alert_routes._NEXT.get(old, ()):
            problem(answer, 409, "transition")
        elif new == "dismissed" and severity == "critical":
            assert answer.status_code == 202
            problem(
                desk.decide(answer, twin(desk, key)),
                403,
                "four_eyes" if role in DECIDES.roles else "forbidden",
            )
            assert desk.get(path)["state"] == old
        else:
            assert ok(answer)["state"] == new


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_proposals(desk: Desk, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind, decided by each role: another person, its author, its author's second key, its editor, a service.

    What a proposal is about is taken to be there; tests of each kind look at that.
    """
    monkeypatch.setattr(proposal_routes, "_past", lambda *_: False)
    monkeypatch.setattr(proposal_routes, "_order_known", lambda *_: True)
    proposals = desk.api.access.proposals
    monkeypatch.setattr(proposals, "_effects", {})
    approve = kind not in ONLY_REJECTED

    def proposed(author: str, editor: str | None = None) -> str:
        who = desk.api.access.known[author]

        def make(tx: Any) -> str:
            number = proposals.propose(tx, kind, {"x": 1}, who)
            if editor is not None:
                proposals.edit(tx, number, {"x": 2}, desk.api.access.known[editor], 0)
            return number

        return str(desk.change(make))

    def decide(number: str, key: str, version: int = 0) -> Any:
        body = {"approve": approve, "reason": WHY, "version": version}
        return desk.api.post(f"/v1/proposals/{number}/decision", key, json=body)

    for role in PEOPLES:
        key = desk.person(role, "analyst")
        other, second = desk.person(role), twin(desk, key)
        passes = bool({role, "analyst"} & DECIDES.roles)
        number = proposed(key)
        for own in (key, second):  # one person with two keys is one
            problem(decide(number, own), 403, "four_eyes" if passes else "forbidden")
        problem(decide(number, desk.api.worker("analyst", scopes=("read",))), 403, "four_eyes")
        answer = decide(number, other)
        if role in KINDS[kind] & DECIDES.roles:
            assert answer.status_code == 200, answer.text
            assert answer.json()["state"] == ("approved" if approve else "rejected")
            assert decide(number, desk.person(role)).status_code == 409
        else:
            problem(answer, 403, "forbidden")
        if kind != "grant":
            edited = proposed(desk.person("analyst"), key)
            for own in (key, second):
                problem(decide(edited, own, 1), 403, "four_eyes" if passes else "forbidden")
