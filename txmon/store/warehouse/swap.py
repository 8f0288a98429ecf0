"""Makes the DuckDB file anew from itself: what was deleted in it would stay in its unused blocks.

Owns the copying and the exchange of the two files; which rows stay is told by `erased`.
"""

# ruff: noqa: S608 - names are our own; values are parameters or quoted

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from txmon.store.warehouse import catalog, layout
from txmon.store.warehouse.erased import Touched
from txmon.store.warehouse.files import File, remove, sync, written
from txmon.store.warehouse.source import Rows
from txmon.store.warehouse.views import quoted

_NEW = layout.DATABASE + ".new"
LOG = ".wal"  # DuckDB's own, beside its file


def copy(
    con: Any, folder: Path, work: Touched, again: Rows, gone: Sequence[File], new: Sequence[File]
) -> None:
    """Write the file that shall replace the open one.

    Args:
        again: hits and alerts that stay with other texts.
        gone, new: files of events that are exchanged.
    """
    remove_unfinished(folder)
    con.execute("checkpoint")
    con.execute(f"attach {quoted(str(folder / _NEW))} as fresh")
    catalog.create(con, "fresh.")
    con.execute("delete from fresh.mark")
    con.execute("insert into fresh.mark select * from mark")
    con.execute("insert into fresh.files select * from files")
    catalog.replace_files(con, gone, new, "fresh.")
    hits, alerts = work.hits_gone | work.hits_changed, work.alerts_gone | work.alerts_changed
    _copy(con, "hits", {"hit_id": hits})
    _copy(con, "alerts", {"alert_id": alerts})
    _copy(con, "alert_hits", {"hit_id": work.hits_gone, "alert_id": work.alerts_gone})
    catalog.insert(con, "fresh.hits", again.hits)
    catalog.insert(con, "fresh.alerts", again.alerts)
    con.execute("checkpoint fresh")
    con.execute("detach fresh")
    with written("writing the warehouse"):
        sync(folder / _NEW)


def _copy(con: Any, table: str, without: dict[str, Iterable[Any]]) -> None:
    """Copy a table but for rows with one of these keys."""
    wheres = []
    for i, (column, keys) in enumerate(without.items()):
        kind = {f.name: f.type for f in catalog.TABLES[table]}[column]
        con.register(f"without_{i}", pa.table({"key": pa.array(sorted(keys), kind)}))
        wheres.append(f"{column} not in (select key from without_{i})")
    con.execute(f"insert into fresh.{table} select * from {table} where {' and '.join(wheres)}")
    for i in range(len(without)):
        con.unregister(f"without_{i}")


def remove_unfinished(folder: Path) -> None:
    """Remove a new file that a crash kept from its place."""
    remove(folder, (_NEW, _NEW + LOG))


def exchange(folder: Path) -> None:
    """Put the new file in the old one's place; nobody has the old one open."""
    # a log that is left would be read into the new file
    remove(folder, (layout.DATABASE + LOG,))
    with written("writing the warehouse"):
        (folder / _NEW).replace(folder / layout.DATABASE)
        sync(folder)
