"""Order statistics for median and quantile: treaps in one shared arena of nodes.

Insertion, removal and the k-th value cost O(log n) expected. Priorities come from a hash of the node's
number and value, so a replay builds the same trees. Owns nodes; the roots lie in the keys' lines.
Reference: C. R. Aragon, R. Seidel, "Randomized search trees", 1989.
"""

from __future__ import annotations

import numpy as np

from txmon.engine.state import FAIL_NODES, I64, M_FAIL, M_FREE_NODE, M_NODES
from txmon.jit import inline

VALUE, COUNT, SIZE, LEFT, RIGHT, PRIORITY, NODE_COLUMNS = range(7)
DEPTH_MAX = 512  # cells of `path`; a tree of 10**9 nodes is about 80 deep


@inline
def _priority(value: int, node: int) -> int:
    x = np.uint64(value) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(node)
    x ^= x >> np.uint64(31)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    return np.int64(x >> np.uint64(1))


@inline
def _resize(nodes: I64, n: int) -> None:
    left, right = nodes[n, LEFT], nodes[n, RIGHT]
    size = nodes[n, COUNT]
    if left >= 0:
        size += nodes[left, SIZE]
    if right >= 0:
        size += nodes[right, SIZE]
    nodes[n, SIZE] = size


@inline
def treap_has_room(nodes: I64, meta: I64, count: int) -> bool:
    """True if `count` values can be inserted; otherwise notes the failure for the caller to grow."""
    if meta[M_NODES] + count > nodes.shape[0]:
        meta[M_FAIL] = FAIL_NODES
        return False
    return True


@inline
def _new_node(nodes: I64, meta: I64, value: int) -> int:
    n = meta[M_FREE_NODE]
    if n >= 0:
        meta[M_FREE_NODE] = nodes[n, LEFT]
    else:
        n = meta[M_NODES]
        meta[M_NODES] = n + 1
    nodes[n, VALUE] = value
    nodes[n, COUNT] = 1
    nodes[n, SIZE] = 1
    nodes[n, LEFT] = -1
    nodes[n, RIGHT] = -1
    nodes[n, PRIORITY] = _priority(value, n)
    return n


@inline
def _rotate_up(nodes: I64, path: I64, depth: int) -> int:
    """Move the last node of `path` up while its priority is the larger one; returns the top's number."""
    n = path[depth]
    d = depth - 1
    while d >= 0 and nodes[path[d], PRIORITY] < nodes[n, PRIORITY]:
        p = path[d]
        if nodes[p, LEFT] == n:
            nodes[p, LEFT] = nodes[n, RIGHT]
            nodes[n, RIGHT] = p
        else:
            nodes[p, RIGHT] = nodes[n, LEFT]
            nodes[n, LEFT] = p
        _resize(nodes, p)
        _resize(nodes, n)
        if d > 0:
            g = path[d - 1]
            if nodes[g, LEFT] == p:
                nodes[g, LEFT] = n
            else:
                nodes[g, RIGHT] = n
        d -= 1
    if d < 0:
        return n
    return path[0]


@inline
def treap_insert(nodes: I64, meta: I64, path: I64, root: int, value: int) -> int:
    """Insert a value; returns the new root (-1 is the empty tree)."""
    if root < 0:
        return _new_node(nodes, meta, value)
    depth = 0
    n = root
    while n >= 0:
        path[depth] = n
        depth += 1
        nodes[n, SIZE] += 1
        if nodes[n, VALUE] == value:
            nodes[n, COUNT] += 1
            return root
        n = nodes[n, LEFT] if value < nodes[n, VALUE] else nodes[n, RIGHT]
    new = _new_node(nodes, meta, value)
    p = path[depth - 1]
    if value < nodes[p, VALUE]:
        nodes[p, LEFT] = new
    else:
        nodes[p, RIGHT] = new
    path[depth] = new
    return _rotate_up(nodes, path, depth)


@inline
def _merge(nodes: I64, spine: I64, left: int, right: int) -> int:
    """Join two trees, all of `left` below all of `right`; iterative, top down."""
    root = -1
    hook = -1  # node whose child is open
    right_side = False
    depth = 0
    while left >= 0 and right >= 0:
        if nodes[left, PRIORITY] >= nodes[right, PRIORITY]:
            n = left
            left = nodes[left, RIGHT]
            side = True
        else:
            n = right
            right = nodes[right, LEFT]
            side = False
        if hook < 0:
            root = n
        elif right_side:
            nodes[hook, RIGHT] = n
        else:
            nodes[hook, LEFT] = n
        spine[depth] = n
        depth += 1
        hook = n
        right_side = side
    rest = left if left >= 0 else right
    if hook < 0:
        return rest
    if right_side:
        nodes[hook, RIGHT] = rest
    else:
        nodes[hook, LEFT] = rest
    while depth > 0:
        depth -= 1
        _resize(nodes, spine[depth])
    return root


@inline
def treap_remove(nodes: I64, meta: I64, path: I64, root: int, value: int) -> int:
    """Remove one occurrence of a value that is in the tree; returns the new root."""
    parent = -1
    n = root
    while nodes[n, VALUE] != value:
        nodes[n, SIZE] -= 1
        parent = n
        n = nodes[n, LEFT] if value < nodes[n, VALUE] else nodes[n, RIGHT]
    if nodes[n, COUNT] > 1:
        nodes[n, COUNT] -= 1
        nodes[n, SIZE] -= 1
        return root
    joined = _merge(nodes, path, nodes[n, LEFT], nodes[n, RIGHT])
    nodes[n, LEFT] = meta[M_FREE_NODE]
    meta[M_FREE_NODE] = n
    if parent < 0:
        return joined
    if nodes[parent, LEFT] == n:
        nodes[parent, LEFT] = joined
    else:
        nodes[parent, RIGHT] = joined
    return root


@inline
def treap_kth(nodes: I64, root: int, k: int) -> int:
    """Return the k-th smallest value, k from 0."""
    n = root
    while True:
        left = nodes[n, LEFT]
        below = nodes[left, SIZE] if left >= 0 else 0
        if k < below:
            n = left
        elif k < below + nodes[n, COUNT]:
            return nodes[n, VALUE]
        else:
            k -= below + nodes[n, COUNT]
            n = nodes[n, RIGHT]
