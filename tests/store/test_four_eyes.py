"""Four eyes: two human beings, whatever keys they use and whatever happened in between."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from accesskit import Office, open_office
from storekit import fill

from txmon.errors import Forbidden, FourEyes, InputError, NotFound, StoreConflict
from txmon.store import Store, Tx, foureyes, journal
from txmon.store.access import KeySpec, Principal
from txmon.store.erase import Why, erase_subjects
from txmon.store.foureyes import KINDS, Proposal, Proposals
from txmon.store.identity import RESERVED_ROLES, ROLES, SCOPES, SERVICE_ROLES
from txmon.store.verify import verify


@pytest.fixture
def office(store: Store) -> Office:
    return open_office(store)


def propose(
    office: Office, kind: str = "rule_activation", author: Principal | None = None, **body: Any
) -> str:
    with office.store.write() as tx:
        return office.access.proposals.propose(tx, kind, body or {"pack": "p"}, author or office.ana)


def decide(
    office: Office, number: str, who: Principal, approve: bool = True, reason: str = "fine", **more: Any
) -> Proposal:
    with office.store.write() as tx:
        return office.access.proposals.decide(tx, number, who, approve, reason, **more)


def test_what_one_proposes_another_approves(office: Office) -> None:
    number = propose(office, rules=["a"])
    with office.store.read() as conn:
        (pending,) = foureyes.listed(conn)
        assert foureyes.listed(conn, kind="erasure") == []
    assert (pending.id, pending.kind, pending.body, pending.author) == (
        number,
        "rule_activation",
        {"rules": ["a"]},
        office.ana.identity,
    )
    done = decide(office, number, office.ben)
    assert (done.state, done.decided_by, done.reason) == ("approved", office.ben.identity, "fine")
    with office.store.read() as conn:
        assert foureyes.listed(conn) == []
        assert foureyes.listed(conn, state=None) == [done]
        assert foureyes.get(conn, number) == done


@pytest.mark.parametrize("approve", [True, False])
def test_its_author_does_not_decide_with_any_key(office: Office, approve: bool) -> None:
    cem, _ = office.hire("Cem", {"approver", "analyst"})
    number = propose(office, author=cem)
    with office.store.write() as tx:
        second = office.access.create_key(tx, cem, KeySpec("Cem", frozenset({"read"}), cem.person_id))
        office.access.decide_grant(tx, second.grant_id or "", office.ben)
    for who in (cem, office.who(second.token)):
        with pytest.raises(FourEyes):
            decide(office, number, who, approve)
    assert decide(office, number, office.ben, approve).state == ("approved" if approve else "rejected")


def test_who_edited_it_does_not_decide_and_who_read_an_older_version_neither(office: Office) -> None:
    cem, _ = office.hire("Cem", {"approver"})
    number = propose(office, threshold=70)
    with office.store.write() as tx:
        assert office.access.proposals.edit(tx, number, {"threshold": 7}, cem, 0) == 1
        with pytest.raises(StoreConflict, match="in version 1"):
            office.access.proposals.edit(tx, number, {"threshold": 8}, cem, 0)
    with pytest.raises(FourEyes):
        decide(office, number, cem, version=1)
    for version in (None, 0, 2):
        with pytest.raises(StoreConflict, match="in version 1"):
            decide(office, number, office.ben, version=version)
    done = decide(office, number, office.ben, version=1)
    assert (done.body, done.editors) == ({"threshold": 7}, {cem.identity})


def test_services_and_unexchanged_keys_take_no_part(office: Office) -> None:
    key = office.service(roles=["analyst"], scopes=["read"])
    service = office.who(key.token)
    number = propose(office)
    with pytest.raises(FourEyes, match="a service"):
        propose(office, author=service)
    with pytest.raises(FourEyes, match="a service"):
        decide(office, number, service)
    with office.store.write() as tx:
        person, grant = office.access.create_person(tx, office.ana, "Cem", {"approver"})
        office.access.decide_grant(tx, grant, office.ben)
        made = office.access.create_key(tx, office.ana, KeySpec("Cem", SCOPES, person))
        office.access.decide_grant(tx, made.grant_id or "", office.ben)
    with pytest.raises(Forbidden, match="rotate it"):
        decide(office, number, office.who(made.token))
    with pytest.raises(Forbidden, match="rotate it"):
        propose(office, author=office.who(made.token))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_takes_its_role(office: Office, kind: str) -> None:
    people = {
        role: office.hire(role, {role})[0]
        for role in ("analyst", "approver", "safeguarding", "auditor", "coalition")
    }
    office.access.proposals.on(kind, lambda tx, proposal, by: None)
    for role, who in people.items():
        number = propose(office, kind)
        if role in KINDS[kind]:
            assert decide(office, number, who).state == "approved"
        else:
            with pytest.raises(Forbidden, match="takes the role"):
                decide(office, number, who)


def test_a_decision_is_made_once(office: Office) -> None:
    number = propose(office)
    decide(office, number, office.ben, False, "no")
    for approve in (True, False):
        with pytest.raises(StoreConflict, match="rejected already"):
            decide(office, number, office.ben, approve)
    with pytest.raises(NotFound):
        decide(office, "prp_x", office.ben)
    with office.store.write() as tx, pytest.raises(StoreConflict):
        office.access.proposals.withdraw(tx, number, office.ana)


def test_its_author_may_take_it_back_and_nobody_else(office: Office) -> None:
    number = propose(office)
    with office.store.write() as tx:
        with pytest.raises(Forbidden):
            office.access.proposals.withdraw(tx, number, office.ben)
        assert office.access.proposals.withdraw(tx, number, office.ana).state == "withdrawn"
    with pytest.raises(StoreConflict, match="withdrawn already"):
        decide(office, number, office.ben)


def test_the_effect_is_in_the_transaction_of_the_decision(office: Office) -> None:
    seen: list[tuple[str, str]] = []

    def effect(tx: Tx, proposal: Proposal, by: Principal) -> None:
        seen.append((proposal.state, by.name))
        journal.append(tx, "decision", b'{"decision":"effect"}', 1)
        if proposal.body.get("fails"):
            raise StoreConflict("cannot be done")

    office.access.proposals.on("erasure", effect)
    decide(office, propose(office, "erasure", a=1), office.ben)
    decide(office, propose(office, "erasure", a=1), office.ben, False, "no")
    failing = propose(office, "erasure", fails=1)
    before = office.store.marks
    with pytest.raises(StoreConflict, match="cannot be done"):
        decide(office, failing, office.ben)
    assert office.store.marks == before
    with office.store.read() as conn:
        assert foureyes.get(conn, failing).state == "pending"
    assert seen == [("approved", "Ben"), ("rejected", "Ben"), ("approved", "Ben")]


def test_what_is_no_proposal(office: Office) -> None:
    with pytest.raises(InputError, match="not known"):
        propose(office, "coup")
    with pytest.raises(InputError, match="not known"):
        Proposals().on("coup", lambda tx, proposal, by: None)
    with office.store.write() as tx:
        for body in ({}, {"a": "x" * (1 << 20)}):
            with pytest.raises(InputError):
                office.access.proposals.propose(tx, "erasure", body, office.ana)
    number = propose(office)
    for reason, approve in (("", False), (" ", False), ("x" * 2001, True)):
        with pytest.raises(InputError, match="say why"):
            decide(office, number, office.ben, approve, reason)


def test_every_step_is_a_journal_row_with_its_person_and_key(office: Office) -> None:
    number = propose(office, note="Jörg \0 ✓")
    with office.store.write() as tx:
        office.access.proposals.edit(tx, number, {"note": "b"}, office.ana, 0)
    decide(office, number, office.ben, version=1)
    rows = [json.loads(e.document) for e in journal.read(office.store, kinds=["decision"])]
    steps = [r for r in rows if r.get("proposal") == number]
    assert [s["decision"] for s in steps] == ["proposal.proposed", "proposal.edited", "proposal.approved"]
    assert [s["by"] for s in steps] == [office.ana.identity, office.ana.identity, office.ben.identity]
    assert steps[0]["body"] == {"note": "Jörg \0 ✓"}
    assert steps[2]["key"] == office.ben.key_id
    with office.store.read() as conn:
        assert foureyes.get(conn, number).journal_seq == office.store.marks.seq
    assert verify(office.store).ok


def test_erasing_a_subject_empties_what_was_proposed_about_it_and_then_it_cannot_be_approved(
    office: Office,
) -> None:
    fill(office.store)
    mine = propose(office, "quarantine_fix", raw='{"payer": "Jörg-1"}', note="for Jörg-1")
    other = propose(office, "quarantine_fix", raw="nobody")
    erase_subjects(office.store, ["Jörg-1"], Why("request 7", "psn_a", "psn_b"))
    with office.store.read() as conn:
        found = foureyes.get(conn, mine)
    assert "Jörg" not in json.dumps(found.body, ensure_ascii=False)
    assert found.author == office.ana.identity
    assert "Jörg-1" not in str([e.payload for e in journal.read(office.store, kinds=["decision"])])
    with pytest.raises(StoreConflict, match="was erased"):
        decide(office, mine, office.ben)
    assert decide(office, mine, office.ben, False, "erased").state == "rejected"
    assert decide(office, other, office.ben).state == "approved"
    assert verify(office.store).ok


def test_the_documentation_names_every_kind_role_and_scope() -> None:
    text = (Path(__file__).parents[2] / "docs" / "access.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    for kind, roles in KINDS.items():
        (line,) = [row for row in lines if row.startswith("|") and f"`{kind}`" in row]
        assert set(re.findall(r"`(\w+)`", line.split("|")[2])) == roles, kind
    for word in SCOPES | ROLES:
        assert any(row.startswith(f"| `{word}` |") for row in lines), word
    assert all(f"`{word}`" in text for word in RESERVED_ROLES | SERVICE_ROLES)
