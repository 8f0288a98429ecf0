"""The key that bundles are signed with: Ed25519, in a file of its own that only its owner may read.

Owns the file, the signature and the name of a key (SHA-256 of its public form). What is signed is the
manifest, byte for byte. The public key is what others must get from the institution itself, not from a
bundle.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from txmon.clock import RandomBytes
from txmon.errors import ConfigError, InputError

VARIABLE = "TXMON_EVIDENCE_KEY"
_PEM = serialization.Encoding.PEM


def default_key_path() -> Path:
    """`TXMON_EVIDENCE_KEY`, else ``txmon/evidence.key`` in the user's configuration folder."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "txmon" / "evidence.key"


def make_key(path: Path, random_bytes: RandomBytes) -> Ed25519PrivateKey:
    """Make a key; an old one is never replaced.

    Raises:
        ConfigError: there is a file already, or none can be written.
    """
    key = Ed25519PrivateKey.from_private_bytes(random_bytes(32))
    text = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(f"{path} exists and is not replaced; name another file by --key") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name another file by --key") from error
    with open(handle, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return key


def load_key(path: Path) -> Ed25519PrivateKey:
    """Read a key file.

    Raises:
        ConfigError: it is absent, readable by others, or no key.
    """
    try:
        with path.open("rb") as file:
            mode, data = os.fstat(file.fileno()).st_mode, file.read(4096)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; run `txmon evidence key init`") from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"{path} may be read by others; run `chmod 600 {path}`")
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # its text must not be shown
        raise ConfigError(f"{path} holds no key in PEM form; restore it from its backup") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} holds another kind of key; bundles are signed with Ed25519")
    return key


def public_pem(key: Ed25519PrivateKey) -> bytes:
    """Return the public key for publication."""
    return key.public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def read_public(data: bytes, where: str) -> Ed25519PublicKey:
    """Read a public key.

    Raises:
        InputError: it is none.
    """
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(f"{where} holds no public key in PEM form; ask the institution for it") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{where} holds another kind of key; bundles are signed with Ed25519")
    return key


def name_of(key: Ed25519PublicKey) -> str:
    """Return a key's name: SHA-256 of its public bytes, hexadecimal."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()


def signed_by(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    """Say whether a signature is this key's."""
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def pseudonym_secret(key: Ed25519PrivateKey, *context: str) -> bytes:
    """Return a secret for one bundle's pseudonyms: who has the key can tell again who is who, nobody else."""
    raw = key.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    )
    told = "\x1f".join(("txmon evidence pseudonyms", *context)).encode()
    return hashlib.blake2b(told, key=raw, digest_size=32).digest()
