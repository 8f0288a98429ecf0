"""The row of a case: read in the version that a person saw, changed by one, told in its log.

Owns the version and the log; what a change means is its caller's part. A case that is not in the version
named is not changed, so of two who read the same one the second has to read again.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from txmon.cases.sight import case_row
from txmon.cases.words import CHILD
from txmon.errors import InputError, StoreConflict, WrongState
from txmon.model.webtext import has_address
from txmon.store import Tx
from txmon.store.casetables import case_access, case_log, case_parties, cases
from txmon.store.decisions import decided
from txmon.store.identity import Principal
from txmon.store.texts import as_json, clean


@dataclass(frozen=True)
class Wanted:
    """A case in the version that was read."""

    case_id: str
    version: int


def taken(tx: Tx, who: Principal, wanted: Wanted, states: Collection[str] = ()) -> sa.RowMapping:
    """Return a case in order to change it.

    Args:
        states: those in which it may be changed; none: all but closed ones.

    Raises:
        FourEyes: a service. NotFound. StoreConflict: another version. WrongState.
    """
    who.require_person()
    row = case_row(tx.conn, who, wanted.case_id)
    if row["version"] != wanted.version:
        raise StoreConflict("the case is not in this version any more; read it again")
    allowed = states or ("open", "investigating", "decided")
    if row["state"] not in allowed or row["merged_into"] is not None:
        raise WrongState(f"the case is {row['state']}; this takes one that is {' or '.join(allowed)}")
    return row


def told(tx: Tx, who: Principal, what: str, case_id: str, **facts: Any) -> int:
    """Journal a decision about a case and put it into the case's log; returns the journal row.

    Raises:
        InputError: the case is about the exploitation of children, and a text holds an address of the web.
    """
    query = sa.select(cases.c.restriction).where(cases.c.case_id == case_id)
    refuse_addresses(tx.conn.execute(query).scalar() or facts.get("restriction"), facts)
    seq = decided(tx, what, who, case=case_id, **facts)
    logged(tx, who, what, (case_id,), seq, facts)
    return seq


def refuse_addresses(restriction: str | None, facts: dict[str, Any]) -> None:
    """Refuse addresses of the web in what is said about a case of this restriction.

    Raises:
        InputError: see `told`.
    """
    if restriction == CHILD and has_address(json.dumps(facts, ensure_ascii=False)):
        raise InputError(
            "in a case about the exploitation of children no address of the web is written down; "
            "give it to /addresses, which keeps a keyed hash of it"
        )


def logged(
    tx: Tx, who: Principal, what: str, case_ids: Collection[str], seq: int, facts: dict[str, Any]
) -> None:
    """Put a journaled decision into the logs of cases."""
    row = {"journal_seq": seq, "at_us": tx.clock.now_us(), "kind": what, "author": who.identity}
    row["facts"] = clean(as_json(facts))
    tx.conn.execute(sa.insert(case_log), [row | {"case_id": case_id} for case_id in case_ids])


def put(tx: Tx, row: sa.RowMapping, seq: int, **values: Any) -> int:
    """Change a case; returns its new version.

    Raises:
        StoreConflict: it changed meanwhile.
    """
    version = int(row["version"]) + 1
    where = (cases.c.case_id == row["case_id"], cases.c.version == row["version"])
    values |= {"version": version, "changed_us": tx.clock.now_us(), "changed_seq": seq}
    if tx.conn.execute(sa.update(cases).where(*where).values(values)).rowcount != 1:
        raise StoreConflict("the case is not in this version any more; read it again")
    return version


def let_in(tx: Tx, case_id: str, persons: Collection[str], by: Principal, seq: int) -> None:
    """Put persons on the access list of a case."""
    query = sa.select(case_access.c.person_id).where(case_access.c.case_id == case_id)
    new = sorted(set(persons) - set(tx.conn.execute(query).scalars()))
    if new:
        given = {"granted_by": by.identity, "granted_us": tx.clock.now_us(), "journal_seq": seq}
        tx.conn.execute(
            sa.insert(case_access), [{"case_id": case_id, "person_id": person} | given for person in new]
        )


def person_of(identity: str | None) -> str | None:
    """Return the id of the person that an identity is."""
    kind, _, number = (identity or "").partition(":")
    return number if kind == "person" else None


def parties_of(conn: sa.Connection, case_id: str) -> list[sa.RowMapping]:
    """Return the parties of a case that are not ended, the oldest first."""
    query = (
        sa.select(case_parties)
        .where(case_parties.c.case_id == case_id, case_parties.c.state == "current")
        .order_by(case_parties.c.created_us, case_parties.c.party_id)
    )
    return list(conn.execute(query).mappings())


def listed(text: str) -> list[Any]:
    """Return a JSON list; empty where an erasure put a mark in its place."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return found if isinstance(found, list) else []
