"""Reading a large file needs the memory of a block, not of the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feedkit import event, ndjson

READER = """
import resource, sys
from pathlib import Path
from txmon.model.keys import PanKey
from txmon.streams import load_feed, open_source
rows = 0
for batch in open_source(load_feed("native"), Path(sys.argv[1]), key=PanKey("0123abcd", b"k" * 32)):
    rows += batch.events.num_rows
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak_mb(path: Path) -> tuple[int, int]:
    done = subprocess.run(
        [sys.executable, "-c", READER, str(path)], capture_output=True, text=True, check=True
    )
    rows, peak = done.stdout.split()
    return int(rows), int(peak)


def repeated(path: Path, lines: bytes, times: int) -> Path:
    with path.open("wb") as file:
        for _ in range(times):
            file.write(lines)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("form", ["ndjson", "parquet"])
def test_peak_memory_does_not_follow_the_file(tmp_path, form):
    if form == "ndjson":
        lines = ndjson(tmp_path / "part.ndjson", [event(memo="m" * 400)] * 20_000).read_bytes()
        small, large = (repeated(tmp_path / f"{n}.ndjson", lines, n) for n in (1, 12))
    else:
        table = pa.table({k: [v] * 200_000 for k, v in event(memo="m").items()})
        table = table.append_column("device", pa.array([f"device number {i * 7919}" for i in range(200_000)]))
        small, large = tmp_path / "small.parquet", tmp_path / "large.parquet"
        for path, times in ((small, 1), (large, 8)):
            with pq.ParquetWriter(path, table.schema, compression="none") as writer:
                for _ in range(times):
                    writer.write_table(table)
    rows, before = peak_mb(small)
    more, after = peak_mb(large)
    assert more > 5 * rows
    assert after - before < 90, f"{before} MB for {rows} rows, {after} MB for {more} rows"
