"""Parties of a case: who plays which part, how sure, by whom said, and how they may be reached safely.

A party may have several roles, one row each. A role of a victim protects the case; setting one takes one
person, taking it away takes two, one of them for safeguarding. Somebody who may be a victim is reached by no
channel until safeguarding has said which one is safe: others may read the letters and answer the telephone.
Nothing here reaches anybody: a contact is noted, for a person to make it. Owns `case_parties`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from txmon.cases.moves import CLEARING
from txmon.cases.rows import Wanted, listed, parties_of, put, refuse_addresses, taken, told
from txmon.cases.words import CHANNELS, VICTIMS
from txmon.errors import Forbidden, InputError, NotFound, StoreConflict, WrongState
from txmon.store import Tx
from txmon.store.casetables import case_parties
from txmon.store.foureyes import Proposals
from txmon.store.identity import Principal, new_id
from txmon.store.texts import as_json, clean

_PARTY = {"account": "account", "payer": "account", "payee": "account", "merchant": "merchant"}
_PARTY |= {"card": "card", "device": "device"}
_FROM_RULE = "a rule that protects its subject raised the alert"
_FROM_ALERT = "named by the alert"


@dataclass(frozen=True)
class Party:
    """A party to be added. user_id: the person of ours that it is, who is shut out from then on."""

    kind: str
    ref: str
    role: str
    confidence: str
    basis: str
    name: str | None = None
    user_id: str | None = None


def of_alerts(tx: Tx, who: Principal, case_id: str, rows: Sequence[sa.RowMapping], seq: int) -> None:
    """Make parties of the subjects and holders of alerts, where the case does not have them."""
    there = {(each["ref"], each["role"]) for each in parties_of(tx.conn, case_id)}
    found: dict[tuple[str, str], Party] = {}
    for row in rows:
        role = "possible_victim" if row["protect"] else "holder"
        basis = _FROM_RULE if row["protect"] else _FROM_ALERT
        holders: list[str] = [
            str(each["party"])
            for column in ("holders_first", "holders_latest")
            for each in listed(row[column])
            if isinstance(each, dict) and each.get("party")
        ]
        kind = _PARTY.get(row["subject_type"], "other")
        made = [Party(kind, row["subject_id"], role if row["protect"] else "unknown", "low", basis)]
        made += [Party("person", ref, role, "low", basis) for ref in holders]
        found |= {(each.ref, each.role): each for each in made}
    for key, party in found.items():
        if key not in there:
            _insert(tx, who, case_id, party, seq)


def add(tx: Tx, who: Principal, wanted: Wanted, party: Party) -> tuple[str, int]:
    """Add a party, or a further role of one; returns its id and the version of the case.

    Raises:
        FourEyes, NotFound, StoreConflict, WrongState. InputError: oneself, since one would be shut out.
    """
    row = taken(tx, who, wanted)
    if party.user_id is not None and party.user_id == who.person_id:
        raise InputError("who is a party of a case does not work on it; ask another person to say so")
    if any((p["ref"], p["role"]) == (party.ref, party.role) for p in parties_of(tx.conn, wanted.case_id)):
        raise StoreConflict("this party has this role already")
    facts = {name: getattr(party, name) for name in ("kind", "ref", "role", "confidence", "basis", "name")}
    seq = told(tx, who, "case.party_added", wanted.case_id, user=party.user_id, **facts)
    party_id = _insert(tx, who, wanted.case_id, party, seq)
    more = {"protect": True} if party.role in VICTIMS else {}
    return party_id, put(tx, row, seq, **more)


def amend(tx: Tx, who: Principal, wanted: Wanted, party_id: str, change: dict[str, Any], reason: str) -> int:
    """Change how sure a role is, or which channels are safe; returns the version of the case.

    Args:
        change: ``confidence`` or ``contact``.

    Raises:
        FourEyes, NotFound, StoreConflict, WrongState. Forbidden: the channels of somebody who may be a
            victim are said by safeguarding.
    """
    row = taken(tx, who, wanted)
    party = party_of(tx.conn, wanted.case_id, party_id)
    if "contact" in change:
        unknown = sorted(set(change["contact"]) - set(CHANNELS))
        if unknown:
            raise InputError(f"channel {unknown[0]!r} is not one of {', '.join(CHANNELS)}")
        if is_victim(tx.conn, wanted.case_id, party["ref"]) and "safeguarding" not in who.roles:
            raise Forbidden("which channel is safe for somebody who may be a victim is said by safeguarding")
    seq = told(tx, who, "case.party_changed", wanted.case_id, party=party_id, change=change, reason=reason)
    values = {name: as_json(sorted(v)) if name == "contact" else v for name, v in change.items()}
    where = case_parties.c.party_id == party_id
    if "contact" in change:  # of the person, whatever the role
        where = sa.and_(case_parties.c.case_id == wanted.case_id, case_parties.c.ref == party["ref"])
    tx.conn.execute(sa.update(case_parties).where(where).values(values))
    return put(tx, row, seq)


def end(
    tx: Tx, proposals: Proposals, who: Principal, wanted: Wanted, party_id: str, reason: str
) -> dict[str, Any]:
    """End a role: at once, or as a proposal for safeguarding where it is a victim's.

    Raises:
        FourEyes, NotFound, StoreConflict, WrongState.
    """
    row = taken(tx, who, wanted)
    party = party_of(tx.conn, wanted.case_id, party_id)
    if party["role"] in VICTIMS or party["user_id"]:
        body = {"case_id": wanted.case_id, "party_id": party_id, "reason": reason}
        body |= {"entity": row["entity"], "mode": row["mode"]}
        refuse_addresses(row["restriction"], body)
        return {"proposal_id": proposals.propose(tx, CLEARING, body, who), "version": row["version"]}
    seq = told(tx, who, "case.party_ended", wanted.case_id, party=party_id, reason=reason)
    _end(tx, party_id)
    return {"version": put(tx, row, seq)}


def cleared(tx: Tx, case: sa.RowMapping, party_id: str, seq: int) -> None:
    """End a role that two people have agreed to end."""
    _end(tx, party_id)
    put(tx, case, seq)


def contact(
    tx: Tx, who: Principal, wanted: Wanted, party_id: str, channel: str, text: tuple[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Note that a party is to be reached, with a neutral text that was agreed before; reaches nobody.

    Args:
        text: code of a neutral text, and all texts by code.

    Raises:
        FourEyes, NotFound, StoreConflict. WrongState: the channel is not known to be safe. InputError.
    """
    row = taken(tx, who, wanted)
    party = party_of(tx.conn, wanted.case_id, party_id)
    code, texts = text
    if code not in texts:
        raise InputError(f"there is no neutral text {code!r}; one of {', '.join(sorted(texts))}")
    same = [each for each in parties_of(tx.conn, wanted.case_id) if each["ref"] == party["ref"]]
    safe = all(channel in listed(each["contact"]) for each in same)
    if not safe and any(each["role"] in VICTIMS for each in same):
        raise WrongState(
            "this channel is not known to be safe for somebody who may be a victim; ask safeguarding"
        )
    seq = told(tx, who, "case.contact", wanted.case_id, party=party_id, channel=channel, text=code)
    return {"version": put(tx, row, seq), "text": texts[code]}


def party_of(conn: sa.Connection, case_id: str, party_id: str) -> sa.RowMapping:
    """Return a party of a case that is not ended.

    Raises:
        NotFound: there is none.
    """
    for each in parties_of(conn, case_id):
        if each["party_id"] == party_id:
            return each
    raise NotFound("the case has no such party")


def is_victim(conn: sa.Connection, case_id: str, ref: str) -> bool:
    """Whether a party has the role of a victim in a case."""
    return any(p["ref"] == ref and p["role"] in VICTIMS for p in parties_of(conn, case_id))


def _end(tx: Tx, party_id: str) -> None:
    tx.conn.execute(sa.update(case_parties).where(case_parties.c.party_id == party_id).values(state="ended"))


def _insert(tx: Tx, who: Principal, case_id: str, party: Party, seq: int) -> str:
    party_id = new_id("pty", tx.random_bytes)
    there = [each for each in parties_of(tx.conn, case_id) if each["ref"] == party.ref]
    safe = there[0]["contact"] if there else "[]"
    if party.role in VICTIMS and not any(each["role"] in VICTIMS for each in there):
        safe = "[]"  # what was safe for anybody else need not be for a victim
        where = (case_parties.c.case_id == case_id, case_parties.c.ref == party.ref)
        tx.conn.execute(sa.update(case_parties).where(*where).values(contact=safe))
    values: dict[str, Any] = {
        "party_id": party_id,
        "case_id": case_id,
        "kind": party.kind,
        "ref": clean(party.ref),
    }
    values |= {"name": None if party.name is None else clean(party.name), "role": party.role}
    values |= {"confidence": party.confidence, "basis": clean(party.basis), "contact": safe}
    values |= {"user_id": party.user_id, "state": "current", "author": who.identity}
    values |= {"created_us": tx.clock.now_us(), "journal_seq": seq}
    tx.conn.execute(sa.insert(case_parties).values(values))
    return party_id
