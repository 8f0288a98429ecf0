"""From raw scores to a share: a score of 1 - b means "among the b most unusual of its segment".

Owns the calibration state per segment and never looks at inputs or labels. Two parts:

1. *Rank.* The last `calibration_window` keys of the segment (a key orders rows as their raw scores do)
   are kept in a ring and counted in a histogram of 65,536 bins. A row's rank is
   ``p = (1 + keys not below its own) / (1 + keys)``: the conformal p-value. If rows are exchangeable,
   ``p <= b`` happens with probability at most b. Ties count against the alert, so that a common value
   is never rare, however high its raw score.
2. *Budget.* Streams drift, and the rank of a small or moving sample is off. The rank that marks the
   budget is therefore not b itself but a level a, adapted after each row: ``ln a`` falls by
   ``g (1 - b)`` after a row inside the budget and rises by ``g b`` after any other, g = `adaptation`
   (adaptive conformal inference, Gibbs and Candes 2021, in the logarithm so that a stays positive).
   It stands still exactly when the share of rows inside the budget is b; it is held between b/8 and 8b.

The score is ``1 - f(p)`` with f continuous and increasing, f(a) = b: ``b p / a`` up to a and
``p ** (ln b / ln a)`` above. All of it is a function of the rows in their order; nothing is drawn.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from txmon.jit import managed

BINS = 65_536
COARSE = 256
MAX_DRIFT = math.log(8.0)
JUST_ABOVE = 1.0 + 1e-9  # keeps a row outside the budget below 1 - budget whatever the rounding


class Calibration(NamedTuple):
    """Rings and histograms by slot, and the three settings the kernel needs."""

    ring: npt.NDArray[np.uint16]  # [slot, calibration_window]
    fine: npt.NDArray[np.uint16]  # [slot, BINS]
    coarse: npt.NDArray[np.int32]  # [slot, COARSE]
    seen: npt.NDArray[np.int64]  # [slot] keys ever added
    log_level: npt.NDArray[np.float64]  # [slot] ln a
    budget: float
    adaptation: float
    warm_up: int


def make_calibration(slots: int, window: int, budget: float, adaptation: float, warm_up: int) -> Calibration:
    """Return empty calibration state for `slots` slots."""
    return Calibration(
        np.zeros((slots, window), np.uint16),
        np.zeros((slots, BINS), np.uint16),
        np.zeros((slots, COARSE), np.int32),
        np.zeros(slots, np.int64),
        np.full(slots, math.log(budget), np.float64),
        budget,
        adaptation,
        warm_up,
    )


@managed
def key_bin(key: float) -> int:
    """Return the bin of a key in [0, 1]."""
    return int(min(max(key, 0.0), 1.0) * (BINS - 1))


@managed
def not_below(cal: Calibration, slot: np.uint64, at: np.uint64) -> int:
    """Return how many keys of the ring are in bin `at` or above it."""
    # unsigned indices and 32-bit sums let the compiler use wide registers
    total = np.int32(0)
    above = (at >> np.uint64(8)) + np.uint64(1)
    for c in range(above, np.uint64(COARSE)):
        total += cal.coarse[slot, c]
    for b in range(at, above << np.uint64(8)):
        total += np.int32(cal.fine[slot, b])
    return int(total)


@managed
def calibrated(cal: Calibration, slot: int, at: int) -> float:
    """Return the score of a row whose key is in bin `at`, and adapt the level by it."""
    above = not_below(cal, np.uint64(slot), np.uint64(at))
    held = min(cal.seen[slot], cal.ring.shape[1])
    p = (1.0 + above) / (1.0 + held)
    log_level = cal.log_level[slot]
    level = math.exp(log_level)
    log_budget = math.log(cal.budget)
    inside = p <= level
    if inside:
        share = min(cal.budget * p / level, cal.budget)
        log_level -= cal.adaptation * (1.0 - cal.budget)
    else:
        share = max(p ** (log_budget / log_level), cal.budget * JUST_ABOVE)
        log_level += cal.adaptation * cal.budget
    cal.log_level[slot] = min(max(log_level, log_budget - MAX_DRIFT), log_budget + MAX_DRIFT)
    return float(1.0 - share)


@managed
def add_key(cal: Calibration, slot: int, at: int) -> None:
    """Put the bin of a row into the ring, in place of the oldest one when it is full."""
    place = cal.seen[slot] % cal.ring.shape[1]
    if cal.seen[slot] >= cal.ring.shape[1]:
        old = np.int64(cal.ring[slot, place])
        cal.fine[slot, old] -= 1
        cal.coarse[slot, old >> 8] -= 1
    cal.ring[slot, place] = at
    cal.fine[slot, at] += 1
    cal.coarse[slot, at >> 8] += 1
    cal.seen[slot] += 1


def rebuild_counts(cal: Calibration) -> None:
    """Count `fine` and `coarse` anew from the rings (after a restore)."""
    for slot in range(cal.seen.size):
        held = min(int(cal.seen[slot]), cal.ring.shape[1])
        cal.fine[slot] = np.bincount(cal.ring[slot, :held], minlength=BINS)
        cal.coarse[slot] = cal.fine[slot].reshape(COARSE, -1).sum(axis=1, dtype=np.int32)
