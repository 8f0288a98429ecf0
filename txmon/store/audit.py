"""The record of reads: who looked at whose data, when and what for.

    log = AuditLog(store)
    log.record(who, "alert.read", "al-...", "review of the queue", now_us)   any thread, no SQL
    log.write(tx)                  the writer, with its next transaction or each second
    read(conn, identity=...)       for auditors, the newest first

A read is noted before its answer leaves and written a moment later; what was not written when a process is
killed is lost. If it cannot be written for long, notes fill up and reads are refused rather than
unrecorded. Owns the table `audit`; which reads are of personal data is the routes' part.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from txmon.errors import InputError, StoreUnavailable
from txmon.store.db import Store, Tx
from txmon.store.identity import Principal
from txmon.store.schema import audit
from txmon.store.texts import clean

WAITING_MAX = 100_000
_TEXT_MAX = 200
_INSERT = sa.insert(audit)


@dataclass(frozen=True)
class Read:
    """A line of the record."""

    id: int
    at_us: int
    identity: str
    key_id: str | None
    action: str
    subject: str | None
    purpose: str | None


class AuditLog:
    """Notes that wait to be written; one object a store."""

    def __init__(self, store: Store) -> None:
        self._turn = threading.Lock()
        self._waiting: list[dict[str, Any]] = []
        with store.read() as conn:
            self._next = _last(conn) + 1

    @property
    def waiting(self) -> int:
        """Return how many notes wait."""
        return len(self._waiting)

    def record(self, who: Principal, action: str, subject: str | None, purpose: str, now_us: int) -> None:
        """Note a read.

        Args:
            action: what was done, a word of ours such as ``alert.read``.
            subject: whose data, as the request named it; a list's filter in words.
            purpose: why, as the reader says.

        Raises:
            InputError: no purpose, or a long one. StoreUnavailable: too many notes wait.
        """
        if not purpose.strip() or len(purpose) > _TEXT_MAX:
            raise InputError(f"say what the data is read for, in 1 to {_TEXT_MAX} characters")
        row = {"at_us": now_us, "identity": who.identity, "key_id": who.key_id, "action": action}
        row |= {"subject": None if subject is None else clean(subject[:_TEXT_MAX]), "purpose": clean(purpose)}
        with self._turn:
            if len(self._waiting) >= WAITING_MAX:
                raise StoreUnavailable("reads cannot be recorded now; nothing is shown until they can")
            self._waiting.append(row | {"id": self._next})
            self._next += 1

    def write(self, tx: Tx) -> int:
        """Write what waits, in order; returns how many. A note waits until its transaction has ended well."""
        last = _last(tx.conn)
        with self._turn:
            # numbers only grow, so what the table has up to `last` was committed with an earlier transaction
            self._waiting = [row for row in self._waiting if row["id"] > last]
            rows = list(self._waiting)
        if rows:
            tx.conn.execute(_INSERT, rows)
        return len(rows)


def read(
    conn: sa.Connection, *, identity: str | None = None, action: str | None = None,
    subject: str | None = None, purpose: str | None = None, from_us: int | None = None,
    to_us: int | None = None, before: int | None = None, limit: int = 100,
) -> list[Read]:  # fmt: skip
    """Return lines of the record, the newest first.

    Args:
        purpose: a part of it.
        from_us: microseconds UTC, included; `to_us` is not.
        before: lines with smaller numbers only, to go on from a page's last.
    """
    query = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
    for column, value in ((audit.c.identity, identity), (audit.c.action, action), (audit.c.subject, subject)):
        if value is not None:
            query = query.where(column == value)
    if purpose is not None:
        query = query.where(audit.c.purpose.contains(purpose, autoescape=True))
    if from_us is not None:
        query = query.where(audit.c.at_us >= from_us)
    if to_us is not None:
        query = query.where(audit.c.at_us < to_us)
    if before is not None:
        query = query.where(audit.c.id < before)
    return [Read(*row) for row in conn.execute(query)]


def _last(conn: sa.Connection) -> int:
    return int(conn.execute(sa.select(sa.func.coalesce(sa.func.max(audit.c.id), 0))).scalar_one())
