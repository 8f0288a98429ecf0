"""Explanations and feature texts: exact money, nulls, escapes, malformed templates, speed."""

from __future__ import annotations

import json
import time
from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from txmon.rules.explain import compile_explain, decimal_text, features_json, placeholders
from txmon.rules.ir import Column, Rule, Unit


def rule(explain: str, lets: dict[str, Unit] | None = None, params: dict[str, object] | None = None) -> Rule:
    """A rule of which only the texts matter."""
    return Rule(
        id="r", version=1, title="R", path="r.yaml", on="legs", subject="account", status="live",
        typology="other", severity="low", score=0.5, protect=False, signal=False, tick=False,
        let=tuple((name, Column(name, unit)) for name, unit in (lets or {}).items()),
        when=Column("x", Unit.BOOL), explain=explain, dedup_by=("account",), dedup_us=1,
        params=params or {}, content_hash="",
    )  # fmt: skip


def explained(
    template: str, lets: dict[str, tuple[Unit, pa.Array]], n: int = 1, **params: object
) -> list[str]:
    r = rule(template, {k: u for k, (u, _) in lets.items()}, params)
    return compile_explain(r, 2, "EUR")({k: a for k, (_, a) in lets.items()}, n).to_pylist()


def test_numbers_params_and_columns_are_filled_in() -> None:
    r = rule(
        "{fees} payments of {fee_min}-{fee_max} to {counterparty}, {total} in all ({{{share}}})",
        {"fees": Unit.COUNT, "total": Unit.MONEY, "share": Unit.NUMBER},
        {"fee_min": 500, "fee_max": {"value": 2000, "currency": "USD"}},
    )
    compiled = compile_explain(r, 2, "EUR")
    assert compiled.columns == ("fees", "counterparty", "total", "share")
    texts = compiled(
        {
            "fees": pa.array([3, None], pa.int64()),
            "total": pa.array([123456789, -5], pa.int64()),
            "counterparty": pa.array(["ac-1", None]).dictionary_encode(),
            "share": pa.array([0.58333, 12345.6]),
        },
        2,
    )
    assert texts.to_pylist() == [
        "3 payments of 500-USD 2,000 to ac-1, EUR 1,234,567.89 in all ({0.5833})",
        "unknown payments of 500-USD 2,000 to unknown, EUR -0.05 in all ({12,346})",
    ]


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (Unit.TIME, 1_767_614_400_000_000, "2026-01-05T12:00:00Z"),
        (Unit.TIME, 1_767_614_400_500_000, "2026-01-05T12:00:00.500000Z"),
        (Unit.TIME, 2**62, "unknown"),
        (Unit.DATE, 20_458, "2026-01-05"),
        (Unit.SPAN, 183_600_000_000, "2 d 3 h"),
        (Unit.SPAN, 172_859_000_000, "2 d"),
        (Unit.SPAN, -90_000_000, "-1 min 30 s"),
        (Unit.SPAN, 500_000, "0.5 s"),
        (Unit.SPAN, 0, "0 s"),
        (Unit.MONEY_F, 83.333, "EUR 83.33"),
        (Unit.NUMBER, float("nan"), "unknown"),
        (Unit.BOOL, True, "yes"),
        (Unit.TEXT, "a {b} ü", "a {b} ü"),
    ],
)
def test_every_unit_has_a_short_text(unit: Unit, value: object, text: str) -> None:
    assert explained("{v}", {"v": (unit, pa.array([value]))}) == [text]


def test_columns_are_shown_by_their_unit() -> None:
    columns = {
        "event_time": pa.array([0], pa.timestamp("us", tz="UTC")),
        "payer_opened_time": pa.array([0]),
        "card_prepaid": pa.array([False]),
        "lat": pa.chunked_array([[1.25]]),
        "mcc": pa.array(["7011"]),
        "amount": pa.array([7000]),
        "amount_original": pa.array([1234.56]),
        "day": pa.array([date(2026, 1, 5)]),
        "signed_amount": pa.array([-100]),
    }
    template = "{event_time}, {payer_opened_time} {card_prepaid} {lat} {mcc} {amount} {amount_original}"
    units = {"day": Unit.DATE, "signed_amount": Unit.MONEY}
    compiled = compile_explain(rule(template + " {day} {signed_amount} {absent}"), 2, "EUR", units=units)
    assert compiled(columns, 1).to_pylist() == [
        "1970-01-01T00:00:00Z, 1970-01-01T00:00:00Z "
        "no 1.25 7011 EUR 70.00 1,234.56 2026-01-05 EUR -1.00 unknown"
    ]


def test_constant_templates_and_params_of_every_form() -> None:
    r = rule(
        "{a} {b} {c} {d} {e}", params={"a": [1, 2], "b": True, "c": Decimal("0.05"), "d": "x", "e": None}
    )
    assert compile_explain(r, 2)({}, 2).to_pylist() == ["1, 2 yes 0.05 x unknown"] * 2
    assert compile_explain(rule(""), 2)({}, 1).to_pylist() == [""]


@pytest.mark.parametrize("template", ["{", "}", "{}", "{a.b}", "{a!r}", "{a:>3}", "{0}", "{a[0]}"])
def test_malformed_templates_are_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        placeholders(template)


def test_features_are_json_with_exact_decimals_in_order() -> None:
    lets = {
        "z_sum": (Unit.MONEY, pa.array([12345, None, -5])),
        "a_n": (Unit.COUNT, pa.array([7, 0, 2**62])),
        "ratio": (Unit.NUMBER, pa.array([1 / 3, float("inf"), 5.0])),
        "mean": (Unit.MONEY_F, pa.array([0.1, None, 1e20])),
        "who": (Unit.TEXT, pa.array(['a"\\\n', None, "ü"]).dictionary_encode()),
        "on": (Unit.BOOL, pa.array([True, False, None])),
        "at": (Unit.TIME, pa.array([1_767_614_400_000_000, 2**62, None])),
        "day": (Unit.DATE, pa.array([20_458, None, 2**30], pa.int32())),
        "gap": (Unit.SPAN, pa.array([172_800_000_000, 1_500_000, -1])),
    }
    texts = features_json(lets, 2, 3).to_pylist()
    assert texts[0] == (
        '{"z_sum": 123.45, "a_n": 7, "ratio": 0.3333333333333333, "mean": 0.1, "who": "a\\"\\\\\\n", '
        '"on": true, "at": "2026-01-05T12:00:00Z", "day": "2026-01-05", "gap": 172800}'
    )
    assert json.loads(texts[1]) == {
        "z_sum": None, "a_n": 0, "ratio": None, "mean": None, "who": None, "on": False, "at": None,
        "day": None, "gap": 1.5,
    }  # fmt: skip
    third = json.loads(texts[2], parse_float=Decimal)
    assert third["z_sum"] == Decimal("-0.05")
    assert third["a_n"] == 2**62
    assert third["gap"] == Decimal("-0.000001")
    assert features_json({}, 2, 2).to_pylist() == ["{}", "{}"]


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1), st.sampled_from([0, 2, 3]))
def test_money_text_is_exact(values: list[int], scale: int) -> None:
    texts = decimal_text(pa.array(values, pa.int64()), scale).to_pylist()
    assert [Decimal(t) for t in texts] == [Decimal(v).scaleb(-scale) for v in values]
    assert all(len(t.partition(".")[2]) == scale for t in texts)


def test_thirty_thousand_hits_take_little_time() -> None:
    n = 30_000
    numbers = np.random.default_rng(1).integers(0, 10**7, n)
    lets = {
        "total": (Unit.MONEY, pa.array(numbers)),
        "payers": (Unit.COUNT, pa.array(numbers % 50)),
        "who": (Unit.TEXT, pa.array([f"ac-{v % 900}" for v in numbers]).dictionary_encode()),
    }
    template = "{payers} payers paid {total} to {who}"
    explained(template, lets, n)
    started = time.perf_counter()
    explained(template, lets, n)
    features_json(lets, 2, n)
    # Measured at about 40 ms; the bound only has to catch work that is done row by row many times over.
    assert time.perf_counter() - started < 1.0
