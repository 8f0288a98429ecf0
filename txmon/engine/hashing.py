"""Keyed 128-bit hashes of text, and hash tables from 128 bits or two words to small integers.

SipHash-2-4 with 128-bit output (J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF",
2012, and its 128-bit variant): ids chosen by a stranger collide only after about 2**64 tries.
Owns kernels only; the tables live in `txmon.engine.interner`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from txmon.jit import inline, kernel, prefetch

Words = npt.NDArray[np.int64]
AHEAD = 12  # rows: how early a slot of a table is asked for, about the time that memory takes to answer

_V0, _V1 = np.uint64(0x736F6D6570736575), np.uint64(0x646F72616E646F6D)
_V2, _V3 = np.uint64(0x6C7967656E657261), np.uint64(0x7465646279746573)
_EE, _DD, _FF = np.uint64(0xEE), np.uint64(0xDD), np.uint64(0xFF)


@inline
def _rotl(x: int, b: int) -> int:
    return (x << np.uint64(b)) | (x >> np.uint64(64 - b))


@inline
def _round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    v0 = v0 + v1
    v1 = _rotl(v1, 13) ^ v0
    v0 = _rotl(v0, 32)
    v2 = v2 + v3
    v3 = _rotl(v3, 16) ^ v2
    v0 = v0 + v3
    v3 = _rotl(v3, 21) ^ v0
    v2 = v2 + v1
    v1 = _rotl(v1, 17) ^ v2
    v2 = _rotl(v2, 32)
    return v0, v1, v2, v3


@inline
def siphash128(data: npt.NDArray[np.uint8], start: int, end: int, k0: int, k1: int) -> tuple[int, int]:
    """Return the two words of the hash of ``data[start:end]``."""
    a, b = np.uint64(k0), np.uint64(k1)
    v0, v1, v2, v3 = _V0 ^ a, _V1 ^ b ^ _EE, _V2 ^ a, _V3 ^ b
    length = end - start
    i = start
    while end - i >= 8:
        m = np.uint64(0)
        for j in range(8):
            m |= np.uint64(data[i + j]) << np.uint64(8 * j)
        v3 ^= m
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= m
        i += 8
    m = np.uint64(length & 0xFF) << np.uint64(56)
    for j in range(end - i):
        m |= np.uint64(data[i + j]) << np.uint64(8 * j)
    v3 ^= m
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0 ^= m
    v2 ^= _EE
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    first = v0 ^ v1 ^ v2 ^ v3
    v1 ^= _DD
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return np.int64(first), np.int64(v0 ^ v1 ^ v2 ^ v3)


@kernel
def _hash_all(
    offsets: npt.NDArray[np.int32], data: npt.NDArray[np.uint8], k0: int, k1: int, out: Words
) -> None:
    for i in range(out.shape[0]):
        h1, h2 = siphash128(data, offsets[i], offsets[i + 1], k0, k1)
        out[i, 0] = h1
        out[i, 1] = h2


def text_hashes(values: pa.Array, k0: int, k1: int) -> Words:
    """Return an (n, 2) array of hash words of a string array; a null hashes as the empty text."""
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        values = values.cast(pa.string())
    width: Any = np.int64 if pa.types.is_large_string(values.type) else np.int32
    out = np.empty((len(values), 2), np.int64)
    if len(values) == 0:
        return out
    _, offset_buffer, data_buffer = values.buffers()
    offsets = np.frombuffer(offset_buffer, width)[values.offset : values.offset + len(values) + 1]
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.zeros(1, np.uint8)
    _hash_all(offsets, data, k0, k1, out)
    return out


@inline
def slot_of(h1: int, h2: int, mask: int) -> int:
    """First slot of a pair of words in a table of ``mask + 1`` slots."""
    x = np.uint64(h1) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(h2) * np.uint64(0xC2B2AE3D27D4EB4F)
    x ^= x >> np.uint64(29)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(32)
    return np.int64(x & np.uint64(mask))


@kernel
def intern_words(table: Words, words: Words, next_code: int, codes: Words, fresh: Words) -> int:
    """Give each row of `words` a code, new ones from `next_code` on; returns how many were new.

    `table` is (slots, 3): two words and the code, code -1 where empty; it must have room. `fresh` gets
    the row numbers of first appearances in order.
    """
    mask = table.shape[0] - 1
    count = 0
    for i in range(words.shape[0]):
        ahead = i + AHEAD
        if ahead < words.shape[0]:
            prefetch(table, 3 * slot_of(words[ahead, 0], words[ahead, 1], mask))
        a, b = words[i, 0], words[i, 1]
        s = slot_of(a, b, mask)
        while True:
            code = table[s, 2]
            if code < 0:
                code = next_code + count
                table[s, 0] = a
                table[s, 1] = b
                table[s, 2] = code
                fresh[count] = i
                count += 1
                break
            if table[s, 0] == a and table[s, 1] == b:
                break
            s = (s + 1) & mask
        codes[i] = code
    return count


@kernel
def rehash(old: Words, new: Words) -> None:
    """Move every entry of `old` into the empty, larger table `new`."""
    mask = new.shape[0] - 1
    for i in range(old.shape[0]):
        if old[i, 2] >= 0:
            s = slot_of(old[i, 0], old[i, 1], mask)
            while new[s, 2] >= 0:
                s = (s + 1) & mask
            new[s, 0] = old[i, 0]
            new[s, 1] = old[i, 1]
            new[s, 2] = old[i, 2]


@kernel
def _first_seen(raw: Words, seen: npt.NDArray[np.bool_], used: Words) -> int:
    count = 0
    for i in range(raw.shape[0]):
        v = raw[i]
        if v >= 0 and not seen[v]:
            seen[v] = True
            used[count] = v
            count += 1
    return count


def first_seen(raw: Words, size: int) -> Words:
    """Return the distinct non-negative values of `raw` (all below `size`) in order of first appearance."""
    used = np.empty(size, np.int64)
    return used[: _first_seen(raw, np.zeros(size, np.bool_), used)]
