"""The vault's key files: the key that wraps the data key, and the private key that opens backups.

Both hold 64 hexadecimal digits, are made once, never replaced in place but by `rotate`, and readable by their
owner alone. The private backup key is needed for `restore` only and belongs elsewhere. Owns the files;
their text is never shown, not even by an error.
"""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from pathlib import Path

from txmon.errors import ConfigError
from txmon.vault.seal import KEY_BYTES


def default_key_path() -> Path:
    """``txmon/vault.key`` in the user's configuration folder."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "txmon" / "vault.key"


def name_of(key: bytes) -> str:
    """Return the public name of a key, which tells nothing of it."""
    return sha256(b"txmon vault key id" + key).hexdigest()[:16]


def write_key(path: Path, key: bytes) -> None:
    """Write a key file; one that is there is never replaced.

    Raises:
        ConfigError: it exists, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(f"{path} exists and is not replaced; name another file") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name another file") from error
    with open(handle, "wb") as file:
        file.write(key.hex().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def read_key(path: Path) -> bytes:
    """Read a key file.

    Raises:
        ConfigError: it is absent, readable by others, or no key.
    """
    try:
        with path.open("rb") as file:
            mode, data = os.fstat(file.fileno()).st_mode, file.read(1024)
    except OSError as error:
        raise ConfigError(
            f"key file of the vault {path}: {error.strerror}; name it by TXMON_VAULT_KEY_FILE"
        ) from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"key file of the vault {path} may be read by others; run `chmod 600 {path}`")
    try:
        key = bytes.fromhex(data.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(f"key file of the vault {path} holds no key; bring it back from its copy")
    return key


def sync_folder(folder: Path) -> None:
    """Wait until the disk knows of a file that was made or renamed in a folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
