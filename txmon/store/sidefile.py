"""The file of erasures beside the database: a line a document, synced before the erasure commits.

    line = document of erasure in JSON; see `txmon.store.names`

Whoever restores an older backup gives this file along, so that what was erased since stays erased. It
holds no personal value. Owns the file's form.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from txmon.errors import StoreUnavailable


def append(path: Path, document: bytes) -> None:
    """Add a document and wait until the disk has it.

    Raises:
        StoreUnavailable: the file cannot be written; the erasure is not to be committed then.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(file).st_size
            cut = size and os.pread(file, 1, size - 1) != b"\n"
            os.write(file, (b"\n" if cut else b"") + document + b"\n")
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise StoreUnavailable(
            f"cannot append to the file of erasures {path}: {error.strerror}; nothing was erased"
        ) from error


def read(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield line number and document. A line without its end was cut by a crash before its commit."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"}\n"):
                yield number, line[:-1]
