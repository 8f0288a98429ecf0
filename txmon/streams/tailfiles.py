"""Finds the files that are followed, and knows them again under another name.

A file's identity is its inode and its first line: a rotated file keeps it, and a file that begins anew
under the old name, or in the old inode, gets another. Owns names and identities; reads no further than
the first line.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from txmon.errors import ConfigError

FIRST_BYTES = 4096  # of the first line count for the identity
_PARAMETERS = ("follow", "name", "pattern", "start", "unit")
_PACKED = (".gz", ".zst", ".bz2", ".xz")
_UNFINISHED = (".tmp", ".part", ".swp", "~")


@dataclass(frozen=True)
class FolderAddress:
    """A folder and which of its files are read.

    patterns: shell patterns of file names. whole: a file is one message, not each line; such a file must
        be moved into the folder when it is complete. follow: wait for more; else stop at the end.
        start_at_end: skip what the files hold at the first start.
    """

    folder: Path
    patterns: tuple[str, ...]
    name: str
    whole: bool = False
    follow: bool = True
    start_at_end: bool = False

    def matches(self, name: str) -> bool:
        """Return whether a file of this name is read; hidden, packed and unfinished ones never are."""
        if name.startswith(".") or name.endswith((*_PACKED, *_UNFINISHED)):
            return False
        return any(fnmatchcase(name, p) for p in self.patterns)


def folder_address(url: str) -> FolderAddress:
    """Read ``file:///path``: a file with those rotated from it (``path.1``, ...), or a folder.

    Raises:
        ConfigError: names the part that is wrong and what to write.
    """
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise ConfigError("a file's address is file:///path/to/file or file:///path/to/folder/")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    for key in query:
        if key not in _PARAMETERS:
            raise ConfigError(f"file address: parameter {key} is not one of {', '.join(_PARAMETERS)}")
    unit = _choice(query, "unit", "lines", "files")
    path = Path(unquote(parts.path))
    folder, patterns = path, tuple(query.get("pattern", "*").split(","))
    if not parts.path.endswith("/") and not path.is_dir():
        if "pattern" in query:
            raise ConfigError("file address: pattern is for folders; end a folder's path with /")
        folder = path.parent
        patterns = (_literal(path.name), _literal(path.name) + ".*")
    return FolderAddress(
        folder=folder,
        patterns=patterns,
        name=query.get("name") or f"file:{path}",
        whole=unit == "files",
        follow=_choice(query, "follow", "yes", "no") == "yes",
        start_at_end=_choice(query, "start", "earliest", "latest") == "latest",
    )


def _choice(query: dict[str, str], key: str, default: str, other: str) -> str:
    value = query.get(key, default)
    if value not in (default, other):
        raise ConfigError(f"file address: {key} '{value}' is not {default} or {other}")
    return value


def _literal(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


@dataclass(frozen=True)
class Found:
    """A file with an identity; `changed` orders files by their last change."""

    path: Path
    identity: str
    inode: int
    size: int
    changed: tuple[int, str]


class Folder:
    """The files of an address, looked at again and again."""

    def __init__(self, address: FolderAddress) -> None:
        self._address = address
        self._seen: dict[str, Found] = {}

    def look(self) -> list[Found]:
        """Return the files that have a first line, the one changed longest ago first.

        Raises:
            OSError: the folder cannot be read.
        """
        seen: dict[str, Found] = {}
        with os.scandir(self._address.folder) as entries:
            for entry in entries:
                if self._address.matches(entry.name) and entry.is_file():
                    found = self._identify(entry)
                    if found is not None:
                        seen[entry.name] = found
        self._seen = seen
        return sorted(seen.values(), key=lambda f: f.changed)

    def _identify(self, entry: os.DirEntry[str]) -> Found | None:
        before = self._seen.get(entry.name)
        try:
            now = entry.stat()
            changed = (now.st_mtime_ns, entry.name)
            if before and (before.inode, before.size, before.changed) == (now.st_ino, now.st_size, changed):
                return before
            with open(entry.path, "rb") as stream:
                status = os.fstat(stream.fileno())
                head = stream.read(FIRST_BYTES)
        except FileNotFoundError:  # rotated between the two looks; the next one finds it
            return None
        line, newline, _ = head.partition(b"\n")
        if self._address.whole:
            line = entry.name.encode()
        elif not newline and len(head) < FIRST_BYTES and self._address.follow:
            return None
        if not head:
            return None
        identity = hashlib.sha256(b"%d:%s" % (status.st_ino, line)).hexdigest()[:24]
        return Found(Path(entry.path), identity, status.st_ino, status.st_size, changed)
