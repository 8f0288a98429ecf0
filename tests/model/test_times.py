"""Times of every type become microseconds UTC or a marked row; none raises."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from txmon.model.times import TimeFault, to_utc_us

NOON = int(dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC).timestamp()) * 1_000_000


def one(value, kind=None, **options):
    us, fault = to_utc_us(pa.array([value], kind), **options)
    return int(us[0]), TimeFault(int(fault[0]))


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("2026-01-05T12:00:00Z", 0),
        ("2026-01-05t12:00:00z", 0),
        ("2026-01-05 12:00:00+00:00", 0),
        ("2026-01-05T13:30:00+01:30", 0),
        ("2026-01-05T12:00:00.5Z", 500_000),
        ("2026-01-05T12:00:00.123456789Z", 123_456),
        ("2026-01-05T02:00:00-10:00", 0),
    ],
)
def test_rfc3339(text, us):
    assert one(text) == (NOON + us, TimeFault.NONE)
    assert to_utc_us(pa.array([text, "junk"]))[0][0] == NOON + us  # the same beside a bad row


@pytest.mark.parametrize(
    "text",
    [
        "now", "2026-01-05", "2026-01-05T12:00:00", "2026-13-05T12:00:00Z", "2026-02-30T12:00:00Z",
        "2026-01-05T25:00:00Z", "2026-01-05T12:00:60Z", "05/01/2026", "1767614400",
        "2026-01-05T12:00:00+25:00", "2026-01-05T12:00Z", "２０２６-01-05T12:00:00Z",
    ],
)  # fmt: skip
def test_not_a_time(text):
    assert one(text)[1] == TimeFault.NOT_A_TIME
    us, fault = to_utc_us(pa.array([text, "2026-01-05T12:00:00Z", None]))
    assert fault.tolist() == [TimeFault.NOT_A_TIME, TimeFault.NONE, TimeFault.NULL]
    assert us[1] == NOON


def test_typed_times():
    noon = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
    for unit in ("s", "ms", "us", "ns"):
        assert one(noon, pa.timestamp(unit, "Asia/Tokyo")) == (NOON, TimeFault.NONE)
        assert one(noon.replace(tzinfo=None), pa.timestamp(unit)) == (NOON, TimeFault.NONE)
    assert one(noon.date(), pa.date32()) == (NOON - 12 * 3_600_000_000, TimeFault.NONE)
    assert one(noon.date(), pa.date64())[0] == NOON - 12 * 3_600_000_000
    assert one(None, pa.timestamp("us"))[1] == TimeFault.NULL
    assert one(None)[1] == one("")[1] == TimeFault.NULL
    assert one(1767614400)[1] == TimeFault.NOT_A_TIME
    coded = pa.array(["2026-01-05T12:00:00Z", None]).dictionary_encode()
    assert to_utc_us(coded)[1].tolist() == [TimeFault.NONE, TimeFault.NULL]


def test_extreme_ticks_are_out_of_range_not_an_overflow():
    for unit in ("s", "ms"):
        ticks = pa.array([2**62, -(2**62), 0]).cast(pa.timestamp(unit))
        assert to_utc_us(ticks)[1].tolist() == [
            TimeFault.OUT_OF_RANGE,
            TimeFault.OUT_OF_RANGE,
            TimeFault.NONE,
        ]


def test_zones_of_times_without_one():
    naive = dt.datetime.fromisoformat("2026-07-05T14:00:00")
    noon = int(dt.datetime(2026, 7, 5, 12, tzinfo=dt.UTC).timestamp()) * 1_000_000
    assert one(naive, pa.timestamp("us"), zone="Europe/Paris")[0] == noon
    assert one("2026-07-05 14:00", zone="Europe/Paris", local_text=True) == (noon, TimeFault.NONE)
    assert one("2026-07-05T12:00:00Z", zone="Europe/Paris", local_text=True)[0] == noon
    skipped = dt.datetime.fromisoformat("2026-03-29T02:30:00")  # no such local time in Paris
    assert one(skipped, pa.timestamp("us"), zone="Europe/Paris")[1] == TimeFault.NONE


def test_local_text_beside_bad_rows():
    values = pa.array(["2026-01-05 12:00:00", "2026-13-05 12:00:00", "2026-01-05", "x", None])
    us, fault = to_utc_us(values, local_text=True)
    bad = TimeFault.NOT_A_TIME
    assert fault.tolist() == [TimeFault.NONE, bad, TimeFault.NONE, bad, TimeFault.NULL]
    assert us[0] == NOON


@given(
    st.datetimes(*(dt.datetime.fromisoformat(y) for y in ("1900-01-01", "2200-01-01"))),
    st.integers(-14 * 60, 14 * 60),
    st.booleans(),
)
def test_any_offset_equals_the_standard_library(local, minutes, beside_bad):
    zoned = local.replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes)))
    want = (zoned - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    values = pa.array([zoned.isoformat(), *(["2026-99-99T00:00:00Z"] if beside_bad else [])])
    us, fault = to_utc_us(values)
    assert (int(us[0]), fault[0]) == (want, TimeFault.NONE)
