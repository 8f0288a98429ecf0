"""Minor units are exact for every source type, and rates are exact and half-even."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from txmon.errors import ConfigError
from txmon.model.currencies import EXPONENTS, UNKNOWN, exponent, exponents
from txmon.model.money import Fault, format_minor, minor_units, scale_half_even
from txmon.model.rates import MAX_AGE_DAYS, Rate, Rates, load_rates

DAY = dt.date(2026, 1, 5)
EPOCH = dt.date(1970, 1, 1)


def exps(*values: int) -> np.ndarray:
    return np.array(values, np.int8)


def test_exponents_follow_iso_4217():
    assert (exponent("EUR"), exponent("JPY"), exponent("KWD"), exponent("CLF")) == (2, 0, 3, 4)
    assert "XXX" not in EXPONENTS
    assert "XAU" not in EXPONENTS
    assert all(len(c) == 3 and c.isupper() for c in EXPONENTS)
    with pytest.raises(KeyError):
        exponent("eur")


def test_exponents_of_columns():
    plain = pa.array(["EUR", None, "JPY", "ZZZ"])
    assert exponents(plain).tolist() == [2, UNKNOWN, 0, UNKNOWN]
    assert exponents(plain.dictionary_encode()).tolist() == [2, UNKNOWN, 0, UNKNOWN]


@pytest.mark.parametrize(
    ("values", "exponent_", "minor", "fault"),
    [
        (pa.array(["12.50"]), 2, 1250, Fault.NONE),
        (pa.array(["1250"]), 0, 1250, Fault.NONE),
        (pa.array(["12.5"]), 3, 12500, Fault.NONE),
        (pa.array(["12.505"]), 2, 0, Fault.FRACTION),
        (pa.array(["12.500000000"]), 2, 1250, Fault.NONE),
        (pa.array(["12.5000000001"]), 2, 0, Fault.FRACTION),
        (pa.array(["1e3"]), 2, 100000, Fault.NONE),
        (pa.array(["1e-2"]), 2, 1, Fault.NONE),
        (pa.array(["1e400"]), 2, 0, Fault.TOO_LARGE),
        (pa.array(["0e999"]), 2, 0, Fault.NONE),
        (pa.array(["-0.01"]), 2, -1, Fault.NONE),
        (pa.array(["1,000.00"]), 2, 0, Fault.NOT_A_NUMBER),
        (pa.array([" 5"]), 2, 0, Fault.NOT_A_NUMBER),
        (pa.array(["NaN"]), 2, 0, Fault.NOT_A_NUMBER),
        (pa.array(["Infinity"]), 2, 0, Fault.NOT_A_NUMBER),
        (pa.array(["9" * 70]), 2, 0, Fault.NOT_A_NUMBER),
        (pa.array(["99999999999999999999"]), 2, 0, Fault.TOO_LARGE),
        (pa.array([True]), 2, 0, Fault.NOT_A_NUMBER),
        (pa.array([7]), 2, 700, Fault.NONE),
        (pa.array([2**62]), 2, 0, Fault.TOO_LARGE),
        (pa.array([2**64 - 1], pa.uint64()), 0, 0, Fault.TOO_LARGE),
        (pa.array([Decimal("1.1")]), 2, 110, Fault.NONE),
        (pa.array([Decimal("1.1")], pa.decimal256(50, 30)), 2, 110, Fault.NONE),
        (pa.array([Decimal("10000000000000.01")], pa.decimal128(38, 20)), 2, 1000000000000001, Fault.NONE),
        (pa.array([Decimal("1.5")], pa.decimal32(5, 1)), 2, 150, Fault.NONE),
        (pa.array([0.07]), 2, 7, Fault.NONE),
        (pa.array([0.075]), 2, 0, Fault.FRACTION),
        (pa.array([float("nan")]), 2, 0, Fault.NOT_A_NUMBER),
        (pa.array([float("inf")]), 2, 0, Fault.NOT_A_NUMBER),
        (pa.array([1e300]), 2, 0, Fault.TOO_LARGE),
        (pa.array([None], pa.float64()), 2, 0, Fault.NULL),
        (pa.array([None]), 2, 0, Fault.NULL),
        (pa.array(["5"]).dictionary_encode(), 2, 500, Fault.NONE),
        (pa.array(["5"]), -1, 0, Fault.NULL),
    ],
)
def test_minor_units(values, exponent_, minor, fault):
    got, why = minor_units(values, exps(exponent_))
    assert (int(got[0]), Fault(int(why[0]))) == (minor, fault)


def test_one_bad_text_leaves_the_others_alone():
    values = pa.array(["1.00", "x", None, "1e2", "2.001", "3"])
    minor, fault = minor_units(values, exps(2, 2, 2, 2, 2, 2))
    assert minor.tolist() == [100, 0, 0, 10000, 0, 300]
    assert fault.tolist() == [0, Fault.NOT_A_NUMBER, Fault.NULL, 0, Fault.FRACTION, 0]


def test_sliced_decimals_keep_their_rows():
    values = pa.array([Decimal(i) for i in range(10)], pa.decimal128(20, 4)).slice(3, 4)
    assert minor_units(values, exps(2, 2, 2, 2))[0].tolist() == [300, 400, 500, 600]


@given(
    st.lists(
        st.tuples(
            st.decimals(min_value=-(10**14), max_value=10**14, places=4, allow_nan=False),
            st.sampled_from([0, 2, 3, 4]),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_text_and_decimals_are_exact(rows):
    exponent_ = np.array([e for _, e in rows], np.int8)
    for values in (
        pa.array([str(v) for v, _ in rows]),
        pa.array([v for v, _ in rows], pa.decimal128(38, 8)),
    ):
        minor, fault = minor_units(values, exponent_)
        for (value, e), got, why in zip(rows, minor.tolist(), fault.tolist(), strict=True):
            exact = value.scaleb(e)
            if exact != exact.to_integral_value():
                assert why == Fault.FRACTION
            else:
                assert (got, why) == (int(exact), Fault.NONE)


@given(st.integers(0, 9_999_999_999), st.sampled_from([0, 2, 3]))
def test_floats_next_to_a_minor_unit_are_that_unit(minor, e):
    got, fault = minor_units(pa.array([float(Decimal(minor).scaleb(-e))]), exps(e))
    assert fault[0] in (Fault.NONE, Fault.FRACTION)  # beyond 2^53 steps a float is no longer near enough
    if minor < 10**9:
        assert fault[0] == Fault.NONE
    if fault[0] == Fault.NONE:
        assert int(got[0]) == minor


def test_format_minor():
    assert (format_minor(1050, 2), format_minor(-5, 2), format_minor(7, 0)) == ("10.50", "-0.05", "7")


@given(
    st.lists(st.tuples(st.integers(-(10**15), 10**15), st.integers(1, 10**18)), min_size=1, max_size=20),
    st.integers(0, 20),
)
def test_scaling_is_half_even_at_any_size(rows, power):
    minor = np.array([m for m, _ in rows], np.int64)
    numerator = np.array([n for _, n in rows], np.int64)
    got, fits = scale_half_even(minor, numerator, 10**power)
    with localcontext() as context:
        context.prec = 80
        for (m, n), value, ok in zip(rows, got.tolist(), fits.tolist(), strict=True):
            exact = (Decimal(m) * n / 10**power).quantize(Decimal(1), ROUND_HALF_EVEN)
            assert ok == (abs(exact) < 2**63)
            assert not ok or value == exact


def rates(*rows: tuple[str, str, str]) -> Rates:
    return Rates("EUR", [Rate(dt.date.fromisoformat(d), c, "EUR", Decimal(r)) for d, c, r in rows])


def convert(table: Rates, currency: str | None, minor: int, day: dt.date = DAY):
    days = np.array([(day - EPOCH).days], np.int32)
    got = table.convert(pa.array([currency], pa.string()), np.array([minor]), np.array([True]), days)
    return got.base_minor[0].as_py(), got.rate_date[0].as_py(), bool(got.unconverted[0])


def test_the_base_currency_is_worth_one_and_has_no_rate_date():
    assert convert(rates(), "EUR", 12345) == (12345, None, False)


def test_latest_row_not_after_the_date_and_not_older_than_a_week():
    table = rates(("2026-01-01", "USD", "0.9"), ("2026-01-04", "USD", "0.8"), ("2026-01-06", "USD", "0.7"))
    assert convert(table, "USD", 100) == (80, dt.date(2026, 1, 4), False)
    assert convert(table, "USD", 100, dt.date(2026, 1, 13)) == (70, dt.date(2026, 1, 6), False)
    assert convert(table, "USD", 100, dt.date(2026, 1, 14)) == (None, None, True)
    assert convert(table, "USD", 100, dt.date(2025, 12, 31)) == (None, None, True)
    assert MAX_AGE_DAYS == 7


def test_no_rate_no_conversion():
    assert convert(rates(("2026-01-05", "USD", "0.9")), "GBP", 100) == (None, None, True)
    assert convert(rates(), None, 100) == (None, None, True)


def test_minor_units_of_both_currencies_count():
    table = rates(("2026-01-05", "JPY", "0.0061"), ("2026-01-05", "KWD", "2.9876543210987654"))
    assert convert(table, "JPY", 1000)[0] == 610
    assert convert(table, "KWD", 1000)[0] == 299
    assert convert(table, "KWD", 10**15)[0] == 298765432109877


def test_half_goes_to_even():
    table = rates(("2026-01-05", "USD", "0.5"))
    assert [convert(table, "USD", m)[0] for m in (1, 3, 5, -1, -3)] == [0, 2, 2, 0, -2]


def test_a_result_beyond_64_bits_is_marked():
    table = rates(("2026-01-05", "USD", "999999999999"))
    days = np.array([(DAY - EPOCH).days], np.int32)
    got = table.convert(pa.array(["USD"]), np.array([10**15]), np.array([True]), days)
    assert got.too_large.tolist() == [True]
    assert got.base_minor.null_count == 1
    assert not got.unconverted[0]


@given(
    st.lists(
        st.tuples(st.sampled_from(["EUR", "USD", "JPY", "KWD"]), st.integers(-(10**15), 10**15)), max_size=25
    ),
    st.decimals(min_value=Decimal("0.000001"), max_value=1000, places=6),
)
def test_conversion_equals_a_decimal_oracle(rows, rate):
    table = Rates("EUR", [Rate(DAY, c, "EUR", rate) for c in ("USD", "JPY", "KWD")])
    days = np.full(len(rows), (DAY - EPOCH).days, np.int32)
    codes = pa.array([c for c, _ in rows], pa.string())
    minor = np.array([m for _, m in rows], np.int64)
    got = table.convert(codes, minor, np.ones(len(rows), bool), days)
    with localcontext() as context:
        context.prec = 60
        for (code, m), base in zip(rows, got.base_minor.to_pylist(), strict=True):
            one = Decimal(1) if code == "EUR" else rate
            exact = Decimal(m).scaleb(-EXPONENTS[code]) * one * 100
            rounded = exact.quantize(Decimal(1), ROUND_HALF_EVEN)
            assert base == (rounded if abs(rounded) < 2**63 else None)
    for code in ("USD", "KWD", "EUR", "GBP"):
        fx = table.fx_minor(code, 10_000, pa.array(days, pa.int32()).cast(pa.date32()))
        single = [convert(table, code, 10_000)[0]] * len(rows)
        assert fx.to_pylist() == single


def test_fx_minor_by_date():
    table = rates(("2026-01-01", "USD", "0.9"), ("2026-01-05", "USD", "0.8"))
    dates = pa.array([dt.date(2025, 12, 1), dt.date(2026, 1, 2), None, DAY, dt.date(2026, 2, 1)])
    assert table.fx_minor("USD", 1000, dates).to_pylist() == [None, 900, None, 800, None]
    assert table.fx_minor("EUR", 1000, dates).to_pylist() == [1000, 1000, None, 1000, 1000]
    assert table.fx_minor("GBP", 1000, dates).null_count == 5


def test_rates_file(tmp_path):
    path = tmp_path / "rates.csv"
    path.write_text(
        "date,currency,base,rate\n2026-01-05,USD,EUR,0.92\n2026-01-05,USD,GBP,0.8\n2026-01-05,EUR,EUR,1\n"
    )
    assert convert(load_rates(path, "EUR"), "USD", 100)[0] == 92
    assert not load_rates(None, "EUR").has_rates


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "header"),
        ("date,currency,rate\n", "header"),
        ("date,currency,base,rate\n5.1.2026,USD,EUR,1\n", ":2: date '5.1.2026'"),
        ("date,currency,base,rate\n2026-01-05,usd,EUR,1\n", "currency 'usd'"),
        ("date,currency,base,rate\n2026-01-05,USD,XXX,1\n", "base 'XXX'"),
        ("date,currency,base,rate\n2026-01-05,USD,EUR,0\n", "rate '0'"),
        ("date,currency,base,rate\n2026-01-05,USD,EUR,-1\n", "rate '-1'"),
        ("date,currency,base,rate\n2026-01-05,USD,EUR,1e3\n", "rate '1e3'"),
        ("date,currency,base,rate\n2026-01-05,USD,EUR\n", "rate ''"),
        ("date,currency,base,rate\n2026-01-05,EUR,EUR,2\n", "in itself is 1"),
        ("date,currency,base,rate\n2026-01-05,USD,EUR,2\n2026-01-05,USD,EUR,3\n", ":3: a second rate"),
    ],
)
def test_a_wrong_rates_file_names_line_and_value(tmp_path, text, says):
    path = tmp_path / "rates.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says.replace("(", r"\(")) as error:
        load_rates(path, "EUR")
    assert str(path) in str(error.value)


def test_rates_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_rates(tmp_path / "none.csv", "EUR")
    with pytest.raises(ConfigError, match="ISO 4217"):
        Rates("XXX")
    with pytest.raises(ConfigError, match="two rates"):
        rates(("2026-01-05", "USD", "1"), ("2026-01-05", "USD", "2"))
