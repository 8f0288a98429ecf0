"""What people recorded in a case, in the words of the report model: signs, determination, actions, files.

Comments are talk among colleagues and stay in the case. Names of staff are those on record, never ids. Owns
the reading; changes nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from txmon.cases.rows import person_of
from txmon.cases.texts import signs
from txmon.cases.words import ACTIONS, VICTIMS
from txmon.errors import InputError, NotFound
from txmon.reports.model import Action, Attachment, Determination, Fact, Question, Role
from txmon.reports.modelfill import SUSPECTED
from txmon.store.casetables import case_alerts, case_checks, case_files, case_log, cases
from txmon.store.schema import people

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MEDIA = {"pdf": "application/pdf", "csv": "text/csv", "text": "text/plain", "email": "message/rfc822"}
_DONE = {"limit": "account_restricted", "hold": "hold", "close": "account_closed"}
_ROLES = {
    "victim": Role.POSSIBLE_VICTIM,
    "holder": Role.UNKNOWN,
}  # words of case work that reports do not have


def case_of(conn: sa.Connection, case_id: str) -> sa.RowMapping:
    """Return the row of a case.

    Raises:
        NotFound: there is none. InputError: it was merged into another.
    """
    row = conn.execute(sa.select(cases).where(cases.c.case_id == case_id)).mappings().first()
    if row is None:
        raise NotFound(f"the store has no case {case_id!r}; `GET /v1/cases` lists them")
    if row["merged_into"] is not None:
        raise InputError(f"case {case_id} was merged into {row['merged_into']}; name that one")
    return row


def alerts_of(conn: sa.Connection, case_id: str) -> list[str]:
    """Return the ids of the alerts of a case, in the order in which they were linked."""
    query = sa.select(case_alerts.c.alert_id).where(case_alerts.c.case_id == case_id)
    return list(conn.execute(query.order_by(case_alerts.c.journal_seq, case_alerts.c.alert_id)).scalars())


def names_of(conn: sa.Connection) -> dict[str, str]:
    """Return the names of the people who work here, by id."""
    return {row.id: row.name for row in conn.execute(sa.select(people.c.id, people.c.name))}


def determination(case: sa.RowMapping, names: Mapping[str, str]) -> Determination | None:
    """Return who determined when that the facts are known; None: nobody did yet."""
    if case["facts_known_us"] is None:
        return None
    return Determination(at=moment(case["facts_known_us"]), author=_name(case["facts_known_by"], names))


def seen_signs(
    conn: sa.Connection, case_id: str, names: Mapping[str, str], path: Path | None
) -> tuple[Fact, ...]:
    """Return the signs of the checklist that somebody saw, with who saw them and who wrote it down.

    Args:
        path: the checklist in force; None: the one that ships.
    """
    texts = {sign.id: sign.text for sign in signs(path)}
    query = sa.select(case_checks).where(case_checks.c.case_id == case_id, case_checks.c.answer == "seen")
    found = []
    for row in conn.execute(query.order_by(case_checks.c.at_us, case_checks.c.sign)):
        said = [texts.get(row.sign, row.sign).rstrip("."), f"seen by {row.witness}" if row.witness else ""]
        said.append(row.note or "")
        text = "; ".join(part for part in said if part)
        at = moment(row.at_us)
        found.append(Fact(question=Question.VICTIM, text=text, author=_name(row.author, names), at=at))
    return tuple(found)


def actions(conn: sa.Connection, case_id: str, names: Mapping[str, str]) -> tuple[Action, ...]:
    """Return what two people decided to do with accounts; what was ended again is told as that."""
    query = sa.select(case_log).where(case_log.c.case_id == case_id, case_log.c.kind == "case.action")
    found = []
    for row in conn.execute(query.order_by(case_log.c.journal_seq)):
        try:
            facts = json.loads(row.facts)
            kind, ref = str(facts["action"]), str(facts["ref"])
        except (ValueError, KeyError, TypeError):  # an erasure put a mark in its place
            continue
        text = f"Decided: {ACTIONS.get(kind, kind)} ({ref})"
        done = _DONE.get(kind, "other")
        found.append(Action(kind=done, text=text, at=moment(row.at_us), author=_name(row.author, names)))
    return tuple(found)


def files(conn: sa.Connection, case_id: str) -> tuple[Attachment, ...]:
    """Return the files of a case, without their bytes."""
    columns = (case_files.c.name, case_files.c.kind, case_files.c.size, case_files.c.sha256)
    query = sa.select(*columns).where(case_files.c.case_id == case_id)
    return tuple(
        Attachment(
            name=row.name, media_type=_MEDIA[row.kind], size_bytes=row.size, sha256=bytes(row.sha256).hex()
        )
        for row in conn.execute(query.order_by(case_files.c.added_us, case_files.c.file_id))
    )


def roles_of(
    parties: Sequence[sa.RowMapping], holders: Mapping[str, Sequence[str]]
) -> dict[str, tuple[Role, ...]]:
    """Return the roles that people gave, by party; what is said of an account goes for who holds it.

    Args:
        holders: ids of parties by account id.
    """
    said: dict[str, dict[Role, None]] = defaultdict(dict)
    for row in parties:
        given = row["role"]
        role = _ROLES.get(given) or Role(given)
        if given in VICTIMS and role is Role.UNKNOWN:  # a word without a counterpart never loses protection
            role = Role.POSSIBLE_VICTIM
        for party_id in holders.get(row["ref"], (row["ref"],)):
            said[party_id][role] = None
    return {
        party_id: tuple(r for r in found if r is not Role.UNKNOWN) or (Role.UNKNOWN,)
        for party_id, found in said.items()
    }


def suspected_of(parties: Sequence[sa.RowMapping]) -> frozenset[str]:
    """Return the accounts and merchants that people suspect, without those that may be a victim's."""
    said: dict[str, set[str]] = defaultdict(set)
    for row in parties:
        said[row["ref"]].add(row["role"])
    return frozenset(ref for ref, roles in said.items() if roles & SUSPECTED and not roles & VICTIMS)


def moment(time_us: int) -> datetime:
    """Return microseconds UTC as a time."""
    return _EPOCH + timedelta(microseconds=time_us)


def _name(identity: str | None, names: Mapping[str, str]) -> str:
    """Return the name of whoever an identity is; a program's identity as it is."""
    return names.get(person_of(identity) or "", identity or "")
