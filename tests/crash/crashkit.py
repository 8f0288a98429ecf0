"""What driver, load generator and verifier of a crash drill share: the streams and how they are numbered.

A stream is a file of native JSON, one event a line, in the order in which it must arrive. Over HTTP several
streams are sent at once, each of an entity of its own, so that each has one order however they interleave.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

HERE = Path(__file__).parent
TXMON = [sys.executable, "-m", "txmon"]
BAD_EVERY = 97  # of a followed source, every so many lines one that is no event
HTTP_STREAMS = 3


def make_streams(folder: Path, *, http: bool, count: int, seed: int) -> list[Path]:
    """Write the streams of a store's whole life; returns their files."""
    simulated = folder / "simulated.parquet"
    if not simulated.exists():
        command = [*TXMON, "simulate", "--events", str(20_000), "--seed", str(seed), "--out", str(simulated)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    rows = [r for r in pq.read_table(simulated).to_pylist() if not http or r["kind"] != "tick"]
    made = []
    for number in range(HTTP_STREAMS if http else 1):
        path = folder / f"{'http' if http else 'one'}-{number}.ndjson"
        with path.open("wb") as file:
            for i, row in enumerate(itertools.islice(rows, count // (HTTP_STREAMS if http else 1))):
                if not http and i % BAD_EVERY == BAD_EVERY - 1:
                    file.write(b'{"no event": %d\n' % i)
                file.write(_line(row, number) + b"\n")
        made.append(path)
    return made


def _line(row: dict[str, Any], number: int) -> bytes:
    made: dict[str, Any] = {}
    for name, value in row.items():
        if value is None:
            continue
        if name == "attributes":
            value = dict(value)
        elif name == "holders":
            value = [_holder(h) for h in value]
        elif hasattr(value, "isoformat"):
            value = value.isoformat()
        made[name] = value
    return json.dumps(made | {"source": f"s{number}", "entity": f"e{number}"}).encode()


def _holder(holder: dict[str, Any]) -> dict[str, Any]:
    names = {"party": "party", "role": "role", "valid_from": "from", "valid_to": "to"}
    return {
        names[k]: v.isoformat() if hasattr(v, "isoformat") else v for k, v in holder.items() if v is not None
    }


def identity(line: bytes) -> tuple[str, str] | None:
    """(source, event_id) of a line, None for one that is no event."""
    if line.startswith(b'{"no event"'):
        return None
    row = json.loads(line)
    return row["source"], row["event_id"]


def acknowledged(log: Path, streams: list[Path]) -> list[int]:
    """How many lines of each stream were acknowledged, in order from its first.

    A line of the log is ``STREAM LINES``: so many of the stream's first lines are acknowledged. Of a followed
    file LINES are the bytes up to the position that others saw committed.
    """
    done = [0] * len(streams)
    if log.exists():
        for line in log.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                stream, count = line.split()
                done[int(stream)] = max(done[int(stream)], int(count))
    return done


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a stream."""
    with path.open("rb") as file:
        for line in file:
            yield line.rstrip(b"\n")


def lines_before(path: Path, end: int) -> int:
    """How many lines of a file end at or before this byte."""
    count = at = 0
    with path.open("rb") as file:
        for line in file:
            at += len(line)
            if at > end:
                break
            count += 1
    return count
