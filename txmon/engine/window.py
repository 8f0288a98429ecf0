"""Running aggregates of a key's windows: what a row adds when it arrives and takes when it leaves.

Count, sum, sum of squares and distinct count are kept by addition and subtraction; minimum and maximum
by a monotone stack threaded through the rows and shared by all windows of a measure (a window's maximum
is the first element of the stack inside it); median and quantile by a treap; first and last by moving
positions. Owns the cells of a key's line behind the row bookkeeping.
"""

from __future__ import annotations

import numpy as np

from txmon.engine.int128 import add128, neg128, square128
from txmon.engine.slab import (
    D_DISTINCT,
    D_MEASURES,
    find_last,
    last_number,
    masked,
    number_at,
    physical,
    row_at,
    set_last,
    supersede,
)
from txmon.engine.state import (
    BITS,
    CAL_MONTH,
    FIRST,
    HEAD,
    I64,
    P_BIT,
    P_D,
    P_ENTRY,
    P_M,
    P_N,
    P_RARE,
    P_S,
    P_SUPER_BIT,
    P_SUPER_WORD,
    P_VALUE,
    P_W,
    P_WORD,
    SNEXT,
    TIME_MAX,
    TIME_MIN,
    Layout,
    State,
)
from txmon.engine.treap import treap_insert, treap_remove
from txmon.jit import inline

# Position of the lowest set bit by a de Bruijn sequence (C. Leiserson, H. Prokop, K. Randall, 1998).
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_POSITIONS = np.zeros(64, np.int64)
for _bit in range(64):
    _POSITIONS[((int(_DE_BRUIJN) << _bit) & (2**64 - 1)) >> 58] = _bit


@inline
def lowest_bit(bits: int) -> int:
    """Number of the lowest set bit of an unsigned word that is not zero."""
    return _POSITIONS[np.int64(((bits & (~bits + np.uint64(1))) * _DE_BRUIJN) >> np.uint64(58))]


@inline
def month_of(months: I64, t: int) -> int:
    """Index of the month that holds time `t`."""
    lo, hi = 0, months.shape[0]
    while lo < hi:
        mid = (lo + hi) >> 1
        if months[mid] <= t:
            lo = mid + 1
        else:
            hi = mid
    return lo - 1


@inline
def lower_bound(L: Layout, w: int, t: int) -> int:
    """Rows of window `w` at time `t` are newer than this."""
    if L.cal[w] == CAL_MONTH:
        return L.months[month_of(L.months, t)] - 1
    return t - L.span[w]


@inline
def _add_sum(S: State, k: int, o: int, v: int) -> None:
    hi, lo = add128(S.keys[k, o + 1], S.keys[k, o], v >> 63, v)
    S.keys[k, o] = lo
    S.keys[k, o + 1] = hi


@inline
def _add_square(S: State, k: int, o: int, v: int, sign: int) -> None:
    vhi, vlo = square128(v)
    if sign < 0:
        vhi, vlo = neg128(vhi, vlo)
    hi, lo = add128(S.keys[k, o + 1], S.keys[k, o], vhi, vlo)
    S.keys[k, o] = lo
    S.keys[k, o + 1] = hi


@inline
def _leave_rare(L: Layout, S: State, k: int, e: int, m: int, r: int, number: int) -> None:
    """Take line `r` out of the parts of an entry that few features need."""
    v = S.rows[r, L.mval[m]]
    if L.e_q[e] >= 0:
        _add_square(S, k, L.e_q[e], v, -1)
    if L.e_x[e] >= 0 and S.keys[k, L.e_x[e]] == number:
        S.keys[k, L.e_x[e]] = S.rows[r, L.mmax[m] + 1]
    if L.e_i[e] >= 0 and S.keys[k, L.e_i[e]] == number:
        S.keys[k, L.e_i[e]] = S.rows[r, L.mmin[m] + 1]
    if L.e_t[e] >= 0:
        S.keys[k, L.e_t[e]] = treap_remove(S.nodes, S.meta, S.path, S.keys[k, L.e_t[e]], v)


@inline
def _leave(L: Layout, S: State, k: int, w: int, number: int) -> None:
    """Take a row out of window `w`."""
    r = physical(S, k, number)
    for j in range(L.wmptr[w], L.wmptr[w + 1]):
        if S.rows[r, L.leave[j, P_WORD]] & L.leave[j, P_BIT] == 0:
            continue
        # held in names: the compiler cannot know that a store to a line leaves the layout as it is
        n, s, d = L.leave[j, P_N], L.leave[j, P_S], L.leave[j, P_D]
        if n >= 0:
            S.keys[k, n] -= 1
        if s >= 0:
            _add_sum(S, k, s, -S.rows[r, L.leave[j, P_VALUE]])
        if d >= 0 and S.rows[r, L.leave[j, P_SUPER_WORD]] & L.leave[j, P_SUPER_BIT] == 0:
            S.keys[k, d] -= 1
        if L.leave[j, P_RARE] == 1:
            _leave_rare(L, S, k, L.leave[j, P_ENTRY], L.leave[j, P_M], r, number)


@inline
def expire(L: Layout, S: State, k: int, w: int, bound: int) -> None:
    """Move the window's cursor past every row that is not newer than `bound`."""
    o = L.woff[w]
    if S.keys[k, o + 1] > bound:
        return
    c, end = S.keys[k, o], S.keys[k, SNEXT]
    t = TIME_MAX
    while c < end:
        number = number_at(S, k, c)
        t = S.rows[physical(S, k, number), 0]
        if t > bound:
            break
        _leave(L, S, k, w, number)
        c += 1
    S.keys[k, o] = c
    S.keys[k, o + 1] = t if c < end else TIME_MAX


@inline
def _stack_place(S: State, k: int, links: int, tail: int, value_column: int, sign: int, number: int) -> bool:
    """Thread a row into a monotone stack (sign 1: maximum, -1: minimum); false if a later row hides it."""
    r = physical(S, k, number)
    v, t = S.rows[r, value_column], S.rows[r, 0]
    first = S.keys[k, FIRST]
    p, after = S.keys[k, tail], np.int64(-1)
    while p >= first:
        q = physical(S, k, p)
        if S.rows[q, 0] <= t:
            break
        after = p
        p = S.rows[q, links]
    if after >= 0:
        u = S.rows[physical(S, k, after), value_column]
        if (sign > 0 and u >= v) or (sign < 0 and u <= v):
            return False
    while p >= first:
        q = physical(S, k, p)
        u = S.rows[q, value_column]
        if (sign > 0 and u > v) or (sign < 0 and u < v):
            break
        p = S.rows[q, links]
    if p >= first:
        S.rows[physical(S, k, p), links + 1] = number
        S.rows[r, links] = p
    else:
        S.rows[r, links] = -1
    S.rows[r, links + 1] = after
    if after >= 0:
        S.rows[physical(S, k, after), links] = number
    else:
        S.keys[k, tail] = number
    return True


@inline
def _front(S: State, k: int, cell: int, value_column: int, sign: int, number: int, v: int) -> None:
    """Make a row the window's extreme if it is not below the present one."""
    f = S.keys[k, cell]
    if f >= 0:
        u = S.rows[physical(S, k, f), value_column]
        if (sign > 0 and u > v) or (sign < 0 and u < v):
            return
    S.keys[k, cell] = number


@inline
def _last_occurrence(L: Layout, S: State, k: int, m: int, number: int) -> tuple[bool, int]:
    """Enter a row in the table of last occurrences.

    Returns (is the row its value's last occurrence, time of the last occurrence before it).
    """
    d = L.mdist[m]
    r = physical(S, k, number)
    v, t = S.rows[r, L.mval[m]], S.rows[r, 0]
    a = k * L.dims[D_DISTINCT] + d
    s = find_last(S, a, v)
    if S.table[s, 1] == 0:
        set_last(S, s, a, v, number)
        return True, TIME_MIN
    other = physical(S, k, last_number(S, s))
    if S.rows[other, 0] > t:
        supersede(L, S, r, d)
        return False, TIME_MIN
    supersede(L, S, other, d)
    set_last(S, s, a, v, number)
    return True, S.rows[other, 0]


@inline
def _enter_rare(
    L: Layout, S: State, k: int, e: int, c: int, number: int, v: int, in_max: bool, in_min: bool
) -> None:
    """Count a row with value `v` (row column `c`) in the parts of an entry that few features need."""
    if L.e_q[e] >= 0:
        _add_square(S, k, L.e_q[e], v, 1)
    if L.e_x[e] >= 0 and in_max:
        _front(S, k, L.e_x[e], c, 1, number, v)
    if L.e_i[e] >= 0 and in_min:
        _front(S, k, L.e_i[e], c, -1, number, v)
    if L.e_t[e] >= 0:
        S.keys[k, L.e_t[e]] = treap_insert(S.nodes, S.meta, S.path, S.keys[k, L.e_t[e]], v)


@inline
def enter(L: Layout, S: State, k: int, number: int) -> None:
    """Count a new row in the windows it lies in; `S.lows` are the windows' lower bounds at the head."""
    r = physical(S, k, number)
    t = S.rows[r, 0]
    measures = L.dims[D_MEASURES]
    for word in range((measures + 63) >> 6):
        bits = np.uint64(S.rows[r, BITS + word])
        while bits != 0:
            m = 64 * word + lowest_bit(bits)
            if m >= measures:  # behind the masks: values of this row that were superseded just now
                break
            bits &= bits - np.uint64(1)
            c = L.mval[m]
            v = S.rows[r, c] if c >= 0 else 0
            newest, previous = False, TIME_MIN
            if L.mdist[m] >= 0:
                newest, previous = _last_occurrence(L, S, k, m, number)
            in_max, in_min = True, True
            if L.mmax[m] >= 0:
                in_max = _stack_place(S, k, L.mmax[m], L.mmaxt[m], c, 1, number)
            if L.mmin[m] >= 0:
                in_min = _stack_place(S, k, L.mmin[m], L.mmint[m], c, -1, number)
            for j in range(L.mwptr[m], L.mwptr[m + 1]):
                w = L.arrive[j, P_W]
                if t <= S.lows[w]:
                    continue
                n, s, d = L.arrive[j, P_N], L.arrive[j, P_S], L.arrive[j, P_D]
                if n >= 0:
                    S.keys[k, n] += 1
                if s >= 0:
                    _add_sum(S, k, s, v)
                if d >= 0 and newest and previous <= S.lows[w]:
                    S.keys[k, d] += 1
                if L.arrive[j, P_RARE] == 1:
                    _enter_rare(L, S, k, L.arrive[j, P_ENTRY], c, number, v, in_max, in_min)


@inline
def shift_positions(L: Layout, S: State, k: int, q: int) -> None:
    """After a late row took position `q`: move cursors and remembered positions behind it."""
    number = number_at(S, k, q)
    r = physical(S, k, number)
    t = S.rows[r, 0]
    for w in range(L.span.shape[0]):
        o = L.woff[w]
        if o < 0:
            continue
        inside = t > S.lows[w]
        if not inside:
            S.keys[k, o] += 1
        elif q <= S.keys[k, o]:
            S.keys[k, o + 1] = t
        for j in range(L.wmptr[w], L.wmptr[w + 1]):
            m = L.wm[j]
            e = L.entry[m, w]
            if L.e_f[e] < 0:
                continue
            if q <= S.keys[k, L.e_f[e]]:
                if inside and masked(S, r, m):
                    S.keys[k, L.e_f[e]] = q
                elif q < S.keys[k, L.e_f[e]]:
                    S.keys[k, L.e_f[e]] += 1
    for m in range(L.mval.shape[0]):
        o = L.mlast[m]
        if o >= 0:
            if q <= S.keys[k, o]:
                S.keys[k, o] += 1
            elif masked(S, r, m):
                S.keys[k, o] = q


@inline
def note_last(L: Layout, S: State, k: int, position: int) -> None:
    """After a row took the last position: remember it for first, last and lag."""
    r = row_at(S, k, position)
    for j in range(L.m_last_list.shape[0]):
        m = L.m_last_list[j]
        if masked(S, r, m):
            S.keys[k, L.mlast[m]] = position


@inline
def advance_head(L: Layout, S: State, k: int, t: int) -> None:
    """Bring every streaming window of a key to time `t`; fills the windows' lower bounds."""
    for w in range(L.span.shape[0]):
        if L.woff[w] >= 0:
            S.lows[w] = lower_bound(L, w, t)
            expire(L, S, k, w, S.lows[w])
    S.keys[k, HEAD] = t
