"""The scorer's state in a folder: written whole, then renamed, so that a crash leaves the old one.

Owns one file, ``state.arrow`` (Arrow IPC, zstd).
"""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa

from txmon.errors import StateError
from txmon.pipeline.scorer import Scorer

STATE_FILE = "state.arrow"


def save_state(scorer: Scorer, folder: Path) -> Path:
    """Write the state; returns the file.

    Raises:
        StateError: the folder cannot be written.
    """
    path = folder / STATE_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        table = scorer.snapshot()
        with open(fresh, "wb") as file:
            with pa.ipc.new_file(
                file, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
            ) as writer:
                writer.write_table(table)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except OSError as error:
        raise StateError(f"state cannot be written below {folder}: {error.strerror}") from error
    return path


def load_state(scorer: Scorer, folder: Path) -> bool:
    """Go on from the state in a folder; false if there is none.

    Raises:
        StateError: the file is damaged, or was made with other packs.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return False
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise StateError(
            f"state file {path} cannot be read: {error}; remove it and replay the events"
        ) from error
    scorer.restore(table)
    return True
