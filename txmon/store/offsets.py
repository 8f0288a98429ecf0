"""How far a consumer has come in each partition of a source, committed with what came of it.

Owns the table of offsets. A position never goes back by `put`.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from txmon.errors import StoreConflict
from txmon.store.db import Tx
from txmon.store.schema import offsets

_INSERT = sa.insert(offsets)
_ADVANCE = (
    sa.update(offsets)
    .where(
        offsets.c.consumer == sa.bindparam("named"),
        offsets.c.partition == sa.bindparam("part"),
        offsets.c.position <= sa.bindparam("now"),
    )
    .values(position=sa.bindparam("now"), seq=sa.bindparam("row"))
)


def put(tx: Tx, consumer: str, positions: Mapping[str, int], seq: int) -> None:
    """Note the last position of each partition that journal row `seq` holds.

    Raises:
        StoreConflict: a position is before the stored one; two consumers of one name, or a source that
            was made anew (`reset` it).
    """
    for partition, position in positions.items():
        row = {"named": consumer, "part": partition, "now": position, "row": seq}
        if tx.conn.execute(_ADVANCE, row).rowcount == 1:
            continue
        if partition in get(tx.conn, consumer):
            raise StoreConflict(
                f"consumer {consumer}, partition {partition}: position {position} is before the stored one; "
                "stop the second consumer of this name, or reset its offsets if the source was made anew"
            )
        tx.conn.execute(
            _INSERT, {"consumer": consumer, "partition": partition, "position": position, "seq": seq}
        )


def get(conn: sa.Connection, consumer: str) -> dict[str, int]:
    """Return the last position of each partition."""
    query = sa.select(offsets.c.partition, offsets.c.position).where(offsets.c.consumer == consumer)
    return {row.partition: int(row.position) for row in conn.execute(query)}


def reset(tx: Tx, consumer: str) -> None:
    """Forget a consumer's positions: it starts from the beginning; duplicates have no effect."""
    tx.conn.execute(sa.delete(offsets).where(offsets.c.consumer == consumer))
