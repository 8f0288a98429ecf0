"""The settings of a detector in typed, checked form.

Owns names, defaults and bounds of everything a detector file may set besides its expressions; it never
reads files (`txmon.rules` does) and never touches data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from txmon.errors import RuleError, SourceLocation
from txmon.rules.ir import Detector

HALF_SPACE_TREES = "half-space-trees"
GAUSSIAN = "gaussian"
MODELS: tuple[str, ...] = (HALF_SPACE_TREES, GAUSSIAN)

LINEAR, LOG, RATIO, SIGNED_LOG = range(4)
SCALE_CODES: Mapping[str, int] = {"linear": LINEAR, "log": LOG, "ratio": RATIO, "signed_log": SIGNED_LOG}
SCALE_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "linear": ("min", "max"),
    "log": ("unit", "max"),
    "ratio": ("max",),
    "signed_log": ("unit", "max"),
}
INPUTS_MAX = 32
_BIG = 1e15


@dataclass(frozen=True)
class Input:
    """How one input becomes a number in [0, 1]; without `impute` a missing value refuses the row.

    `first` and `second` are the scale's parameters in the order of SCALE_PARAMETERS (the same if it has one).
    """

    name: str
    kind: str
    first: float
    second: float
    impute: float | None


@dataclass(frozen=True)
class Settings:
    """Everything a model needs; sizes are numbers of events of one segment.

    `budget` is the share of scored events whose calibrated score reaches ``1 - budget``.
    """

    detector: str
    version: int
    model: str
    inputs: tuple[Input, ...]
    seed: int
    window_size: int
    trees: int
    height: int
    grace_period: int
    warm_up: int
    budget: float
    max_segments: int
    calibration_window: int
    adaptation: float

    def fingerprint(self) -> str:
        """Return a hash of all settings: a snapshot fits only the settings it was made with."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class _Bound:
    low: float
    high: float
    default: float | None
    whole: bool = True


_BOUNDS: Mapping[str, _Bound] = {
    "seed": _Bound(0, 2**31 - 1, None),
    "window_size": _Bound(0, 100_000, 500),
    "trees": _Bound(1, 100, 10),
    "height": _Bound(1, 8, 8),
    "grace_period": _Bound(2, 100_000, 100),
    "warm_up": _Bound(100, 1_000_000, 2_000),
    "budget": _Bound(1e-5, 0.05, 0.001, whole=False),
    "max_segments": _Bound(1, 1_024, 64),
    "calibration_window": _Bound(1_000, 60_000, 10_000),
    "adaptation": _Bound(0.001, 1.0, 0.2, whole=False),
}
SETTING_NAMES: tuple[str, ...] = (*_BOUNDS, "inputs")


class _Checker:
    """Reads the values of one detector; every error names the file, the field, the value and a remedy."""

    def __init__(self, detector: Detector) -> None:
        self._location = SourceLocation(detector.path)
        self._id = detector.id

    def error(self, what: str, remedy: str) -> RuleError:
        """Return (not raise) the error, so that callers read ``raise check.error(...)``."""
        return RuleError(f"detector {self._id!r}: {what}; {remedy}", self._location)

    def number(self, name: str, value: object, bound: _Bound) -> float:
        """Return `value` as a float inside `bound`; RuleError otherwise."""
        given = value if isinstance(value, int | float) and not isinstance(value, bool) else None
        if (
            given is None
            or not bound.low <= given <= bound.high
            or (bound.whole and not isinstance(given, int))
        ):
            kind = "a whole number" if bound.whole else "a number"
            raise self.error(f"{name} is {value!r}", f"give {kind} from {bound.low:g} to {bound.high:g}")
        return float(given)

    def mapping(self, name: str, value: object) -> Mapping[str, object]:
        """Return `value` as a mapping with text keys; RuleError otherwise."""
        if not isinstance(value, Mapping):
            raise self.error(f"{name} is {value!r}", "give a mapping")
        return {str(key): item for key, item in value.items()}

    def only(self, name: str, given: Mapping[str, object], allowed: tuple[str, ...]) -> None:
        """Refuse a key of `given` that is not in `allowed`."""
        for key in given:
            if key not in allowed:
                raise self.error(f"{name} has the unknown key {key!r}", f"use {', '.join(allowed)}")

    def input(self, name: str, value: object) -> Input:
        """Return the scale and the policy for missing values of one input."""
        given = self.mapping(f"input {name}", value)
        self.only(f"input {name}", given, ("scale", "missing", "value"))
        scale = self.mapping(f"scale of {name}", given.get("scale"))
        kind = scale.get("kind")
        if not isinstance(kind, str) or kind not in SCALE_CODES:
            raise self.error(f"kind of the scale of {name} is {kind!r}", f"use {', '.join(SCALE_CODES)}")
        wanted = SCALE_PARAMETERS[kind]
        self.only(f"scale of {name}", scale, ("kind", *wanted))
        any_number = _Bound(-_BIG, _BIG, None, whole=False)
        values = [self.number(f"{p} of the scale of {name}", scale.get(p), any_number) for p in wanted]
        self._check_scale(name, kind, values)
        return Input(name, kind, values[0], values[-1], self._missing(name, given.get("missing")))

    def _check_scale(self, name: str, kind: str, values: list[float]) -> None:
        if kind == "linear" and not values[0] < values[1]:
            raise self.error(f"scale of {name} has min {values[0]:g}, max {values[1]:g}", "make min < max")
        if kind == "ratio" and not values[0] > 1:
            raise self.error(f"scale of {name} has max {values[0]:g}", "give a ratio above 1")
        if kind in ("log", "signed_log") and not (1e-9 <= values[0] <= values[1]):
            raise self.error(
                f"scale of {name} has unit {values[0]:g}, max {values[1]:g}", "make 0 < unit <= max"
            )

    def _missing(self, name: str, policy: object) -> float | None:
        if policy in (None, "refuse"):
            return None
        if isinstance(policy, Mapping) and list(policy) == ["impute"]:
            bound = _Bound(-_BIG, _BIG, None, whole=False)
            return self.number(f"imputed value of {name}", policy["impute"], bound)
        raise self.error(f"missing of {name} is {policy!r}", "use refuse or {impute: number}")


def read_settings(detector: Detector) -> Settings:
    """Return the checked settings of `detector`; RuleError where one is unknown, absent or out of bounds."""
    check = _Checker(detector)
    if detector.model not in MODELS:
        raise check.error(f"model is {detector.model!r}", f"use {' or '.join(MODELS)}")
    given = {str(k): v for k, v in detector.settings.items()}
    check.only("the detector", given, SETTING_NAMES)
    numbers = {
        name: check.number(name, given.get(name, bound.default), bound) for name, bound in _BOUNDS.items()
    }
    declared = check.mapping("inputs", given.get("inputs"))
    names = tuple(name for name, _ in detector.inputs)
    if set(names) != set(declared) or not 1 <= len(names) <= INPUTS_MAX:
        raise check.error(
            f"inputs are {', '.join(names) or 'none'}", f"give 1 to {INPUTS_MAX}, each with a scale"
        )
    if detector.model == GAUSSIAN and len(names) != 1:
        raise check.error(f"a gaussian detector has {len(names)} inputs", "give exactly one")
    if detector.model == HALF_SPACE_TREES and numbers["window_size"] < 10:
        raise check.error(
            f"window_size is {numbers['window_size']:g}", "give at least 10 for half-space trees"
        )
    if detector.model == GAUSSIAN and 0 < numbers["window_size"] < numbers["grace_period"]:
        what = f"window_size is {numbers['window_size']:g}, below the grace_period"
        raise check.error(what, f"give 0 (all values) or at least {numbers['grace_period']:g}")
    if numbers["warm_up"] * numbers["budget"] < 1:
        raise check.error(
            f"warm_up {numbers['warm_up']:g} is too short for a budget of {numbers['budget']:g}",
            f"give at least {1 / numbers['budget']:.0f} events, or a larger budget",
        )
    return Settings(
        detector=detector.id,
        version=detector.version,
        model=detector.model,
        inputs=tuple(check.input(name, declared[name]) for name in names),
        seed=int(numbers["seed"]),
        window_size=int(numbers["window_size"]),
        trees=int(numbers["trees"]),
        height=int(numbers["height"]),
        grace_period=int(numbers["grace_period"]),
        warm_up=int(numbers["warm_up"]),
        budget=numbers["budget"],
        max_segments=int(numbers["max_segments"]),
        calibration_window=int(numbers["calibration_window"]),
        adaptation=numbers["adaptation"],
    )
