"""What was handed over, kept so that nothing goes out twice: a note before, a receipt after.

One file a filing, named by a hash, mode 600, in a folder of mode 700. A note without a receipt says that a
hand-over began and nobody knows how it ended. Owns these files and the lock that lets one process at a time
hand over a filing; knows no authority.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from txmon.errors import ConfigError, StateError
from txmon.filing.errors import FilingFailed
from txmon.filing.filing import Filing, Receipt

_VERSION = 1


@dataclass
class Turn:
    """One filing's turn: what is known of earlier hand-overs, and what is to be kept of this one."""

    receipt: Receipt | None  # of an earlier hand-over
    begun: bool  # an earlier hand-over began, and its end is not known
    _path: Path
    _filing: Filing

    def begin(self) -> None:
        """Note, durably, that the hand-over begins now."""
        put(self._path, _text("begun", _filed(self._filing)))

    def end(self, receipt: Receipt) -> Receipt:
        """Keep the receipt, durably, and return it."""
        fields = {name: getattr(receipt, name) for name in Receipt.__dataclass_fields__ if name != "repeated"}
        put(self._path, _text("sent", {**fields, "sent_at": receipt.sent_at.isoformat()}))
        return receipt

    def forget(self) -> None:
        """Take the note back: it is certain that nothing was handed over."""
        self._path.unlink(missing_ok=True)
        sync(self._path.parent)


class Receipts:
    """The folder of notes and receipts."""

    def __init__(self, folder: Path) -> None:
        """Open a folder.

        Raises:
            ConfigError: there is none, or others may read it.
        """
        self._folder = private(folder, "receipts")

    @contextmanager
    def turn(self, filing: Filing) -> Iterator[Turn]:
        """Give one process at a time the turn to hand over a filing.

        Raises:
            FilingFailed: another process has it. StateError: a receipt is damaged.
        """
        path = self._folder / f"{key_of(filing)}.json"
        lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            state, receipt = _read(path)
            yield Turn(receipt, state == "begun", path, filing)
        except BlockingIOError as error:
            raise FilingFailed("another process hands this report over right now; wait for it") from error
        finally:
            os.close(lock)


def key_of(filing: Filing) -> str:
    """Return what names a filing in the folder: the same bytes of the same report, whatever way they take."""
    parts = (filing.jurisdiction, filing.format, filing.report_id, filing.sha256)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def private(folder: Path, label: str) -> Path:
    """Return a folder that only this user may look into.

    Raises:
        ConfigError: it is none, or others may.
    """
    try:
        found = folder.stat()
    except OSError as error:
        raise ConfigError(f"{label}: {folder}: {error.strerror}; make the folder, mode 700") from error
    if not folder.is_dir():
        raise ConfigError(f"{label}: {folder} is no folder; name one, mode 700")
    if found.st_mode & 0o077:
        raise ConfigError(f"{label}: {folder} is open to others; run `chmod 700 {folder}`")
    return folder


def put(path: Path, data: bytes) -> None:
    """Write a file whole and durably, mode 600, over what was there."""
    beside = path.with_name(f".{path.name}.part")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make what was renamed, linked or removed in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _filed(filing: Filing) -> dict[str, str]:
    names = ("report_id", "format", "filename", "sha256", "jurisdiction")
    return {name: getattr(filing, name) for name in names}


def _text(state: str, fields: dict[str, Any]) -> bytes:
    return json.dumps({"version": _VERSION, "state": state, **fields}, indent=1).encode() + b"\n"


def _read(path: Path) -> tuple[str, Receipt | None]:
    try:
        found: Any = json.loads(path.read_bytes())
        if found.pop("version") != _VERSION:
            raise ValueError("another version")
        state = found.pop("state")
        if state == "begun":
            return state, None
        sent_at = datetime.fromisoformat(found.pop("sent_at")).astimezone(UTC)
        return state, Receipt(**found, sent_at=sent_at)
    except FileNotFoundError:
        return "", None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(
            f"the receipt {path} is damaged; ask the authority whether the report arrived, then remove it"
        ) from error
