"""The workload on disk: events for the native feed, and the rules.

Uses the workload that peers are measured on where it lies beside the repository, else data and rules
made here. Owns file names; measures nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from txmon.bench.calibrate import calibrated
from txmon.bench.data import Shape, Stream
from txmon.bench.isolate import fresh, run_script
from txmon.bench.spec import BenchRule, make_rule, reading_all, workload_measures
from txmon.model.schema import TIME

PEERS = Path(__file__).resolve().parents[3] / "shared" / "bench" / "peers"
_CHUNK = 100_000


@dataclass(frozen=True)
class Workload:
    """Events in order of time, without ties, and rules over the 32 features.

    `ndjson`: the same events as the peers' scripts read them, where those exist. `origin`: whose they are.
    """

    events: Path
    rules: tuple[BenchRule, ...]
    origin: str
    ndjson: Path | None = None


def make_workload(folder: Path, events: int, peers: Path | None = None) -> Workload:
    """Write the workload of `events` rows below `folder`; `peers` (default `PEERS`) may be absent."""
    folder.mkdir(parents=True, exist_ok=True)
    peers = PEERS if peers is None else peers
    if (peers / "gen_workload.py").is_file() and (peers / "rules.json").is_file():
        return _of_peers(folder, events, peers)
    path = folder / "events.parquet"
    write_stream(Stream(Shape.scaled(events)), path)
    return Workload(path, calibrated(path), "own")


def write_stream(stream: Stream, path: Path) -> None:
    """Write a stream's batches to one Parquet file."""
    writer: pq.ParquetWriter | None = None
    for batch in stream.batches(_CHUNK):
        writer = writer or pq.ParquetWriter(path, batch.schema, compression="zstd")
        writer.write_table(batch)
    if writer is not None:
        writer.close()


def _of_peers(folder: Path, events: int, peers: Path) -> Workload:
    fresh(run_script, peers / "gen_workload.py", [str(folder), "--events", str(events)])
    rules = json.loads((peers / "rules.json").read_text(encoding="utf-8"))
    path = folder / "events.parquet"
    pq.write_table(_native(pq.read_table(folder / "w.parquet")), path)
    made = reading_all((make_rule(r["id"], r["all"]) for r in rules), workload_measures())
    return Workload(path, made, "peers", folder / "w.ndjson")


def _native(table: pa.Table) -> pa.Table:
    """The peers' columns under native names; the workload adds amounts, so all of them are in EUR."""
    columns = {
        "event_id": table.column("event_id"),
        "event_time": pc.cast(table.column("event_time"), TIME),
        "amount_minor": table.column("amount"),
        "currency": pa.array(["EUR"] * len(table)),
        "payer_country": table.column("country"),
    }
    same = ("payer", "payee", "merchant", "city", "device", "channel")
    return pa.table(columns | {name: table.column(name) for name in same})
