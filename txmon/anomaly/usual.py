"""The usual range of every input in every segment.

Owns, per slot, the last `SAMPLE` rows as bins of their scaled inputs and a histogram of them; gives
quantiles with linear interpolation inside a bin of 1/64 of the scale. Never decides anything: it serves
the reasons of a score.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from txmon.jit import managed

SAMPLE = 1_024  # a power of two
BINS = 64
LOW, MIDDLE, HIGH = 0.05, 0.5, 0.95


class Usual(NamedTuple):
    """Rings and histograms by slot; `seen` counts the rows ever added."""

    ring: npt.NDArray[np.uint8]  # [slot, SAMPLE, input]
    counts: npt.NDArray[np.int32]  # [slot, input, BINS]
    seen: npt.NDArray[np.int64]  # [slot]


def make_usual(slots: int, inputs: int) -> Usual:
    """Return empty ranges."""
    return Usual(
        np.zeros((slots, SAMPLE, inputs), np.uint8),
        np.zeros((slots, inputs, BINS), np.int32),
        np.zeros(slots, np.int64),
    )


@managed
def add_row(usual: Usual, slot: int, x: npt.NDArray[np.float64]) -> None:
    """Add the scaled inputs of a row, in place of the oldest row when the ring is full."""
    place = usual.seen[slot] & (SAMPLE - 1)
    full = usual.seen[slot] >= SAMPLE
    for j in range(x.size):
        if full:
            usual.counts[slot, j, usual.ring[slot, place, j]] -= 1
        at = min(int(x[j] * BINS), BINS - 1)
        usual.ring[slot, place, j] = at
        usual.counts[slot, j, at] += 1
    usual.seen[slot] += 1


@managed
def quantile(usual: Usual, slot: int, j: int, q: float) -> float:
    """Return the scaled value below which a share `q` of the held rows lies; 0.5 without any row."""
    held = min(usual.seen[slot], SAMPLE)
    if held == 0:
        return 0.5
    wanted = q * held
    below = 0
    for b in range(BINS):
        inside = usual.counts[slot, j, b]
        if inside > 0 and below + inside >= wanted:
            return float((b + max(wanted - below, 0.0) / inside) / BINS)
        below += inside
    return 1.0


def rebuild_counts(usual: Usual) -> None:
    """Count the histograms anew from the rings (after a restore)."""
    for slot in range(usual.seen.size):
        held = min(int(usual.seen[slot]), SAMPLE)
        for j in range(usual.ring.shape[2]):
            usual.counts[slot, j] = np.bincount(usual.ring[slot, :held, j], minlength=BINS)
