"""Reasons name the input that made a row unusual, with its usual range in its own unit."""

from __future__ import annotations

import numpy as np
import pytest
from detectors import quick

NAMES = ("amount", "ratio", "z", "plain")
INPUTS = {
    "amount": {"scale": {"kind": "log", "unit": 1, "max": 100_000}, "missing": "refuse"},
    "ratio": {"scale": {"kind": "ratio", "max": 100}, "missing": {"impute": 1}},
    "z": {"scale": {"kind": "signed_log", "unit": 1, "max": 100}, "missing": {"impute": 0}},
    "plain": {"scale": {"kind": "linear", "min": 0, "max": 10}, "missing": "refuse"},
}


def usual_rows(count: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    columns = [
        rng.lognormal(4, 0.3, count),
        rng.lognormal(0, 0.1, count),
        rng.normal(0, 1, count),
        rng.normal(5, 0.5, count),
    ]
    return np.stack(columns, axis=1)


def test_the_odd_input_comes_first_with_its_range() -> None:
    model = quick(NAMES, inputs=INPUTS, window_size=200, trees=20)
    rows = usual_rows(3_000)
    model.score(np.zeros(3_000, np.int32), rows)
    odd = np.array([[60_000.0, np.nan, 0.1, 5.0]])
    scores = model.score(np.zeros(1, np.int32), odd)
    assert scores.value[0] >= 0.99
    reasons = model.explain(scores, 0)
    assert reasons[0].feature == "amount"
    assert {r.feature for r in reasons} == set(NAMES)
    first = reasons[0]
    assert first.value == 60_000.0
    assert first.contribution > 0.05
    recent = rows[-1_024:, 0]
    got = (first.usual_low, first.usual_middle, first.usual_high)
    assert got == pytest.approx(np.quantile(recent, [0.05, 0.5, 0.95]), rel=0.1)
    by_name = {r.feature: r for r in reasons}
    assert by_name["ratio"].value == 1  # the imputed one
    for j, name in enumerate(NAMES[1:], 1):
        low, high = np.quantile(rows[-1_024:, j], [0.05, 0.95])
        spread = high - low
        assert by_name[name].usual_low == pytest.approx(low, abs=0.3 * spread)
        assert by_name[name].usual_high == pytest.approx(high, abs=0.3 * spread)


def test_usual_rows_have_no_reasons() -> None:
    model = quick(NAMES, inputs=INPUTS, window_size=200)
    scores = model.score(np.zeros(3_000, np.int32), usual_rows(3_000))
    calm = int(np.nanargmin(scores.value))
    assert model.explain(scores, calm) == ()
    assert model.explain(scores, 3_000) == ()
