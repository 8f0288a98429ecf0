"""Helpers of the feed tests: write rows in every format, read them back as plain rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from txmon.model.keys import PanKey
from txmon.model.rates import Rates
from txmon.streams import EVENTS_SCHEMA, Feed, load_feed, open_source

KEY = PanKey("0123abcd", b"k" * 32)
SAMPLES = Path(__file__).parents[2] / "streams" / "samples"
Row = dict[str, object]
EVENT: Row = {
    "event_id": "e1",
    "event_time": "2026-01-05T12:00:00Z",
    "amount": "12.50",
    "currency": "EUR",
    "payer": "p1",
    "payee": "q1",
}


def event(**changes: object) -> Row:
    """A valid native row with changes; None leaves a column out."""
    return {k: v for k, v in (EVENT | changes).items() if v is not None}


def ndjson(path: Path, rows: Sequence[Mapping[str, object] | bytes]) -> Path:
    """Write rows as NDJSON; bytes are lines as they are."""
    lines = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in rows]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def csv_file(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """Write rows as CSV with the union of their columns."""
    names = list(dict.fromkeys(k for r in rows for k in r))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    return path


def parquet(path: Path, rows: Sequence[Mapping[str, object]], schema: pa.Schema | None = None) -> Path:
    """Write rows as Parquet."""
    names = list(dict.fromkeys(k for r in rows for k in r))
    full = [{n: r.get(n) for n in names} for r in rows]
    pq.write_table(pa.Table.from_pylist(full, schema=schema), path)
    return path


def ipc(path: Path, rows: Sequence[Mapping[str, object]], *, stream: bool = False) -> Path:
    """Write rows as an Arrow IPC file or stream."""
    names = list(dict.fromkeys(k for r in rows for k in r))
    table = pa.Table.from_pylist([{n: r.get(n) for n in names} for r in rows])
    opened = pa.ipc.new_stream if stream else pa.ipc.new_file
    with opened(str(path), table.schema) as writer:
        writer.write_table(table)
    return path


def read(
    paths: Path | Sequence[Path],
    feed: Feed | str = "native",
    *,
    rates: Rates | None = None,
    batch_rows: int = 65_536,
) -> tuple[list[Row], list[Row]]:
    """Return (events, quarantine) as plain rows."""
    loaded = load_feed(feed) if isinstance(feed, str) else feed
    events: list[Row] = []
    quarantine: list[Row] = []
    read_rows = 0
    for batch in open_source(loaded, paths, key=KEY, rates=rates, batch_rows=batch_rows):
        assert batch.events.schema.names == EVENTS_SCHEMA.names
        assert batch.events.num_rows == len(batch.lines) <= batch_rows
        assert batch.rows_read == batch.events.num_rows + batch.quarantine.num_rows
        batch.events.validate(full=True)
        read_rows += batch.rows_read
        events += batch.events.to_pylist()
        quarantine += batch.quarantine.to_pylist()
    assert read_rows == len(events) + len(quarantine)
    return events, quarantine


def one_fault(tmp_path: Path, **changes: object) -> Row:
    """Quarantine row of one changed native row, and the row beside it goes through."""
    rows = [event(event_id="good"), event(**changes)]
    events, quarantine = read(ndjson(tmp_path / "in.ndjson", rows))
    assert [e["event_id"] for e in events] == ["good"]
    assert len(quarantine) == 1
    return quarantine[0]
