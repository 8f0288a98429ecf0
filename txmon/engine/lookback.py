"""Windows at a past time: the features of late events, second evaluations and marks of time.

Works from the rows alone, by scanning the window; requests for one event at rising times slide over the
rows instead of starting anew. Rows that arrived after the event are not seen. Never changes the state.
"""

from __future__ import annotations

import numpy as np

from txmon.engine.hashing import slot_of
from txmon.engine.int128 import add128, double128, spread128, square128
from txmon.engine.slab import masked, position_after, row_at
from txmon.engine.state import (
    ACC_COLUMNS,
    CAL_MONTH,
    CAL_PREV_MONTH,
    I64,
    LENGTH,
    M_SCANNED,
    OP_AVG,
    OP_COUNT,
    OP_DISTINCT,
    OP_FIRST,
    OP_LAG,
    OP_LAST,
    OP_MAX,
    OP_MIN,
    OP_QUANTILE,
    OP_STDDEV_POP,
    OP_STDDEV_SAMP,
    OP_SUM,
    SNEXT,
    Layout,
    Output,
    Requests,
    State,
    Work,
)
from txmon.engine.window import month_of
from txmon.jit import inline, kernel

A_N, A_S, A_SH, A_Q, A_QH, A_D = range(6)


@inline
def is_integer(op: int) -> bool:
    """True if an operation's result is an integer (or the image of its argument), not a double."""
    return not (op == OP_AVG or op == OP_STDDEV_POP or op == OP_STDDEV_SAMP or op == OP_QUANTILE)


@inline
def to_double(L: Layout, S: State, m: int, v: int) -> float:
    """Value of a measure as a double in its own unit."""
    if L.mfloat[m] == 1:
        S.cast[0] = v if v >= 0 else v ^ np.int64(0x7FFFFFFFFFFFFFFF)
        return S.castf[0]
    return np.float64(v) / L.mp10[m]


@inline
def bounds_at(L: Layout, w: int, t: int) -> tuple[int, int]:
    """Rows of window `w` taken at time `t` satisfy ``low < time <= high``."""
    if L.cal[w] == CAL_MONTH:
        return L.months[month_of(L.months, t)] - 1, t
    if L.cal[w] == CAL_PREV_MONTH:
        month = month_of(L.months, t)
        return L.months[month - 1] - 1, L.months[month] - 1
    return t - L.span[w], t


@inline
def _finish(L: Layout, f: int, acc: I64, e: int) -> tuple[bool, int, float]:
    """Result of a feature from line `e` of an accumulator."""
    m, op, n = L.f_m[f], L.f_op[f], acc[e, A_N]
    if op == OP_COUNT:
        return True, n, 0.0
    if op == OP_DISTINCT:
        return True, acc[e, A_D], 0.0
    if n == 0:
        return False, 0, 0.0
    if op == OP_SUM:
        return True, acc[e, A_S], 0.0
    if op == OP_AVG:
        return True, 0, double128(acc[e, A_SH], acc[e, A_S]) / (L.mp10[m] * n)
    fits, spread = spread128(n, acc[e, A_SH], acc[e, A_S], acc[e, A_QH], acc[e, A_Q])
    if not fits or (op == OP_STDDEV_SAMP and n < 2):
        return False, 0, 0.0
    d = n if op == OP_STDDEV_POP else n - 1
    return True, 0, np.sqrt(spread / n / d) / L.mp10[m]


@inline
def _count(acc: I64, e: int, v: int, sign: int) -> None:
    acc[e, A_N] += sign
    acc[e, A_SH], acc[e, A_S] = add128(acc[e, A_SH], acc[e, A_S], (v * sign) >> 63, v * sign)


@inline
def _square(acc: I64, v: int) -> None:
    vhi, vlo = square128(v)
    acc[0, A_QH], acc[0, A_Q] = add128(acc[0, A_QH], acc[0, A_Q], vhi, vlo)


@inline
def _sift(a: I64, root: int, n: int) -> None:
    v = a[root]
    while True:
        child = 2 * root + 1
        if child >= n:
            break
        if child + 1 < n and a[child + 1] > a[child]:
            child += 1
        if a[child] <= v:
            break
        a[root] = a[child]
        root = child
    a[root] = v


@inline
def sort_front(a: I64, n: int) -> None:
    """Sort the first `n` cells in place (heap sort: the kernels may not allocate)."""
    for root in range(n // 2 - 1, -1, -1):
        _sift(a, root, n)
    for end in range(n - 1, 0, -1):
        a[0], a[end] = a[end], a[0]
        _sift(a, 0, end)


@inline
def _quantile(L: Layout, S: State, f: int, n: int) -> float:
    sort_front(S.buffer, n)
    rank = (n - 1) * L.f_q[f]
    low, high = np.int64(np.floor(rank)), np.int64(np.ceil(rank))
    a = to_double(L, S, L.f_m[f], S.buffer[low])
    if low == high:
        return a
    share = rank - low
    return a * (1.0 - share) + to_double(L, S, L.f_m[f], S.buffer[high]) * share


@inline
def scan_window(
    L: Layout, S: State, k: int, f: int, limits: tuple[int, int, int], prior: bool
) -> tuple[bool, int, float]:
    """Value of one feature from the rows with ``low < time <= high`` and order up to `newest`.

    `limits` is (low, high, newest); with `prior` the row whose order is `newest` itself is left out.
    """
    m, op, acc = L.f_m[f], L.f_op[f], S.acc
    for j in range(ACC_COLUMNS):
        acc[0, j] = 0
    if S.keys[k, LENGTH] == 0:
        return _finish(L, f, acc, 0)
    low, high, newest = limits
    p, end = position_after(S, k, low), position_after(S, k, high)
    keep = op == OP_QUANTILE or op == OP_DISTINCT
    best, found = np.int64(0), False
    c = L.mval[m]
    while p < end:
        r = row_at(S, k, p)
        p += 1
        S.meta[M_SCANNED] += 1
        o = S.rows[r, 1]
        if o > newest or ((prior or op == OP_LAG) and o == newest) or not masked(S, r, m):
            continue
        v = S.rows[r, c] if c >= 0 else np.int64(0)
        if op == OP_LAG:
            found, best = masked(S, r, L.mvalid[m]), v
        elif op == OP_LAST or not found or (op == OP_MIN and v < best) or (op == OP_MAX and v > best):
            best, found = v, True
        if keep:
            S.buffer[acc[0, A_N]] = v
        _count(acc, 0, v, 1)
        if op == OP_STDDEV_POP or op == OP_STDDEV_SAMP:
            _square(acc, v)
    if op == OP_MIN or op == OP_MAX or op == OP_FIRST or op == OP_LAST or op == OP_LAG:
        return found, best, 0.0
    n = acc[0, A_N]
    if op == OP_QUANTILE and n > 0:
        return True, 0, _quantile(L, S, f, n)
    if op == OP_DISTINCT:
        sort_front(S.buffer, n)
        for j in range(n):
            if j == 0 or S.buffer[j] != S.buffer[j - 1]:
                acc[0, A_D] += 1
    return _finish(L, f, acc, 0)


@inline
def _bump(scratch: I64, e: int, v: int, sign: int, stamp: int) -> int:
    """Change the count of a value in the scratch table by `sign`; returns the new count."""
    mask = scratch.shape[0] - 1
    s = slot_of(e, v, mask)
    while scratch[s, 3] == stamp and (scratch[s, 0] != e or scratch[s, 1] != v):
        s = (s + 1) & mask
    if scratch[s, 3] != stamp:
        scratch[s, 0] = e
        scratch[s, 1] = v
        scratch[s, 2] = 0
        scratch[s, 3] = stamp
    scratch[s, 2] += sign
    return scratch[s, 2]


@inline
def _slide_row(L: Layout, S: State, r: int, w: int, sign: int, work: Work, stamp: int) -> None:
    """Add (or take away) one row to the running aggregates of window `w`."""
    for j in range(L.wmptr[w], L.wmptr[w + 1]):
        m = L.wm[j]
        if not masked(S, r, m):
            continue
        e = L.entry[m, w]
        v = S.rows[r, L.mval[m]] if L.mval[m] >= 0 else np.int64(0)
        _count(work.acc, e, v, sign)
        if L.e_d[e] >= 0:
            count = _bump(work.scratch, e, v, sign, stamp)
            if sign > 0 and count == 1:
                work.acc[e, A_D] += 1
            elif sign < 0 and count == 0:
                work.acc[e, A_D] -= 1


@inline
def _slide(L: Layout, S: State, k: int, w: int, limits: tuple[int, int, int], work: Work, stamp: int) -> None:
    """Move window `w` of the present request to ``low < time <= high``."""
    low, high, newest = limits
    a, end = work.cursor[w, 0], S.keys[k, SNEXT]
    while a < end:
        r = row_at(S, k, a)
        if S.rows[r, 0] > high:
            break
        if S.rows[r, 1] <= newest:
            _slide_row(L, S, r, w, 1, work, stamp)
        S.meta[M_SCANNED] += 1
        a += 1
    b = work.cursor[w, 1]
    while b < a:
        r = row_at(S, k, b)
        if S.rows[r, 0] > low:
            break
        if S.rows[r, 1] <= newest:
            _slide_row(L, S, r, w, -1, work, stamp)
        b += 1
    work.cursor[w, 0] = a
    work.cursor[w, 1] = b


@inline
def _slidable(L: Layout, f: int) -> bool:
    """True if the feature can be kept while sliding: counts, sums, averages, distinct counts of spans."""
    op = L.f_op[f]
    if L.f_prior[f] == 1 or L.cal[L.f_w[f]] == CAL_PREV_MONTH:
        return False
    return op == OP_COUNT or op == OP_DISTINCT or op == OP_SUM or op == OP_AVG


@inline
def read_empty(L: Layout, wanted: I64, out: Output, i: int) -> None:
    """Features of a key of which nothing was stored: counts are 0, everything else is unknown."""
    for f in range(L.f_op.shape[0]):
        if wanted[f] == 1 and (L.f_op[f] == OP_COUNT or L.f_op[f] == OP_DISTINCT):
            out.known[f, i] = 1


@kernel
def lookback(L: Layout, S: State, requests: Requests, work: Work, out: Output) -> None:
    """Write every wanted feature for each request.

    Requests of one event stand together with rising times. `work` is scratch: its table must have room
    for twice the rows of the largest key and distinct count.
    """
    n = requests.key.shape[0]
    stamp = work.stamp[0]
    for i in range(n):
        code = requests.key[i]
        if code < 0:
            continue
        k = S.line[code]
        if k < 0:
            read_empty(L, work.wanted, out, i)
            continue
        t, newest = requests.time[i], requests.order[i]
        again = i > 0 and requests.key[i - 1] == code and requests.order[i - 1] == newest
        # the two legs of one event ask for the same row of an events' window, each from its first time on
        again = again and requests.time[i - 1] <= t
        if not again:
            stamp += 1
            for e in range(work.acc.shape[0]):
                for j in range(ACC_COLUMNS):
                    work.acc[e, j] = 0
        for w in range(L.span.shape[0]):
            if work.window[w] == 0 or S.keys[k, LENGTH] == 0:
                continue
            low, high = bounds_at(L, w, t)
            if not again:
                work.cursor[w, 0] = position_after(S, k, low)
                work.cursor[w, 1] = work.cursor[w, 0]
            _slide(L, S, k, w, (low, high, newest), work, stamp)
        for f in range(L.f_op.shape[0]):
            if work.wanted[f] == 0:
                continue
            if _slidable(L, f):
                e = L.entry[L.f_m[f], L.f_w[f]]
                known, v, x = _finish(L, f, work.acc, e)
                if L.f_op[f] == OP_SUM and out.high.shape[1] > 0:
                    out.high[f, i] = work.acc[e, A_SH]
            else:
                low, high = bounds_at(L, L.f_w[f], t)
                known, v, x = scan_window(L, S, k, f, (low, high, newest), L.f_prior[f] == 1)
            if known:
                out.known[f, i] = 1
                if is_integer(L.f_op[f]):
                    out.value[f, i] = v
                else:
                    out.number[f, i] = x
    work.stamp[0] = stamp


@kernel
def count_times(S: State, key: I64, time: I64, order: I64, reach: int, counts: I64) -> None:
    """Per request: how many distinct times in ``(time, time + reach)`` rows up to its order have."""
    for i in range(key.shape[0]):
        counts[i] = 0
        k = S.line[key[i]] if key[i] >= 0 else np.int64(-1)
        if k < 0 or S.keys[k, LENGTH] == 0:
            continue
        last = time[i]
        for p in range(position_after(S, k, time[i]), S.keys[k, SNEXT]):
            r = row_at(S, k, p)
            t = S.rows[r, 0]
            if t >= time[i] + reach:
                break
            if t != last and S.rows[r, 1] <= order[i]:
                counts[i] += 1
                last = t


@kernel
def list_times(S: State, key: I64, time: I64, order: I64, reach: int, start: I64, times: I64) -> None:
    """Write the times that `count_times` counted, rising, from ``start[i]`` on."""
    for i in range(key.shape[0]):
        k = S.line[key[i]] if key[i] >= 0 else np.int64(-1)
        if k < 0 or S.keys[k, LENGTH] == 0:
            continue
        last, j = time[i], start[i]
        for p in range(position_after(S, k, time[i]), S.keys[k, SNEXT]):
            r = row_at(S, k, p)
            t = S.rows[r, 0]
            if t >= time[i] + reach:
                break
            if t != last and S.rows[r, 1] <= order[i]:
                times[j] = t
                j += 1
                last = t
