"""Are the hits of two engines the same? Compared one by one, by event and rule."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from txmon.bench.spec import BenchRule

Pairs = set[tuple[str, str]]


def hits_of_masks(path: Path, rules: Sequence[BenchRule]) -> Pairs:
    """(event_id, rule_id) of a file of masks; bit i stands for rule i."""
    table = pq.read_table(path, columns=["event_id", "mask"])
    mask = table.column("mask").to_numpy()
    ids = np.array(table.column("event_id").to_pylist(), object)
    return {(event, r.id) for i, r in enumerate(rules) for event in ids[(mask >> i) & 1 == 1]}


def hits_of_scoring(path: Path, trigger: str = "event") -> Pairs:
    """(event_id, rule_id) of hits.parquet with one trigger."""
    table = pq.read_table(
        path, columns=["event_id", "rule_id", "trigger"], filters=[("trigger", "=", trigger)]
    )
    return set(zip(table.column("event_id").to_pylist(), table.column("rule_id").to_pylist(), strict=True))
