"""The secret behind card tokens: made once, kept outside the repository, readable by its owner only.

Never prints or returns the secret in text form; `PanKey.id` names a key without telling it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from txmon.errors import ConfigError

KEY_BYTES = 32


@dataclass(frozen=True)
class PanKey:
    """A 256-bit secret and its public name."""

    id: str
    secret: bytes = field(repr=False)


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
        ConfigError: the file is absent, too short or readable by others.
    """
    path = path or default_key_path()
    try:
        text = path.read_text(encoding="ascii").strip()
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError(f"key file {path}: {error.strerror}; run `txmon keys init`") from error
    if mode & 0o077:
        raise ConfigError(f"key file {path} may be read by others; run `chmod 600 {path}`")
    try:
        secret = bytes.fromhex(text)
    except ValueError as error:
        raise ConfigError(f"key file {path} is not hexadecimal; restore it from its backup") from error
    if len(secret) != KEY_BYTES:
        raise ConfigError(f"key file {path} holds {len(secret)} bytes, expected {KEY_BYTES}")
    return PanKey(hashlib.sha256(b"txmon-pan-key-id" + secret).hexdigest()[:8], secret)


def ensure_key(path: Path | None = None) -> PanKey:
    """Return the key at `path`, making it first if it does not exist."""
    path = path or default_key_path()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return load_key(path)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
    return load_key(path)
