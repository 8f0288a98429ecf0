"""Removes what a warehouse that nobody has open leaves behind: after a crash, or all of it.

Owns the removing; files of events that the catalogue does not name are `files`' part.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from txmon.store.dialects import LOCK_FILE
from txmon.store.warehouse import files, layout, swap


def remove(folder: Path) -> None:
    """Remove what a killed process left: values that DuckDB put aside for want of memory, half a new file.

    Raises:
        StoreUnavailable: the file system refuses.
    """
    with files.written("opening the warehouse"):
        if (folder / layout.SPILL).exists():
            shutil.rmtree(folder / layout.SPILL)
    swap.remove_unfinished(folder)


def discard(folder: Path) -> None:
    """Remove all of a warehouse that nobody has open, but its lock: first what names files, then the files.

    Raises:
        StoreUnavailable: the file system refuses.
    """
    with files.written("removing the warehouse"):
        for name in (layout.SEAL, layout.DATABASE, layout.DATABASE + swap.LOG):
            (folder / name).unlink(missing_ok=True)
        files.sync(folder)
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK_FILE:
                path.unlink()
