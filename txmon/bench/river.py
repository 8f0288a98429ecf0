"""The river pipeline of the peers' scripts on the first events of the workload.

river slows down as history grows, so a rate over few events is in its favour. The script lies beside
the repository; without it there is no figure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from txmon.bench.compare import Pairs, hits_of_masks
from txmon.bench.isolate import fresh, run_script
from txmon.bench.workload import PEERS, Workload


@dataclass(frozen=True)
class RiverRun:
    """Events that river reached, its rate, and whether it hit what txmon hit on them."""

    events: int
    events_per_second: float
    hits_equal: bool


def run_river(workload: Workload, limit: int, hits: Pairs, folder: Path) -> RiverRun | None:
    """Run the pipeline on `limit` events; None where the workload is not the peers' own."""
    if workload.ndjson is None:
        return None
    out = folder / "river.parquet"
    printed = fresh(
        run_script, PEERS / "bt_river.py", [str(workload.ndjson), str(out), "--limit", str(limit)]
    )
    figures = json.loads(printed.splitlines()[-1])
    reached = set(pq.read_table(out, columns=["event_id"]).column("event_id").to_pylist())
    ours = {(event, rule) for event, rule in hits if event in reached}
    return RiverRun(
        int(figures["events"]), float(figures["events_per_s"]), hits_of_masks(out, workload.rules) == ours
    )
