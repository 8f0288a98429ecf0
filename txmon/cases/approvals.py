"""What happens to a case when a second person approves: less severity, protection or restriction; an action.

The approver must be able to see the case, as everybody who works on it. Owns these effects and the kinds of
proposals about cases; who may decide on which kind is said in `txmon.store.foureyes`.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from txmon.cases.moves import CLEARING, LIFTING, LOWERING
from txmon.cases.parties import cleared, is_victim, party_of
from txmon.cases.rows import parties_of, put, refuse_addresses, told
from txmon.cases.sight import case_row
from txmon.cases.words import ACTIONS, VICTIMS
from txmon.errors import Forbidden, InputError, StoreConflict
from txmon.store import Tx
from txmon.store.foureyes import APPROVED, Proposal, Proposals
from txmon.store.identity import Principal

ACTION = "account_action"


def register(proposals: Proposals) -> None:
    """Say what the approval of each kind leads to."""
    proposals.on(LOWERING, _lowered)
    proposals.on(LIFTING, _lifted)
    proposals.on(CLEARING, _cleared)
    proposals.on(ACTION, _acted)


def propose_action(
    tx: Tx, proposals: Proposals, who: Principal, case: sa.RowMapping, ref: str, action: str, reason: str
) -> str:
    """Propose what is to be done with an account of a case; returns the proposal's id.

    What is approved is noted for people to carry out: the program does nothing with any account.

    Raises:
        FourEyes: a service. InputError: no such party or action.
    """
    if action not in ACTIONS:
        raise InputError(f"action {action!r} is not one of {', '.join(ACTIONS)}")
    if not any(each["ref"] == ref for each in parties_of(tx.conn, case["case_id"])):
        raise InputError("the case has no such party; add it first")
    body = {"case_id": case["case_id"], "ref": ref, "action": action, "reason": reason}
    refuse_addresses(case["restriction"], body)
    return proposals.propose(tx, ACTION, body | {"entity": case["entity"], "mode": case["mode"]}, who)


def _lowered(tx: Tx, proposal: Proposal, by: Principal) -> None:
    case = _case(tx, proposal, by)
    if case is not None:
        if case["severity"] != proposal.body["was"]:
            raise StoreConflict("the severity has changed since; reject this and look again")
        _done(tx, proposal, by, case, "case.severity", severity=proposal.body["severity"])


def _lifted(tx: Tx, proposal: Proposal, by: Principal) -> None:
    case = _case(tx, proposal, by)
    if case is not None:
        if case["restriction"] != proposal.body["was"]:
            raise StoreConflict("the restriction has changed since; reject this and look again")
        _done(tx, proposal, by, case, "case.restricted", restriction=None)


def _cleared(tx: Tx, proposal: Proposal, by: Principal) -> None:
    case = _case(tx, proposal, by)
    if case is None:
        return
    party_id = proposal.body["party_id"]
    if party_id is None:
        if any(each["role"] in VICTIMS for each in parties_of(tx.conn, case["case_id"])):
            raise StoreConflict("the case still has a party that may be a victim; clear that role first")
        _done(tx, proposal, by, case, "case.protected", protect=False)
        return
    party_of(tx.conn, case["case_id"], party_id)
    seq = _told(tx, proposal, by, "case.party_ended", party=party_id)
    cleared(tx, case, party_id, seq)


def _acted(tx: Tx, proposal: Proposal, by: Principal) -> None:
    case = _case(tx, proposal, by)
    if case is None:
        return
    body = proposal.body
    victim = case["protect"] or is_victim(tx.conn, case["case_id"], body["ref"])
    if victim and body["action"] != "release" and "safeguarding" not in by.roles:
        raise Forbidden("somebody in this case may be a victim; safeguarding decides on what is done")
    seq = _told(tx, proposal, by, "case.action", ref=body["ref"], action=body["action"])
    put(tx, case, seq)


def _case(tx: Tx, proposal: Proposal, by: Principal) -> sa.RowMapping | None:
    """The case of an approved proposal; None where it was rejected."""
    return case_row(tx.conn, by, proposal.body["case_id"]) if proposal.state == APPROVED else None


def _done(tx: Tx, proposal: Proposal, by: Principal, case: sa.RowMapping, what: str, **values: Any) -> None:
    old = {name: case[name] for name in values}
    put(tx, case, _told(tx, proposal, by, what, **{"from": old, "to": values}), **values)


def _told(tx: Tx, proposal: Proposal, by: Principal, what: str, **facts: Any) -> int:
    facts |= {"proposal": proposal.id, "author": proposal.author, "reason": proposal.body["reason"]}
    return told(tx, by, what, proposal.body["case_id"], **facts)
