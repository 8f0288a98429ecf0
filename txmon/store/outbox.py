"""Messages to be sent: written with what they tell of, sent later by whoever owns the topic.

Owns the table of the outbox; never sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from txmon.errors import InputError
from txmon.store.db import Tx
from txmon.store.schema import outbox

PENDING, DONE, DEAD = "pending", "done", "dead"
_INSERT = sa.insert(outbox)


@dataclass(frozen=True)
class Message:
    """A message before it has a number."""

    topic: str
    kind: str
    body: bytes


@dataclass(frozen=True)
class Stored:
    """A message of the outbox."""

    id: int
    topic: str
    kind: str
    body: bytes
    created_seq: int
    created_us: int
    state: str


def add(tx: Tx, messages: Sequence[Message], seq: int, now_us: int) -> range:
    """Add messages that journal row `seq` leads to; returns their numbers."""
    numbers = range(tx.marks.outbox, tx.marks.outbox + len(messages))
    if messages:
        rows = [
            {"id": number, "topic": m.topic, "kind": m.kind, "body": m.body}
            | {"created_seq": seq, "created_us": now_us, "state": PENDING}
            for number, m in zip(numbers, messages, strict=True)
        ]
        tx.conn.execute(_INSERT, rows)
        tx.marks.outbox = numbers.stop
    return numbers


def pending(conn: sa.Connection, topic: str, *, after: int = 0, limit: int = 100) -> list[Stored]:
    """Return messages of a topic that wait, in order, numbers above `after` only."""
    query = (
        sa.select(outbox)
        .where(outbox.c.state == PENDING, outbox.c.topic == topic, outbox.c.id > after)
        .order_by(outbox.c.id)
        .limit(limit)
    )
    return [Stored(*row) for row in conn.execute(query)]


def following(conn: sa.Connection, topic: str, after: int, limit: int = 100) -> list[Stored]:
    """Return messages of a topic with numbers above `after`, whatever their state: for who counts alone."""
    query = (
        sa.select(outbox)
        .where(outbox.c.topic == topic, outbox.c.id > after)
        .order_by(outbox.c.id)
        .limit(limit)
    )
    return [Stored(*row) for row in conn.execute(query)]


def backlog(conn: sa.Connection) -> int:
    """Return how many messages wait."""
    query = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.state == PENDING)
    return int(conn.execute(query).scalar_one())


def mark(tx: Tx, numbers: Iterable[int], state: str) -> None:
    """Move messages to a state; to `pending` sends them again.

    Raises:
        InputError: a state that is none.
    """
    if state not in (PENDING, DONE, DEAD):
        raise InputError(f"outbox state {state!r} is not one of {PENDING}, {DONE}, {DEAD}")
    rows = [{"number": number} for number in numbers]
    if rows:
        tx.conn.execute(
            sa.update(outbox).where(outbox.c.id == sa.bindparam("number")).values(state=state), rows
        )


def forget(tx: Tx, before_us: int, waiting_before_us: int = 0) -> int:
    """Drop messages that were sent or given up, or wait, and are older than a time; returns how many.

    The newest stays, so that numbers go on behind it after a restart: receivers count on them.

    Args:
        waiting_before_us: of those that wait, since nobody is there who sends them.
    """
    newest = sa.select(sa.func.max(outbox.c.id)).scalar_subquery()
    sent = sa.and_(outbox.c.state != PENDING, outbox.c.created_us < before_us)
    old = (sa.or_(sent, outbox.c.created_us < waiting_before_us), outbox.c.id < newest)
    return tx.conn.execute(sa.delete(outbox).where(*old)).rowcount
