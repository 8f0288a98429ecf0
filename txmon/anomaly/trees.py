"""Half-space trees: river builds them, a kernel walks them.

Owns the flattened trees, the masses per segment, and the loop over a batch: score, calibrate, explain,
then learn, row by row, with river's window swap. All masses are whole numbers below 2**53, so that the
raw score is river's to the last bit, whatever the order of additions. All segments share one structure
(the seed fixes it) and have masses of their own.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from txmon.anomaly.batch import (
    EXPLAIN_FACTOR,
    REASON_ROWS,
    REFUSED,
    SCORED,
    WARMING,
    Batch,
    ReasonRows,
)
from txmon.anomaly.calibrate import Calibration, add_key, calibrated, key_bin
from txmon.anomaly.settings import Settings
from txmon.anomaly.usual import HIGH, LOW, MIDDLE, Usual, add_row, quantile
from txmon.jit import managed

U64 = np.uint64
LEARNING, REFERENCE = U64(0), U64(1)


class Forest(NamedTuple):
    """Trees as heaps: the children of node i are 2i+1 (below the threshold) and 2i+2."""

    feature: npt.NDArray[np.uint8]  # [tree, inner node] column of the input
    threshold: npt.NDArray[np.float64]
    height: int
    window: int
    size_limit: float
    max_score: float
    mass: npt.NDArray[np.int32]  # [slot, tree, node, (learning, reference)]
    learned: npt.NDArray[np.int64]  # [slot] rows in the current window
    windows: npt.NDArray[np.int64]  # [slot] completed windows
    node: npt.NDArray[np.uint64]  # [tree] scratch of a walk
    adding: npt.NDArray[np.int64]  # [tree] scratch of a walk: 1 until the tree's search has stopped


def make_forest(settings: Settings, slots: int) -> Forest:
    """Let river build the trees for the inputs of `settings`, and lay them out flat."""
    from river import anomaly  # here: it loads for half a second, which runs without trees need not wait

    names = [i.name for i in settings.inputs]
    model = anomaly.HalfSpaceTrees(
        n_trees=settings.trees,
        height=settings.height,
        window_size=settings.window_size,
        limits=dict.fromkeys(names, (0.0, 1.0)),
        seed=settings.seed,
    )
    model.learn_one(dict.fromkeys(names, 0.5))  # river builds at the first row; the masses stay with it
    nodes = 2**settings.height - 1
    feature = np.zeros((settings.trees, nodes), np.uint8)
    threshold = np.zeros((settings.trees, nodes), np.float64)
    for t, root in enumerate(model.trees):
        level = [root]
        for i in range(nodes):
            node = level[i]
            feature[t, i] = names.index(node.feature)
            threshold[t, i] = node.threshold
            level.extend(node.children)
    return Forest(
        feature,
        threshold,
        settings.height,
        settings.window_size,
        0.1 * settings.window_size,
        float(settings.trees * settings.window_size * (2 ** (settings.height + 1) - 1)),
        np.zeros((slots, settings.trees, 2 * nodes + 1, 2), np.int32),
        np.zeros(slots, np.int64),
        np.zeros(slots, np.int64),
        np.zeros(settings.trees, np.uint64),
        np.zeros(settings.trees, np.int64),
    )


@managed
def walk_score(forest: Forest, slot: int, x: npt.NDArray[np.float64]) -> int:
    """Return the total mass of a row over all trees, as river's `score_one` adds it up."""
    total = 0
    for t in range(forest.feature.shape[0]):
        node = 0
        for depth in range(forest.height + 1):
            mass = int(forest.mass[slot, t, node, REFERENCE])
            total += mass << depth
            if mass < forest.size_limit or depth == forest.height:
                break
            node = 2 * node + (1 if x[forest.feature[t, node]] < forest.threshold[t, node] else 2)
    return total


@managed
def walk_learn(forest: Forest, slot: int, x: npt.NDArray[np.float64]) -> int:
    """Count a row in all trees and return its total mass before, in one walk.

    All trees go down together, so that their memory reads overlap; unsigned indices spare the check
    for negative ones. Both together take a third of the time of one tree after the other.
    """
    total = 0
    mass, node, adding = forest.mass[slot], forest.node, forest.adding
    trees = U64(node.size)
    for t in range(trees):
        node[t] = U64(0)
        adding[t] = 1
    for depth in range(forest.height):
        for t in range(trees):
            at = node[t]
            mass[t, at, LEARNING] += 1
            held = int(mass[t, at, REFERENCE])
            total += int(adding[t] * (held << depth))
            adding[t] = adding[t] if held >= forest.size_limit else 0
            right = x[U64(forest.feature[t, at])] >= forest.threshold[t, at]
            node[t] = at + at + (U64(2) if right else U64(1))
    for t in range(trees):
        mass[t, node[t], LEARNING] += 1
        total += int(adding[t] * (int(mass[t, node[t], REFERENCE]) << forest.height))
    return total


@managed
def end_window(forest: Forest, slot: int) -> None:
    """Count a learned row; at the window's end what was learned becomes the reference."""
    forest.learned[slot] += 1
    if forest.learned[slot] == forest.window:
        mass = forest.mass[slot]
        for t in range(U64(mass.shape[0])):
            for node in range(U64(mass.shape[1])):
                mass[t, node, REFERENCE] = mass[t, node, LEARNING]
                mass[t, node, LEARNING] = 0
        forest.learned[slot] = 0
        forest.windows[slot] += 1


@managed
def explain_row(
    forest: Forest, usual: Usual, slot: int, x: npt.NDArray[np.float64], total: int, out: ReasonRows
) -> None:
    """Write, per input, its usual range and how much the raw score falls with its usual middle value."""
    place = out.used[0]
    other = x.copy()
    for j in range(x.size):
        out.range[place, j, 0] = quantile(usual, slot, j, LOW)
        out.range[place, j, 1] = quantile(usual, slot, j, MIDDLE)
        out.range[place, j, 2] = quantile(usual, slot, j, HIGH)
        other[j] = out.range[place, j, 1]
        out.contribution[place, j] = (walk_score(forest, slot, other) - total) / forest.max_score
        other[j] = x[j]
    out.used[0] = place + 1


@managed
def score_rows(
    forest: Forest, cal: Calibration, usual: Usual, batch: Batch, start: int, out: ReasonRows
) -> int:
    """Score and learn rows from `start`; return the row after the last one done."""
    least = math.log(float(forest.feature.shape[0] * forest.window))
    spread = math.log(forest.max_score) - least
    explain_from = 1.0 - EXPLAIN_FACTOR * cal.budget
    for i in range(start, batch.slot.size):
        if out.used[0] == REASON_ROWS:
            return i
        if batch.state[i] == REFUSED:
            continue
        slot = batch.slot[i]
        x = batch.x[i]
        total = walk_learn(forest, slot, x)
        batch.state[i] = WARMING
        if forest.windows[slot] > 0:
            batch.raw[i] = 1.0 - total / forest.max_score
            at = key_bin(1.0 - (math.log(float(total)) - least) / spread)
            if cal.seen[slot] >= cal.warm_up:
                batch.value[i] = calibrated(cal, slot, at)
                batch.state[i] = SCORED
                if batch.value[i] >= explain_from:
                    out.row[out.used[0]] = i
                    explain_row(forest, usual, slot, x, total, out)
            add_key(cal, slot, at)
        add_row(usual, slot, x)
        end_window(forest, slot)
    return batch.slot.size
