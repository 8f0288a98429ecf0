"""Does the length of a window matter? One stream of 400 days, the same features over 1 hour and 180 days."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from txmon.bench.data import Shape, Stream
from txmon.bench.packs import write_pack
from txmon.bench.spec import AMOUNT, BenchRule, make_rule, one_window_measures
from txmon.bench.workload import write_stream

DAYS = 400
SHORT, LONG = "1h", "180d"
_HIT_SHARE = 0.005


def year_file(events: int, folder: Path) -> Path:
    """Write a stream of 400 days."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "year.parquet"
    write_stream(Stream(Shape.scaled(events, DAYS)), path)
    return path


def year_packs(events: Path, folder: Path) -> dict[str, Path]:
    """Write a pack per window.

    Each rule asks for a feature that is always reached and for a large amount, so that both packs hit
    the same rows and write the same number of hits.
    """
    amounts = pq.read_table(events, columns=["amount_minor"]).column("amount_minor").to_numpy()
    large = int(np.quantile(amounts, 1 - _HIT_SHARE))
    return {w: write_pack(_rules(w, large), folder / f"rules-{w}") for w in (SHORT, LONG)}


def _rules(window: str, large: int) -> list[BenchRule]:
    names = [m.name for m in one_window_measures(window)]
    return [make_rule(f"y{i:02}", [(name, 1), (AMOUNT, large)]) for i, name in enumerate(names, 1)]
