"""What a receiver is told: an alert of the outbox as a CloudEvents envelope, neutral or full.

Owns the choice of form, and looks again at what a neutral one holds: a field that is not on the list of those
never leaves for a neutral receiver, whatever the outbox has. Sends nothing.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from txmon.alerts import NEUTRAL as NEUTRAL_FIELDS
from txmon.errors import StateError
from txmon.store.cloudevents import cloud_event
from txmon.store.outbox import Stored

NEUTRAL, FULL = "neutral", "full"


@dataclass(frozen=True)
class Alert:
    """A message of the outbox, taken apart."""

    entity: str
    mode: str
    id: str
    neutral: dict[str, Any]
    full: dict[str, Any]


def read_alert(stored: Stored) -> Alert:
    """Take a message apart.

    Raises:
        StateError: it is not of the form that the pipeline writes.
    """
    try:
        body = orjson.loads(stored.body)
        neutral, full = body["neutral"], body["full"]
        return Alert(neutral["entity"], neutral["mode"], neutral["alert_id"], neutral, full)
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise StateError(
            f"message {stored.id} of the outbox is damaged; verify the store or restore a backup"
        ) from error


def message_id(stored: Stored) -> str:
    """Return the ``webhook-id``: the same for every endpoint and every repetition.

    Numbers of the outbox may come again after it was emptied, so the journal row and the time belong to it.
    """
    named = f"{stored.topic}/{stored.created_seq}/{stored.id}/{stored.created_us}"
    digest = hashlib.sha256(named.encode()).digest()[:16]
    return "msg_" + base64.b32encode(digest).decode().rstrip("=").lower()


def envelope(stored: Stored, alert: Alert, scope: str) -> bytes:
    """Return the body of a webhook."""
    neutral = {name: value for name, value in alert.neutral.items() if name in NEUTRAL_FIELDS}
    return cloud_event(
        id=message_id(stored),
        source=f"/txmon/{alert.entity}",
        type=f"txmon.{stored.kind}",
        time_us=stored.created_us,
        subject=alert.id,
        data=alert.full if scope == FULL else neutral,
    )
