"""Wrong settings are refused with file, detector, value and remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from detectors import detector

from txmon.anomaly import make_detector, read_settings
from txmon.errors import RuleError


def one(scale: object = None, **rest: object) -> dict[str, Any]:
    return {"x": {"scale": scale or {"kind": "linear", "min": 0, "max": 1}} | rest}


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"seed": None}, "seed is None; give a whole number from 0"),
        ({"seed": True}, "seed is True"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"height": 9}, "height is 9; give a whole number from 1 to 8"),
        ({"trees": 0}, "trees is 0"),
        ({"budget": 0.2}, "budget is 0.2; give a number"),
        ({"budget": float("nan")}, "budget is nan"),
        ({"window_size": 5}, "window_size is 5; give at least 10"),
        ({"warm_up": 500}, "warm_up 500 is too short for a budget of 0.001; give at least 1000"),
        ({"windowsize": 5}, "unknown key 'windowsize'; use seed, window_size"),
        ({"inputs": [1]}, "inputs is"),
        ({"inputs": one() | {"y": {}}}, "inputs are x"),
        ({"inputs": {"x": 3}}, "input x is 3; give a mapping"),
        ({"inputs": {"x": {}}}, "scale of x is None; give a mapping"),
        ({"inputs": one({"kind": "cubic"})}, "kind of the scale of x is 'cubic'; use linear, log"),
        ({"inputs": one({"kind": "log", "unit": 1})}, "max of the scale of x is None"),
        ({"inputs": one({"kind": "log", "unit": 1, "max": 2, "min": 0})}, "unknown key 'min'"),
        ({"inputs": one({"kind": "log", "unit": 0, "max": 2})}, "make 0 < unit <= max"),
        ({"inputs": one({"kind": "signed_log", "unit": 3, "max": 2})}, "make 0 < unit <= max"),
        ({"inputs": one({"kind": "linear", "min": 1, "max": 1})}, "make min < max"),
        ({"inputs": one({"kind": "ratio", "max": 1})}, "give a ratio above 1"),
        ({"inputs": one(missing="drop")}, "missing of x is 'drop'; use refuse or"),
        ({"inputs": one(missing={"impute": "a"})}, "imputed value of x is 'a'"),
        ({"inputs": one(scales=1)}, "unknown key 'scales'"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], match: str) -> None:
    with pytest.raises(RuleError, match=match) as caught:
        make_detector(detector(("x",), **settings))
    assert str(caught.value).startswith("rules/detectors/test-detector.yaml:1:1: detector 'test-detector'")


def test_wrong_model_and_number_of_inputs() -> None:
    with pytest.raises(RuleError, match="model is 'forest'; use half-space-trees or gaussian"):
        read_settings(replace(detector(), model="forest"))
    with pytest.raises(RuleError, match="a gaussian detector has 3 inputs; give exactly one"):
        read_settings(detector(model="gaussian"))
    with pytest.raises(RuleError, match=r"below the grace_period; give 0 .* or at least 100"):
        read_settings(detector(("x",), "gaussian", window_size=50))
    many = tuple(f"i{n}" for n in range(33))
    with pytest.raises(RuleError, match="give 1 to 32"):
        read_settings(detector(many))


def test_defaults_and_fingerprint() -> None:
    first = read_settings(detector())
    assert (first.window_size, first.trees, first.height, first.budget) == (500, 10, 8, 0.001)
    assert first.fingerprint() == read_settings(detector()).fingerprint()
    assert first.fingerprint() != read_settings(detector(adaptation=0.3)).fingerprint()
