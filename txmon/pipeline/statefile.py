"""A scorer's state as a file: written whole, then renamed, so that a crash leaves the old one.

Arrow IPC (zstd) and behind it a SHA-256 of all of it, since Arrow itself would read most flipped bits as
other numbers. Owns the writing and reading of one state. `save_state` and `load_state` keep one in a folder
for `txmon score`; the service's snapshots are in `txmon.pipeline.snapshots`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from txmon.errors import StateError
from txmon.pipeline.scorer import Scorer

STATE_FILE = "state.arrow"
_MARK = b"TXMONSUM"  # before the sum, at the file's end
_TRAILER_BYTES = len(_MARK) + hashlib.sha256().digest_size
GoingOn = Callable[[], bool]


def always() -> bool:
    """Go on, whatever happens."""
    return True


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


def write_state(state: pa.Table, path: Path, going_on: GoingOn = always) -> None:
    """Write a snapshot to a file, making its folder.

    Args:
        going_on: asked between writes whether anybody still wants it.

    Raises:
        StateError: it cannot be written, or nobody wants it any more.
    """
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            summed = _Summed(file, going_on)
            with (
                pa.PythonFile(summed, "w") as sink,
                pa.ipc.new_file(sink, state.schema, options=options) as writer,
            ):
                writer.write_table(state)
            file.write(_MARK + summed.sum.digest())
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)  # the disk may be full of it
        raise StateError(f"state cannot be written below {path.parent}: {error.strerror}") from error


class _Summed:
    """A file to be written that adds up what goes into it."""

    closed = False

    def __init__(self, file: BinaryIO, going_on: GoingOn) -> None:
        self._file, self._going_on = file, going_on
        self.sum = hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Write and add."""
        if not self._going_on():
            raise OSError(errno.ECANCELED, "who asked for it has gone")
        self.sum.update(data)
        return self._file.write(data)

    def tell(self) -> int:
        """Where the file stands."""
        return self._file.tell()

    def flush(self) -> None:
        """Nothing: the file is flushed when it is whole."""

    def close(self) -> None:
        """Nothing: the sum is still to be written."""


class StateFile:
    """A state in a file whose bytes are those that were written; read batch by batch, never whole."""

    def __init__(self, path: Path, content: pa.Buffer) -> None:
        self._path = path
        self._file = pa.ipc.open_file(content)

    @property
    def schema(self) -> pa.Schema:
        """Its columns, and what it says of itself."""
        return self._file.schema

    def to_batches(self) -> Iterator[pa.RecordBatch]:
        """Yield its rows in order.

        Raises:
            StateError: they are no rows.
        """
        for number in range(self._file.num_record_batches):
            try:
                batch = self._file.get_batch(number)
                batch.validate(full=True)
            except (OSError, pa.ArrowException) as error:
                raise _unreadable(self._path, error) from error
            yield batch


def read_state(path: Path) -> StateFile:
    """Open a snapshot.

    Raises:
        StateError: the file cannot be read or is damaged.
    """
    try:
        with pa.memory_map(str(path)) as source:
            size = source.size() - _TRAILER_BYTES
            if size <= 0:
                raise OSError("it is cut short")
            content, trailer = source.read_buffer(size), source.read()
            if trailer != _MARK + hashlib.sha256(content).digest():
                raise OSError("its bytes are not those that were written")
            return StateFile(path, content)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> StateError:
    return StateError(f"state file {path} cannot be read: {error}; remove it and replay the events")
