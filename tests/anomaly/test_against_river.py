"""Raw scores are river's, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from detectors import NAMES, detector, quick, stream
from river import anomaly

from txmon.anomaly import WARMING, make_detector


def river_trees(**settings: int) -> anomaly.HalfSpaceTrees:
    return anomaly.HalfSpaceTrees(
        n_trees=settings["trees"],
        height=settings["height"],
        window_size=settings["window_size"],
        seed=settings["seed"],
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"trees": 10, "height": 8, "window_size": 250, "seed": 42},
        {"trees": 3, "height": 1, "window_size": 33, "seed": 0},
        {"trees": 1, "height": 5, "window_size": 1000, "seed": 123456},
    ],
)
def test_half_space_trees_equal_river_on_20000_rows(settings: dict[str, int]) -> None:
    segment, values = stream(20_000, segments=3, seed=5)
    values[::7, 1] = 1.0  # at the limits, and exactly on them
    values[::11, 0] = 0.0
    scores = make_detector(detector(**settings, max_segments=8)).score(segment, values)
    models: dict[int, anomaly.HalfSpaceTrees] = {}
    expected = np.empty(len(values))
    for i, (code, row) in enumerate(zip(segment.tolist(), values.tolist(), strict=True)):
        model = models.setdefault(code, river_trees(**settings))
        x = dict(zip(NAMES, row, strict=True))
        first_window = model._first_window
        expected[i] = np.nan if first_window else model.score_one(x)
        model.learn_one(x)
    assert len(models) == 4
    assert np.array_equal(scores.raw, expected, equal_nan=True)


def test_thresholds_are_compared_as_river_does() -> None:
    model = make_detector(detector(window_size=100, trees=4, height=4))
    edges = np.unique(model._learner.threshold)  # rows exactly on the split points
    rng = np.random.default_rng(3)
    values = rng.choice(edges, (3_000, 3))
    reference = river_trees(trees=4, height=4, window_size=100, seed=7)
    expected = []
    for row in values.tolist():
        x = dict(zip(NAMES, row, strict=True))
        expected.append(np.nan if reference._first_window else reference.score_one(x))
        reference.learn_one(x)
    raw = model.score(np.zeros(3_000, np.int32), values).raw
    assert np.array_equal(raw, np.array(expected), equal_nan=True)


@pytest.mark.parametrize("window", [0, 500])
def test_gaussian_equals_river(window: int) -> None:
    segment, values = stream(6_000, width=1, segments=2)
    model = quick(("only",), "gaussian", window_size=window, grace_period=60)
    raw = model.score(segment, values).raw
    models: dict[int, anomaly.GaussianScorer] = {}
    for i, code in enumerate(segment.tolist()):
        y = values[i, 0].item()
        reference = models.setdefault(
            code, anomaly.GaussianScorer(window_size=window or None, grace_period=60)
        )
        if reference.gaussian.n_samples < 60:
            assert np.isnan(raw[i])
        else:
            assert raw[i] == reference.score_one(None, y)
        reference.learn_one(None, y)


def test_gaussian_of_equal_values_is_rivers_and_not_an_alert() -> None:
    model = quick(("only",), "gaussian", window_size=0, grace_period=10)
    rows = np.full((1_000, 1), 0.25)
    scores = model.score(np.zeros(1_000, np.int32), rows)
    reference = anomaly.GaussianScorer(grace_period=10)
    for y in rows[:20, 0].tolist():
        reference.learn_one(None, y)
    assert scores.raw[500] == reference.score_one(None, 0.25)
    assert np.all(scores.value[scores.state != WARMING] < 0.5)
