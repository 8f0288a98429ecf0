"""The warehouse: events in Parquet by day, hits and alerts in DuckDB, for questions over all of history.

    DIR/warehouse/warehouse.duckdb                       catalogue of files, hits, alerts, views, the mark
    DIR/warehouse/events/day=2026-01-05/0000000007.parquet

    with Warehouse.open(folder) as warehouse:            WriterActive where another process has it open
        warehouse.catch_up(store, upto=None, enough=...) -> Mark(seq, head, events); one thread
        warehouse.apply(entries, hits, alerts, links)    one step of it, from values at hand
        warehouse.mark                                   how far it is
        warehouse.check()                                -> [Damage]; size and checksum of every file
        warehouse.rebuild(store)                         everything anew from the journal
        with warehouse.read() as cursor:                 a DuckDB cursor that sees one moment; any thread
            cursor.sql("select count(*) from legs")
    inspect(folder)                                      -> State: damages of a warehouse that is not open
    forget(store, folder, snapshots)                     after an erasure: nothing derived keeps the values

Derived: whatever is wrong with it, the journal makes it anew. Views: `events`, `legs`, `hits`, `alerts`,
`alert_hits`, `profiles`; docs/warehouse.md shows them.
"""

from __future__ import annotations

from txmon.store.warehouse.catalog import Mark
from txmon.store.warehouse.check import Damage, State, inspect
from txmon.store.warehouse.forget import forget
from txmon.store.warehouse.main import Warehouse

__all__ = ["Damage", "Mark", "State", "Warehouse", "forget", "inspect"]
