"""Fingerprints of events: the idempotency key, and the content behind it.

The key is a 128-bit keyed hash of (source, event_id); the content a 42-bit hash over every other column.
A column that is null adds nothing, so a column added to the schema later changes no old content. Owns
hashing of columns; `txmon.engine.dedup` owns the table.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa

from txmon.engine.hashing import Words, text_hashes
from txmon.jit import inline, kernel
from txmon.rules.vec import plain, validity

_K0, _K1 = 0x636F_6E74_656E_7431, 0x6465_6475_706C_6963
_SKIPPED = {"source", "event_id", "ingest_seq"}


# Texts of fewer rows are hashed one by one: to find those that repeat would take longer.
_FEW_ROWS = 64


@inline
def mix64(x: int) -> int:
    """Scatter the bits of a word (finaliser of splitmix64, public domain)."""
    u = np.uint64(x)
    u ^= u >> np.uint64(30)
    u *= np.uint64(0xBF58476D1CE4E5B9)
    u ^= u >> np.uint64(27)
    u *= np.uint64(0x94D049BB133111EB)
    u ^= u >> np.uint64(31)
    return np.int64(u)


@kernel
def _add_coded(total: Words, codes: Words, words: Words, salt: int) -> None:
    for i in range(total.shape[0]):
        if codes[i] >= 0:
            total[i] += mix64(words[codes[i]] ^ salt)


@kernel
def _add_plain(total: Words, values: Words, valid: np.ndarray, salt: int) -> None:
    for i in range(total.shape[0]):
        if valid[i]:
            total[i] += mix64(mix64(values[i]) ^ salt)


@kernel
def _join(total: Words, first: Words, second: Words, salt: int) -> None:
    for i in range(total.shape[0]):
        total[i] = mix64(first[i] ^ mix64(second[i] ^ salt))


@cache
def _salt(name: str) -> int:
    return int(text_hashes(pa.array([name]), _K0, _K1)[0, 0])


def _plain_words(values: pa.Array) -> tuple[Words, np.ndarray]:
    data, ok = plain(values)
    words = (data + 0.0).view(np.int64) if pa.types.is_floating(values.type) else data.astype(np.int64)
    return words, np.ones(len(words), np.bool_) if ok is True else ok


def _add_nested(total: Words, values: pa.Array, salt: int) -> None:
    """Lists and maps: hash the entries as a table of their own, then add them row by row."""
    offsets = values.offsets.to_numpy().astype(np.int64)
    start, stop = int(offsets[0]), int(offsets[-1])
    if pa.types.is_map(values.type):
        fields = {"key": values.keys[start:stop], "value": values.items[start:stop]}
    else:
        entries = values.values[start:stop]
        fields = {f.name: entries.field(i) for i, f in enumerate(entries.type)}
    inner = np.zeros(stop - start, np.int64)
    for name, array in fields.items():
        add_column(inner, array, _salt(name) ^ salt)
    row = np.repeat(np.arange(len(values)), np.diff(offsets))
    valid = values.is_valid().to_numpy(zero_copy_only=False)
    np.add.at(total, row[valid[row]], inner[valid[row]])


def add_column(total: Words, values: pa.Array, salt: int) -> None:
    """Add a column's hashes to `total`, null adding nothing."""
    if values.null_count == len(values):
        return
    if pa.types.is_dictionary(values.type):
        data, ok = plain(values.indices)
        codes = np.where(ok, data, -1).astype(np.int64, copy=False)
        words = np.ascontiguousarray(text_hashes(values.dictionary, _K0, _K1)[:, 0])
        _add_coded(total, codes, words, salt)
    elif pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        if len(values) > _FEW_ROWS:
            add_column(total, values.dictionary_encode(), salt)
            return
        words = np.ascontiguousarray(text_hashes(values, _K0, _K1)[:, 0])
        _add_coded(total, np.where(validity(values), np.arange(len(values)), -1), words, salt)
    elif pa.types.is_nested(values.type):
        _add_nested(total, values, salt)
    else:
        _add_plain(total, *_plain_words(values), salt)


def content_hashes(events: pa.Table) -> Words:
    """Return one word per row over every column but the identity and the order of arrival."""
    total = np.zeros(len(events), np.int64)
    for name in events.column_names:
        if name not in _SKIPPED:
            add_column(total, one_chunk(events.column(name)), _salt(name))
    return total


def identity_hashes(events: pa.Table) -> Words:
    """Return (rows, 2) words of (source, event_id)."""
    ids = one_chunk(events.column("event_id"))
    words = text_hashes(ids if not pa.types.is_dictionary(ids.type) else ids.dictionary_decode(), _K0, _K1)
    source = np.zeros(len(events), np.int64)
    add_column(source, one_chunk(events.column("source")), 0)
    joined = np.empty_like(words)
    for j in range(2):
        column = np.empty(len(events), np.int64)
        _join(column, np.ascontiguousarray(words[:, j]), source, j)
        joined[:, j] = column
    return joined


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array."""
    if column.num_chunks == 1:
        return column.chunk(0)
    if column.num_chunks == 0:
        return pa.array([], column.type)
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return column.combine_chunks()
