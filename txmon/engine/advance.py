"""The in-order kernel: one pass over a batch for one group.

For each event, in order of arrival: expire, read the windows without it, append it, read the windows
with it. An event older than the newest of its key is put in its place, counted in the present windows
and left to `txmon.engine.lookback` for its own features. Owns no arithmetic of its own.
"""

from __future__ import annotations

import numpy as np

from txmon.engine.hashing import slot_of
from txmon.engine.int128 import double128, spread128
from txmon.engine.lookback import is_integer, read_empty, scan_window, to_double
from txmon.engine.slab import (
    D_DISTINCT,
    D_TREAPS,
    D_VALUE,
    holds_last,
    last_number,
    make_room,
    masked,
    perm_ready,
    physical,
    place_late,
    row_at,
    write_row,
)
from txmon.engine.state import (
    FAIL_LINES,
    HEAD,
    I64,
    LENGTH,
    M_FAIL,
    M_LATE,
    M_LINES,
    NEXT,
    OP_AVG,
    OP_FIRST,
    OP_LAG,
    OP_LAST,
    OP_MAX,
    OP_QUANTILE,
    OP_STDDEV_POP,
    PERMUTED,
    R_CELL,
    R_FEATURE,
    R_KIND,
    R_N,
    READ_CELL,
    READ_SUM,
    SNEXT,
    START,
    TIME_MAX,
    Batch,
    Layout,
    Output,
    State,
)
from txmon.engine.treap import treap_has_room, treap_kth
from txmon.engine.window import advance_head, enter, lower_bound, month_of, note_last, shift_positions
from txmon.jit import inline, kernel, prefetch

# How many rows ahead of its turn a row's memory is asked for. Each step reads what the one before it asked
# for: the key's number of its line, the line, then the rows and slots that the line points to.
AHEAD_LINE, AHEAD_KEY, AHEAD_ROWS = 24, 12, 6


@inline
def quantile_of(L: Layout, S: State, m: int, root: int, n: int, q: float) -> float:
    """Interpolated quantile of a treap's `n` values."""
    rank = (n - 1) * q
    low = np.int64(np.floor(rank))
    high = np.int64(np.ceil(rank))
    a = to_double(L, S, m, treap_kth(S.nodes, root, low))
    if low == high:
        return a
    b = to_double(L, S, m, treap_kth(S.nodes, root, high))
    share = rank - low
    return a * (1.0 - share) + b * share


@inline
def read_number(L: Layout, S: State, k: int, f: int) -> tuple[bool, float]:
    """Value of a feature whose result is a double; false where null."""
    e = L.entry[L.f_m[f], L.f_w[f]]
    op = L.f_op[f]
    n = S.keys[k, L.e_n[e]]
    if n == 0:
        return False, 0.0
    p10 = L.mp10[L.f_m[f]]
    if op == OP_QUANTILE:
        return True, quantile_of(L, S, L.f_m[f], S.keys[k, L.e_t[e]], n, L.f_q[f])
    o = L.e_s[e]
    if op == OP_AVG:
        return True, double128(S.keys[k, o + 1], S.keys[k, o]) / (p10 * n)
    p = L.e_q[e]
    fits, spread = spread128(n, S.keys[k, o + 1], S.keys[k, o], S.keys[k, p + 1], S.keys[k, p])
    if not fits:
        return False, 0.0
    if op == OP_STDDEV_POP:
        return True, np.sqrt(spread / n / n) / p10
    if n < 2:
        return False, 0.0
    return True, np.sqrt(spread / n / (n - 1)) / p10


@inline
def read_positioned(L: Layout, S: State, k: int, f: int) -> tuple[bool, int]:
    """Value of first, last or lag; false where null."""
    m, w = L.f_m[f], L.f_w[f]
    cursor, end = S.keys[k, L.woff[w]], S.keys[k, SNEXT]
    if L.f_op[f] == OP_FIRST:
        o = L.e_f[L.entry[m, w]]
        p = max(S.keys[k, o], cursor)
        while p < end and not masked(S, row_at(S, k, p), m):
            p += 1
        S.keys[k, o] = p
        if p == end:
            return False, 0
    else:
        p = S.keys[k, L.mlast[m]]
        if p < cursor:
            return False, 0
    r = row_at(S, k, p)
    if not masked(S, r, L.mvalid[m]):
        return False, 0
    return True, S.rows[r, L.mval[m]]


@inline
def read_feature(L: Layout, S: State, k: int, f: int) -> tuple[bool, int, float]:
    """Value of a feature at the key's head as (known, integer, double); only one of both is set.

    Not for counts and sums, which `_read_all` reads from their cells.
    """
    op = L.f_op[f]
    if op == OP_FIRST or op == OP_LAST or op == OP_LAG:
        known, v = read_positioned(L, S, k, f)
        return known, v, 0.0
    if op == OP_AVG or op >= OP_STDDEV_POP:
        known, x = read_number(L, S, k, f)
        return known, 0, x
    e = L.entry[L.f_m[f], L.f_w[f]]
    if S.keys[k, L.e_n[e]] == 0:
        return False, 0, 0.0
    front = S.keys[k, L.e_x[e]] if op == OP_MAX else S.keys[k, L.e_i[e]]
    return True, S.rows[physical(S, k, front), L.mval[L.f_m[f]]], 0.0


@inline
def read_previous_month(L: Layout, S: State, k: int, f: int, t: int) -> tuple[bool, int, float]:
    """Value of a feature of the month before `t`; computed once a month and key, then remembered."""
    o = L.f_cache[f]
    month = month_of(L.months, t)
    if S.keys[k, o + 2] != month:
        low, high = L.months[month - 1] - 1, L.months[month] - 1
        known, v, x = scan_window(L, S, k, f, (low, high, TIME_MAX), False)
        S.keys[k, o] = v
        S.keysf[k, o + 3] = x
        S.keys[k, o + 1] = 1 if known else 0
        S.keys[k, o + 2] = month
    return S.keys[k, o + 1] == 1, S.keys[k, o], S.keysf[k, o + 3]


@inline
def _read_all(L: Layout, S: State, k: int, program: I64, t: int, out: Output, i: int) -> None:
    for j in range(program.shape[0]):
        f, kind = program[j, R_FEATURE], program[j, R_KIND]
        if kind == READ_CELL:
            out.known[f, i] = 1
            out.value[f, i] = S.keys[k, program[j, R_CELL]]
            continue
        if kind == READ_SUM:
            if S.keys[k, program[j, R_N]] != 0:
                o = program[j, R_CELL]
                out.known[f, i] = 1
                out.value[f, i] = S.keys[k, o]
                if out.high.shape[1] > 0:
                    out.high[f, i] = S.keys[k, o + 1]
            continue
        if L.f_cache[f] >= 0:
            known, v, x = read_previous_month(L, S, k, f, t)
        else:
            known, v, x = read_feature(L, S, k, f)
        if not known:
            continue
        out.known[f, i] = 1
        if is_integer(L.f_op[f]):
            out.value[f, i] = v
        else:
            out.number[f, i] = x


@inline
def _new_line(L: Layout, S: State) -> int:
    """Start the line of a key; -1 (with the reason in `meta`) if the array must grow."""
    k = S.meta[M_LINES]
    if k == S.keys.shape[0]:
        S.meta[M_FAIL] = FAIL_LINES
        return -1
    for j in range(L.fresh.shape[0]):
        S.keys[k, j] = L.fresh[j]
    S.meta[M_LINES] = k + 1
    return k


@inline
def _insert_late(L: Layout, S: State, k: int, row: tuple[int, int], masks: I64, vals: I64) -> None:
    for w in range(L.span.shape[0]):
        if L.woff[w] >= 0:
            S.lows[w] = lower_bound(L, w, S.keys[k, HEAD])
    number = write_row(L, S, k, row, masks, vals)
    q = place_late(S, k, row[0], number)
    shift_positions(L, S, k, q)
    enter(L, S, k, number)
    for f in range(L.f_cache.shape[0]):
        if L.f_cache[f] >= 0:
            S.keys[k, L.f_cache[f] + 2] = -1


@inline
def _append(L: Layout, S: State, k: int, row: tuple[int, int], masks: I64, vals: I64) -> None:
    position = S.keys[k, SNEXT]
    number = write_row(L, S, k, row, masks, vals)
    if S.keys[k, PERMUTED] == 1:
        S.perm[S.keys[k, START] + (position & (S.keys[k, LENGTH] - 1))] = number
    S.keys[k, SNEXT] = position + 1
    for w in range(L.span.shape[0]):
        o = L.woff[w]
        if o >= 0 and S.keys[k, o] == position:
            S.keys[k, o + 1] = row[0]
    enter(L, S, k, number)
    note_last(L, S, k, position)


@inline
def _ahead_line(S: State, batch: Batch, i: int) -> None:
    """Ask for the number of the line of row `i`'s key."""
    if i < batch.key.shape[0] and batch.key[i] >= 0:
        prefetch(S.line, batch.key[i])


@inline
def _ahead_key(L: Layout, S: State, batch: Batch, i: int) -> None:
    """Ask for the line of row `i`'s key, and where its values occurred last."""
    if i >= batch.key.shape[0] or batch.key[i] < 0:
        return
    k = S.line[batch.key[i]]
    if k < 0:
        return
    width = S.keys.shape[1]
    for j in range(0, width, 8):
        prefetch(S.keys, k * width + j)
    prefetch(S.keys, k * width + width - 1)
    nd = L.dims[D_DISTINCT]
    for j in range(L.m_distinct.shape[0]):
        m = L.m_distinct[j]
        v = batch.value[i, L.mval[m] - L.dims[D_VALUE]]
        prefetch(S.table, 2 * slot_of(k * nd + j, v, S.table.shape[0] - 1))


@inline
def _ahead_rows(L: Layout, S: State, batch: Batch, i: int) -> None:
    """Ask for the rows that leave next, the one to be written, and the last ones with row `i`'s values.

    Takes positions for numbers, and only the first slot of a value: a wrong guess costs nothing but itself.
    """
    if i >= batch.key.shape[0] or batch.key[i] < 0:
        return
    k = S.line[batch.key[i]]
    if k < 0 or S.keys[k, LENGTH] == 0:
        return
    width = S.rows.shape[1]
    for w in range(L.span.shape[0]):
        o = L.woff[w]
        if o >= 0:
            r = physical(S, k, S.keys[k, o])
            prefetch(S.rows, r * width)
            prefetch(S.rows, r * width + width - 1)
    r = physical(S, k, S.keys[k, NEXT])
    prefetch(S.rows, r * width)
    prefetch(S.rows, r * width + width - 1)
    nd = L.dims[D_DISTINCT]
    for j in range(L.m_distinct.shape[0]):
        m = L.m_distinct[j]
        v = batch.value[i, L.mval[m] - L.dims[D_VALUE]]
        a = k * nd + j
        s = slot_of(a, v, S.table.shape[0] - 1)
        if holds_last(S, s, a, v):
            prefetch(S.rows, physical(S, k, last_number(S, s)) * width)


@kernel
def advance(L: Layout, S: State, batch: Batch, out: Output, start: int, bound: int) -> int:
    """Process rows of a batch from `start` on; returns the number of rows done.

    Stops before a row for which an array must grow (the reason is in ``meta[M_FAIL]``); calling again
    from there goes on as if nothing had happened. Rows of the state not newer than `bound` may be
    forgotten. ``out.late`` gets the rows that came late for their key, their number is in
    ``meta[M_LATE]``.
    """
    n = batch.key.shape[0]
    treaps = L.dims[D_TREAPS]
    for i in range(start, n):
        _ahead_line(S, batch, i + AHEAD_LINE)
        _ahead_key(L, S, batch, i + AHEAD_KEY)
        _ahead_rows(L, S, batch, i + AHEAD_ROWS)
        if batch.key[i] < 0:
            continue
        t = batch.time[i]
        store = batch.store[i]
        k = S.line[batch.key[i]]
        if k < 0:
            if not store:
                read_empty(L, L.f_all, out, i)
                continue
            k = _new_line(L, S)
            if k < 0:
                return i
            S.line[batch.key[i]] = k
        late = t < S.keys[k, HEAD]
        if treaps > 0 and store and not treap_has_room(S.nodes, S.meta, treaps):
            return i
        if late:
            if store:
                if not perm_ready(S) or not make_room(L, S, k, bound):
                    return i
                _insert_late(L, S, k, (t, batch.order[i]), batch.mask[i], batch.value[i])
            out.late[S.meta[M_LATE]] = i
            S.meta[M_LATE] += 1
            continue
        advance_head(L, S, k, t)
        if store and not make_room(L, S, k, bound):
            return i
        _read_all(L, S, k, L.read_prior, t, out, i)
        if store:
            _append(L, S, k, (t, batch.order[i]), batch.mask[i], batch.value[i])
        _read_all(L, S, k, L.read_present, t, out, i)
    return n
