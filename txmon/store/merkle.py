"""Leaves, roots and paths: the Merkle tree of RFC 6962, section 2.1.

A leaf is SHA-256 of 0x00, a salt of 16 random bytes and the canonical bytes of a row; an inner node is
SHA-256 of 0x01 and its two children. Without its salt a leaf tells nothing about its row, so a proof can
show the neighbours' leaves. Owns hashing; never a database.
"""

from __future__ import annotations

import itertools
from hashlib import sha256

import numpy as np
import pyarrow as pa

from txmon.store.canonical import canonical_rows
from txmon.store.encode import place

SALT = 16
HASH = 32
NO_SALT = bytes(SALT)  # in the place of a salt: the row was erased
EMPTY_ROOT = sha256(b"").digest()


def table_leaves(table: pa.Table, salts: bytes) -> bytes:
    """Return the leaves of a table's rows, one after another."""
    rows = canonical_rows(table, 1 + SALT)
    place(np.frombuffer(salts or NO_SALT, np.uint8), SALT, rows.data, rows.edges)
    view, hash_of = memoryview(rows.data.data), sha256
    edges = rows.edges.tolist()
    return b"".join([hash_of(view[a:b]).digest() for a, b in itertools.pairwise(edges)])


def bytes_leaf(salt: bytes, content: bytes) -> bytes:
    """Return the leaf of a payload that is one document, or of one row's canonical bytes."""
    return sha256(b"\0" + salt + content).digest()


def root_of(leaves: bytes) -> bytes:
    """Return the tree's root; of no leaves, the hash of nothing."""
    if not leaves:
        return EMPTY_ROOT
    level = leaves
    while len(level) > HASH:
        level = _parents(level)
    return level


def path_of(leaves: bytes, index: int) -> list[tuple[bool, bytes]]:
    """Return the way from a leaf to the root: is the sibling on the right, and its hash."""
    path: list[tuple[bool, bytes]] = []
    level = leaves
    while len(level) > HASH:
        sibling = index ^ 1
        if sibling * HASH < len(level):
            path.append((sibling > index, level[sibling * HASH : (sibling + 1) * HASH]))
        level, index = _parents(level), index // 2
    return path


def root_from(leaf: bytes, path: list[tuple[bool, bytes]]) -> bytes:
    """Return the root that a leaf and its path lead to."""
    node = leaf
    for on_right, sibling in path:
        node = sha256(b"\1" + node + sibling if on_right else b"\1" + sibling + node).digest()
    return node


def _parents(level: bytes) -> bytes:
    """Pair the nodes of a level; a last one without a partner moves up as it is."""
    hash_of, pair = sha256, 2 * HASH
    full = len(level) // pair * pair
    nodes = [hash_of(b"\1" + level[i : i + pair]).digest() for i in range(0, full, pair)]
    return b"".join(nodes) + level[full:]
