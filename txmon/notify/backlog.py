"""What the dispatcher reads of the store and settles in it.

Owns queries over `outbox` and `deliveries`; decides nothing about time.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from txmon.notify.deliver import BLOCKED, GONE, RETRY
from txmon.notify.endpoints import TOPICS, Endpoint, position
from txmon.notify.lane import Again, Lane, Place
from txmon.store import Tx
from txmon.store import outbox as messages
from txmon.store.outbox import DONE, PENDING, Stored
from txmon.store.schema import deliveries, outbox

_OPEN = (RETRY, GONE, BLOCKED)  # a message whose last try ended so still has to arrive
FETCHED = 100


def open_lane(conn: sa.Connection, endpoint: Endpoint) -> Lane:
    """Return an endpoint's lane as the store has it."""
    place = Place(*position(conn, endpoint.id))
    anew = sa.select(outbox.c.id).where(outbox.c.id <= place.id, outbox.c.created_seq > place.seq).limit(1)
    if conn.execute(anew).first() is not None:  # numbers began anew after the outbox was emptied
        place = Place(place.seq + 1, 0)
    return Lane(endpoint, place, _outstanding(conn, endpoint.id))


def _outstanding(conn: sa.Connection, endpoint_id: str) -> list[Again]:
    """Return messages whose last try did not settle them; all are due at once after a start."""
    newest = (
        sa.select(sa.func.max(deliveries.c.id).label("id"))
        .where(deliveries.c.endpoint_id == endpoint_id)
        .group_by(deliveries.c.outbox_id)
        .subquery()
    )
    query = (
        sa.select(deliveries.c.outbox_id, deliveries.c.attempt)
        .join(newest, newest.c.id == deliveries.c.id)
        .join(outbox, outbox.c.id == deliveries.c.outbox_id)
        .where(deliveries.c.outcome.in_(_OPEN), deliveries.c.at_us >= outbox.c.created_us)
    )
    return [Again(0, int(row.outbox_id), int(row.attempt)) for row in conn.execute(query)]


def following(conn: sa.Connection, after: Place) -> list[Stored]:
    """Return messages behind a place, in order."""
    query = (
        sa.select(outbox)
        .where(outbox.c.topic.in_(TOPICS), outbox.c.id > after.id, outbox.c.created_seq >= after.seq)
        .order_by(outbox.c.id)
        .limit(FETCHED)
    )
    return [Stored(*row) for row in conn.execute(query)]


def one(conn: sa.Connection, number: int) -> Stored | None:
    """Return a message, None where it was erased or forgotten."""
    row = conn.execute(sa.select(outbox).where(outbox.c.id == number)).first()
    return None if row is None else Stored(*row)


def newest_id(conn: sa.Connection) -> int:
    """Return the number of the newest message."""
    return int(conn.execute(sa.select(sa.func.coalesce(sa.func.max(outbox.c.id), 0))).scalar_one())


def newest_delivery(conn: sa.Connection) -> int:
    """Return the id of the newest line of the log."""
    query = sa.select(sa.func.coalesce(sa.func.max(deliveries.c.id), 0))
    return int(conn.execute(query).scalar_one())


def replays(conn: sa.Connection, after: int) -> list[tuple[int, str, int]]:
    """Return what was asked to be sent again since a line of the log: line, endpoint, message."""
    query = (
        sa.select(deliveries.c.id, deliveries.c.endpoint_id, deliveries.c.outbox_id)
        .where(deliveries.c.id > after, deliveries.c.attempt == 0)
        .order_by(deliveries.c.id)
    )
    return [(int(row[0]), str(row[1]), int(row[2])) for row in conn.execute(query)]


def waiting(conn: sa.Connection, lanes: Sequence[Lane]) -> int:
    """Return how many deliveries are still to be made."""
    count = 0
    for lane in lanes:
        behind = sa.select(sa.func.count()).where(
            outbox.c.topic.in_(TOPICS), outbox.c.id > lane.place.id, outbox.c.created_seq >= lane.place.seq
        )
        count += int(conn.execute(behind).scalar_one()) + len(lane.retries)
    return count


def settled(conn: sa.Connection, upto: int, older_us: int) -> list[int]:
    """Return messages that wait though nobody needs them: up to a number, or older than a time."""
    query = (
        sa.select(outbox.c.id)
        .where(
            outbox.c.state == PENDING,
            outbox.c.topic.in_(TOPICS),
            sa.or_(outbox.c.id <= upto, outbox.c.created_us < older_us),
        )
        .order_by(outbox.c.id)
        .limit(1000)
    )
    return [int(number) for number in conn.execute(query).scalars()]


def settle(tx: Tx, numbers: Sequence[int], log_older_us: int) -> None:
    """Mark messages as sent, and drop old lines of the log."""
    messages.mark(tx, numbers, DONE)
    tx.conn.execute(sa.delete(deliveries).where(deliveries.c.at_us < log_older_us))
