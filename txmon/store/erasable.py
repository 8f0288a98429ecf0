"""What an erasure on request would take out, so that what orders hold of it can be copied first.

Owns the search; erases nothing.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import sqlalchemy as sa

from txmon.store import journal
from txmon.store.db import Store
from txmon.store.due import Due
from txmon.store.erase import Search
from txmon.store.mentions import Mentions
from txmon.store.schema import alerts, hits

_BLOCK = 500
_TABLES = ("alerts", "cases", "hits", "case_files", "quarantine", "proposals")


def of_subjects(store: Store, values: Collection[str]) -> Due:
    """Return what an erasure of subjects would take out of events, alerts and hits."""
    found = _events(store, Search(mentions=Mentions(values)))
    wanted = sorted(values)
    with store.read() as conn:
        for i in range(0, len(wanted), _BLOCK):
            block = wanted[i : i + _BLOCK]
            for name, table, key in (("alerts", alerts, alerts.c.alert_id), ("hits", hits, hits.c.hit_id)):
                query = sa.select(key).where(table.c.subject_id.in_(block))
                found.rows[name] += [[each] for each in conn.execute(query).scalars()]
    return found


def of_events(store: Store, keys: Collection[tuple[str, str]]) -> Due:
    """Return what an erasure of single events would take out."""
    return _events(store, Search(keys=frozenset(keys)))


def _events(store: Store, search: Search) -> Due:
    numbers: list[int] = []
    for entry in journal.read(store, kinds=[journal.EVENTS]):
        numbers += [entry.first_event_seq + place for place in search.places(entry)]
    found = Due(np.array(sorted(numbers), np.int64), frozenset(), {name: [] for name in _TABLES})
    with store.read() as conn:
        for i in range(0, len(numbers), _BLOCK):
            query = sa.select(hits.c.hit_id).where(hits.c.ingest_seq.in_(numbers[i : i + _BLOCK]))
            found.rows["hits"] += [[each] for each in conn.execute(query).scalars()]
    return found
