"""Every kind of proposal about cases, with every role: who decides is what the tables say, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from apikit import problem
from caseskit import WHY, Desk

from txmon.api.table import BY_NAME
from txmon.cases.approvals import ACTION
from txmon.cases.moves import CLEARING, LIFTING, LOWERING
from txmon.cases.rows import let_in
from txmon.store.foureyes import KINDS
from txmon.store.identity import ROLES

DECIDES = BY_NAME["POST /v1/proposals/{proposal_id}/decision"].roles


def lowered(desk: Desk, case_id: str) -> Any:
    return desk.patch(case_id, severity="low")


def lifted(desk: Desk, case_id: str) -> Any:
    return desk.patch(case_id, restriction=None)


def cleared(desk: Desk, case_id: str) -> Any:
    return desk.patch_party(case_id, desk.victim(case_id, desk.ana)["party_id"], ended=True)


def acted(desk: Desk, case_id: str) -> Any:
    ref = desk.case(case_id)["parties"][0]["ref"]
    return desk.do(case_id, "actions", {"ref": ref, "action": "limit", "reason": WHY})


PROPOSED: dict[str, Callable[[Desk, str], Any]] = {
    LOWERING: lowered, LIFTING: lifted, CLEARING: cleared, ACTION: acted,
}  # fmt: skip


@pytest.mark.parametrize("kind", PROPOSED)
def test_who_decides_is_what_the_table_says(desk: Desk, kind: str) -> None:
    for role in sorted(ROLES):
        more = {"restriction": "police_hold"} if kind == LIFTING else {}
        alert = desk.alert("450.00" if kind == CLEARING else "950.00")
        case_id, key = desk.open(alert, **more), desk.person(role)
        if kind == LIFTING:
            grant(desk, case_id, key)
        before = desk.case(case_id)
        asked = PROPOSED[kind](desk, case_id)
        assert asked.status_code == 202, asked.text
        service = desk.api.worker("analyst", scopes=("read",))
        problem(desk.decide(asked, desk.ana), 403, "forbidden")  # who proposed it has no such role
        problem(desk.decide(asked, service), 403, "four_eyes")
        assert desk.case(case_id)["version"] == before["version"]
        answer = desk.decide(asked, key)
        if role in KINDS[kind] & DECIDES:
            assert answer.status_code == 200, (kind, role, answer.text)
            assert desk.case(case_id)["version"] == before["version"] + 1
        else:
            problem(answer, 403, "forbidden")
            assert desk.case(case_id) == before


@pytest.mark.parametrize("kind", sorted(set(PROPOSED) - {LIFTING}))
def test_a_rejection_changes_nothing(desk: Desk, kind: str) -> None:
    case_id = desk.open(desk.alert("450.00" if kind == CLEARING else "950.00"))
    before = desk.case(case_id)
    asked = PROPOSED[kind](desk, case_id)
    decider = desk.sara if kind == CLEARING else desk.ben
    assert desk.decide(asked, decider, approve=False).json()["state"] == "rejected"
    assert desk.case(case_id) == before
    again = desk.decide(asked, decider)
    problem(again, 409, "exists")


def grant(desk: Desk, case_id: str, key: str) -> None:
    """Put somebody on the list of a case, as its own approver would."""
    who = desk.api.access.known[desk.ana]
    desk.change(lambda tx: let_in(tx, case_id, (desk.id_of(key),), who, 1))
