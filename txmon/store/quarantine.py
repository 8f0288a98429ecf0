"""Rows that are no events, kept until a person has dealt with them.

Owns the table of quarantine; reading and mapping of rows is `txmon.streams`' part.
"""

from __future__ import annotations

import pyarrow as pa
import sqlalchemy as sa

from txmon.errors import InputError, StoreConflict
from txmon.store.db import Tx
from txmon.store.schema import quarantine
from txmon.store.texts import column

COLUMNS = ("feed", "line", "event_id", "field", "value", "reason", "message", "raw")
STATES = ("open", "fixed", "dropped")
_INSERT = sa.insert(quarantine)


def add(tx: Tx, table: pa.Table, journal_seq: int, received_us: int) -> range:
    """Keep the rows of `txmon.streams.quarantine.QUARANTINE`; returns their numbers."""
    numbers = range(tx.marks.quarantine, tx.marks.quarantine + len(table))
    if numbers:
        columns = [column(table, name) for name in COLUMNS]
        more = {"received_us": received_us, "state": "open", "tries": 0, "journal_seq": journal_seq}
        rows = [
            dict(zip(COLUMNS, values, strict=True)) | more | {"id": number, "resubmitted_as": None}
            for number, values in zip(numbers, zip(*columns, strict=True), strict=True)
        ]
        tx.conn.execute(_INSERT, rows)
        tx.marks.quarantine = numbers.stop
    return numbers


def settle(
    tx: Tx, number: int, state: str, *, resubmitted_as: str | None = None, tries: int | None = None
) -> None:
    """Note what became of a row; a try that failed again leaves it open with one try more.

    Args:
        tries: the count that the caller read, if it must not have changed since.

    Raises:
        InputError: a state that is none. StoreConflict: the row is not open, or was tried since.
    """
    if state not in STATES:
        raise InputError(f"quarantine state {state!r} is not one of {', '.join(STATES)}")
    which = [quarantine.c.id == number, quarantine.c.state == "open"]
    if tries is not None:
        which.append(quarantine.c.tries == tries)
    done = tx.conn.execute(
        sa.update(quarantine)
        .where(*which)
        .values(state=state, resubmitted_as=resubmitted_as, tries=quarantine.c.tries + 1)
    )
    if done.rowcount != 1:
        raise StoreConflict(f"quarantine row {number} is not open, or was tried meanwhile; read it again")
