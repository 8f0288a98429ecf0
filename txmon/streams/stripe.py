"""Checks that a webhook was sent by Stripe: the signature over its raw bytes, and its age.

Owns the header's form and the comparison; what the event means is feed stripe's. Never logs or returns a
secret, and never looks into a body that is not signed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

from txmon.errors import SignatureError

TOLERANCE_S = 300
HEADER = "Stripe-Signature"
_MAX_HEADER = 4096
_TIME = re.compile(r"[0-9]{1,12}")
_V1 = re.compile(r"[0-9a-f]{64}")


def verify(
    payload: bytes, header: str, secrets: Sequence[str], now_s: int, tolerance_s: int = TOLERANCE_S
) -> None:
    """Accept a body that any of the secrets signed within the tolerance.

    Args:
        payload: the body as it came, byte for byte.
        header: value of `HEADER`, ``t=...,v1=...[,v1=...]``; other schemes in it are passed over.
        secrets: endpoint secrets, as Stripe shows them; two while one replaces another.
        now_s: the time of day, seconds since 1970 UTC.

    Raises:
        SignatureError: says what is wrong, quotes nothing.
    """
    if not secrets:
        raise SignatureError("no secret of the Stripe endpoint is set; set one before accepting its events")
    sent_s, signatures = _parse(header)
    if abs(now_s - sent_s) > tolerance_s:
        raise SignatureError(
            f"{HEADER} is {abs(now_s - sent_s)} s off, at most {tolerance_s} s are accepted;"
            " check the clock, or let Stripe send it again"
        )
    signed = str(sent_s).encode("ascii") + b"." + payload
    good = False
    for secret in secrets:
        expected = hmac.new(secret.encode("utf-8"), signed, hashlib.sha256).hexdigest()
        for signature in signatures:
            good |= hmac.compare_digest(expected, signature)
    if not good:
        raise SignatureError(
            f"{HEADER} does not fit the body; use the secret of this endpoint and pass the body unchanged"
        )


def _parse(header: str) -> tuple[int, list[str]]:
    """Return time and v1 signatures; the time as its digits say, since they are what is signed."""
    if len(header) > _MAX_HEADER:
        raise SignatureError(f"{HEADER} is longer than {_MAX_HEADER} characters")
    times: list[str] = []
    signatures: list[str] = []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            times.append(value)
        elif name == "v1" and _V1.fullmatch(value):
            signatures.append(value)
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or times[0] != str(int(times[0])):
        raise SignatureError(f"{HEADER} must hold one time, t=seconds")
    if not signatures:
        raise SignatureError(f"{HEADER} holds no v1 signature")
    return int(times[0]), signatures
