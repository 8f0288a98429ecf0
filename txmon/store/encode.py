"""Kernels that lay canonical text out for whole columns: first measure, then write.

Owns the loops over Arrow's buffers; what a text is, `txmon.store.canonical` says. Nothing here calls a
helper of another module, so that compiled code kept on disk is as new as this file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from txmon.jit import inline, kernel

TEXT, NUMBER, DOUBLE = range(3)
I64 = npt.NDArray[np.int64]
_NULL_ENTRY = 4  # bytes of "-:~;"


@inline
def _digits_of(value: Any) -> int:
    """How many characters a number has in decimal digits, sign included."""
    u = np.uint64(value)
    count = 1
    if value < 0:
        u = np.uint64(0) - u
        count = 2
    while u >= np.uint64(10):
        u //= np.uint64(10)
        count += 1
    return count


@inline
def _put_number(value: Any, out: Any, at: int) -> int:
    """Write decimal digits at a place; returns the place after them."""
    end = at + _digits_of(value)
    u = np.uint64(value)
    if value < 0:
        u = np.uint64(0) - u
        out[at] = np.uint8(45)
    i = end - 1
    while True:
        out[i] = np.uint8(np.uint64(48) + u % np.uint64(10))
        u //= np.uint64(10)
        if u == np.uint64(0):
            return end
        i -= 1


@inline
def _put_hex(value: Any, out: Any, at: int) -> int:
    u = np.uint64(value)
    for i in range(16):
        nibble = (u >> np.uint64(60 - 4 * i)) & np.uint64(15)
        out[at + i] = np.uint8(nibble + (np.uint64(48) if nibble < np.uint64(10) else np.uint64(87)))
    return at + 16


@kernel
def measure(kind: int, edges: Any, bits: Any, first: int, checked: bool, name: int, sizes: I64) -> None:
    """Add to `sizes` what a column takes in each row; `name`: bytes of the prefix, -1 for list entries."""
    prefix = max(name, 0)
    for i in range(sizes.shape[0]):
        b = first + i
        if checked and not (bits[b >> 3] >> np.uint8(b & 7)) & 1:
            if name < 0:
                sizes[i] += _NULL_ENTRY
            continue
        if kind == TEXT:
            length = np.int64(edges[i + 1]) - np.int64(edges[i])
        elif kind == NUMBER:
            length = np.int64(_digits_of(np.int64(edges[i])))
        else:
            length = np.int64(16)
        sizes[i] += prefix + _digits_of(length) + 2 + length


@kernel
def write(
    kind: int, edges: Any, data: Any, bits: Any, first: int, checked: bool, name: Any, out: Any, at: I64
) -> None:
    """Write a column's texts at the places `at`, which move on; an empty `name` writes list entries."""
    for i in range(at.shape[0]):
        b = first + i
        p = at[i]
        if checked and not (bits[b >> 3] >> np.uint8(b & 7)) & 1:
            if name.shape[0] == 0:
                out[p], out[p + 1], out[p + 2], out[p + 3] = 45, 58, 126, 59
                at[i] = p + _NULL_ENTRY
            continue
        for j in range(name.shape[0]):
            out[p + j] = name[j]
        p += name.shape[0]
        if kind == TEXT:
            start, stop = np.int64(edges[i]), np.int64(edges[i + 1])
            p = _put_number(stop - start, out, p)
            out[p] = 58
            for j in range(start, stop):
                p += 1
                out[p] = data[j]
            p += 1
        elif kind == NUMBER:
            p = _put_number(np.int64(_digits_of(np.int64(edges[i]))), out, p)
            out[p] = 58
            p = _put_number(np.int64(edges[i]), out, p + 1)
        else:
            p = _put_number(np.int64(16), out, p)
            out[p] = 58
            p = _put_hex(np.int64(edges[i]), out, p + 1)
        out[p] = 59
        at[i] = p + 1


@kernel
def place(parts: Any, width: int, data: Any, edges: I64) -> None:
    """Copy `width` bytes of every row of `parts` behind the first byte of its place, which becomes 0."""
    for i in range(edges.shape[0] - 1):
        p = edges[i]
        data[p] = 0
        for j in range(width):
            data[p + 1 + j] = parts[i * width + j]
