"""Checks that notifications were sent by Adyen, and parts those that came together.

Adyen signs some fields of each item and not the body: reference numbers, account, amount, event code and
success. What is not signed (the time, `live`, additional data) is as true as the connection it came over.
Owns the signature and the cutting; what an item means is feed adyen's. Never logs or returns a key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

import orjson

from txmon.errors import InputError, SignatureError

MAX_ITEMS = 100
SIGNED = (
    "pspReference", "originalReference", "merchantAccountCode", "merchantReference", "value", "currency",
    "eventCode", "success",
)  # fmt: skip
_KEY = re.compile(r"[0-9A-Fa-f]{64}")


def parse_key(text: str) -> bytes:
    """Read a key as Adyen shows it.

    Raises:
        SignatureError: not 64 hexadecimal digits; quotes nothing.
    """
    if not _KEY.fullmatch(text):
        raise SignatureError("an HMAC key of Adyen has 64 hexadecimal digits; copy it whole")
    return bytes.fromhex(text)


def signed_items(body: bytes, keys: Sequence[bytes]) -> list[bytes]:
    """Return each item as a notification of its own, if each is signed by any of the keys.

    Args:
        body: the notification as it came, ``{live, notificationItems: [{NotificationRequestItem}]}``.
        keys: HMAC keys, two while one replaces another.

    Raises:
        InputError: the body is no notification. SignatureError: an item is not signed by any key.
    """
    if not keys:
        raise SignatureError("no HMAC key of Adyen is set; set one before accepting its notifications")
    try:
        notification = orjson.loads(body)
    except ValueError as error:
        raise InputError("the body is no JSON") from error
    items = notification.get("notificationItems") if isinstance(notification, dict) else None
    if not isinstance(items, list) or not 0 < len(items) <= MAX_ITEMS:
        raise InputError(f"a notification of Adyen has notificationItems, a list of 1 to {MAX_ITEMS}")
    inner = [item.get("NotificationRequestItem") if isinstance(item, dict) else None for item in items]
    found = [item for item in inner if isinstance(item, dict)]
    if len(found) < len(items):
        raise InputError("each of notificationItems must hold a NotificationRequestItem")
    for item in found:
        _verify(item, keys)
    # written anew: of a name that is there twice, what was checked is what is read
    return [orjson.dumps(notification | {"notificationItems": [item]}) for item in items]


def signed_text(item: Mapping[str, object]) -> str:
    """Return what is signed of an item: its fields parted by colons, nothing escaped."""
    amount = item.get("amount")
    fields = {**item, **(amount if isinstance(amount, dict) else {})}
    return ":".join(_text(fields.get(name)) for name in SIGNED)


def _verify(item: Mapping[str, object], keys: Sequence[bytes]) -> None:
    extra = item.get("additionalData")
    given = extra.get("hmacSignature") if isinstance(extra, dict) else None
    if not isinstance(given, str):
        raise SignatureError("an item has no additionalData.hmacSignature; make an HMAC key for this webhook")
    try:
        signature = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureError("hmacSignature is no base64 text") from error
    text = signed_text(item).encode("utf-8", "surrogatepass")
    good = False
    for key in keys:
        good |= hmac.compare_digest(hmac.new(key, text, hashlib.sha256).digest(), signature)
    if not good:
        raise SignatureError("hmacSignature does not fit the item; use the HMAC key of this webhook")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
