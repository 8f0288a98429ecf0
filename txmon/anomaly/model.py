"""A detector's model: scores rows in order and learns from each after scoring it.

Owns the state of all segments of one detector. A result is a function of the settings and of the rows
so far, never of how they were cut into batches, of a clock or of chance beyond the declared seed. One
caller at a time; the kernels hold no interpreter lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from txmon.anomaly import gaussian, trees
from txmon.anomaly.batch import REFUSED, Batch, make_reason_rows
from txmon.anomaly.calibrate import Calibration, make_calibration
from txmon.anomaly.scale import Floats, make_scales, scale_rows, unscale
from txmon.anomaly.segments import Slots, assign, make_slots
from txmon.anomaly.settings import HALF_SPACE_TREES, Settings, read_settings
from txmon.anomaly.state import dump_state, load_state
from txmon.anomaly.usual import Usual, make_usual
from txmon.rules.ir import Detector


@dataclass(frozen=True)
class Reason:
    """Why a row is unusual: one input against the usual range (5 % to 95 %) of its segment.

    Numbers are in the input's own unit; `contribution` is by how much the raw score falls when the
    input takes its usual middle value (it may be negative).
    """

    feature: str
    value: float
    usual_low: float
    usual_middle: float
    usual_high: float
    contribution: float


@dataclass(frozen=True)
class ReasonTable:
    """What was noted about the most unusual rows of a batch, in order of rows; ranges are scaled."""

    row: npt.NDArray[np.int64]
    value: Floats
    contribution: Floats
    range: Floats


@dataclass(frozen=True)
class Scores:
    """Scores of a batch.

    `value` is the calibrated score, 0..1, NaN unless `state` is SCORED; `raw` is river's score, NaN
    before the model has one. `state` is SCORED, WARMING or REFUSED.
    """

    value: Floats
    state: npt.NDArray[np.uint8]
    raw: Floats
    reasons: ReasonTable


Kernel = Callable[..., int]


class Model:
    """The model of one detector over all its segments; see `make_detector`."""

    def __init__(self, settings: Settings) -> None:
        slots = settings.max_segments + 1
        self.settings = settings
        self._scales = make_scales(settings.inputs)
        self._slots: Slots = make_slots(settings.max_segments)
        self._cal: Calibration = make_calibration(
            slots, settings.calibration_window, settings.budget, settings.adaptation, settings.warm_up
        )
        self._usual: Usual = make_usual(slots, len(settings.inputs))
        self._learner: trees.Forest | gaussian.Moments
        self._kernel: Kernel
        if settings.model == HALF_SPACE_TREES:
            self._learner, self._kernel = trees.make_forest(settings, slots), trees.score_rows
        else:
            self._learner, self._kernel = gaussian.make_moments(settings, slots), gaussian.score_rows

    @property
    def warming(self) -> bool:
        """Whether no segment has seen enough for its scores to be trusted."""
        return not bool((self._cal.seen >= self._cal.warm_up).any())

    def score(self, segment: npt.NDArray[np.int32], values: Floats) -> Scores:
        """Score rows and learn from them, one after the other.

        `segment` holds a code per row (-1: none) that means the same in every batch and after a restore,
        `values` one column per input in declared order, NaN for null. Raises ValueError where the shapes
        do not fit the declaration.
        """
        rows, width = len(segment), len(self.settings.inputs)
        if values.shape != (rows, width):
            raise ValueError(f"values have shape {values.shape}, expected {(rows, width)}")
        used, refused = np.empty((rows, width)), np.empty(rows, np.bool_)
        batch = Batch(
            np.empty(rows, np.int32),
            np.empty((rows, width)),
            np.full(rows, np.nan),
            np.full(rows, np.nan),
            np.zeros(rows, np.uint8),
        )
        scale_rows(self._scales, np.ascontiguousarray(values, np.float64), batch.x, used, refused)
        batch.state[refused] = REFUSED
        # a refused row makes no segment
        codes = np.where(refused, -1, segment).astype(np.int32)
        assign(self._slots, codes, batch.slot)
        reasons = self._run(batch, used)
        return Scores(batch.value, batch.state, batch.raw, reasons)

    def _run(self, batch: Batch, used: Floats) -> ReasonTable:
        """Run the kernel to the end of the batch, emptying its room for reasons as often as it is full."""
        width = len(self.settings.inputs)
        row, contribution, span = [np.empty(0, np.int64)], [np.empty((0, width))], [np.empty((0, width, 3))]
        room = make_reason_rows(width)
        at = 0
        while at < len(batch.slot):
            at = self._kernel(self._learner, self._cal, self._usual, batch, at, room)
            filled = int(room.used[0])
            row.append(room.row[:filled].copy())
            contribution.append(room.contribution[:filled].copy())
            span.append(room.range[:filled].copy())
            room.used[0] = 0
        rows = np.concatenate(row)
        return ReasonTable(rows, used[rows], np.concatenate(contribution), np.concatenate(span))

    def explain(self, scores: Scores, row: int) -> tuple[Reason, ...]:
        """Return the reasons of a row of `scores`, the largest contribution first.

        Reasons are noted while scoring, for scores from ``1 - 10 x budget`` on; other rows have none.
        """
        table = scores.reasons
        at = int(np.searchsorted(table.row, row))
        if at == len(table.row) or table.row[at] != row:
            return ()
        reasons = [
            Reason(
                item.name,
                float(table.value[at, j]),
                unscale(item, float(table.range[at, j, 0])),
                unscale(item, float(table.range[at, j, 1])),
                unscale(item, float(table.range[at, j, 2])),
                float(table.contribution[at, j]),
            )
            for j, item in enumerate(self.settings.inputs)
        ]
        return tuple(sorted(reasons, key=lambda r: (-r.contribution, r.feature)))

    def snapshot(self) -> dict[str, npt.NDArray[Any]]:
        """Return the whole state as arrays of plain numbers, 'meta' being JSON text in bytes."""
        return dump_state(self.settings, self._slots, self._cal, self._usual, self._learner)

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take over a state from `snapshot`; StateError where it does not fit this detector."""
        fresh = Model(self.settings)
        load_state(arrays, self.settings, fresh._slots, fresh._cal, fresh._usual, fresh._learner)
        self._slots, self._cal, self._usual = fresh._slots, fresh._cal, fresh._usual
        self._learner = fresh._learner


def make_detector(detector: Detector) -> Model:
    """Return a new model for a detector; RuleError where its settings are wrong."""
    return Model(read_settings(detector))
