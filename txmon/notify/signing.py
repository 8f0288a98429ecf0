"""Signatures of outgoing webhooks, as Standard Webhooks has them: symmetric, `v1`.

    webhook-id, webhook-timestamp (seconds), webhook-signature: v1,<base64 of HMAC-SHA256(id.timestamp.body)>

An endpoint's secret is made of the key file and of the endpoint's nonce (HKDF-SHA256, RFC 5869): the store
alone opens nothing. A nonce holds one secret, or two while receivers change to the new one; messages then
carry both signatures. Owns secrets and headers; never stores or logs either.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from txmon.errors import ConfigError, StateError

NONCE_BYTES, MASTER_BYTES_MIN = 16, 32
_SALT, _INFO = b"txmon webhook secrets 1", b"endpoint "


@dataclass(frozen=True)
class Master:
    """The content of the key file."""

    secret: bytes = field(repr=False)


@dataclass(frozen=True)
class Secret:
    """What a receiver checks signatures with."""

    key: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """Return the form in which it is handed to the receiver, ``whsec_...``."""
        return "whsec_" + base64.b64encode(self.key).decode()


def load_master(path: Path) -> Master:
    """Read the key file: at least 32 bytes of chance, in hexadecimal or raw.

    Raises:
        ConfigError: absent, too short, or readable by others.
    """
    try:
        content, mode = path.read_bytes().strip(), path.stat().st_mode
    except OSError as error:
        raise ConfigError(
            f"TXMON_WEBHOOK_KEY_FILE: {path}: {error.strerror}; make it with `openssl rand -hex 32 > {path}`"
        ) from error
    if mode & 0o077:
        raise ConfigError(f"TXMON_WEBHOOK_KEY_FILE: {path} may be read by others; run `chmod 600 {path}`")
    try:
        secret = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        secret = content
    if len(secret) < MASTER_BYTES_MIN:
        raise ConfigError(
            f"TXMON_WEBHOOK_KEY_FILE: {path} holds {len(secret)} bytes, less than {MASTER_BYTES_MIN}; "
            f"make it with `openssl rand -hex 32 > {path}`"
        )
    return Master(secret)


def secrets_of(master: Master, nonce: bytes) -> tuple[Secret, ...]:
    """Return the secrets of an endpoint, the newest first.

    Raises:
        StateError: a nonce that this program did not make.
    """
    if len(nonce) not in (NONCE_BYTES, 2 * NONCE_BYTES):
        raise StateError("the nonce of a webhook's secret is damaged; give the endpoint a new secret")
    return tuple(
        Secret(_derived(master.secret, nonce[start : start + NONCE_BYTES]))
        for start in range(0, len(nonce), NONCE_BYTES)
    )


def _derived(master: bytes, nonce: bytes) -> bytes:
    """HKDF with one block of output, 32 bytes."""
    extracted = hmac.new(_SALT, master, hashlib.sha256).digest()
    return hmac.new(extracted, _INFO + nonce + b"\x01", hashlib.sha256).digest()


def sign(secrets: Sequence[Secret], message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Return the headers of a signed message."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    signatures = [
        "v1," + base64.b64encode(hmac.new(secret.key, signed, hashlib.sha256).digest()).decode()
        for secret in secrets
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(signatures),
    }
