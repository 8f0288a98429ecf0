"""Backups of a vault: one file that only the private backup key opens, and the way back.

The file holds the database as it was at one moment, and the data key: whoever has the private backup key
needs nothing else. A restore verifies what it unpacked before it says so, and makes a new key file. Owns
the file's form inside its seal (`txmon.vault.seal`).
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from txmon.clock import Clock, RandomBytes
from txmon.errors import ConfigError, InputError, StoreCorrupt
from txmon.store.db import make_folder
from txmon.vault import keyfiles
from txmon.vault.db import VaultFile
from txmon.vault.seal import KEY_BYTES, open_backup, seal_backup
from txmon.vault.vault import Vault


@dataclass(frozen=True)
class Backup:
    """What a backup holds: the newest row of the log, its head, when it was made (UTC microseconds)."""

    vault_id: str
    seq: int
    head: bytes
    made_us: int


def backup(vault: Vault, target: Path) -> Backup:
    """Write a backup, whole or not at all; beside a running service, too.

    Raises:
        ConfigError: the file exists, or cannot be written.
    """
    image = vault.file.image()
    with vault.file.read() as reader:
        seq, head = reader.last()
    about = Backup(vault.file.vault_id, seq, head, vault.clock.now_us())
    header = {
        "vault": about.vault_id, "seq": seq, "head": head.hex(), "made_us": about.made_us,
        "data_key": vault.file.data_key.hex(),
    }  # fmt: skip
    content = json.dumps(header).encode() + b"\n" + zlib.compress(image)
    _write_new(target, seal_backup(vault.backup_public, content, vault.random_bytes))
    return about


def restore(
    source: Path, private_key_file: Path, target: Path, key_file: Path, *,
    clock: Clock, random_bytes: RandomBytes,
) -> Backup:  # fmt: skip
    """Unpack a backup into a new file, with a new key file.

    Raises:
        InputError: it does not open, or was cut. ConfigError: a file is in the way, or the key is none.
        StoreCorrupt: what it holds is damaged; nothing is left behind.
    """
    for place in (target, key_file):
        if place.exists():
            raise ConfigError(f"{place} exists and is not replaced; restore to another place")
    private = X25519PrivateKey.from_private_bytes(keyfiles.read_key(private_key_file))
    try:
        sealed = source.read_bytes()
    except OSError as error:
        raise InputError(f"{source}: {error.strerror}; name the backup") from error
    head, _, image = open_backup(private, sealed).partition(b"\n")
    header = json.loads(head)
    about = Backup(header["vault"], header["seq"], bytes.fromhex(header["head"]), header["made_us"])
    make_folder(target.parent)
    key = random_bytes(KEY_BYTES)
    _write_new(target, zlib.decompress(image))
    try:
        VaultFile.rewrap(target, bytes.fromhex(header["data_key"]), key, random_bytes)
        keyfiles.write_key(key_file, key)
        with Vault.open(target, key_file, clock=clock, random_bytes=random_bytes) as vault:
            found = vault.verify((about.seq, about.head))
        if not found.ok:
            raise StoreCorrupt(f"the backup holds a damaged vault: {found.findings[0]}; take an older one")
    except BaseException:
        target.unlink(missing_ok=True)
        key_file.unlink(missing_ok=True)
        raise
    return about


def _write_new(path: Path, content: bytes) -> None:
    """Write a file of mode 600 that is not there yet, whole under another name first.

    Raises:
        ConfigError: it exists, or cannot be written.
    """
    fresh = path.with_name(path.name + ".new")
    try:
        if path.exists():
            raise FileExistsError(17, "exists and is not replaced")
        fresh.unlink(missing_ok=True)  # left by a process that was killed here
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
        keyfiles.sync_folder(path.parent)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name another file") from error
