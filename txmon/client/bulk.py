"""Cuts what a caller has into portions that are sent, and if need be sent again, one by one.

Owns portions; never sends. Rows keep their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from txmon.client.wire import ARROW, NDJSON, event_bytes
from txmon.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

PORTION_BYTES = 8 << 20
ARROW_SUFFIXES = (".arrow", ".arrows", ".ipc", ".feather")


class Portion(NamedTuple):
    """The body of one request."""

    body: bytes
    content_type: str


def portions(data: Any, rows: int) -> Iterator[Portion]:
    """Return the portions of a transfer.

    Args:
        data: an Arrow table or record batch reader, a pandas frame, NDJSON in bytes, the path of a file in
            NDJSON, Parquet or Arrow IPC, or any iterable of events.
        rows: most rows of a portion.

    Raises:
        InputError: it is none of these, or a row cannot be sent. OSError: a file cannot be read.
    """
    if isinstance(data, (bytes, bytearray)):
        return _lines(bytes(data).splitlines(keepends=True), rows)
    if isinstance(data, Path):
        return _file(data, rows)
    if hasattr(data, "to_batches") or hasattr(data, "read_next_batch"):
        return _arrow(data, rows)
    if hasattr(data, "iloc"):
        return _frame(data, rows)
    if isinstance(data, Iterable) and not isinstance(data, (str, Mapping)):
        events = cast("Iterable[Mapping[str, Any]]", data)
        return _lines((event_bytes(event) + b"\n" for event in events), rows)
    raise InputError(
        f"bulk does not take {type(data).__name__}; give a table, frame, NDJSON, Path or iterable of events"
    )


def _file(path: Path, rows: int) -> Iterator[Portion]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=rows):
                yield _encoded([batch], batch.schema)
    elif path.suffix in ARROW_SUFFIXES:
        yield from _ipc(path, rows)
    else:
        with path.open("rb") as file:
            yield from _lines(file, rows)


def _ipc(path: Path, rows: int) -> Iterator[Portion]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        start = source.read(6)
        source.seek(0)
        if start == b"ARROW1":
            reader = pa.ipc.open_file(source)
            for index in range(reader.num_record_batches):
                yield from _cut(reader.get_batch(index), rows)
        else:
            for batch in pa.ipc.open_stream(source):
                yield from _cut(batch, rows)


def _arrow(data: Any, rows: int) -> Iterator[Portion]:
    if hasattr(data, "read_next_batch"):
        for batch in data:
            yield from _cut(batch, rows)
        return
    for start in range(0, data.num_rows, rows):
        part = data.slice(start, rows)
        yield _encoded(part.to_batches(), part.schema)


def _frame(data: Any, rows: int) -> Iterator[Portion]:
    import pyarrow as pa

    return _arrow(pa.Table.from_pandas(data, preserve_index=False), rows)


def _cut(batch: pa.RecordBatch, rows: int) -> Iterator[Portion]:
    for start in range(0, batch.num_rows, rows):
        yield _encoded([batch.slice(start, rows)], batch.schema)


def _encoded(batches: list[pa.RecordBatch], schema: pa.Schema) -> Portion:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return Portion(sink.getvalue().to_pybytes(), ARROW)


def _lines(lines: Iterable[bytes], rows: int) -> Iterator[Portion]:
    """Group lines by count and size; blank ones are left out."""
    group: list[bytes] = []
    size = 0
    for line in lines:
        if not line.strip():
            continue
        whole = line if line.endswith(b"\n") else line + b"\n"
        if group and (len(group) == rows or size + len(whole) > PORTION_BYTES):
            yield Portion(b"".join(group), NDJSON)
            group, size = [], 0
        group.append(whole)
        size += len(whole)
    if group:
        yield Portion(b"".join(group), NDJSON)
