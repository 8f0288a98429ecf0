"""What a model promises whatever the data: finite scores, warming, batches, segments."""

from __future__ import annotations

import numpy as np
import pytest
from detectors import detector, quick, stream
from hypothesis import given, settings
from hypothesis import strategies as st

from txmon.anomaly import REFUSED, SCORED, WARMING, Scores, make_detector

ANY = st.floats(allow_nan=True, allow_infinity=True, width=64)
SCALES = [
    {"kind": "linear", "min": -5, "max": 1e9},
    {"kind": "log", "unit": 0.01, "max": 1e6},
    {"kind": "ratio", "max": 100},
    {"kind": "signed_log", "unit": 1, "max": 50},
]


def inputs(missing: object) -> dict[str, object]:
    return {f"i{n}": {"scale": scale, "missing": missing} for n, scale in enumerate(SCALES)}


NAMES = tuple(inputs("refuse"))


@given(st.lists(st.lists(ANY, min_size=4, max_size=4), min_size=1, max_size=30), st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_input_gives_a_finite_score_or_a_declared_state(rows: list[list[float]], impute: bool) -> None:
    model = quick(NAMES, inputs=inputs({"impute": 1} if impute else "refuse"), warm_up=200)
    rng = np.random.default_rng(0)
    model.score(np.zeros(400, np.int32), rng.random((400, 4)) * 20)
    values = np.array(rows)
    scores = model.score(np.zeros(len(rows), np.int32), values)
    complete = np.isfinite(values).all(axis=1) | impute
    assert np.array_equal(scores.state == SCORED, complete)
    assert np.array_equal(scores.state == REFUSED, ~complete)
    scored = scores.value[complete]
    assert np.all((scored >= 0) & (scored <= 1))
    assert np.isnan(scores.value[~complete]).all()
    assert np.isfinite(scores.raw[complete]).all()


@given(st.lists(ANY, min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_gaussian_is_finite_for_every_input(numbers: list[float]) -> None:
    one = {"only": {"scale": {"kind": "log", "unit": 1, "max": 1e6}, "missing": {"impute": 0}}}
    model = quick(("only",), "gaussian", inputs=one, window_size=20, grace_period=5)
    model.score(np.zeros(300, np.int32), np.arange(300.0)[:, None] % 7)
    scores = model.score(np.zeros(len(numbers), np.int32), np.array(numbers)[:, None])
    assert np.all(scores.state == SCORED)
    assert np.all((scores.value >= 0) & (scores.value <= 1) & np.isfinite(scores.raw))


def test_a_refused_row_is_neither_learned_nor_given_a_segment() -> None:
    segment, values = stream(2_000)
    with_holes = np.insert(values, 700, np.nan, axis=0)
    scores = quick().score(np.insert(segment, 700, 99).astype(np.int32), with_holes)
    plain = quick()
    expected = plain.score(segment, values)
    assert scores.state[700] == REFUSED
    assert np.array_equal(np.delete(scores.value, 700), expected.value, equal_nan=True)
    assert 99 not in plain.snapshot()["segment_code"]


def test_warming_until_the_first_window_and_enough_scores() -> None:
    rows = stream(1_000)[1]
    scores = quick(window_size=50, warm_up=200).score(np.zeros(1_000, np.int32), rows)
    assert np.all(scores.state[:250] == WARMING)
    assert np.isnan(scores.value[:250]).all()
    assert np.all(scores.state[250:] == SCORED)
    assert np.isfinite(scores.value[250:]).all()


def parts(model_scores: list[Scores]) -> tuple[np.ndarray, ...]:
    names = ("value", "state", "raw")
    return tuple(np.concatenate([getattr(s, name) for s in model_scores]) for name in names)


@pytest.mark.parametrize("kind", ["half-space-trees", "gaussian"])
@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_batches_do_not_change_scores_or_reasons(kind: str, size: int) -> None:
    names = ("zeta", "amount", "mid") if kind != "gaussian" else ("only",)
    segment, values = stream(3_000, width=len(names))
    whole_model, model = quick(names, kind), quick(names, kind)
    whole = whole_model.score(segment, values)
    pieces, reasons = [], {}
    for at in range(0, 3_000, size):
        piece = model.score(segment[at : at + size], values[at : at + size])
        pieces.append(piece)
        reasons |= {at + int(r): model.explain(piece, int(r)) for r in piece.reasons.row}
    for got, expected in zip(parts(pieces), parts([whole]), strict=True):
        assert np.array_equal(got, expected, equal_nan=got.dtype.kind == "f")
    assert reasons == {int(r): whole_model.explain(whole, int(r)) for r in whole.reasons.row}
    assert len(reasons) > 100


def test_more_unusual_rows_than_the_kernel_has_room_for() -> None:
    model = quick(("only",), "gaussian", window_size=0, budget=0.05, warm_up=200)
    rows = np.concatenate([np.linspace(0.4, 0.6, 1_000), np.linspace(0.7, 1.0, 900)])[:, None]
    scores = model.score(np.zeros(1_900, np.int32), rows)
    assert len(scores.reasons.row) > 600
    assert np.all(np.diff(scores.reasons.row) > 0)


def test_segments_learn_apart_and_the_overflow_shares_the_rest() -> None:
    segment, values = stream(4_000, segments=3)
    alone = quick().score(segment[segment == 1], values[segment == 1])
    together = quick().score(segment, values)
    assert np.array_equal(alone.value, together.value[segment == 1], equal_nan=True)
    bounded = quick(max_segments=1)
    kept = int(segment[segment >= 0][0])
    few = bounded.score(segment, values)
    assert bounded.snapshot()["segment_code"].tolist() == [-1, kept]
    assert np.array_equal(few.value[segment == kept], together.value[segment == kept], equal_nan=True)
    rest = quick(max_segments=1)
    expected = rest.score(np.full(int((segment != kept).sum()), -1, np.int32), values[segment != kept])
    assert np.array_equal(few.value[segment != kept], expected.value, equal_nan=True)


def test_many_segments_collide_without_harm() -> None:
    codes = np.arange(0, 1_024 * 4_096, 4_096, dtype=np.int32)
    model = quick(max_segments=1_024)
    model.score(codes, np.full((1_024, 3), 0.5))
    assert model.snapshot()["segment_code"].tolist() == [-1, *codes.tolist()]
    model.score(codes[::-1].copy(), np.full((1_024, 3), 0.5))
    assert model._learner.learned[1:].tolist() == [2] * 1_024


def test_wrong_shape_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected"):
        make_detector(detector()).score(np.zeros(2, np.int32), np.zeros((2, 2)))


def test_an_empty_batch_is_nothing() -> None:
    scores = quick().score(np.zeros(0, np.int32), np.zeros((0, 3)))
    assert len(scores.value) == len(scores.state) == len(scores.reasons.row) == 0


@pytest.mark.slow
def test_planted_outliers_are_found() -> None:
    rng = np.random.default_rng(11)
    rows = np.clip(rng.normal((0.3, 0.5, 0.4), (0.05, 0.08, 0.03), (40_000, 3)), 0, 1)
    planted = rng.random(40_000) < 0.005
    rows[planted] = rng.random((int(planted.sum()), 3))
    model = make_detector(detector(window_size=500))
    scores = model.score(np.zeros(40_000, np.int32), rows)
    ok = scores.state == SCORED
    order = np.argsort(np.argsort(scores.value[ok], kind="stable"))
    hits = planted[ok]
    n = hits.sum()
    auc = (order[hits].sum() - n * (n - 1) / 2) / (n * (len(hits) - n))
    assert auc >= 0.9
    assert planted[scores.value >= 0.999].mean() >= 0.9
