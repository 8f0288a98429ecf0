"""A saved state holds what the engine knows and nothing that lay in memory before: it could be a card number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import busy
import numpy as np
import pyarrow as pa
import pytest

from txmon.pipeline.scorer import Scorer

MARK = b"4111111111111111"


def marked(shape: Any, dtype: Any = np.float64, **_: Any) -> np.ndarray:
    """Memory as `np.empty` may give it, after a request was there."""
    found = np.zeros(shape, dtype)
    if found.nbytes:
        found.view(np.uint8).reshape(-1)[:] = np.resize(np.frombuffer(MARK, np.uint8), found.nbytes)
    return found


def held(scorer: Scorer) -> list[str]:
    """Arrays of a snapshot that hold what lay there before."""
    state = scorer.snapshot()
    values = zip(state.column("name").to_pylist(), state.column("data"), strict=True)
    return [name for name, value in values if MARK[:8] in value.as_buffer().to_pybytes()]


@pytest.mark.parametrize("again", [False, True])
def test_no_snapshot_holds_what_lay_in_memory_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    stream: pa.Table = busy.stream(3, 600)
    plan = busy.plan(tmp_path)
    monkeypatch.setattr(np, "empty", marked)
    scorer = Scorer(plan)
    for at in range(0, len(stream), 40):
        scorer.apply(stream.slice(at, 40))
        if again and at == 320:
            saved, scorer = scorer.snapshot(), Scorer(plan)
            scorer.restore(saved)
    assert held(scorer) == []
