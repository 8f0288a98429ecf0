"""Roles in the vault: granted here and nowhere else, by two people, and ended by one.

A grant is proposed by somebody with `mlro` and decided by another person with `mlro` who is not the one it is
for. An examiner's has a beginning, an end of at most 90 days and the reports it is about. The first two
people are named when the vault is made. Owns the records of grants and what they give at a moment.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from txmon.errors import FourEyes, InputError, StoreConflict
from txmon.store.identity import Principal, new_id
from txmon.vault.caller import Caller
from txmon.vault.db import Reader, Tx
from txmon.vault.states import EXAMINER, MLRO, RELEASE, ROLES

KIND = "grant"
PROPOSED, ACTIVE, REFUSED, REVOKED = "proposed", "active", "refused", "revoked"
EXAMINER_DAYS_MAX = 90
_DAY_US = 86_400_000_000
_FEWEST_MLROS = 2


@dataclass(frozen=True)
class NewGrant:
    """What is proposed. from_us, until_us, reports: of an examiner, and of nobody else."""

    person_id: str
    role: str
    reason: str
    from_us: int | None = None
    until_us: int | None = None
    reports: tuple[str, ...] | None = None

    def check(self, now_us: int) -> None:
        """Raises: InputError: what no grant may be."""
        if self.role not in ROLES:
            raise InputError(f"the role is none of {', '.join(ROLES)}")
        bounds = (self.from_us, self.until_us, self.reports)
        if self.role != EXAMINER:
            if any(each is not None for each in bounds):
                raise InputError("`from`, `until` and `reports` are for examiners; leave them out")
            return
        if self.from_us is None or self.until_us is None or not self.reports:
            raise InputError(
                "an examiner is let in from a time until a time, to some reports; give all three"
            )
        if not self.from_us < self.until_us <= self.from_us + EXAMINER_DAYS_MAX * _DAY_US:
            raise InputError(f"an examiner is let in for {EXAMINER_DAYS_MAX} days at most; name another end")
        if self.until_us <= now_us:
            raise InputError("the grant would have ended before it begins; name a later end")


@dataclass(frozen=True, kw_only=True)
class Grant:
    """A grant as it is stored; times are UTC microseconds."""

    grant_id: str
    person_id: str
    role: str
    state: str
    reason: str
    proposed_by: str
    proposed_us: int
    decided_by: str | None = None
    decided_us: int | None = None
    from_us: int | None = None
    until_us: int | None = None
    reports: tuple[str, ...] | None = None

    def gives(self, now_us: int) -> bool:
        """Whether it counts at a moment."""
        begun = self.from_us is None or self.from_us <= now_us
        return self.state == ACTIVE and begun and (self.until_us is None or now_us < self.until_us)


def listed(reader: Reader) -> list[Grant]:
    """Return every grant, in order of proposal."""
    found = [_loads(record.content) for record in reader.all(KIND)]
    return sorted(found, key=lambda grant: (grant.proposed_us, grant.grant_id))


def caller_of(reader: Reader, who: Principal, now_us: int) -> Caller | None:
    """Return somebody with all that the vault grants this person now; None: nothing."""
    if not who.is_person or who.person_id is None:
        return None
    given = [g for g in listed(reader) if g.person_id == who.person_id and g.gives(now_us)]
    if not given:
        return None
    roles = frozenset(grant.role for grant in given)
    if roles != {EXAMINER}:
        return Caller(who, roles)
    reports = frozenset(report for grant in given for report in grant.reports or ())
    return Caller(who, roles, reports, max(grant.until_us or 0 for grant in given))


def propose(tx: Tx, caller: Caller, new: NewGrant) -> Grant:
    """Propose a grant.

    Raises:
        InputError: what no grant may be. StoreConflict: the person has this role already.
    """
    now_us = tx.clock.now_us()
    new.check(now_us)
    for grant in listed(tx):
        same = (grant.person_id, grant.role) == (new.person_id, new.role) and new.role != EXAMINER
        if same and grant.state in (PROPOSED, ACTIVE):
            raise StoreConflict("this person has the role, or is to have it, already; look at the grants")
    made = Grant(
        grant_id=new_id("vgr", tx.random_bytes), state=PROPOSED, proposed_by=caller.person,
        proposed_us=now_us, **asdict(new),
    )  # fmt: skip
    return _changed(tx, caller, made, "grant.proposed", new.reason)


def decide(tx: Tx, caller: Caller, grant_id: str, approve: bool, reason: str) -> Grant:
    """Approve or refuse a grant.

    Raises:
        NotFound. StoreConflict: it does not wait. FourEyes: who proposed it, or the one it is for.
    """
    grant = _loads(tx.get(KIND, grant_id).content)
    if grant.state != PROPOSED:
        raise StoreConflict("this grant does not wait for anybody; look at the grants")
    if approve and caller.person in (grant.proposed_by, grant.person_id):
        raise FourEyes("neither who proposed a grant nor whom it is for approves it; ask another person")
    made = replace(
        grant, state=ACTIVE if approve else REFUSED, decided_by=caller.person, decided_us=tx.clock.now_us()
    )
    return _changed(tx, caller, made, "grant.approved" if approve else "grant.refused", reason)


def revoke(tx: Tx, caller: Caller, grant_id: str, reason: str) -> Grant:
    """End a grant at once; this takes no second person.

    Raises:
        NotFound. StoreConflict: it has ended, or is one of the last two of `mlro`.
    """
    grant = _loads(tx.get(KIND, grant_id).content)
    if grant.state not in (PROPOSED, ACTIVE):
        raise StoreConflict("this grant has ended already; look at the grants")
    left = {g.person_id for g in listed(tx) if g.role == MLRO and g.state == ACTIVE and g != grant}
    if grant.role == MLRO and grant.state == ACTIVE and len(left) < _FEWEST_MLROS:
        raise StoreConflict("without two people with the role `mlro` nobody could be let in; grant it first")
    return _changed(tx, caller, replace(grant, state=REVOKED), "grant.revoked", reason)


def require_two(mlro: str, release: str) -> None:
    """Raises: InputError: one person twice."""
    if mlro == release:
        raise InputError("name two different people: who drafts a report does not release it")


def begin(tx: Tx, mlro: str, release: str) -> None:
    """Let in the first two people, when the vault is made."""
    for person, roles in ((mlro, (MLRO,)), (release, (MLRO, RELEASE))):
        for role in roles:
            grant = Grant(
                grant_id=new_id("vgr", tx.random_bytes), person_id=person, role=role, state=ACTIVE,
                reason="the vault was made", proposed_by="operator", proposed_us=tx.clock.now_us(),
            )  # fmt: skip
            tx.put(KIND, grant.grant_id, _dumps(grant))


def _changed(tx: Tx, caller: Caller, grant: Grant, action: str, reason: str) -> Grant:
    stored = tx.find(KIND, grant.grant_id)
    version = 1 if stored is None else stored.version + 1
    tx.put(KIND, grant.grant_id, _dumps(grant), version=version)
    facts = {"grant": grant.grant_id, "person": grant.person_id, "role": grant.role}
    tx.log(entry(caller, action, reason=reason, facts=facts))
    return grant


def entry(
    caller: Caller, action: str, *, reason: str = "", report: str = "", facts: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the row of the log for what somebody did."""
    made: dict[str, Any] = {"action": action, "by": caller.person, "key": caller.who.key_id}
    return made | {"reason": reason, "purpose": caller.purpose, "report": report, "facts": facts or {}}


def _dumps(grant: Grant) -> bytes:
    return json.dumps(asdict(grant)).encode()


def _loads(content: bytes) -> Grant:
    found = json.loads(content)
    found["reports"] = None if found["reports"] is None else tuple(found["reports"])
    return Grant(**found)
