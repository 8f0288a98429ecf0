"""Detectors and streams that the tests of this folder share."""

from __future__ import annotations

from typing import Any

import numpy as np

from txmon.anomaly import Model, make_detector
from txmon.rules.ir import Column, Detector, Unit

NAMES = ("zeta", "amount", "mid")  # not in alphabetical order: river sorts its features


def detector(names: tuple[str, ...] = NAMES, model: str = "half-space-trees", **settings: Any) -> Detector:
    """Return a detector whose inputs lie in [0, 1] already, unless `inputs` says otherwise."""
    plain = {"scale": {"kind": "linear", "min": 0, "max": 1}, "missing": "refuse"}
    inputs = settings.pop("inputs", dict.fromkeys(names, plain))
    return Detector(
        id="test-detector",
        version=1,
        path="rules/detectors/test-detector.yaml",
        on="events",
        model=model,
        segment=Column("mcc", Unit.TEXT),
        inputs=tuple((name, Column(name, Unit.NUMBER)) for name in names),
        where=None,
        settings={"seed": 7, "inputs": inputs} | settings,
        content_hash="0",
    )


def quick(names: tuple[str, ...] = NAMES, model: str = "half-space-trees", **settings: Any) -> Model:
    """Return a small model that is trusted after a few hundred rows."""
    trees = {"window_size": 50, "trees": 5, "height": 6, "grace_period": 20}
    small = trees | {"warm_up": 200, "budget": 0.01, "max_segments": 8}
    return make_detector(detector(names, model, **(small | settings)))


def stream(rows: int, width: int = 3, segments: int = 4, seed: int = 1) -> tuple[Any, Any]:
    """Return segment codes (one in ten -1) and clustered rows, one in fifty far from its cluster."""
    rng = np.random.default_rng(seed)
    segment = rng.integers(-1, segments, rows).astype(np.int32)
    values = rng.normal(0.3 + 0.1 * (segment[:, None] % 3), 0.05, (rows, width))
    far = rng.random(rows) < 0.02
    values[far] = rng.random((int(far.sum()), width))
    return segment, np.clip(values, 0, 1)
