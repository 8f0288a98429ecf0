"""Feeds anomaly detectors with the features of a batch and brings their scores back to its frame.

The models themselves are handed in: the engine knows only that they score rows in order and can be
saved. A score is null while a model is warming and where it refused the input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from txmon.engine.frames import Frame
from txmon.engine.hits import detectors_read
from txmon.engine.keys import KeySpace
from txmon.engine.state import I64
from txmon.rules.ir import Detector, On, Plan, Unit
from txmon.rules.vec import finite


class ScoringModel(Protocol):
    """What the engine asks of a detector's model."""

    def score(self, segment: Any, values: Any) -> Any:
        """Score and learn rows in order."""

    def explain(self, scores: Any, row: int) -> tuple[Any, ...]:
        """Reasons of a row, strongest first."""

    def snapshot(self) -> dict[str, Any]:
        """The state as plain numbers."""

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Take a state over."""


MakeModel = Callable[[Detector], ScoringModel]
# With fewer reasons a reader sees what matters; the rest adds little to the score.
_REASONS_SHOWN = 2
WARMING = 1  # of `txmon.anomaly`'s states; a test compares them


class Detection:
    """The detectors that rules refer to."""

    def __init__(self, plan: Plan, keys: KeySpace, make_model: MakeModel | None) -> None:
        used = {name for rule in plan.rules for name in detectors_read(rule)}
        self.detectors = tuple(d for d in plan.detectors if d.id in used and make_model is not None)
        self.models = {d.id: make_model(d) for d in self.detectors} if make_model else {}
        self._keys = keys
        self._scale = 10.0**plan.money_scale
        self._last: dict[str, tuple[Any, I64]] = {}

    def apply(self, frames: Mapping[On, Frame]) -> None:
        """Score a batch; sets each detector's column on its frame."""
        for detector in self.detectors:
            frame = frames[detector.on]
            rows = np.arange(frame.length)
            if detector.where is not None:
                rows = np.flatnonzero(frame.shared.mask(frame, detector.where))
            codes = self._keys.value_codes(frame, detector.segment)[rows].astype(np.int32)
            values = np.empty((len(rows), len(detector.inputs)))
            for j, (_, expr) in enumerate(detector.inputs if len(rows) else ()):
                values[:, j] = self._numbers(frame, expr)[rows]
            scores = self.models[detector.id].score(codes, values)
            column = np.full(frame.length, np.nan)
            column[rows] = scores.value
            frame.anomalies[detector.id] = finite(column, True)
            places = np.full(frame.length, -1, np.int64)
            places[rows] = np.arange(len(rows))
            self._last[detector.id] = (scores, places)

    def warming(self, events: int, leg_event: I64) -> np.ndarray:
        """Return which events of the last batch a model saw that may not be trusted yet.

        Args:
            events: number of events. leg_event: the event of each leg.
        """
        found = np.zeros(events, np.bool_)
        for detector in self.detectors:
            scores, places = self._last[detector.id]
            rows = np.flatnonzero(places >= 0)
            rows = rows[np.asarray(scores.state)[places[rows]] == WARMING]
            found[rows if detector.on == "events" else leg_event[rows]] = True
        return found

    def notes(self, detectors: tuple[str, ...], rows: I64) -> list[str]:
        """Reasons of the scores of rows of the last batch, as text to append to an explanation."""
        notes = [""] * len(rows)
        for name in detectors:
            if name not in self._last:
                continue
            scores, places = self._last[name]
            for i, row in enumerate(rows):
                reasons = self.models[name].explain(scores, int(places[row])) if places[row] >= 0 else ()
                shown = [
                    f"{r.feature} {r.value:.4g} (usual {r.usual_low:.4g} to {r.usual_high:.4g})"
                    for r in reasons[:_REASONS_SHOWN]
                ]
                if shown:
                    notes[i] += f"; most unusual: {', '.join(shown)}"
        return notes

    def _numbers(self, frame: Frame, expr: Any) -> Any:
        values = frame.shared.vec(expr, frame)
        numbers = np.where(values.ok, values.data.astype(np.float64), np.nan)
        return numbers / self._scale if expr.unit is Unit.MONEY else numbers

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return the state of every model."""
        return {f"{name}|{k}": v for name, model in self.models.items() for k, v in model.snapshot().items()}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Replace every model's state by a snapshot's."""
        for name, model in self.models.items():
            prefix = f"{name}|"
            model.restore({k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)})
