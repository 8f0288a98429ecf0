"""What becomes of a case: its state, whose it is, how grave, who may see it, and its clocks.

    open -> investigating -> decided -> closed, and back to investigating

Some changes take a second person and are proposals until then: a lower severity, an end of protection, a
lifted restriction. A case with somebody who may be a victim is decided by safeguarding. Owns these changes;
what their approval does is in `txmon.cases.approvals`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from txmon.cases.rows import Wanted, let_in, person_of, put, refuse_addresses, taken, told
from txmon.cases.words import NEXT, SEVERITIES, SNOOZE_DAYS, WORKED_ON
from txmon.errors import Forbidden, InputError, NotFound, WrongState
from txmon.store import Tx
from txmon.store.accounts import person_of as stored_person
from txmon.store.casetables import case_access
from txmon.store.foureyes import Proposals
from txmon.store.identity import Principal
from txmon.store.texts import clean

LOWERING, LIFTING, CLEARING = "severity_lowering", "restriction_lifting", "protect_clearing"
DAY_US = 86_400_000_000
_ANY = ("open", "investigating", "decided", "closed")


@dataclass(frozen=True)
class Change:
    """One change of a case: which field, its new value, and why."""

    field: str
    value: Any
    reason: str


@dataclass(frozen=True)
class _Act:
    """A change under way."""

    tx: Tx
    proposals: Proposals
    who: Principal
    row: sa.RowMapping
    change: Change

    def done(self, what: str, **values: Any) -> dict[str, Any]:
        """Make it, and say so."""
        facts = {"field": self.change.field, "reason": self.change.reason}
        shown = {name: value for name, value in values.items() if name != "state_reason"}
        old = {name: self.row[name] for name in shown}
        seq = told(self.tx, self.who, what, self.row["case_id"], **{"from": old, "to": shown}, **facts)
        return {"version": put(self.tx, self.row, seq, **values)}

    def proposed(self, kind: str, **facts: Any) -> dict[str, Any]:
        """Put it up for a second person."""
        body = {"case_id": self.row["case_id"], "reason": self.change.reason} | facts
        body |= {"entity": self.row["entity"], "mode": self.row["mode"]}
        refuse_addresses(self.row["restriction"], body)
        number = self.proposals.propose(self.tx, kind, body, self.who)
        return {"proposal_id": number, "version": self.row["version"]}


def change(tx: Tx, proposals: Proposals, who: Principal, wanted: Wanted, wish: Change) -> dict[str, Any]:
    """Change a case; returns its new ``version``, or a ``proposal_id`` where it takes a second person.

    Raises:
        FourEyes, NotFound, StoreConflict, WrongState, Forbidden. InputError: a value that cannot be.
    """
    row = taken(tx, who, wanted, _ANY if wish.field == "state" else ())
    return _FIELDS[wish.field](_Act(tx, proposals, who, row, wish))


def grant(tx: Tx, who: Principal, wanted: Wanted, person_id: str, allowed: bool, reason: str) -> int:
    """Put a person on the access list of a case, or take one off; returns the case's version.

    Raises:
        FourEyes, NotFound, StoreConflict, WrongState. Forbidden: takes the role approver or safeguarding.
        InputError: the last one on the list of a restricted case.
    """
    row = taken(tx, who, wanted)
    if not who.roles & {"approver", "safeguarding"}:
        raise Forbidden("who may see a case is said by an approver or by safeguarding; ask one of them")
    stored_person(tx.conn, person_id)
    query = sa.select(case_access.c.person_id).where(case_access.c.case_id == wanted.case_id)
    there = set(tx.conn.execute(query).scalars())
    if not allowed and person_id not in there:
        raise NotFound("this person is not on the list of the case")
    if not allowed and there == {person_id} and row["restriction"] is not None:
        raise InputError("a restricted case has one person on its list at least; name another first")
    what = "case.access_granted" if allowed else "case.access_ended"
    seq = told(tx, who, what, wanted.case_id, person=person_id, reason=reason)
    if allowed:
        let_in(tx, wanted.case_id, (person_id,), who, seq)
    else:
        where = (case_access.c.case_id == wanted.case_id, case_access.c.person_id == person_id)
        tx.conn.execute(sa.delete(case_access).where(*where))
    return put(tx, row, seq)


def comment(tx: Tx, who: Principal, row: sa.RowMapping, text: str) -> int:
    """Add a comment to the log of a case, in whatever state and version; returns its number."""
    who.require_person()
    return told(tx, who, "case.comment", row["case_id"], text=text)


def _state(act: _Act) -> dict[str, Any]:
    old, new = act.row["state"], act.change.value
    if act.row["merged_into"] is not None:
        raise WrongState("the case was merged; go on in the one it went into")
    if new not in NEXT[old]:
        raise WrongState(f"from {old} it goes to {' or '.join(NEXT[old])}")
    if new == "decided" and act.row["protect"]:
        if "safeguarding" not in act.who.roles:
            raise Forbidden("somebody in this case may be a victim; it is decided by safeguarding")
        if act.row["lead"] is None:
            raise WrongState("the case has no safeguarding lead yet; name one first")
    return act.done("case.state", state=new, state_reason=clean(act.change.reason))


def _severity(act: _Act) -> dict[str, Any]:
    old, new = act.row["severity"], act.change.value
    if new == old:
        raise InputError("the case has this severity already")
    if SEVERITIES.index(new) < SEVERITIES.index(old):
        return act.proposed(LOWERING, severity=new, was=old)
    return act.done("case.severity", severity=new)


def _assignee(act: _Act) -> dict[str, Any]:
    person = _person(act)
    return act.done("case.assigned", assignee=None if person is None else f"person:{person}")


def _lead(act: _Act) -> dict[str, Any]:
    person = _person(act)
    if person is not None and person != act.who.person_id:
        if "safeguarding" not in stored_person(act.tx.conn, person).roles:
            raise InputError("a safeguarding lead has the role safeguarding; name another person")
    elif person is not None and "safeguarding" not in act.who.roles:
        raise Forbidden("a safeguarding lead has the role safeguarding; ask somebody who has it")
    if person is None and act.row["protect"]:
        raise InputError("a case with somebody who may be a victim keeps a lead; name another person")
    return act.done("case.lead", lead=None if person is None else f"person:{person}")


def _person(act: _Act) -> str | None:
    """Whom a case is given to: one who may see it."""
    person: str | None = act.change.value
    if person is None or person == act.who.person_id:
        return person
    stored_person(act.tx.conn, person)
    query = sa.select(case_access.c.person_id).where(case_access.c.case_id == act.row["case_id"])
    if act.row["restriction"] is not None and person not in set(act.tx.conn.execute(query).scalars()):
        raise NotFound("this person is not on the list of the case; grant access first")
    return person


def _restriction(act: _Act) -> dict[str, Any]:
    old, new = act.row["restriction"], act.change.value
    if old == new:
        raise InputError("the case is so already")
    if new is None:
        return act.proposed(LIFTING, was=old)
    made = act.done("case.restricted", restriction=new)
    if old is None:
        persons = (act.who.person_id, person_of(act.row["assignee"]), person_of(act.row["lead"]))
        let_in(act.tx, act.row["case_id"], [p for p in persons if p], act.who, act.tx.marks.seq)
    return made


def _protect(act: _Act) -> dict[str, Any]:
    if act.change.value == act.row["protect"]:
        raise InputError("the case is so already")
    if act.change.value:
        return act.done("case.protected", protect=True)
    return act.proposed(CLEARING, party_id=None)


def _snooze(act: _Act) -> dict[str, Any]:
    until, now = act.change.value, act.tx.clock.now_us()
    days = SNOOZE_DAYS[act.row["severity"]]
    if act.row["state"] not in WORKED_ON:
        raise WrongState(f"the case is {act.row['state']}; there is nothing to be put off")
    if until is not None and not now < until <= now + days * DAY_US:
        raise InputError(f"a case of this severity is put off for {days} days at most")
    return act.done("case.snoozed", snoozed_until_us=until)


def _facts_known(act: _Act) -> dict[str, Any]:
    moment = act.change.value
    if moment > act.tx.clock.now_us():
        raise InputError("facts are known now or were known before; name no time to come")
    known = act.row["facts_known_us"]
    if known is not None and moment > known:
        raise InputError("facts were determined to be known earlier; a determination is not moved later")
    return act.done("case.facts_known", facts_known_us=moment, facts_known_by=act.who.identity)


def _title(act: _Act) -> dict[str, Any]:
    return act.done("case.titled", title=clean(act.change.value))


_FIELDS: dict[str, Callable[[_Act], dict[str, Any]]] = {
    "state": _state, "severity": _severity, "assignee": _assignee, "lead": _lead,
    "restriction": _restriction, "protect": _protect, "snoozed_until": _snooze,
    "facts_known_at": _facts_known, "title": _title,
}  # fmt: skip
FIELDS = tuple(_FIELDS)
