"""Event times: whatever a source sends becomes UTC microseconds since the epoch, or a marked row.

Text is RFC 3339 with an offset; digits finer than a microsecond are cut off. Typed times without a zone
are in the zone the feed names. Never guesses an order of day and month and never reads a clock.
"""

from __future__ import annotations

import datetime as dt
import re
from enum import IntEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

US_PER_DAY = 86_400_000_000
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_LIMIT_S = 10**11  # seconds; beyond the year 5138, and small enough that microseconds fit 64 bits
_PLAIN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$"
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class TimeFault(IntEnum):
    """Why a time was not read."""

    NONE = 0
    NULL = 1
    NOT_A_TIME = 2
    OUT_OF_RANGE = 3


Times = tuple[np.ndarray, np.ndarray]  # int64 microseconds UTC, uint8 TimeFault


def to_utc_us(values: pa.Array, zone: str = "UTC") -> Times:
    """Convert times to microseconds since the epoch, UTC.

    Args:
        values: timestamp (any unit), date, or text array.
        zone: IANA zone of timestamps and dates that carry none; a local time that occurs twice is the
            earlier one, one that is skipped is moved to the next that exists.
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        return to_utc_us(values.dictionary_decode(), zone)
    if pa.types.is_date(kind):
        return to_utc_us(values.cast(pa.timestamp("s" if kind == pa.date32() else "ms")), zone)
    if pa.types.is_timestamp(kind):
        return _from_timestamp(values, zone)
    fault = np.full(len(values), TimeFault.NOT_A_TIME, np.uint8)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _from_text(values, fault)
    fault[values.is_null().to_numpy(zero_copy_only=False)] = TimeFault.NULL
    return np.zeros(len(values), np.int64), fault


def _from_timestamp(values: pa.Array, zone: str) -> Times:
    unit = _PER_SECOND[values.type.unit]
    ticks = values.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    fault = np.zeros(len(values), np.uint8)
    far = np.abs(ticks // unit) > _LIMIT_S
    fault[far] = TimeFault.OUT_OF_RANGE
    ticks = np.where(far, 0, ticks) if far.any() else ticks
    if values.null_count:
        fault[values.is_null().to_numpy(zero_copy_only=False)] = TimeFault.NULL
    us = ticks // 1000 if unit > 10**6 else ticks * (10**6 // unit)
    if values.type.tz is None and zone not in ("UTC", "Etc/UTC"):
        local = pa.array(us).cast(pa.timestamp("us"))
        aware = pc.assume_timezone(local, zone, ambiguous="earliest", nonexistent="latest")
        us = aware.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return us, fault


def _from_text(values: pa.Array, fault: np.ndarray) -> Times:
    us = np.zeros(len(values), np.int64)
    plain = pc.match_substring_regex(values, _PLAIN).fill_null(False)
    rows = plain.to_numpy(zero_copy_only=False)
    try:
        parsed = pc.if_else(plain, values, None).cast(pa.timestamp("us", tz="UTC"))
        us[:] = parsed.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        fault[rows] = TimeFault.NONE
        rest = np.flatnonzero(~rows)
    except pa.ArrowInvalid:  # some row has a thirteenth month or the like: find out which
        rest = np.arange(len(values))
    for i in rest:
        text = values[int(i)].as_py()
        us[i], fault[i] = (0, TimeFault.NULL) if text is None else _parse(text)
    return us, fault


def _parse(text: str) -> tuple[int, TimeFault]:
    match = _RFC3339.fullmatch(text)
    if match is None:
        return 0, TimeFault.NOT_A_TIME
    day, clock, fraction, offset = match.groups()
    try:
        when = dt.datetime.fromisoformat(f"{day}T{clock}{'+00:00' if offset in 'Zz' else offset}")
    except ValueError:
        return 0, TimeFault.NOT_A_TIME
    micros = int(((fraction or ".")[1:] + "000000")[:6])
    return (when - _EPOCH) // dt.timedelta(microseconds=1) + micros, TimeFault.NONE
