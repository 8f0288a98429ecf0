"""Exact sums: signed 128-bit integers as two words, for kernels.

A value is ``hi * 2**64 + unsigned(lo)``; both words travel as int64 so that they fit the key state.
Amounts are at most 10**15 minor units, so a sum of 10**15 rows and a sum of squares of 10**8 rows of
the largest amount still fit. Owns arithmetic only.
"""

from __future__ import annotations

import numpy as np

from txmon.jit import inline

_U32 = np.uint64(0xFFFFFFFF)
_S32 = np.uint64(32)
_TWO64 = 18446744073709551616.0


@inline
def add128(hi: int, lo: int, vhi: int, vlo: int) -> tuple[int, int]:
    """Return (hi, lo) of the sum; wraps at 128 bits."""
    ulo = np.uint64(lo) + np.uint64(vlo)
    carry = np.int64(1) if ulo < np.uint64(vlo) else np.int64(0)
    return np.int64(hi) + np.int64(vhi) + carry, np.int64(ulo)


@inline
def neg128(hi: int, lo: int) -> tuple[int, int]:
    """Return (hi, lo) of the negated value."""
    return add128(~hi, ~lo, 0, 1)


@inline
def mul64u(a: int, b: int) -> tuple[int, int]:
    """Return (hi, lo) of the product of two unsigned words."""
    ua, ub = np.uint64(a), np.uint64(b)
    a0, a1, b0, b1 = ua & _U32, ua >> _S32, ub & _U32, ub >> _S32
    low = a0 * b0
    mid = a1 * b0 + (low >> _S32)
    mid2 = a0 * b1 + (mid & _U32)
    hi = a1 * b1 + (mid >> _S32) + (mid2 >> _S32)
    return np.int64(hi), np.int64(ua * ub)


@inline
def square128(v: int) -> tuple[int, int]:
    """Return (hi, lo) of the square of a signed word."""
    a = -v if v < 0 else v
    return mul64u(a, a)


@inline
def double128(hi: int, lo: int) -> float:
    """Return the value as a double, rounded as DuckDB casts a HUGEINT."""
    if hi == -1:
        return -(np.float64(np.uint64(~lo))) - 1.0
    return np.float64(np.uint64(lo)) + np.float64(hi) * _TWO64


@inline
def spread128(n: int, shi: int, slo: int, qhi: int, qlo: int) -> tuple[bool, float]:
    """Return (fits, double(n*Q - S*S)) for n rows with sum S and sum of squares Q.

    ``fits`` is false where a product or the difference leaves the 128 bits that SQL has too.
    """
    # n*Q, with Q >= 0
    p0h, p0l = mul64u(n, qlo)
    p1h, p1l = mul64u(n, qhi)
    if p1h != 0 or p1l < 0 or qhi < 0:
        return False, 0.0
    nh = np.int64(p0h) + np.int64(p1l)
    if p0h < 0 or nh < 0:
        return False, 0.0
    nl = p0l
    # S*S, with |S| < 2**64 or else it cannot fit
    ah, al = (shi, slo) if shi >= 0 else neg128(shi, slo)
    if ah != 0:
        return False, 0.0
    sh, sl = mul64u(al, al)
    if sh < 0:
        return False, 0.0
    mh, ml = neg128(sh, sl)
    rh, rl = add128(nh, nl, mh, ml)
    return True, double128(rh, rl)
