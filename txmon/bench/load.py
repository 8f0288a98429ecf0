"""A load generator: some connections, each sending one request at a time; run as a process of its own.

    python -m txmon.bench.load --port P --events FILE --connections 16 --seconds 10

Each line of FILE is the body of one `POST /v1/events`; TXMON_BENCH_KEY holds the API key. Requests are made
before the clock starts, and nothing of an answer is read but its status and length, so that the generator
takes as little of the machine as it can. Prints one JSON object. Owns the sending; starts no service.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa
import uvloop

from txmon.clock import monotonic_s


@dataclass
class Tally:
    """What came of the requests: latencies in seconds of those answered 200, statuses, errors."""

    latencies_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    seconds: float = 0.0

    def summary(self) -> dict[str, object]:
        """Plain values; latencies in ms."""
        times = sorted(self.latencies_s)

        def at(share: float) -> float | None:
            return round(times[min(int(share * len(times)), len(times) - 1)] * 1e3, 3) if times else None

        return {
            "requests": len(times),
            "seconds": round(self.seconds, 3),
            "requests_per_second": round(len(times) / self.seconds, 1) if self.seconds else 0.0,
            "p50_ms": at(0.5),
            "p95_ms": at(0.95),
            "p99_ms": at(0.99),
            "max_ms": at(1.0),
            "statuses": {str(k): v for k, v in sorted(self.statuses.items())},
            "lost": self.lost,
        }


def bodies_of(events: pa.Table) -> list[bytes]:
    """Return events of the native feed as JSON texts, without their nulls; times must be UTC."""
    return [orjson.dumps(_plain(row)) for row in events.to_pylist()]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        pairs = value and all(isinstance(item, tuple) for item in value)  # how Arrow shows a map
        return {k: v for k, v in value if v is not None} if pairs else [_plain(item) for item in value]
    return str(value) if isinstance(value, Decimal) else value


def requests_of(bodies: list[bytes], host: str, key: str) -> list[bytes]:
    """Return whole HTTP/1.1 requests."""
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    ).encode()
    return [head + str(len(body)).encode() + b"\r\n\r\n" + body for body in bodies]


class _Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last one is complete."""

    def __init__(self, requests: Iterator[bytes], tally: Tally, until_s: float) -> None:
        self._requests, self._tally, self._until_s = requests, tally, until_s
        self._buffer = b""
        self._sent_s = 0.0
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class, of the same form
        self._next()

    def _next(self) -> None:
        request = next(self._requests, None) if monotonic_s() < self._until_s else None
        if request is None:
            self._transport.close()
            return
        self._sent_s = monotonic_s()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = (
            int(head[at + 15 : head.find(b"\r", at) if head.find(b"\r", at) > 0 else None]) if at >= 0 else 0
        )
        if len(self._buffer) < end + 4 + length:
            return
        status = int(self._buffer[9:12])
        self._buffer = self._buffer[end + 4 + length :]
        self._tally.statuses[status] += 1
        if status == 200:
            self._tally.latencies_s.append(monotonic_s() - self._sent_s)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tally.lost += exc is not None
        if not self.finished.done():
            self.finished.set_result(None)


async def load(host: str, port: int, requests: list[bytes], connections: int, seconds: float) -> Tally:
    """Send requests over some connections until they or the time are at an end."""
    tally, source, started = Tally(), iter(requests), monotonic_s()
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: _Connection(source, tally, started + seconds), host, port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.finished for _, protocol in made))
    tally.seconds = monotonic_s() - started
    return tally


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Send events to a running service, one a request.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--events", type=Path, required=True, help="file with one event a line")
    parser.add_argument("--skip", type=int, default=0, help="lines left out at the beginning")
    parser.add_argument("--limit", type=int, default=1_000_000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    with given.events.open("rb") as file:
        bodies = [
            line.strip()
            for number, line in enumerate(file)
            if given.skip <= number < given.skip + given.limit
        ]
    requests = requests_of(bodies, f"{given.host}:{given.port}", os.environ.get("TXMON_BENCH_KEY", ""))
    tally = uvloop.run(load(given.host, given.port, requests, given.connections, given.seconds))
    sys.stdout.write(json.dumps(tally.summary()) + "\n")


if __name__ == "__main__":
    main()
