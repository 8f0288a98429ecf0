"""The arrays a kernel reads and fills for one batch.

Owns their layout and the codes of a row's state; never keeps anything between batches.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

SCORED, WARMING, REFUSED = 0, 1, 2
STATE_NAMES: tuple[str, ...] = ("scored", "warming", "refused")
REASON_ROWS = 256  # rows with reasons a kernel call can report before it returns
EXPLAIN_FACTOR = 10.0  # reasons are kept for scores from 1 - EXPLAIN_FACTOR * budget


class Batch(NamedTuple):
    """Rows of a batch: slots and scaled inputs in, calibrated score, raw score and state out."""

    slot: npt.NDArray[np.int32]
    x: npt.NDArray[np.float64]
    value: npt.NDArray[np.float64]
    raw: npt.NDArray[np.float64]
    state: npt.NDArray[np.uint8]


class ReasonRows(NamedTuple):
    """Room for the reasons of up to REASON_ROWS rows; `used[0]` are filled."""

    used: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    contribution: npt.NDArray[np.float64]  # [reason row, input], in raw score
    range: npt.NDArray[np.float64]  # [reason row, input, (low, middle, high)], scaled


def make_reason_rows(inputs: int) -> ReasonRows:
    """Return empty room."""
    return ReasonRows(
        np.zeros(1, np.int64),
        np.zeros(REASON_ROWS, np.int64),
        np.zeros((REASON_ROWS, inputs), np.float64),
        np.zeros((REASON_ROWS, inputs, 3), np.float64),
    )
