"""What a store holds, in the form of hits.parquet and alerts.parquet.

Owns the conversion; changes nothing in the store.
"""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc

from txmon.alerts import ALERTS
from txmon.engine.hits import HIT_COLUMNS
from txmon.store import Store
from txmon.store.warehouse.source import since

_HOLDERS = ("holders_first", "holders_latest")


def stored_results(store: Store) -> tuple[pa.Table, pa.Table]:
    """Return every hit in order of arrival, and every alert in the order in which they opened."""
    rows = since(store, 0, 0, store.marks.seq)
    opened = rows.links.filter(pc.equal(rows.links.column("change"), "opened")).sort_by("hit_id")
    alerts = rows.alerts.take(pc.index_in(opened.column("alert_id"), rows.alerts.column("alert_id")))
    columns = []
    for field in ALERTS:
        column = alerts.column(field.name).combine_chunks()
        if field.name in _HOLDERS:
            column = pa.array([json.loads(text) for text in column.to_pylist()], field.type)
        columns.append(column.cast(field.type))
    hits = rows.hits.select(HIT_COLUMNS.names).cast(HIT_COLUMNS)
    return hits, pa.Table.from_arrays(columns, schema=ALERTS)
