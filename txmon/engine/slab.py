"""Rows of a key: where they lie, how they are appended, put in place late, moved and given back.

Owns slabs, positions and the table of last occurrences that distinct counts need; never touches a
window's aggregates.
"""

from __future__ import annotations

import numpy as np

from txmon.engine.hashing import slot_of
from txmon.engine.state import (
    BITS,
    FAIL_BUFFER,
    FAIL_HASH,
    FAIL_PERM,
    FAIL_ROWS,
    FIRST,
    I64,
    LENGTH,
    M_FAIL,
    M_HASH,
    M_LONGEST,
    M_ROWS,
    NEXT,
    PERMUTED,
    SFIRST,
    SNEXT,
    START,
    Layout,
    State,
)
from txmon.jit import inline, kernel

D_COLUMNS, D_MEASURES, D_VALUE, D_DISTINCT, D_TREAPS = range(5)
FIRST_LENGTH = 2


@inline
def physical(S: State, k: int, number: int) -> int:
    """Line of `rows` that holds row `number` of key `k`."""
    return S.keys[k, START] + (number & (S.keys[k, LENGTH] - 1))


@inline
def number_at(S: State, k: int, position: int) -> int:
    """Number of the row at a sorted position."""
    if S.keys[k, PERMUTED] == 0:
        return position
    return S.perm[S.keys[k, START] + (position & (S.keys[k, LENGTH] - 1))]


@inline
def row_at(S: State, k: int, position: int) -> int:
    """Line of `rows` of the row at a sorted position."""
    return physical(S, k, number_at(S, k, position))


@inline
def position_after(S: State, k: int, t: int) -> int:
    """First sorted position whose time is greater than `t`."""
    lo, hi = S.keys[k, SFIRST], S.keys[k, SNEXT]
    while lo < hi:
        mid = (lo + hi) >> 1
        if S.rows[row_at(S, k, mid), 0] <= t:
            lo = mid + 1
        else:
            hi = mid
    return lo


@inline
def holds_last(S: State, s: int, a: int, value: int) -> bool:
    """True if slot `s` is the one of (key and distinct `a`, value)."""
    return S.table[s, 1] >> 32 == a + 1 and S.table[s, 0] == value


@inline
def find_last(S: State, a: int, value: int) -> int:
    """Slot of (key and distinct `a`, value) in the table of last occurrences, or the empty slot for it."""
    mask = S.table.shape[0] - 1
    s = slot_of(a, value, mask)
    while S.table[s, 1] != 0 and not holds_last(S, s, a, value):
        s = (s + 1) & mask
    return s


@inline
def last_number(S: State, s: int) -> int:
    """Low 32 bits of the row number in a slot: enough for `physical`, since no slab is that long."""
    return S.table[s, 1] & 0xFFFFFFFF


@inline
def set_last(S: State, s: int, a: int, value: int, number: int) -> None:
    """Write an entry into the slot that `find_last` returned."""
    if S.table[s, 1] == 0:
        S.meta[M_HASH] += 1
    S.table[s, 0] = value
    S.table[s, 1] = ((a + 1) << 32) | (number & 0xFFFFFFFF)


@inline
def drop_last(S: State, s: int) -> None:
    """Empty a slot and close the gap behind it (linear probing, backward shift)."""
    mask = S.table.shape[0] - 1
    S.meta[M_HASH] -= 1
    hole = s
    j = s
    while True:
        S.table[hole, 1] = 0
        while True:
            j = (j + 1) & mask
            if S.table[j, 1] == 0:
                return
            home = slot_of((S.table[j, 1] >> 32) - 1, S.table[j, 0], mask)
            # the entry may move back only if its home does not lie behind the hole
            if ((j - home) & mask) >= ((j - hole) & mask):
                break
        S.table[hole, 0] = S.table[j, 0]
        S.table[hole, 1] = S.table[j, 1]
        hole = j


@kernel
def move_last(old: I64, new: I64) -> None:
    """Enter the last occurrences in `old` into the table `new`, which has room for them."""
    mask = new.shape[0] - 1
    for i in range(old.shape[0]):
        if old[i, 1] != 0:
            s = slot_of((old[i, 1] >> 32) - 1, old[i, 0], mask)
            while new[s, 1] != 0:
                s = (s + 1) & mask
            new[s, 0] = old[i, 0]
            new[s, 1] = old[i, 1]


@inline
def masked(S: State, r: int, m: int) -> bool:
    """True if line `r` counts for measure `m`."""
    return (S.rows[r, BITS + (m >> 6)] >> (m & 63)) & 1 != 0


@inline
def superseded(L: Layout, S: State, r: int, d: int) -> bool:
    """True if a later row of the key has the same value for distinct count `d`."""
    return masked(S, r, L.dims[D_MEASURES] + d)


@inline
def supersede(L: Layout, S: State, r: int, d: int) -> None:
    """Mark line `r` as followed by the same value."""
    b = L.dims[D_MEASURES] + d
    S.rows[r, BITS + (b >> 6)] |= np.int64(1) << (b & 63)


@inline
def forget(L: Layout, S: State, k: int, bound: int) -> None:
    """Drop rows not newer than `bound`; every window has let go of them already."""
    nd = L.dims[D_DISTINCT]
    p, end = S.keys[k, SFIRST], S.keys[k, SNEXT]
    while p < end:
        r = row_at(S, k, p)
        if S.rows[r, 0] > bound:
            break
        if nd > 0:
            for m in range(L.mval.shape[0]):
                d = L.mdist[m]
                if d >= 0 and masked(S, r, m) and not superseded(L, S, r, d):
                    s = find_last(S, k * nd + d, S.rows[r, L.mval[m]])
                    if S.table[s, 1] != 0:
                        drop_last(S, s)
        p += 1
    S.keys[k, SFIRST] = p
    n, stop = S.keys[k, FIRST], S.keys[k, NEXT]
    while n < stop and S.rows[physical(S, k, n), 0] <= bound:
        n += 1
    S.keys[k, FIRST] = n


@inline
def size_class(length: int) -> int:
    """Index of a power of two in the list of free slabs."""
    c = 0
    while length > 1:
        length >>= 1
        c += 1
    return c


@inline
def release(S: State, k: int) -> None:
    """Give the slab of a key back."""
    length = S.keys[k, LENGTH]
    if length > 0:
        c = size_class(length)
        S.rows[S.keys[k, START], 0] = S.free[c]
        S.free[c] = S.keys[k, START]
        S.keys[k, LENGTH] = 0


@inline
def make_room(L: Layout, S: State, k: int, bound: int) -> bool:
    """Make sure that key `k` can take a row; false (with the reason in `meta`) if arrays must grow."""
    if S.meta[M_HASH] + L.dims[D_DISTINCT] > S.table.shape[0] * 0.6:
        S.meta[M_FAIL] = FAIL_HASH
        return False
    length = S.keys[k, LENGTH]
    used = S.keys[k, NEXT] - S.keys[k, FIRST]
    if used < length:
        return True
    if length > 0:
        forget(L, S, k, bound)
        used = S.keys[k, NEXT] - S.keys[k, FIRST]
        # Keep the slab only if enough of it came free, or the next row would search again.
        if used * 4 <= length * 3 and used < length:
            return True
    longer = FIRST_LENGTH if length == 0 else length * 2
    if longer > S.buffer.shape[0]:
        S.meta[M_FAIL] = FAIL_BUFFER
        return False
    S.meta[M_LONGEST] = max(S.meta[M_LONGEST], longer)
    c = size_class(longer)
    start = S.free[c]
    if start >= 0:
        S.free[c] = S.rows[start, 0]
    else:
        start = S.meta[M_ROWS]
        if start + longer > S.rows.shape[0]:
            S.meta[M_FAIL] = FAIL_ROWS
            return False
        S.meta[M_ROWS] = start + longer
    for n in range(S.keys[k, FIRST], S.keys[k, NEXT]):
        r = physical(S, k, n)
        q = start + (n & (longer - 1))
        for c2 in range(S.rows.shape[1]):
            S.rows[q, c2] = S.rows[r, c2]
    if S.keys[k, PERMUTED] == 1:
        for p in range(S.keys[k, SFIRST], S.keys[k, SNEXT]):
            S.perm[start + (p & (longer - 1))] = S.perm[S.keys[k, START] + (p & (length - 1))]
    release(S, k)
    S.keys[k, START] = start
    S.keys[k, LENGTH] = longer
    return True


@inline
def write_row(L: Layout, S: State, k: int, values: tuple[int, int], masks: I64, vals: I64) -> int:
    """Append a row's content (time and order in `values`); returns its number. Positions are the caller's."""
    number = S.keys[k, NEXT]
    r = physical(S, k, number)
    S.rows[r, 0] = values[0]
    S.rows[r, 1] = values[1]
    c = L.dims[D_VALUE]
    for j in range(masks.shape[0]):
        S.rows[r, BITS + j] = masks[j]
    for j in range(BITS + masks.shape[0], c):
        S.rows[r, j] = 0
    for j in range(vals.shape[0]):
        S.rows[r, c + j] = vals[j]
    for j in range(c + vals.shape[0], S.rows.shape[1]):
        S.rows[r, j] = -1
    S.keys[k, NEXT] = number + 1
    return number


@inline
def place_late(S: State, k: int, t: int, number: int) -> int:
    """Put the row just written at its sorted position; returns the position."""
    q = position_after(S, k, t)
    end = S.keys[k, SNEXT]
    start, ring = S.keys[k, START], S.keys[k, LENGTH] - 1
    if S.keys[k, PERMUTED] == 0:
        for p in range(S.keys[k, SFIRST], end):
            S.perm[start + (p & ring)] = p
        S.keys[k, PERMUTED] = 1
    for p in range(end, q, -1):
        S.perm[start + (p & ring)] = S.perm[start + ((p - 1) & ring)]
    S.perm[start + (q & ring)] = number
    S.keys[k, SNEXT] = end + 1
    return q


@inline
def perm_ready(S: State) -> bool:
    """True if the array of positions covers the rows; it is made when the first late event comes."""
    if S.perm.shape[0] < S.rows.shape[0]:
        S.meta[M_FAIL] = FAIL_PERM
        return False
    return True
