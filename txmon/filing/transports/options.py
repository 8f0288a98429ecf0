"""How a kind of transport declares what the file may say, and how secrets are read."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from txmon.errors import ConfigError

_MOST = 4096


def said(doc: str, default: Any = dataclasses.MISSING) -> Any:
    """Declare an option: what it means, with its unit, and its default; without one it must be given."""
    return dataclasses.field(default=default, metadata={"doc": doc})


def secret(path: Path, label: str) -> str:
    """Return the secret of a file: one line, which nobody else may read.

    Raises:
        ConfigError: it cannot be read, others may, or it is empty or more than a line.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            mode, content = os.fstat(file.fileno()).st_mode, file.read(_MOST + 1)
        text = content.decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{label}: {path} cannot be read as a file of text; correct it") from error
    if mode & 0o077:
        raise ConfigError(f"{label}: {path} may be read by others; run `chmod 600 {path}`")
    if not text or len(content) > _MOST or not text.isprintable():
        raise ConfigError(f"{label}: {path} must hold one line, the secret, and nothing else")
    return text
