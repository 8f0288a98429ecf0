"""Each operation on Arrow arrays, with nulls, zeros and extremes; values worked out by hand."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rulekit import ListFrame, typed
from txkit import compile_expr

from txmon.rules.arrow import compile_mask
from txmon.rules.ir import Call, Column, Feature, FeatureRef, LetRef, Literal_, Unit, Window
from txmon.rules.scope import Param
from txmon.rules.words import WordBook

HIGH, LOW = 2**63 - 1, -(2**63)
JAN = 1_767_225_600_000_000  # 2026-01-01T00:00Z
DAY = 86_400_000_000
COLUMNS: dict[str, list[Any]] = {
    "amount": [100, None, 7000, LOW],
    "amount_minor": [100, None, 7000, 5],
    "amount_original": [1.0, None, 70.0, -2.5],
    "currency": ["EUR", None, "USD", "USD"],
    "merchant": ["a", None, "B c", "a"],
    "city": ["b", "a", None, "a"],
    "memo": [" x ", "12", "1.5e1", "é"],
    "event_time": [JAN, JAN + DAY - 1, JAN + 180 * DAY, JAN - DAY],
    "payer_opened_time": [JAN - 3 * DAY, JAN, None, JAN],
    "tz": ["Europe/Paris", "Asia/Kolkata", "Nowhere/Land", None],
    "lat": [0.0, float("nan"), None, 52.5],
    "lon": [0.0, 1.0, 2.0, float("inf")],
    "card_prepaid": [True, None, False, True],
}
CASES: list[tuple[str, list[Any]]] = [
    ("amount >= 70", [False, None, True, False]),
    ("amount > 0.005", [True, None, True, False]),  # less than a cent: compared as double
    ("amount in (1, 70)", [True, None, True, False]),
    ("amount between 1 and 70", [True, None, True, False]),
    ("amount not between 1 and 70", [False, None, False, True]),
    ("amount + amount", [200, None, 14000, None]),
    ("amount - 1", [0, None, 6900, None]),
    ("-amount", [-100, None, -7000, None]),
    ("abs(amount)", [100, None, 7000, None]),
    ("amount * 1.5", [1.5, None, 105.0, LOW / 100 * 1.5]),
    ("amount / 2", [0.5, None, 35.0, LOW / 200]),
    ("amount / amount", [1.0, None, 1.0, 1.0]),
    ("amount % 3", [100, None, 100, -8]),
    ("floor(amount * 1.005)", [1.0, None, 70.0, float(np.floor(LOW / 100 * 1.005))]),
    ("amount_original / lat", [None, None, None, -2.5 / 52.5]),
    ("amount_original % 2", [1.0, None, 0.0, -0.5]),
    ("amount_original % lat", [None, None, None, -2.5]),
    ("round(amount_original)", [1.0, None, 70.0, -3.0]),
    ("ceil(amount_original)", [1.0, None, 70.0, -2.0]),
    ("sqrt(amount_original)", [1.0, None, 70.0**0.5, None]),
    ("ln(lat)", [None, None, None, float(np.log(52.5))]),
    ("exp(amount_original * 1000)", [None, None, None, 0.0]),
    ("cast(amount as double)", [1.0, None, 70.0, LOW / 100]),
    ("cast(amount_original as bigint)", [1, None, 70, -2]),
    ("cast(memo as bigint)", [None, 12, None, None]),
    ("cast(memo as double)", [None, 12.0, 15.0, None]),
    ("cast(card_prepaid as bigint)", [1, None, 0, 1]),
    ("cast(card_prepaid as varchar)", ["true", None, "false", "true"]),
    ("cast(length(memo) as varchar)", ["3", "2", "5", "1"]),
    (
        "cast(local_date(event_time, 'UTC') as varchar)",
        ["2026-01-01", "2026-01-01", "2026-06-30", "2025-12-31"],
    ),
    ("cast(length(memo) as double) / 2", [1.5, 1.0, 2.5, 0.5]),
    ("length(memo) * length(memo)", [9, 4, 25, 1]),
    ("length(memo) % 2", [1, 0, 1, 1]),
    ("lower(merchant)", ["a", None, "b c", "a"]),
    ("upper(memo)", [" X ", "12", "1.5E1", "É"]),
    ("trim(memo)", ["x", "12", "1.5e1", "é"]),
    ("contains(merchant, ' ')", [False, None, True, False]),
    ("contains(merchant, city)", [False, None, None, True]),
    ("starts_with(merchant, 'B')", [False, None, True, False]),
    ("ends_with(merchant, 'c')", [False, None, True, False]),
    ("substr(memo, 2, 1)", ["x", "2", ".", ""]),
    ("substr(memo, 2)", ["x ", "2", ".5e1", ""]),
    ("merchant like '%c'", [False, None, True, False]),
    ("merchant like '_'", [True, None, False, True]),
    ("memo not like '%.%'", [True, True, False, True]),
    ("merchant || '!'", ["a!", None, "B c!", "a!"]),
    ("'!' || merchant", ["!a", None, "!B c", "!a"]),
    ("merchant || city", ["ab", None, None, "aa"]),
    ("merchant = 'a'", [True, None, False, True]),
    ("'a' <> merchant", [False, None, True, False]),
    ("merchant = city", [False, None, None, True]),
    ("merchant < 'a'", [False, None, True, False]),
    ("merchant >= city", [False, None, None, True]),
    ("merchant in ('a', 'z')", [True, None, False, True]),
    ("merchant in list('listed')", [True, None, False, True]),
    ("merchant is null", [False, True, False, False]),
    ("merchant is not distinct from city", [False, False, False, True]),
    ("lat is distinct from null", [True, False, False, True]),
    ("card_prepaid is true", [True, False, False, True]),
    ("card_prepaid is not false", [True, True, False, True]),
    ("card_prepaid and merchant = 'a'", [True, None, False, True]),
    ("card_prepaid or merchant = 'a'", [True, None, False, True]),
    ("card_prepaid or true", [True, True, True, True]),
    ("not card_prepaid and false", [False, False, False, False]),
    ("coalesce(merchant, city, 'x')", ["a", "a", "B c", "a"]),
    ("coalesce(amount, 3)", [100, 300, 7000, LOW]),
    ("nullif(merchant, city)", ["a", None, "B c", None]),
    ("nullif(amount, 1)", [None, None, 7000, LOW]),
    ("nullif(1, length(memo))", [1, 1, 1, None]),
    ("least(amount_original, lat, 3)", [0.0, 3.0, 3.0, -2.5]),
    ("greatest(amount_original, lat)", [1.0, None, 70.0, 52.5]),
    (
        "case when amount > 50 then 'big' when card_prepaid then merchant else city end",
        ["a", "a", "big", "a"],
    ),
    ("case merchant when 'a' then 1 end", [1, None, None, 1]),
    ("case when card_prepaid then 1.5 else length(memo) end", [1.5, 2.0, 5.0, 1.5]),
    ("local_hour(event_time, tz)", [1, 5, None, None]),
    ("local_hour(event_time, 'Europe/Paris')", [1, 0, 2, 1]),
    ("day(local_date(event_time, tz))", [1, 2, None, None]),
    ("month(local_date(event_time, 'UTC'))", [1, 1, 6, 12]),
    ("year(local_date(event_time, 'UTC'))", [2026, 2026, 2026, 2025]),
    ("isodow(local_date(event_time, 'UTC'))", [4, 4, 2, 3]),
    ("date_diff_days(payer_opened_time, event_time)", [3, 0, None, -1]),
    ("date_diff_days(local_date(event_time, 'UTC'), date '2026-01-03')", [2, 2, -178, 3]),
    ("event_time - payer_opened_time > interval '2 days'", [True, False, None, False]),
    ("event_time >= timestamp '2026-01-01 12:00:00'", [False, True, True, False]),
    ("event_time + interval '1 day' - event_time", [DAY] * 4),
    ("(event_time - payer_opened_time) / interval '12 hours'", [6.0, (DAY - 1) / (DAY / 2), None, -2.0]),
    ("distance_km(lat, lon, 0, 1)", [111.195, None, None, None]),
    ("distance_km(0, 0, 0, 180)", [20015.114] * 4),
    ("attribute('k')", ["k"] * 4),
    ("anomaly('det') > 0.4", [True] * 4),
    ("amount > :usd", [False, None, True, False]),
    ("amount + 0 > :usd", [False, None, True, False]),
    (":usd < amount", [False, None, True, False]),
    ("amount between :usd and 80", [False, None, True, False]),
    ("1 = 1", [True] * 4),
    ("1 / 3 > 0.3", [True] * 4),
    ("null", [None] * 4),
    ("null is null", [True] * 4),
]
PARAMS = {"usd": Param("usd", Decimal(69), "USD", 2)}


def run(text: str, columns: dict[str, list[Any]] = COLUMNS) -> list[Any]:
    found: list[Any] = compile_expr(typed(text, PARAMS))(ListFrame(columns)).to_pylist()
    return found


def same(found: Any, expected: Any) -> bool:
    if isinstance(found, float) and isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=1e-12)
    return type(found) is type(expected) and bool(found == expected)


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_operation(text: str, expected: list[Any]) -> None:
    found = run(text)
    assert len(found) == len(expected)
    assert all(same(a, b) for a, b in zip(found, expected, strict=True)), found


def test_rounding_of_money_is_to_whole_major_units() -> None:
    columns = {"amount": [149, 150, -149, -150, -151, 0, LOW, None]}
    assert run("floor(amount)", columns) == [100, 100, -200, -200, -200, 0, None, None]
    assert run("ceil(amount)", columns) == [200, 200, -100, -100, -100, 0, -9223372036854775800, None]
    assert run("round(amount)", columns) == [100, 200, -100, -200, -200, 0, -9223372036854775800, None]


def test_whole_numbers_that_overflow_are_null() -> None:
    counts = {"amount_minor": [HIGH, LOW, 3, None]}
    unit = Unit.COUNT
    column = Column("amount_minor", unit)
    two, minus = Literal_(2, unit), Literal_(-1, unit)
    frame = ListFrame(counts)
    for op, right, expected in (
        ("*", two, [None, None, 6, None]),
        ("*", minus, [-HIGH, None, -3, None]),
        ("+", two, [None, LOW + 2, 5, None]),
        ("-", two, [HIGH - 2, None, 1, None]),
        ("%", minus, [0, 0, 0, None]),
        ("%", Literal_(0, unit), [None] * 4),
    ):
        assert compile_expr(Call(op, (column, right), unit))(frame).to_pylist() == expected, op
    assert compile_expr(Call("number_count", (Call("to_number", (column,), Unit.NUMBER),), unit))(
        frame
    ).to_pylist() == [None, LOW, 3, None]


def test_foreign_limit_is_compared_in_its_own_currency() -> None:
    columns = {"amount": [9000, 9000, None, 6300], "amount_minor": [6900, 6901, 7000, 7000],
               "currency": ["USD", "USD", "USD", None]}  # fmt: skip
    assert run("amount > :usd", columns) == [False, True, True, True]


def test_equal_parts_are_evaluated_once_in_a_frame() -> None:
    frame = ListFrame(COLUMNS)
    compile_expr(typed("amount > 1 and amount > 1"))(frame)
    compile_expr(typed("amount > 1 or merchant = 'a'"))(frame)
    assert frame.reads == 2


def test_lets_are_read_anew_and_masks_are_true_only() -> None:
    let = LetRef("n", Unit.COUNT)
    expr = Call(">", (let, Literal_(2, Unit.COUNT)), Unit.BOOL)
    units = {"n": Unit.COUNT}
    first, second = ListFrame({"n": [1, 3, None]}, units), ListFrame({"n": [5, None, 0]}, units)
    assert compile_mask(expr)(first).tolist() == [False, True, False]
    second.memo = first.memo
    assert compile_mask(expr)(second).tolist() == [True, False, False]
    assert compile_mask(Literal_(True, Unit.BOOL))(first).tolist() == [True] * 3


def test_features_are_read_from_the_frame() -> None:
    feature = Feature("count", Window("payer_7d", "events", ("payer",), 7 * DAY))
    frame = ListFrame({"payer_7d": [1, None]}, {"payer_7d": Unit.COUNT})
    assert compile_expr(FeatureRef(feature, Unit.COUNT))(frame).to_pylist() == [1, None]


class ArrayFrame(ListFrame):
    """A frame over Arrow arrays."""

    def __init__(self, arrays: dict[str, Any]) -> None:
        self.length = len(next(iter(arrays.values())))
        self.memo = {}
        self.reads = 0
        self.book = WordBook()
        self.arrays = arrays


def test_shapes_of_arrow_that_a_frame_may_hold() -> None:
    times = pa.array([0, None], pa.timestamp("us", "UTC"))
    chunked = pa.chunked_array([["a"], ["b"]])
    repeated = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), pa.array(["a", "a"]))
    holes = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), pa.array(["a", None]))
    long = pa.DictionaryArray.from_arrays(
        pa.array([900, None], pa.int32()), pa.array([f"w{i}" for i in range(1000)])
    )
    nothing = pa.DictionaryArray.from_arrays(pa.array([None, None], pa.int32()), pa.array([], pa.string()))
    frame = ArrayFrame(
        {
            "event_time": times,
            "payer": chunked,
            "payee": repeated,
            "merchant": holes,
            "card": long,
            "city": nothing,
        }
    )
    for text, expected in (
        ("event_time = timestamp '1970-01-01'", [True, None]),
        ("payer = 'b'", [False, True]),
        ("payee", ["a", "a"]),
        ("payee = 'a'", [True, True]),
        ("merchant", ["a", None]),
        ("card", ["w900", None]),
        ("city", [None, None]),
        ("city = 'a'", [None, None]),
        ("coalesce(city, payer)", ["a", "b"]),
    ):
        assert compile_expr(typed(text))(frame).to_pylist() == expected, text


def test_no_rows() -> None:
    empty = {"payer": pa.chunked_array([], pa.string()), "amount": pa.array([], pa.int64()),
             "event_time": pa.array([], pa.int64()), "tz": pa.array([], pa.string())}  # fmt: skip
    for text in (
        "payer = 'a' and amount > 1",
        "lower(payer)",
        "local_hour(event_time, tz)",
        "cast(payer as double)",
    ):
        assert compile_expr(typed(text))(ArrayFrame(empty)).to_pylist() == []
