"""From input values to numbers in [0, 1] and back.

Owns the four scales and what happens to a value that is missing or not finite; never learns anything
from data, so that the same value is always the same number.

    linear      (x - min) / (max - min)
    log         log1p(max(x, 0) / unit) / log1p(max / unit)          amounts, counts, durations
    ratio       1/2 + ln(x) / (2 ln(max)), 0 for x <= 0              quotients, 1 is the middle
    signed_log  1/2 + sign(x) log1p(|x| / unit) / (2 log1p(max / unit))

All are clipped to [0, 1]; a heavy tail therefore keeps its order far beyond what is usual.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from txmon.anomaly.settings import LINEAR, LOG, RATIO, SCALE_CODES, Input
from txmon.jit import managed

Floats = npt.NDArray[np.float64]


class Scales(NamedTuple):
    """The scales of all inputs as arrays; `impute` is NaN where a missing value refuses the row.

    `origin` is what is taken from a value (linear) or what it is divided by, `span` what the result is
    divided by: ``max - min``, ``log1p(max / unit)`` or ``ln(max)``.
    """

    kind: npt.NDArray[np.int64]
    origin: Floats
    span: Floats
    impute: Floats


def make_scales(inputs: tuple[Input, ...]) -> Scales:
    """Return the arrays the kernel takes."""
    return Scales(
        np.array([SCALE_CODES[i.kind] for i in inputs], np.int64),
        np.array([i.first for i in inputs], np.float64),
        np.array([_span(i) for i in inputs], np.float64),
        np.array([math.nan if i.impute is None else i.impute for i in inputs], np.float64),
    )


def _span(item: Input) -> float:
    if item.kind == "linear":
        return item.second - item.first
    return math.log(item.first) if item.kind == "ratio" else math.log1p(item.second / item.first)


@managed
def scale_one(kind: int, origin: float, span: float, x: float) -> float:
    """Return `x` (finite) in [0, 1]."""
    if kind == LINEAR:
        y = (x - origin) / span
    elif kind == LOG:
        y = math.log1p(max(x, 0.0) / origin) / span
    elif kind == RATIO:
        y = 0.5 + 0.5 * math.log(x) / span if x > 0.0 else 0.0
    else:
        half = 0.5 * math.log1p(abs(x) / origin) / span
        y = 0.5 + half if x >= 0.0 else 0.5 - half
    return min(max(y, 0.0), 1.0)


@managed
def scale_rows(
    scales: Scales, values: Floats, out: Floats, used: Floats, refused: npt.NDArray[np.bool_]
) -> None:
    """Fill `out` with scaled values, `used` with the values after imputation, `refused` per row."""
    for i in range(values.shape[0]):
        refused[i] = False
        for j in range(values.shape[1]):
            x = values[i, j]
            if not math.isfinite(x):
                x = scales.impute[j]
                if math.isnan(x):
                    refused[i] = True
                    x = 0.0
            used[i, j] = x
            out[i, j] = scale_one(scales.kind[j], scales.origin[j], scales.span[j], x)


def unscale(item: Input, y: float) -> float:
    """Return the value of `item` whose scaled form is `y`; the inverse of `scale_one` inside the clip."""
    span = _span(item)
    if item.kind == "linear":
        return item.first + y * span
    if item.kind == "log":
        return item.first * math.expm1(y * span)
    if item.kind == "ratio":
        return math.exp((2.0 * y - 1.0) * span)
    size = item.first * math.expm1(abs(2.0 * y - 1.0) * span)
    return size if y >= 0.5 else -size


def to_matrix(columns: Sequence[pa.Array | pa.ChunkedArray]) -> Floats:
    """Return numeric columns (one per input, in declared order) as float64 rows, NaN for null."""
    floats = [pc.fill_null(pc.cast(column, pa.float64()), math.nan) for column in columns]
    return np.ascontiguousarray(np.column_stack([np.asarray(f.to_numpy(), np.float64) for f in floats]))
