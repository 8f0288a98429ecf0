"""Measures what a stored event costs: bytes on disk by place, and how fast a store is started, verified,
copied, restored, rebuilt and replayed.

Every step is the command that an operator runs, as a process of its own; docs/capacity.md shows what to make
of the figures. Owns the steps and what is taken from them; never asserts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from txmon.bench.data import Shape, Stream
from txmon.bench.load import bodies_of
from txmon.bench.memory import memory
from txmon.bench.workload import write_stream
from txmon.clock import monotonic_s
from txmon.errors import StateError

Say = Callable[[str], None]
_MEMORY_EVENTS = 80_000  # of the years in which windows fill
_LEAST_S = 0.05  # of what is told apart from how starts differ
_RECOVERED = b'"engine.recovered"'


@dataclass(frozen=True)
class Ran:
    """How a command went. ready_s: until the engine stood, where it said so."""

    seconds: float
    cpu_s: float
    ready_s: float
    said: dict[str, Any]


def measure(events: int, folder: Path, say: Say) -> dict[str, Any]:
    """Return the constants of a store of so many events over 30 days.

    Raises:
        StateError: a command failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    say("filling windows")
    held = memory(min(events, _MEMORY_EVENTS), folder)
    say(f"making {events:,} events")
    write_stream(Stream(Shape.scaled(events)), folder / "events.parquet")
    lines = folder / "events.ndjson"
    lines.write_bytes(b"\n".join(bodies_of(pq.read_table(folder / "events.parquet"))) + b"\n")
    store, quiet = folder / "store", folder / "quiet"
    quiet.mkdir()
    at = ["--store", str(store)]
    nothing = ["stream", *at, "--source", f"file://{quiet}/?follow=no"]
    say("loading them")
    # one snapshot, at the end: what is measured apart is not mixed in
    loaded = _run(
        ["stream", *at, "--source", f"file://{lines}?follow=no"], TXMON_SNAPSHOT_EVENTS="1000000000"
    )
    snapshot = _bytes(store / "snapshots")
    say("starting behind a snapshot, and without one")
    behind = _run(nothing)
    shutil.rmtree(store / "snapshots")
    anew = _run(nothing)
    say("verifying, copying, restoring, rebuilding, replaying")
    verified = _run(["store", "verify", *at, "--no-warehouse", "--json"])
    copied = _run(["store", "backup", str(folder / "backup"), *at, "--json"])
    restored = _run(
        [
            "store",
            "restore",
            str(folder / "backup"),
            "--store",
            str(folder / "new"),
            "--no-warehouse",
            "--json",
        ]
    )
    rebuilt = _run(["store", "rebuild", *at, "--json"])
    replayed = _run(["replay", *at, "--json"])
    stored = int(loaded.said["events"])
    parquet = store / "warehouse" / "events"
    files = sum(1 for _ in parquet.rglob("*.parquet"))

    def rate(ran: Ran) -> float:
        return round(stored / max(float(ran.said["seconds"]), 1e-3))

    return {
        "events": stored,
        "memory": held,
        "bytes": {
            "sent": round(lines.stat().st_size / events, 1),
            "journal": round(_bytes(store, "txmon.db*") / stored, 1),
            "backup": round(_bytes(folder / "backup") / stored, 1),
            "warehouse": round(_bytes(parquet) / stored, 1),
            "snapshot": round(snapshot / stored, 1),
        },
        "warehouse_files": files,
        "start_seconds": {
            "empty": round(loaded.ready_s, 1),
            "behind_snapshot": round(behind.ready_s, 1),
            "without_snapshot": round(anew.ready_s, 1),
        },
        "events_per_second": {
            "load": round(stored / max(loaded.seconds - loaded.ready_s, 1e-3)),
            "read_again": round(stored / max(anew.ready_s - loaded.ready_s, _LEAST_S)),
            "verify": rate(verified),
            "backup": rate(copied),
            "restore": rate(restored),
            "rebuild": rate(rebuilt),
            "replay": rate(replayed),
        },
        "cpu_us_per_event": {
            name: round(ran.cpu_s / stored * 1e6, 1)
            for name, ran in (
                ("load", loaded), ("verify", verified), ("backup", copied), ("restore", restored),
                ("rebuild", rebuilt), ("replay", replayed),
            )
        },
    }  # fmt: skip


def _run(words: list[str], **more: str) -> Ran:
    """Run a command to its end; what it says last is JSON."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("TXMON_") or k == "TXMON_KEY_FILE"}
    started, before, ready = monotonic_s(), os.times(), 0.0
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "txmon", *words], env={**environ, **more},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    last = b""
    with process:
        for line in process.stdout or ():
            if _RECOVERED in line:
                ready = monotonic_s() - started
            last = line.strip() or last
    after = os.times()
    if process.returncode:
        raise StateError(f"txmon {' '.join(words[:2])} failed: {last.decode(errors='replace')[:300]}")
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    return Ran(monotonic_s() - started, spent, ready, json.loads(last))


def _bytes(folder: Path, pattern: str = "**/*") -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())


def lines_of(found: dict[str, Any]) -> list[str]:
    """Return the figures for a person."""
    out = [f"{found['events']:,} events over 30 days, {found['warehouse_files']} files of the warehouse"]
    for title, unit in (
        ("bytes", "bytes an event"), ("start_seconds", "s until the engine stands"),
        ("events_per_second", "events/s"), ("cpu_us_per_event", "us of processor an event"),
    ):  # fmt: skip
        out += [f"{name.replace('_', ' '):<18} {value:>12,} {unit}" for name, value in found[title].items()]
    held = found["memory"]
    for group in held["groups"]:
        out.append(
            f"{group['key']:<22} {group['bytes_per_event_a_day']:>10,} bytes for each event a day, "
            f"kept for {group['days']} days"
        )
    out.append(f"memory of windows: {held['bytes_per_event_a_day']:,} bytes for each event a day")
    return out
