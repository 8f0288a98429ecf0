"""The Gaussian scorer: how far a single number is from the mean of its segment.

Owns mean, squared deviations and, with a window, the last values per segment, and the loop over a
batch. The arithmetic is river's `anomaly.GaussianScorer` step by step (Welford's update and its
reversal, ``2 |cdf - 1/2|``), so that raw scores are river's to the last bit. Rows are ordered by the
distance in standard deviations, which the raw score follows until it saturates at 1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from txmon.anomaly.batch import (
    EXPLAIN_FACTOR,
    REASON_ROWS,
    REFUSED,
    SCORED,
    WARMING,
    Batch,
    ReasonRows,
)
from txmon.anomaly.calibrate import Calibration, add_key, calibrated, key_bin
from txmon.anomaly.settings import Settings
from txmon.anomaly.usual import HIGH, LOW, MIDDLE, Usual, add_row, quantile
from txmon.jit import managed

_KEY_SPREAD = math.log1p(1e6)  # deviations beyond a million are all the same


class Moments(NamedTuple):
    """Running moments by slot; `ring` holds the window's values (one column wide without a window)."""

    n: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]
    ring: npt.NDArray[np.float64]
    learned: npt.NDArray[np.int64]
    window: int
    grace_period: int
    half: float  # 0.5 at run time: river takes a power, a constant exponent would compile to a square root


def make_moments(settings: Settings, slots: int) -> Moments:
    """Return empty moments."""
    return Moments(
        np.zeros(slots, np.float64),
        np.zeros(slots, np.float64),
        np.zeros(slots, np.float64),
        np.zeros((slots, max(settings.window_size, 1)), np.float64),
        np.zeros(slots, np.int64),
        settings.window_size,
        settings.grace_period,
        0.5,
    )


@managed
def deviation(moments: Moments, slot: int, y: float) -> float:
    """Return the signed number of standard deviations from the mean; NaN where all values are equal."""
    n = moments.n[slot]
    variance = moments.squares[slot] / (n - 1.0) if n > 1.0 else 0.0
    if variance <= 0.0:
        return math.nan
    return float((y - moments.mean[slot]) / variance**moments.half)


@managed
def raw_score(z: float) -> float:
    """Return river's score of a deviation: its cdf is 0 where the deviation is undefined."""
    cdf = 0.0 if math.isnan(z) else 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))
    return 2.0 * abs(cdf - 0.5)


@managed
def forget(moments: Moments, slot: int, y: float) -> None:
    """Take a value out of the moments."""
    before = moments.mean[slot]
    moments.n[slot] -= 1.0
    if moments.n[slot] == 0.0:
        moments.mean[slot] = 0.0
    else:
        moments.mean[slot] -= (1.0 / moments.n[slot]) * (y - before)
    moments.squares[slot] -= (y - before) * (y - moments.mean[slot])


@managed
def learn(moments: Moments, slot: int, y: float) -> None:
    """Add a value, after taking out the one that leaves the window."""
    if moments.window > 0:
        place = moments.learned[slot] % moments.window
        if moments.learned[slot] >= moments.window:
            forget(moments, slot, moments.ring[slot, place])
        moments.ring[slot, place] = y
    before = moments.mean[slot]
    moments.n[slot] += 1.0
    moments.mean[slot] += (1.0 / moments.n[slot]) * (y - before)
    moments.squares[slot] += (y - before) * (y - moments.mean[slot])
    moments.learned[slot] += 1


@managed
def explain_row(moments: Moments, usual: Usual, slot: int, raw: float, out: ReasonRows) -> None:
    """Write the usual range and how much the raw score falls with the usual middle value."""
    place = out.used[0]
    out.range[place, 0, 0] = quantile(usual, slot, 0, LOW)
    out.range[place, 0, 1] = quantile(usual, slot, 0, MIDDLE)
    out.range[place, 0, 2] = quantile(usual, slot, 0, HIGH)
    middle = raw_score(deviation(moments, slot, out.range[place, 0, 1]))
    out.contribution[place, 0] = raw - middle
    out.used[0] = place + 1


@managed
def score_rows(
    moments: Moments, cal: Calibration, usual: Usual, batch: Batch, start: int, out: ReasonRows
) -> int:
    """Score and learn rows from `start`; return the row after the last one done."""
    explain_from = 1.0 - EXPLAIN_FACTOR * cal.budget
    for i in range(start, batch.slot.size):
        if out.used[0] == REASON_ROWS:
            return i
        if batch.state[i] == REFUSED:
            continue
        slot = batch.slot[i]
        y = batch.x[i, 0]
        batch.state[i] = WARMING
        if moments.n[slot] >= moments.grace_period:
            z = deviation(moments, slot, y)
            batch.raw[i] = raw_score(z)
            # equal values so far: the mean itself is usual, anything else is as far as can be
            far = (0.0 if y == moments.mean[slot] else 1e6) if math.isnan(z) else abs(z)
            at = key_bin(math.log1p(far) / _KEY_SPREAD)
            if cal.seen[slot] >= cal.warm_up:
                batch.value[i] = calibrated(cal, slot, at)
                batch.state[i] = SCORED
                if batch.value[i] >= explain_from:
                    out.row[out.used[0]] = i
                    explain_row(moments, usual, slot, batch.raw[i], out)
            add_key(cal, slot, at)
        add_row(usual, slot, batch.x[i])
        learn(moments, slot, y)
    return batch.slot.size
