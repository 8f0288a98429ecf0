"""Scores of detectors, derived from the journal again, with the state that repeats each.

SQL cannot walk a model. So a bundle carries, for each hit that read a detector, the model's state just
before the event, its input and its score: `txmon evidence check` gives the input to the state and compares.
verify.sql takes the score as it stands, and says so. Owns the replay up to an event.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from txmon.anomaly import make_detector
from txmon.engine.hits import detectors_read
from txmon.evidence.source import Hit, closure
from txmon.pipeline.history import epochs, runs
from txmon.pipeline.recover import fresh
from txmon.rules.ir import Detector
from txmon.store import Store


@dataclass(frozen=True)
class Score:
    """One score: of which event, from which input, and the state that gives it. score: NaN while warming."""

    ingest_seq: int
    detector: str
    score: float
    segment: int
    inputs: tuple[float, ...]
    state: bytes  # numpy's npz, plain numbers


def detectors_of(hit: Hit) -> set[str]:
    """Return the detectors that a hit's rule and those it refers to read."""
    return {d for rule in closure(hit.rule, hit.epoch.config.rules) for d in detectors_read(rule)}


def refused(hit: Hit) -> str | None:
    """Return why the scores behind a hit cannot be told, if so."""
    names = detectors_of(hit)
    if not names:
        return None
    if any(detectors_read(r) for r in closure(hit.rule, hit.epoch.config.rules) if r is not hit.rule):
        return "counts hits of a rule that reads a detector: their scores are not in this bundle"
    if any(d.on == "legs" for d in hit.plan.detectors if d.id in names):
        return "reads a detector that looks at accounts, of which an event has two scores"
    return None


class _Recorder:
    """A model that remembers what it was last given."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.given: tuple[Any, Any, Any] | None = None

    def score(self, segment: Any, values: Any) -> Any:
        found = self.model.score(segment, values)
        self.given = (segment, values, found)
        return found

    def explain(self, scores: Any, row: int) -> tuple[Any, ...]:
        reasons: tuple[Any, ...] = self.model.explain(scores, row)
        return reasons

    def snapshot(self) -> dict[str, Any]:
        state: dict[str, Any] = self.model.snapshot()
        return state

    def restore(self, arrays: Mapping[str, Any]) -> None:
        self.model.restore(arrays)


def scores_of(store: Store, found: Sequence[Hit]) -> list[Score]:
    """Derive the scores behind hits again, from the first event of the journal on."""
    known = epochs(store)
    made: list[Score] = []
    for number, epoch in enumerate(known):
        asked: dict[int, set[str]] = {}
        for hit in found:
            if hit.epoch.first_seq == epoch.first_seq and refused(hit) is None and detectors_of(hit):
                asked.setdefault(hit.seq, set()).update(detectors_of(hit))
        if asked:
            made += _replayed(store, fresh(known[:number], epoch).engine, asked)
    return made


def _replayed(store: Store, engine: Any, asked: Mapping[int, set[str]]) -> list[Score]:
    models = {name: _Recorder(model) for name, model in engine.detection.models.items()}
    engine.detection.models = models
    made: list[Score] = []
    waiting = sorted(asked)
    for run in runs(store, 1, None):
        at = 0
        while waiting and waiting[0] <= run.numbers[-1]:
            place = int(np.searchsorted(run.numbers, waiting[0]))
            if place > at:
                engine.apply(run.events.slice(at, place - at), run.numbers[at:place])
            states = {name: npz(models[name].snapshot()) for name in asked[waiting[0]]}
            engine.apply(run.events.slice(place, 1), run.numbers[place : place + 1])
            made += [_score(waiting[0], name, models[name], states[name]) for name in sorted(states)]
            at = place + 1
            waiting.pop(0)
        if not waiting:
            break
        if at < len(run.numbers):
            engine.apply(run.events.slice(at), run.numbers[at:])
    return made


def _score(number: int, name: str, model: _Recorder, state: bytes) -> Score:
    if model.given is None or len(model.given[0]) != 1:
        return Score(number, name, float("nan"), -1, (), state)
    segment, values, scores = model.given
    inputs = tuple(float(v) for v in values[0])
    return Score(number, name, float(scores.value[0]), int(segment[0]), inputs, state)


def npz(arrays: Mapping[str, Any]) -> bytes:
    """Return arrays as one file."""
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def repeat(detector: Detector, state: bytes, segment: int, inputs: Sequence[float]) -> float:
    """Return what a detector in a state says of one input; NaN where it has no score."""
    with np.load(io.BytesIO(state), allow_pickle=False) as arrays:
        model = make_detector(detector)
        model.restore({name: arrays[name] for name in arrays.files})
    scores = model.score(np.array([segment], np.int32), np.array([inputs], np.float64))
    return float(scores.value[0])
