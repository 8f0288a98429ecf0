"""Starts of months in a zone, for calendar windows. Owns the table; never reads a clock."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from txmon.engine.state import I64

FIRST_YEAR, LAST_YEAR = 1900, 2200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=16)
def month_starts(zone: str | None) -> I64:
    """Return the starts of all months from 1900 to 2200 in a zone (UTC if None), in microseconds UTC."""
    tz = ZoneInfo(zone) if zone else UTC
    starts = []
    for year in range(FIRST_YEAR, LAST_YEAR):
        for month in range(1, 13):
            local = datetime(year, month, 1, tzinfo=tz)
            gone = local.astimezone(UTC) - _EPOCH
            starts.append(gone.days * 86_400_000_000 + gone.seconds * 1_000_000)
    return np.array(starts, np.int64)
