"""The checklist of a case: which signs somebody saw, who saw them, and who wrote it down.

Owns `case_checks`; the signs themselves are a data file (`txmon.cases.texts`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from txmon.cases.rows import Wanted, put, taken, told
from txmon.cases.texts import Sign
from txmon.errors import InputError
from txmon.store import Tx
from txmon.store.casetables import case_checks
from txmon.store.identity import Principal
from txmon.store.texts import clean


@dataclass(frozen=True)
class Answer:
    """What is known of a sign. witness: who saw it, in words."""

    sign: str
    answer: str
    witness: str | None = None
    note: str | None = None


def answer(tx: Tx, who: Principal, wanted: Wanted, answers: Sequence[Answer], signs: Collection[Sign]) -> int:
    """Note what is known of signs, in place of what was noted before; returns the version of the case.

    Args:
        signs: those of the checklist.

    Raises:
        FourEyes, NotFound, StoreConflict, WrongState. InputError: a sign that the list does not have, or a
            sign that was seen without saying by whom.
    """
    row = taken(tx, who, wanted)
    known = {sign.id for sign in signs}
    unknown = sorted({each.sign for each in answers} - known)
    if unknown:
        raise InputError(f"the checklist has no sign {unknown[0]!r}; see the vocabulary")
    if any(each.answer == "seen" and not each.witness for each in answers):
        raise InputError("say who saw the sign")
    shown = [vars(each) for each in answers]
    seq = told(tx, who, "case.checklist", wanted.case_id, answers=shown)
    names = [each.sign for each in answers]
    where = (case_checks.c.case_id == wanted.case_id, case_checks.c.sign.in_(names))
    tx.conn.execute(sa.delete(case_checks).where(*where))
    more = {"case_id": wanted.case_id, "author": who.identity, "at_us": tx.clock.now_us(), "journal_seq": seq}
    rows = [
        {name: clean(value) if isinstance(value, str) else value for name, value in each.items()} | more
        for each in shown
    ]
    tx.conn.execute(sa.insert(case_checks), rows)
    return put(tx, row, seq)


def of_case(conn: sa.Connection, case_id: str) -> list[sa.RowMapping]:
    """Return what is noted, by sign."""
    query = sa.select(case_checks).where(case_checks.c.case_id == case_id).order_by(case_checks.c.sign)
    return list(conn.execute(query).mappings())
