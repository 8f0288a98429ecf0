"""What the journal says of card tokens: which aliases may be forgotten, and which keys are in use.

Forgotten may be those whose token no window can hold any more. A card whose alias was forgotten gets its new
token when it is seen again, and nothing that still counts knows it by the old one. Owns the search through
the journal and the deletion of what it finds.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from txmon.store import aliases, journal
from txmon.store.db import Store
from txmon.store.schema import journal as rows

_AT_ONCE = 10_000
_NEWEST_ROWS = 64
_START = "pan_"


def prune(store: Store, keep_us: int) -> int:
    """Forget aliases of tokens that no event of the last `keep_us` microseconds has; returns how many.

    The time counts back from the newest event, whatever the clock says.
    """
    newest, last = _last_seen(store)
    if newest is None:
        return 0
    since = newest - keep_us
    with store.read() as conn:
        unused = [
            number
            for ids, _, kept in aliases.pages(conn)
            for number, token in zip(ids, kept, strict=True)
            if last.get(token, since - 1) < since
        ]
    for i in range(0, len(unused), _AT_ONCE):
        with store.write() as tx:
            aliases.drop(tx, unused[i : i + _AT_ONCE])
    if unused:
        store.scrub()
    return len(unused)


def _last_seen(store: Store) -> tuple[int | None, dict[str, int]]:
    """Return the time of the newest event, and the newest time of each token that is a whole value."""
    newest: int | None = None
    last: dict[str, int] = {}
    for entry in journal.read(store, kinds=(journal.EVENTS,)):
        table = entry.table
        if not len(table):
            continue  # erased
        time = table.column("event_time").cast(pa.int64())
        newest = max(int(pc.max(time).as_py()), newest or 0)
        for name in table.column_names:
            column = table.column(name)
            if pa.types.is_string(column.type) and column.null_count < len(column):
                chosen = pc.starts_with(column, _START)
                found = pa.table({"token": column.filter(chosen), "time": time.filter(chosen)})
                grouped = found.group_by("token").aggregate([("time", "max")])
                for token, at in zip(*(c.to_pylist() for c in grouped.columns), strict=True):
                    last[token] = max(at, last.get(token, at))
    return newest, last


def newest_keys(store: Store) -> frozenset[str]:
    """Return the keys of the newest card tokens of the journal; none where its last rows hold no card."""
    query = sa.select(rows.c.seq).where(rows.c.kind == journal.EVENTS)
    with store.read() as conn:
        newest = conn.execute(query.order_by(rows.c.seq.desc()).limit(_NEWEST_ROWS)).scalars().all()
    for seq in newest:
        for entry in journal.read(store, seq, seq):
            tokens = pc.unique(entry.table.column("card")).to_pylist() if len(entry.table) else []
            found = frozenset(t[4:12] for t in tokens if t is not None and t.startswith(_START))
            if found:
                return found
    return frozenset()
