"""Event times: whatever a source sends becomes UTC microseconds since the epoch, or a marked row.

Text is RFC 3339 with an offset; digits finer than a microsecond are cut off. Typed times without a zone,
and text without an offset where the feed allows it, are in the zone the feed names.
Never guesses an order of day and month and never reads a clock.
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
_LOCAL = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?$"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class TimeFault(IntEnum):
    """Why a time was not read."""

    NONE = 0
    NULL = 1
    NOT_A_TIME = 2
    OUT_OF_RANGE = 3


Times = tuple[np.ndarray, np.ndarray]  # int64 microseconds UTC, uint8 TimeFault


def to_utc_us(values: pa.Array, zone: str = "UTC", *, local_text: bool = False) -> Times:
    """Convert times to microseconds since the epoch, UTC.

    Args:
        values: timestamp (any unit), date, or text array.
        zone: IANA zone of timestamps and dates that carry none; a local time that occurs twice is the
            earlier one, one that is skipped is moved to the next that exists.
        local_text: whether text without an offset, ``2026-01-05 12:00``, is a time of `zone`.
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        return to_utc_us(values.dictionary_decode(), zone, local_text=local_text)
    if pa.types.is_date(kind):
        return to_utc_us(values.cast(pa.timestamp("s" if kind == pa.date32() else "ms")), zone)
    if pa.types.is_timestamp(kind):
        return _from_timestamp(values, zone)
    fault = np.full(len(values), TimeFault.NOT_A_TIME, np.uint8)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        us, fault = _from_text(values, fault)
        if local_text and (fault == TimeFault.NOT_A_TIME).any():
            _add_local(values, zone, us, fault)
        return us, fault
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
    return (us, fault) if values.type.tz is not None else (_in_zone(us, zone), fault)


def _in_zone(us: np.ndarray, zone: str) -> np.ndarray:
    """Return wall-clock microseconds of `zone` as UTC."""
    if zone in ("UTC", "Etc/UTC"):
        return us
    local = pa.array(us).cast(pa.timestamp("us"))
    aware = pc.assume_timezone(local, zone, ambiguous="earliest", nonexistent="latest")
    out: np.ndarray = aware.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return out


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
        us[i], fault[i] = _parse(text) if text else (0, TimeFault.NULL)
    return us, fault


def _add_local(values: pa.Array, zone: str, us: np.ndarray, fault: np.ndarray) -> None:
    """Read the texts that have no offset, in place."""
    rows = np.flatnonzero(
        pc.match_substring_regex(values, _LOCAL).fill_null(False).to_numpy(zero_copy_only=False)
    )
    texts = values.take(pa.array(rows))
    try:
        local = texts.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:  # some row has a thirteenth month or the like
        read = [_parse_local(t) for t in texts.to_pylist()]
        rows = rows[[r is not None for r in read]]
        local = np.array([r for r in read if r is not None], np.int64)
    us[rows], fault[rows] = _in_zone(local, zone), TimeFault.NONE


def _parse_local(text: str) -> int | None:
    try:
        return (dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC) - _EPOCH) // dt.timedelta(
            microseconds=1
        )
    except ValueError:
        return None


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
