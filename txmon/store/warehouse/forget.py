"""After an erasure: snapshots of the engine and the warehouse let go of what the journal let go of.

Owns the order of it. The erasure itself is `txmon.store.erase`'s.
"""

from __future__ import annotations

from pathlib import Path

from txmon.store.db import Store
from txmon.store.warehouse import files
from txmon.store.warehouse.check import inspect
from txmon.store.warehouse.main import Warehouse

SNAPSHOTS = "snapshots"  # below the store's folder


def drop_snapshots(folder: Path) -> int:
    """Remove the engine's snapshots; the next start replays the journal. Returns how many there were.

    Raises:
        StoreUnavailable: the file system refuses.
    """
    if not folder.is_dir():
        return 0
    with files.written("removing snapshots"):
        found = [path for path in folder.iterdir() if path.is_file()]
        for path in found:
            path.unlink()
        files.sync(folder)
    return len(found)


def forget(store: Store, folder: Path, snapshots: Path) -> int:
    """Bring what is derived up to the erasures of the journal; for a store whose service is not running.

    Args:
        folder: of the warehouse. A damaged one is made anew, an absent one stays absent.

    Returns:
        How many snapshots were removed.

    Raises:
        WriterActive: another process has the warehouse open; its own `catch_up` does the same.
    """
    dropped = drop_snapshots(snapshots)
    state = inspect(folder)
    if state.state == "absent":
        return dropped
    with Warehouse.open(folder, anew=state.state == "damaged") as warehouse:
        warehouse.catch_up(store)
    return dropped
