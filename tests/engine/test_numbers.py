"""Exact numbers: 128-bit words against Python's integers, doubles as ordered integers, columns of money."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import double
from txkit import START_US, event, hits_of, plan_of, run, table

from txmon.engine import int128
from txmon.engine.state import decode_double, encode_double


def of_bits(most: int) -> st.SearchStrategy[int]:
    """Numbers of up to so many bits, every length as likely as any other."""
    return st.integers(0, most).flatmap(lambda bits: st.integers(2**bits // 2, 2**bits - 1))


def signed(most: int) -> st.SearchStrategy[int]:
    return st.builds(lambda value, sign: value * sign, of_bits(most), st.sampled_from((1, -1)))


def words(value: int) -> tuple[np.int64, np.int64]:
    """Upper and lower word of a number, as signed words."""
    low = np.uint64(value & (2**64 - 1)).astype(np.int64)
    return np.int64((value >> 64) % 2**64 - 2**64 * ((value >> 127) & 1)), low


def number(high: int, low: int) -> int:
    return int(high) * 2**64 + int(low) % 2**64


def wrapped(value: int) -> int:
    return (value + 2**127) % 2**128 - 2**127


@given(signed(127), signed(127), signed(63))
def test_sums_negatives_and_squares(a: int, b: int, v: int) -> None:
    assert number(*int128.add128(*words(a), *words(b))) == wrapped(a + b)
    assert number(*int128.neg128(*words(a))) == wrapped(-a)
    assert number(*int128.square128(np.int64(v))) == v * v


@given(signed(100))
def test_double_is_the_cast_of_sql(value: int) -> None:
    assert int128.double128(*words(value)) == double(value)


@given(of_bits(40), signed(70), of_bits(127))
def test_spread_is_exact_or_says_that_it_does_not_fit(n: int, total: int, squares: int) -> None:
    fits, value = int128.spread128(np.int64(n), *words(total), *words(squares))
    inside = n * squares < 2**127 and total * total < 2**127
    if fits:
        assert value == double(n * squares - total * total)
    assert fits == inside


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=20))
def test_doubles_keep_their_order_as_integers(values: list[float]) -> None:
    array = np.array(values)
    images = encode_double(array)
    assert np.array_equal(decode_double(images), array)
    assert np.array_equal(np.sort(array), array[np.argsort(images, kind="stable")])
    assert encode_double(np.array([np.nan]))[0] > encode_double(np.array([np.inf]))[0]
    assert encode_double(np.array([-0.0]))[0] == encode_double(np.array([0.0]))[0]


def test_original_amounts_have_their_currency_s_decimals(tmp_path: Path) -> None:
    let = {
        "a": "amount_original",
        "colour": "attribute('colour')",
        "seen": "count(distinct attribute('colour')) over payer_1d",
    }
    plan = plan_of(tmp_path, {"id": "r", "subject": "payer", "let": let, "when": "true"})
    rows = [
        event("eur", START_US, payer="p", amount=1234, attributes=[("colour", "red"), ("colour", "blue")]),
        event("jpy", START_US, payer="p", amount=1234, currency="JPY", attributes=[("size", "1")]),
        event("kwd", START_US, payer="p", amount=1234, currency="KWD", attributes=[("colour", "red")]),
        event("none", START_US, payer="p", amount=None),
    ]
    shown = [h["features"] for h in hits_of(run(plan, table(rows))[1])]
    assert [s["a"] for s in shown] == [Decimal("12.34"), 1234, Decimal("1.234"), None]
    assert [s["colour"] for s in shown] == ["blue", None, "red", None]
    assert [s["seen"] for s in shown] == [1, 1, 2, 2]
    bare = [event("1", START_US, payer="p"), event("2", START_US, payer="p")]
    assert [h["features"]["seen"] for h in hits_of(run(plan, table(bare))[1])] == [0, 0]


@pytest.mark.parametrize("sign", [1, -1])
def test_the_smallest_and_largest_amounts(tmp_path: Path, sign: int) -> None:
    big = sign * 10**15
    let = {
        "s": "sum(amount) over payer_1d",
        "d": "stddev_samp(amount) over payer_1d",
        "m": "avg(amount) over payer_1d",
    }
    plan = plan_of(tmp_path, {"id": "r", "subject": "payer", "let": let, "when": "true"})
    rows = [event("1", START_US, payer="p", amount=big), event("2", START_US, payer="p", amount=big - sign)]
    last = hits_of(run(plan, table(rows))[1])[-1]["features"]
    assert last["s"] == Decimal(2 * big - sign).scaleb(-2)
    assert float(last["d"]) == 0.5**0.5 / 100
    assert float(last["m"]) == double(2 * big - sign) / 200.0
