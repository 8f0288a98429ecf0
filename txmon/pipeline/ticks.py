"""Marks of time for rules on absence: one an hour, as events like any other, so that a replay has them too.

A mark is fed only to a stream that is alive, whose newest event is at most two hours old: a year of history
that is loaded must not be made late by the time of day. Owns when a mark is due and what it looks like.
"""

from __future__ import annotations

import orjson

from txmon.clock import rfc3339

HOUR_US = 3_600_000_000
_ALIVE_US = 2 * HOUR_US
SOURCE = "txmon"


class Ticks:
    """Remembers the last mark."""

    def __init__(self) -> None:
        self._last_us = 0

    def due(self, now_us: int, watermark_us: int) -> bytes | None:
        """Return the event of the mark of this hour if it is due, as a payload of the native feed.

        Args:
            watermark_us: newest event time accepted so far.
        """
        hour = now_us - now_us % HOUR_US
        if hour <= self._last_us or not -HOUR_US < now_us - watermark_us <= _ALIVE_US:
            return None
        self._last_us = hour
        at = rfc3339(hour)
        return orjson.dumps({"event_id": f"tick-{at}", "source": SOURCE, "kind": "tick", "event_time": at})

    def forget(self) -> None:
        """The mark could not be handed over: it is due again."""
        self._last_us = 0
