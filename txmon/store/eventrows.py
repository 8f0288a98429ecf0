"""Events of the journal by the hits that they caused, as plain values.

Owns the reading of an event out of a journal row; who may see one is the caller's part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from txmon.store import journal
from txmon.store.db import Store


def events_of(store: Store, rows: Sequence[sa.RowMapping], most: int) -> list[dict[str, Any]]:
    """Return the events of the first `most` of these hits, the newest first; what was erased is not there."""
    wanted: dict[int, set[int]] = defaultdict(set)
    for row in rows[:most]:
        wanted[row["journal_seq"]].add(row["ingest_seq"])
    found: dict[int, dict[str, Any]] = {}
    for seq, numbers in wanted.items():
        for entry in journal.read(store, seq, seq, (journal.EVENTS,)):
            places = np.flatnonzero(np.isin(entry.rows + entry.first_event_seq, sorted(numbers)))
            table = entry.table.take(pa.array(places))
            given = (entry.rows[places] + entry.first_event_seq).tolist()
            for number, event in zip(given, table.to_pylist(), strict=True):
                found[number] = {"ingest_seq": number} | plain(event)
    return [found[number] for number in sorted(found, reverse=True)]


def plain(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event without its nulls, in values that JSON can hold."""
    return {name: _value(value) for name, value in event.items() if value is not None}


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list):
        if value and isinstance(value[0], tuple):  # a map
            return dict(value)
        return [plain(each) if isinstance(each, Mapping) else _value(each) for each in value]
    if hasattr(value, "isoformat"):
        return value.isoformat().replace("+00:00", "Z")
    return value
