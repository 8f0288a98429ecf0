"""How the vault's bytes are sealed: AES-256-GCM, each value bound to its table, row, version and column.

A sealed value that is moved to another row, column or version does not open. The data key is wrapped by the
key of the key file, so that the key file can be changed without sealing everything anew. A backup is sealed
for an X25519 key of its own: ephemeral key, HKDF-SHA-256, AES-256-GCM, in the manner of HPKE's base mode.
Owns these forms; reads no file and no database.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from txmon.clock import RandomBytes
from txmon.errors import ConfigError, InputError, StoreCorrupt

KEY_BYTES = 32
_NONCE = 12
_WRAP = b"txmon vault data key\x00"
BACKUP_HEADING = b"txmon vault backup 1\n"


class Sealer:
    """Seals and opens values with the data key of one vault."""

    def __init__(self, key: bytes, random_bytes: RandomBytes) -> None:
        self._cipher, self._random = AESGCM(key), random_bytes

    def seal(self, place: tuple[str, ...], value: bytes) -> bytes:
        """Return a value sealed for a place: table, row, version, column."""
        nonce = self._random(_NONCE)
        return nonce + self._cipher.encrypt(nonce, value, _bound(place))

    def open(self, place: tuple[str, ...], sealed: bytes) -> bytes:
        """Return what was sealed for a place.

        Raises:
            StoreCorrupt: it was changed, or sealed for another place or vault.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound(place))
        except (InvalidTag, ValueError):
            raise StoreCorrupt(
                f"a row of the vault's table {place[0]!r} does not open: it was changed or moved; "
                "run `txmon vault verify`, then restore a backup"
            ) from None


def _bound(place: tuple[str, ...]) -> bytes:
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in place)


def wrap(outer: bytes, data_key: bytes, vault_id: str, random_bytes: RandomBytes) -> bytes:
    """Return the data key wrapped by the key of the key file."""
    nonce = random_bytes(_NONCE)
    return nonce + AESGCM(outer).encrypt(nonce, data_key, _WRAP + vault_id.encode())


def unwrap(outer: bytes, wrapped: bytes, vault_id: str) -> bytes:
    """Return the data key.

    Raises:
        ConfigError: this is not the vault's key.
    """
    try:
        return AESGCM(outer).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], _WRAP + vault_id.encode())
    except (InvalidTag, ValueError):
        raise ConfigError(
            "the vault's key file holds another key than the one the vault was sealed with; "
            "name the right one by TXMON_VAULT_KEY_FILE, or restore a backup"
        ) from None


def seal_backup(public: X25519PublicKey, content: bytes, random_bytes: RandomBytes) -> bytes:
    """Return bytes that only the private backup key opens."""
    ephemeral = X25519PrivateKey.from_private_bytes(random_bytes(KEY_BYTES))
    header = BACKUP_HEADING + ephemeral.public_key().public_bytes_raw()
    key = _agreed(ephemeral.exchange(public), header, public)
    return header + AESGCM(key).encrypt(bytes(_NONCE), content, header)  # the key is used once


def open_backup(private: X25519PrivateKey, sealed: bytes) -> bytes:
    """Return what `seal_backup` sealed.

    Raises:
        InputError: no backup of a vault, another key's, cut or changed.
    """
    end = len(BACKUP_HEADING) + KEY_BYTES
    header = sealed[:end]
    if not sealed.startswith(BACKUP_HEADING) or len(header) < end:
        raise InputError("this is no backup of a vault; name the file that `txmon vault backup` wrote")
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(header[len(BACKUP_HEADING) :]))
        key = _agreed(shared, header, private.public_key())
        return AESGCM(key).decrypt(bytes(_NONCE), sealed[end:], header)
    except (InvalidTag, ValueError):
        raise InputError(
            "the backup does not open: it is sealed for another backup key, or was cut or changed"
        ) from None


def _agreed(shared: bytes, header: bytes, public: X25519PublicKey) -> bytes:
    salt = header + public.public_bytes_raw()
    return HKDF(SHA256(), KEY_BYTES, salt, b"txmon vault backup").derive(shared)
