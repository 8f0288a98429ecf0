"""The secret behind card tokens: made once, kept outside the repository, readable by its owner only.

    one key             64 hexadecimal digits
    while it is changed `txmon card keys 1`, then a line each: current, next, alias_until, check

A file is always written whole under another name and put in place, so that no reader sees half of one; the
last line of the longer form is a hash of the others, so that a cut or edited one is refused. Owns the file
and its form; what a change of keys means is `txmon.model.keychange`. Never prints or returns the secret in
text form; `PanKey.id` names a key without telling it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from txmon.clock import RandomBytes, random_bytes
from txmon.errors import ConfigError

KEY_BYTES = 32
HEADING = "txmon card keys 1"
_MOST_BYTES = 4096
_TWO = re.compile(
    rf"{HEADING}\ncurrent ([0-9a-f]{{64}})\nnext ([0-9a-f]{{64}})\nalias_until (\d{{4}}-\d\d-\d\d)\n"
)


@dataclass(frozen=True)
class PanKey:
    """A 256-bit secret and its public name.

    successor: the key that takes over, while a change is under way. alias_until: first UTC day on which it
    may.
    """

    id: str
    secret: bytes = field(repr=False)
    successor: PanKey | None = None
    alias_until: date | None = None


def key_of(secret: bytes) -> PanKey:
    """Return a secret with its name."""
    return PanKey(hashlib.sha256(b"txmon-pan-key-id" + secret).hexdigest()[:8], secret)


def default_key_path() -> Path:
    """`TXMON_KEY_FILE`, else ``txmon/pan.key`` in the user's configuration folder."""
    named = os.environ.get("TXMON_KEY_FILE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "txmon" / "pan.key"


def load_key(path: Path | None = None) -> PanKey:
    """Read a key file.

    Raises:
        ConfigError: the file is absent, damaged or readable by others.
    """
    path = path or default_key_path()
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_MOST_BYTES)
    except OSError as error:
        raise ConfigError(f"key file {path}: {error.strerror}; run `txmon keys init`") from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"key file {path} may be read by others; run `chmod 600 {path}`")
    if data.startswith(HEADING.encode()):
        return _two(data, path)
    try:
        secret = bytes.fromhex(data.decode("ascii").strip())
    except ValueError:  # its text must not be shown, not even by a chained error
        raise ConfigError(f"key file {path} is not hexadecimal; restore it from its backup") from None
    if len(secret) != KEY_BYTES:
        raise ConfigError(
            f"key file {path} holds {len(secret)} bytes, expected {KEY_BYTES}; restore it from its backup"
        )
    return key_of(secret)


def _two(data: bytes, path: Path) -> PanKey:
    """Read the form with two keys."""
    text, _, check = data.rpartition(b"check ")
    found = _TWO.fullmatch(text.decode("ascii", "replace"))
    if found is None or check != _check(text):
        raise ConfigError(f"key file {path} is cut or was edited; restore it from its backup")
    try:
        until = date.fromisoformat(found[3])
    except ValueError:
        raise ConfigError(f"key file {path}: alias_until {found[3]} is no date; restore a backup") from None
    current, successor = (key_of(bytes.fromhex(found[i])) for i in (1, 2))
    return PanKey(current.id, current.secret, successor, until)


def _check(text: bytes) -> bytes:
    return hashlib.sha256(b"txmon-card-keys" + text).hexdigest().encode() + b"\n"


def file_text(key: PanKey) -> bytes:
    """Return what a key file holds for a key, its successor included."""
    if key.successor is None or key.alias_until is None:
        return key.secret.hex().encode() + b"\n"
    text = (
        f"{HEADING}\ncurrent {key.secret.hex()}\nnext {key.successor.secret.hex()}\n"
        f"alias_until {key.alias_until.isoformat()}\n"
    ).encode()
    return text + b"check " + _check(text)


def ensure_key(path: Path | None = None, random: RandomBytes = random_bytes) -> PanKey:
    """Return the key at `path`, making it first if it does not exist.

    Raises:
        ConfigError: as `load_key`, or it cannot be made.
    """
    path = path or default_key_path()
    if not path.exists():
        with changing(path):
            if not path.exists():
                write_whole(path, key_of(random(KEY_BYTES)))
    return load_key(path)


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Keep other processes from changing the key file meanwhile; its folder is made if absent.

    Raises:
        ConfigError: the folder cannot be made or opened.
    """
    folder = Path(os.path.realpath(path)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _no_folder(folder, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:  # some network file systems have no locks
            raise _no_folder(folder, error) from error
        yield
    finally:
        os.close(descriptor)


def _no_folder(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"folder {folder} of the key file: {error.strerror}; name another file with TXMON_KEY_FILE"
    )


def write_whole(path: Path, key: PanKey) -> None:
    """Put a key file in place, all or nothing, safe on disk; the caller holds `changing`.

    Raises:
        ConfigError: it cannot be written; the file is as it was.
    """
    place = Path(os.path.realpath(path))  # a link stays a link
    fresh = place.with_name(place.name + ".new")
    try:
        fresh.unlink(missing_ok=True)  # left by a process that was killed here
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(file_text(key))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(place)
        folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise ConfigError(
            f"key file {path} cannot be written: {error.strerror}; make its folder writable"
        ) from error
