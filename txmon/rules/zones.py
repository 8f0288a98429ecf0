"""Local time: offsets of IANA zones for arrays of instants, from the `tzdata` package.

Owns the tables of changes, one zone and year at a time; an unknown zone has no local time.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

DAY_US = 86_400_000_000
# local time is given from year 1 to year 9998; a zone's rules need a day on either side
MIN_US, MAX_US = -62_135_510_400_000_000, 253_370_678_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=2_048)
def zone(name: str) -> ZoneInfo | None:
    """Return a zone by its IANA name, None if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # what zoneinfo raises for unknown and for malformed keys
        return None


def _offset(info: ZoneInfo, second: int) -> int:
    moment = (_EPOCH + timedelta(seconds=second)).astimezone(info).utcoffset() or timedelta(0)
    return (moment.days * 86_400 + moment.seconds) * 1_000_000 + moment.microseconds


@lru_cache(maxsize=16_384)
def _changes(name: str, year: int) -> tuple[Any, Any]:
    """Instants (microseconds) from which each offset of a year holds, and the offsets."""
    info = ZoneInfo(name)
    at = int((datetime(year, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds())
    end = int((datetime(year + 1, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds())
    starts, offsets = [at], [_offset(info, at)]
    while at < end:
        after = min(at + 86_400, end)
        offset = _offset(info, after)
        if offset != offsets[-1]:
            span = range(at + 1, after + 1)
            first = bisect_right(span, 0, key=lambda s: _offset(info, s) != offsets[-1])
            starts.append(span[first] if first < len(span) else after)
            offsets.append(offset)
        at = after
    return np.array(starts, np.int64) * 1_000_000, np.array(offsets, np.int64)


def _year(time: int) -> int:
    return int(np.datetime64(time, "us").astype("datetime64[Y]").astype(np.int64)) + 1970


def local_us(times: Any, name: str) -> Any:
    """Shift instants (int64 array within bounds) to the clock of a zone that exists."""
    if len(times) == 0:
        return times
    first, last = _year(int(times.min())), _year(int(times.max()))
    if first == last:
        starts, offsets = _changes(name, first)
        return times + offsets[np.searchsorted(starts, times, side="right") - 1]
    years = times.astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64) + 1970
    out = np.empty_like(times)
    for year in range(first, last + 1):
        rows = years == year
        if rows.any():
            out[rows] = local_us(times[rows], name)
    return out
