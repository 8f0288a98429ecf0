"""The arrays a window group lives in, and their sizes. Kernels get these two tuples and nothing else.

A group holds the windows of one key (say `payer`). Per key it keeps a slab of rows in order of arrival
(a ring buffer whose length is a power of two) and a line of numbers: cursors and running aggregates.

    row   [time, order, bits (masks, then "superseded")..., values.., stack links..]
    key   [slab start, slab length, first row kept, next row, sorted first, sorted next, head time,
           permuted?, then per window (cursor, time at cursor), then aggregates]

Positions: a row's *number* counts arrivals of its key and never changes; its *position* counts in order
of (time, order). Both are equal until a late event arrives; from then on `perm` maps position to number.
Owns layout only; `txmon.engine.advance` and `lookback` do the work.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

TIME_MIN = np.iinfo(np.int64).min
TIME_MAX = np.iinfo(np.int64).max

# columns of a row before its values
TIME, ORDER, BITS = range(3)
# columns of a key's line
START, LENGTH, FIRST, NEXT, SFIRST, SNEXT, HEAD, PERMUTED, KEY_COLUMNS = range(9)
# cells of `meta`
M_ROWS, M_HASH, M_NODES, M_FREE_NODE, M_LATE, M_SCANNED, M_FAIL, M_LONGEST, M_LINES, META_CELLS = range(10)
# why a kernel stopped early
FAIL_ROWS, FAIL_PERM, FAIL_HASH, FAIL_NODES, FAIL_BUFFER, FAIL_LINES = 1, 2, 3, 4, 5, 6

# operations of a feature
OP_COUNT, OP_DISTINCT, OP_SUM, OP_AVG, OP_MIN, OP_MAX = range(6)
OP_STDDEV_POP, OP_STDDEV_SAMP, OP_FIRST, OP_LAST, OP_LAG, OP_QUANTILE = range(6, 12)

ACC_COLUMNS = 6  # cells of an accumulator in `lookback`
# What the kernels run for an entry, gathered so that it lies in one or two cache lines: row column and bit
# of its mask, row column of its value, offsets of count, sum and distinct count, row column and bit of
# "superseded", whether it has any rarer part, and its measure, window and number.
P_WORD, P_BIT, P_VALUE, P_N, P_S, P_D, P_SUPER_WORD, P_SUPER_BIT, P_RARE, P_M, P_W, P_ENTRY = range(12)
# How a feature is read: a cell as it is, a sum (unknown while the count is 0), or by `read_feature`; then
# the feature, the cell and the cell of the count.
R_KIND, R_FEATURE, R_CELL, R_N = range(4)
READ_CELL, READ_SUM, READ_OTHER = range(3)
CAL_SPAN, CAL_MONTH, CAL_PREV_MONTH = 0, 1, 2


class Layout(NamedTuple):
    """What the group computes; constant for the life of a plan. Offsets are columns of a key's line."""

    span: I64  # per window: length in us
    cal: I64  # per window: CAL_*
    woff: I64  # per window: offset of (cursor, time at cursor) or of the cached month
    mval: I64  # per measure: column of its value in a row, -1 for count(*)
    mvalid: I64  # per measure: measure whose bit says that the value is not null (itself but for lag)
    mdist: I64  # per measure: number of its distinct count, -1 without
    mmax: I64  # per measure: row column of the max stack's two links, -1 without
    mmin: I64
    mmaxt: I64  # per measure: offset of the max stack's tail
    mmint: I64
    mlast: I64  # per measure: offset of the position of its last row, -1 without
    m_last_list: I64  # measures whose last row is remembered
    m_distinct: I64  # measures with a distinct count, in order of its number
    mfloat: I64  # per measure: 1 where the value is an order-preserving image of a double
    mp10: F64  # per measure: 10**scale of its integers
    entry: I64  # (measures, windows): entry number, -1 without
    mwptr: I64  # per measure: start in mwin of its streaming windows
    mwin: I64
    wmptr: I64  # per window: start in wm of its measures
    wm: I64
    leave: I64  # (entries, P_*) in order of `wm` ..
    arrive: I64  # .. and in order of `mwin`
    e_n: I64  # per entry: offset of the count; sums take two cells; -1 without
    e_s: I64
    e_q: I64
    e_d: I64
    e_x: I64
    e_i: I64
    e_f: I64
    e_t: I64
    fresh: I64  # a key's line before its first row
    read_prior: I64  # (features, R_*): those read without the current row ..
    read_present: I64  # .. and those read with it
    f_all: I64  # ones: every feature is wanted
    f_op: I64  # per feature
    f_m: I64
    f_w: I64
    f_prior: I64
    f_q: F64
    f_cache: I64  # per feature of a prev_month window: offset of (integer, known, month, double), else -1
    months: I64  # starts of months in the entity's zone, us UTC
    dims: I64  # columns and counts as named in `slab`: D_*


class State(NamedTuple):
    """What the group knows; grows between kernel calls."""

    rows: I64
    perm: I64
    line: I64  # per key code: its line in `keys`, -1 while nothing of it was stored
    keys: I64
    keysf: F64  # the same memory as `keys`
    # (slots, 2): value, then (1 + line * distincts + d) << 32 | low bits of the row number; 0 = empty
    table: I64
    free: I64  # per size class: first free slab, -1 = none
    nodes: I64  # (n, 6): value, count, size, left, right, priority
    meta: I64
    lows: I64  # scratch: lower bound of each window at the head
    path: I64  # scratch of the treaps
    buffer: I64  # scratch: as long as the longest slab
    cast: I64  # scratch: one cell ..
    castf: F64  # .. and the same as a double
    acc: I64  # scratch: one accumulator, (1, ACC_COLUMNS)


class Batch(NamedTuple):
    """What a group is given of a batch, in order of arrival."""

    key: I64  # -1: a part of the key is null
    time: I64
    order: I64
    mask: I64  # (rows, mask words)
    value: I64  # (rows, values)
    store: npt.NDArray[np.bool_]  # false where no feature could ever count the row


class Output(NamedTuple):
    """Where a kernel writes features, each (features, rows) and zeroed."""

    value: I64
    number: F64  # the same memory as `value`
    known: npt.NDArray[np.uint8]
    high: I64  # upper words of sums where they may leave 64 bits, else no columns
    late: I64  # rows that came late for their key


class Requests(NamedTuple):
    """Features asked for at past times: key, time and the order of the event that asks."""

    key: I64
    time: I64
    order: I64


class Work(NamedTuple):
    """Scratch of `lookback`."""

    acc: I64  # (entries, ACC_COLUMNS)
    cursor: I64  # (windows, 2)
    scratch: I64  # (slots, 4): entry, value, count, stamp
    stamp: I64
    window: I64  # 1 where a wanted feature slides with the window
    wanted: I64  # 1 where the feature is wanted


def decode_double(image: I64) -> F64:
    """Turn order-preserving int64 images back into doubles."""
    bits = np.where(image < 0, image ^ np.int64(TIME_MAX), image)
    return bits.view(np.float64)


def encode_double(values: F64) -> I64:
    """Turn doubles into int64 with the same order (NaN above all, as in SQL; -0 equals 0)."""
    bits = (values + 0.0).view(np.int64)
    return np.where(bits < 0, bits ^ np.int64(TIME_MAX), bits)
