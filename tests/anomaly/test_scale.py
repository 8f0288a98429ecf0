"""Scales: fixed, monotone, inside [0, 1], and reversible inside the clip."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from txmon.anomaly import to_matrix
from txmon.anomaly.scale import make_scales, scale_rows, unscale
from txmon.anomaly.settings import Input

ITEMS = [
    Input("share", "linear", -2.0, 3.0, None),
    Input("amount", "log", 0.5, 1e6, None),
    Input("quotient", "ratio", 50.0, 50.0, None),
    Input("deviation", "signed_log", 1.0, 100.0, None),
]


def scaled(item: Input, values: list[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    column = np.array(values, np.float64)[:, None]
    out, used, refused = np.empty_like(column), np.empty_like(column), np.empty(len(column), np.bool_)
    scale_rows(make_scales((item,)), column, out, used, refused)
    return out[:, 0], used[:, 0], refused


@pytest.mark.parametrize("item", ITEMS, ids=lambda i: i.kind)
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_monotone_and_inside_the_unit_interval(item: Input, values: list[float]) -> None:
    out, used, refused = scaled(item, sorted(values))
    assert not refused.any()
    assert used.tolist() == sorted(values)
    assert np.all((out >= 0) & (out <= 1))
    assert np.all(np.diff(out) >= 0)


@pytest.mark.parametrize("item", ITEMS, ids=lambda i: i.kind)
def test_unscale_is_the_inverse(item: Input) -> None:
    y = np.linspace(0.01, 0.99, 25)
    values = [unscale(item, v) for v in y.tolist()]
    assert scaled(item, values)[0] == pytest.approx(y)


def test_known_values() -> None:
    assert scaled(ITEMS[0], [-2, 0.5, 3, 99])[0].tolist() == [0, 0.5, 1, 1]
    assert scaled(ITEMS[1], [-5, 0, 0.5, 1e6])[0] == pytest.approx([0, 0, math.log(2) / math.log1p(2e6), 1])
    assert scaled(ITEMS[2], [-1, 0, 1 / 50, 1, 50, 1e308])[0] == pytest.approx([0, 0, 0, 0.5, 1, 1])
    assert scaled(ITEMS[3], [-100, 0, 100, -1e308])[0] == pytest.approx([0, 0.5, 1, 0])


def test_missing_values_follow_the_policy() -> None:
    holes = [math.nan, math.inf, -math.inf, 1.0]
    assert scaled(ITEMS[0], holes)[2].tolist() == [True, True, True, False]
    out, used, refused = scaled(Input("share", "linear", 0.0, 4.0, 2.0), holes)
    assert not refused.any()
    assert used.tolist() == [2, 2, 2, 1]
    assert out.tolist() == [0.5, 0.5, 0.5, 0.25]


def test_matrix_from_arrow() -> None:
    columns = [
        pa.chunked_array([[1, None], [3]], pa.int64()),
        pa.array([0.5, math.inf, None]),
        pa.array([True, False, None]),
    ]
    expected = [[1, 0.5, 1], [math.nan, math.inf, 0], [3, math.nan, math.nan]]
    assert np.array_equal(to_matrix(columns), expected, equal_nan=True)
    assert to_matrix([pa.array([], pa.float64())]).shape == (0, 1)
