"""A scorer's state as a file: written whole, then renamed, so that a crash leaves the old one.

Owns the writing and reading of one state (Arrow IPC, zstd). `save_state` and `load_state` keep one in a
folder for `txmon score`; the service's snapshots are in `txmon.pipeline.snapshots`.
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
    write_state(scorer.snapshot(), path)
    return path


def load_state(scorer: Scorer, folder: Path) -> bool:
    """Go on from the state in a folder; false if there is none.

    Raises:
        StateError: the file is damaged, or was made with other packs.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return False
    scorer.restore(read_state(path))
    return True


def write_state(state: pa.Table, path: Path) -> None:
    """Write a snapshot to a file, making its folder.

    Raises:
        StateError: it cannot be written.
    """
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            with pa.ipc.new_file(file, state.schema, options=options) as writer:
                writer.write_table(state)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except OSError as error:
        raise StateError(f"state cannot be written below {path.parent}: {error.strerror}") from error


def read_state(path: Path) -> pa.Table:
    """Read a snapshot.

    Raises:
        StateError: the file cannot be read or is damaged.
    """
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
            table.validate(full=True)
    except (OSError, pa.ArrowException) as error:
        raise StateError(
            f"state file {path} cannot be read: {error}; remove it and replay the events"
        ) from error
    return table
