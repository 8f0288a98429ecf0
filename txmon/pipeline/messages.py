"""Messages about alerts for the outbox: a neutral form and the full one, side by side.

Who may know why gets the full form; everybody else the neutral one, which names no rule, typology, list,
person or reason. Owns both shapes; sends nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from txmon.alerts import NEUTRAL
from txmon.store.outbox import Message

TOPIC = "alerts"
OPENED, UPDATED = "alert.opened", "alert.updated"
_FULL = (
    *NEUTRAL, "subject_type", "subject_id", "typologies", "severity", "score", "protect", "first_event_time",
    "last_event_time", "hit_count", "rule_ids", "explanation",
)  # fmt: skip


def alert_messages(alerts: pa.Table, opened: frozenset[str], updated: frozenset[str]) -> list[Message]:
    """Return a message for each of these alerts, as they are in `alerts`, in its order."""
    if not opened and not updated:
        return []
    found = []
    for row in alerts.to_pylist():
        name = row["alert_id"]
        if name in opened or name in updated:
            kind = OPENED if name in opened else UPDATED
            found.append(Message(TOPIC, kind, orjson.dumps(bodies(row))))
    return found


def bodies(alert: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return both forms of an alert."""
    return {
        "neutral": {name: _plain(alert[name]) for name in NEUTRAL},
        "full": {name: _plain(alert[name]) for name in _FULL},
    }


def _plain(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value
