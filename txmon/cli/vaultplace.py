"""Where the vault of reports is, for the commands: opened by its key file.

Owns finding and opening; what is done in it is `txmon.vault`'s part.
"""

from __future__ import annotations

import os
from pathlib import Path

from txmon.clock import SystemClock, random_bytes
from txmon.settings import Settings, load
from txmon.vault import Vault, keyfiles


def settings_of(store: str | None, settings: Path | None, vault: Path | None, key: Path | None) -> Settings:
    """Read the settings; what is None was not said."""
    said = {"store": store, "settings": settings, "vault_file": vault, "vault_key_file": key}
    return load(os.environ, said)


def key_file_of(settings: Settings) -> Path:
    """Return the vault's key file."""
    return settings.vault_key_file or keyfiles.default_key_path()


def opened(settings: Settings) -> Vault:
    """Open the vault.

    Raises:
        ConfigError: there is none, or its key is not there, not closed to others, or another's.
    """
    place = settings.vault_path
    return Vault.open(place, key_file_of(settings), clock=SystemClock(), random_bytes=random_bytes)
