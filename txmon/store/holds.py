"""What retention must leave: events that a hold names, or that an alert somebody may still work on is about.

A hold names subjects (accounts, parties, cards, devices ...) or single events. An alert that was not
dismissed holds the events of its hits and every event that names its subject, since its evidence is a
window of them; so does a case that is not closed for its parties. Owns the search; changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from txmon.store import journal
from txmon.store.casetables import case_parties, cases
from txmon.store.db import Store
from txmon.store.schema import alert_hits, alerts, hits

_PARTIES = (
    sa.select(case_parties.c.ref)
    .join(cases, cases.c.case_id == case_parties.c.case_id)
    .where(cases.c.state != "closed", case_parties.c.state == "current")
)
SUBJECTS = ("payer", "payee", "account", "party", "merchant", "card", "device", "ip")


def held(
    store: Store,
    before_us: int,
    subjects: Collection[str] = (),
    keys: Collection[tuple[str, str]] = (),
    *,
    alerts_too: bool = True,
) -> set[int]:
    """Return `ingest_seq` of the events before a time that stay.

    Args:
        before_us: microseconds UTC; later events stay anyway.
        subjects: as the events name them.
        keys: (source, event_id).
        alerts_too: also what alerts that were not dismissed, and cases that are not closed, need.
    """
    names = set(subjects)
    found: set[int] = set()
    if alerts_too:
        with store.read() as conn:
            working = alerts.c.state != "dismissed"
            names |= set(conn.execute(sa.select(alerts.c.subject_id).where(working)).scalars())
            names |= set(conn.execute(_PARTIES).scalars())
            join = alert_hits.join(alerts, alerts.c.alert_id == alert_hits.c.alert_id)
            query = sa.select(hits.c.ingest_seq).select_from(
                join.join(hits, hits.c.hit_id == alert_hits.c.hit_id)
            )
            found |= set(conn.execute(query.where(working)).scalars())
    if not names and not keys:
        return found
    values, wanted = pa.array(sorted(names), pa.string()), frozenset(keys)
    for entry in journal.read(store, kinds=[journal.EVENTS]):
        named = naming(entry.table, values, wanted)
        if named.any():
            named &= pc.cast(entry.table["event_time"], pa.int64()).to_numpy() < before_us
            found |= set((entry.first_event_seq + entry.rows[named]).tolist())
    return found


def naming(table: pa.Table, values: pa.Array, keys: frozenset[tuple[str, str]]) -> np.ndarray:
    """Return which events name one of the values, or are one of the keys."""
    found = np.zeros(len(table), np.bool_)
    for name in SUBJECTS:
        if name in table.column_names and table.column(name).null_count < len(table):
            column = table.column(name)
            found |= pc.is_in(column, value_set=values.cast(column.type)).to_numpy()
    if keys:
        ids = zip(table["source"].to_pylist(), table["event_id"].to_pylist(), strict=True)
        found |= np.fromiter((key in keys for key in ids), np.bool_, len(table))
    if "holders" in table.column_names and table.column("holders").null_count < len(table):
        found |= _holders(table.column("holders"), values)
    return found


def _holders(column: pa.ChunkedArray, values: pa.Array) -> np.ndarray:
    """Which lists of holders have a party among the values."""
    lists = column.combine_chunks()
    found = np.zeros(len(lists), np.bool_)
    parties = pc.struct_field(pc.list_flatten(lists), "party")
    parents = pc.list_parent_indices(lists).to_numpy()
    found[parents[pc.is_in(parties, value_set=values).to_numpy(zero_copy_only=False)]] = True
    return found
