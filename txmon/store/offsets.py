"""How far a consumer has come in each partition of a source, committed with what came of it.

Owns the table of offsets. A position never goes back by `put`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from txmon.errors import StoreConflict
from txmon.store.db import Tx
from txmon.store.schema import offsets


def put(tx: Tx, consumer: str, positions: Mapping[str, int], seq: int) -> None:
    """Note the last position of each partition that journal row `seq` holds.

    Raises:
        StoreConflict: a position is before the stored one; two consumers of one name, or a source that
            was made anew (`reset` it).
    """
    for partition, position in positions.items():
        insert: Any = (postgresql if tx.conn.dialect.name == "postgresql" else sqlite).insert(offsets)
        statement = insert.on_conflict_do_update(
            index_elements=["consumer", "partition"],
            set_={"position": insert.excluded.position, "seq": insert.excluded.seq},
            where=offsets.c.position <= insert.excluded.position,
        )
        row = {"consumer": consumer, "partition": partition, "position": position, "seq": seq}
        if tx.conn.execute(statement, row).rowcount != 1:
            raise StoreConflict(
                f"consumer {consumer}, partition {partition}: position {position} is before the stored one; "
                "stop the second consumer of this name, or reset its offsets if the source was made anew"
            )


def get(conn: sa.Connection, consumer: str) -> dict[str, int]:
    """Return the last position of each partition."""
    query = sa.select(offsets.c.partition, offsets.c.position).where(offsets.c.consumer == consumer)
    return {row.partition: int(row.position) for row in conn.execute(query)}


def reset(tx: Tx, consumer: str) -> None:
    """Forget a consumer's positions: it starts from the beginning; duplicates have no effect."""
    tx.conn.execute(sa.delete(offsets).where(offsets.c.consumer == consumer))
