"""Every state, action, role and second person, from the table; then the same through the office itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vaultkit import WHY, Desk, caller

from txmon.api.vaulttable import PREFIX, VAULT
from txmon.errors import Forbidden, FourEyes, StoreConflict, TxmonError, WrongState
from txmon.filing.filing import Receipt
from txmon.reports import modeljson
from txmon.vault import states
from txmon.vault.caller import Caller
from txmon.vault.head import Head, moment
from txmon.vault.release import generic
from txmon.vault.states import ACTIONS, STATES, TABLE, Actor, Move, Second, Standing, actions_of, move_of

ROLE_SETS = [frozenset(c) for n in range(4) for c in itertools.combinations(states.ROLES, n)]
LINES = {(move.state, move.action): move for move in TABLE}


def test_the_table_is_what_the_documents_say() -> None:
    ways = {(m.state, to) for m in TABLE for to in m.to if to != m.state}
    assert ways == {
        ("draft", "pending_release"), ("pending_release", "released"), ("released", "acknowledged"),
        ("released", "rejected"), ("draft", "no_file"), ("pending_release", "no_file"),
        ("pending_release", "draft"), ("rejected", "draft"),
    }  # fmt: skip
    assert len(LINES) == len(TABLE)
    assert {m.state for m in TABLE if m.action in ("edit", "sign")} == {"draft"}
    assert not [m for m in TABLE if m.state == "no_file" or m.role == "examiner"]
    assert {m.action for m in TABLE if m.second is not Second.NONE} == {"release", "decide_no_file"}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ACTIONS)
def test_every_combination_of_role_and_person(state: str, action: str) -> None:
    line = LINES.get((state, action))
    for roles, is_author, proposer in itertools.product(ROLE_SETS, (True, False), (None, "psn_x", "psn_me")):
        standing = Standing(state, frozenset({"psn_me"} if is_author else {"psn_x"}), proposer)
        actor = Actor("psn_me", roles)
        expected = _expected(line, action, actor, standing)
        try:
            move_of(standing, action, actor)
            found: type[TxmonError] | None = None
        except TxmonError as error:
            found = type(error)
        assert found is expected, (state, action, roles, is_author, proposer)
        assert (action in actions_of(standing, actor)) == (found is None)


def _expected(line: Move | None, action: str, actor: Actor, standing: Standing) -> type[TxmonError] | None:
    """What the documents say, written another way than the code."""
    could = {m.role for m in TABLE if m.action == action}
    if could.isdisjoint(actor.roles):
        return Forbidden
    about_proposal = action in ("decide_no_file", "withdraw_no_file")
    if line is None or (about_proposal and standing.proposer is None):
        return WrongState
    if action == "release" and actor.person in standing.authors:
        return FourEyes
    if action == "decide_no_file" and standing.proposer == actor.person:
        return FourEyes
    return WrongState if action == "propose_no_file" and standing.proposer else None


# -- the same, done ------------------------------------------------------------------------------------------

Way = Callable[[Desk], Head]
WAYS: dict[str, Way] = {
    "draft": lambda d: d.signed(),
    "pending_release": lambda d: d.submitted(),
    "released": lambda d: d.released(),
    "acknowledged": lambda d: _answered(d, True),
    "rejected": lambda d: _answered(d, False),
    "no_file": lambda d: _given_up(d),
}


def _answered(d: Desk, accepted: bool) -> Head:
    head = d.released()
    faults = [] if accepted else [("parties[0]", "no such person")]
    return d.releases.acknowledge(
        d.ana, d.doing(head, "acknowledge"), generic("goaml", accepted, "FIU-1", faults)
    )


def _given_up(d: Desk) -> Head:
    head = d.office.propose_no_file(d.ana, (h := d.draft()).report_id, h.version, WHY)
    return d.office.decide_no_file(d.ben, d.doing(head, "decide_no_file"), True)


def _receipt(head: Head) -> Receipt:
    return Receipt(
        report_id=head.report_id, format="goaml", filename="f.xml", sha256="0" * 64, jurisdiction="AE", transport="drop",
        reference="1", sent_at=moment(head.changed_us),
    )  # fmt: skip


DO: dict[str, Callable[[Desk, Caller, Head], Any]] = {
    "edit": lambda d, c, h: d.office.edit(c, h.report_id, h.version, d.model(h)),
    "sign": lambda d, c, h: d.office.sign(c, h.report_id, h.version),
    "submit": lambda d, c, h: d.office.submit(c, h.report_id, h.version),
    "withdraw": lambda d, c, h: d.office.send_back(c, d.doing(h, "withdraw")),
    "return": lambda d, c, h: d.office.send_back(c, d.doing(h, "return")),
    "release": lambda d, c, h: d.releases.release(c, d.doing(h, "release")),
    "propose_no_file": lambda d, c, h: d.office.propose_no_file(c, h.report_id, h.version, WHY),
    "withdraw_no_file": lambda d, c, h: d.office.withdraw_no_file(c, h.report_id, h.version, WHY),
    "decide_no_file": lambda d, c, h: d.office.decide_no_file(c, d.doing(h, "decide_no_file"), True),
    "send": lambda d, c, h: d.releases.sent(c, h.version, _receipt(h)),
    "acknowledge": lambda d, c, h: d.releases.acknowledge(
        c, d.doing(h, "acknowledge"), generic("goaml", True, "F", [])
    ),
    "correct": lambda d, c, h: d.releases.correct(c, d.doing(h, "correct")),
    "continue": lambda d, c, h: d.releases.go_on(c, d.doing(h, "continue")),
    "review": lambda d, c, h: d.releases.reviewed(c, d.doing(h, "review")),
}


@pytest.mark.parametrize("state", STATES)
def test_what_is_done_obeys_the_table_for_every_action_role_and_person(desk: Desk, state: str) -> None:
    assert set(DO) == set(ACTIONS)
    start = WAYS[state](desk)
    model = modeljson.dumps(desk.model(start))
    proposers = (None, "zoe", "ana") if state in ("draft", "pending_release") else (None,)
    stored: tuple[Head, str | None] | None = None  # brought back where something has changed only
    for proposer, action, roles, author in itertools.product(proposers, ACTIONS, ROLE_SETS, (True, False)):
        if stored is None or stored[1] != proposer:
            stored = (_brought_back(desk, start, model, proposer), proposer)
        head = stored[0]
        person = "ana" if author else "zoe"
        reports = frozenset({head.report_id})
        who = replace(caller(person, *roles), reports=reports if roles == {"examiner"} else None)
        expected = _expected(LINES.get((state, action)), action, who.actor, head.standing)
        if expected is None:
            made = DO[action](desk, who, head)
            new = (
                made if made.report_id == head.report_id else desk.office.show(desk.ana, head.report_id).head
            )
            assert new.state in LINES[state, action].to
            assert new.version == head.version + 1
            stored = None
        else:
            with pytest.raises(expected):
                DO[action](desk, who, head)
            with desk.vault.file.read() as reader:
                assert desk.office.load(reader, desk.ana, head.report_id).head == head, (
                    "a refused action changed it"
                )
    assert desk.vault.verify().ok


def _brought_back(desk: Desk, start: Head, model: bytes, proposer: str | None) -> Head:
    """The report as it was at the start, or with a proposal that none is made."""
    with desk.vault.file.write() as tx:
        version = Head.loads(tx.get("report", start.report_id).content).version + 1
        head = replace(start, version=version)
        if proposer is not None:
            head = replace(
                head, no_file={"state": "proposed", "proposed_by": f"psn_{proposer}", "reason": WHY}
            )
        tx.put("report", head.report_id, head.dumps(), version=version, owner=head.report_id)
        tx.put("model", head.report_id, model, version=version, owner=head.report_id)
        tx.log({"action": "test", "by": "test"}, head.report_id)
    return head


def test_two_keys_of_one_person_are_one(desk: Desk) -> None:
    head = desk.submitted(who=desk.ben)
    other_key = caller("ben", "mlro", "mlro_release", key_id="key_other")
    with pytest.raises(FourEyes):
        desk.releases.release(other_key, desk.doing(head, "release"))


def test_whoever_edited_and_whoever_signed_do_not_release(desk: Desk) -> None:
    head = desk.draft()
    head = desk.office.edit(desk.ben, head.report_id, head.version, desk.model(head))
    head = desk.office.sign(desk.ana, head.report_id, head.version)
    head = desk.office.submit(desk.ana, head.report_id, head.version)
    with pytest.raises(FourEyes):
        desk.release(head)
    third = caller("cem", "mlro_release")
    assert desk.releases.release(third, desk.doing(head, "release")).state == "released"


def test_an_edit_clears_the_signature_and_nothing_is_edited_after_submission(desk: Desk) -> None:
    head = desk.signed()
    assert desk.model(head).narrative.signed is not None
    head = desk.office.edit(desk.ana, head.report_id, head.version, desk.model(head))
    assert head.signed_by is None
    assert desk.model(head).narrative.signed is None
    with pytest.raises(WrongState, match="signed"):
        desk.office.submit(desk.ana, head.report_id, head.version)
    head = desk.office.sign(desk.ana, head.report_id, head.version)
    head = desk.office.submit(desk.ana, head.report_id, head.version)
    with pytest.raises(WrongState):
        desk.office.edit(desk.ana, head.report_id, head.version, desk.model(head))


def test_another_version_than_was_read_changes_nothing(desk: Desk) -> None:
    head = desk.draft()
    desk.office.edit(desk.ana, head.report_id, head.version, desk.model(head))
    with pytest.raises(StoreConflict, match="version 2"):
        desk.office.edit(desk.ben, head.report_id, head.version, desk.model(head))


def test_the_page_of_the_vault_names_every_state_action_and_route() -> None:
    text = (Path(__file__).parents[2] / "docs" / "vault.md").read_text(encoding="utf-8")
    for move in TABLE:
        rows = [line for line in text.splitlines() if line.startswith("|") and f"`{move.action}`" in line]
        assert any(f"`{move.state}`" in row and f"`{move.role}`" in row for row in rows), move
    for name, _, _ in VAULT:
        short = name.replace(f"{PREFIX}/reports/{{report_id}}/", ".../")
        assert f"`{short}`" in text or f"`{short}?" in text, name
