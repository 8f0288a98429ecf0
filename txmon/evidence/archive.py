"""Reads the files of a bundle that may be anybody's: bounded, by plain names, each once.

Owns what a name and a size may be; believes nothing that the file says of itself.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path

from txmon.errors import InputError

MOST_FILES = 20_000
MOST_BYTES = 1 << 31
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def read_files(path: Path) -> dict[str, bytes]:
    """Return the content of every file by name.

    Raises:
        InputError: no ZIP, a damaged one, or one with names or sizes that no bundle has.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check(path, entries)
            return {entry.filename: _read(archive, entry) for entry in entries}
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or 'cannot be read'}; name a bundle") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise InputError(f"{path} is no bundle, or a damaged one: {error}; get it again") from error


def _check(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if len(names) > MOST_FILES or sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise InputError(f"{path} holds more than a bundle may ({MOST_FILES:,} files, 2 GiB)")
    if len(set(names)) < len(names):
        raise InputError(f"{path} holds two files of one name, which no bundle does")
    for name in names:
        if not all(_PART.fullmatch(part) for part in name.split("/")):
            raise InputError(f"{path} holds a file named {name[:80]!r}, which no bundle does")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as file:
        data = file.read(entry.file_size + 1)
    if len(data) != entry.file_size:
        raise zipfile.BadZipFile(f"{entry.filename} is longer than it says")
    return data
