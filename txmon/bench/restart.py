"""How long a start takes behind a `kill -9` under full load, and behind a clean stop, at a size of history.

Events go in by bulk requests, one after the other, without a pause; at the wanted number the service is
killed while more come. Owns the measuring; never asserts.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from txmon.bench.served import new_store, serve
from txmon.bench.service import Say, arrow_stream
from txmon.clock import monotonic_s

_ROWS = 4_096
_MORE = 1.1  # so much more than wanted is there to be sent when the kill comes
_DONE_S = 600.0


@dataclass
class _Sending:
    """What was acknowledged so far; `enough` is set when it is, or when nothing more will be."""

    url: str
    key: str
    accepted: int = 0
    enough: threading.Event = field(default_factory=threading.Event)

    def run(self, table: pa.Table, wanted: int) -> None:
        """Send until nobody answers any more."""
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/vnd.apache.arrow.stream",
        }
        try:
            with httpx.Client(timeout=_DONE_S, headers=headers) as client:
                for at in range(0, len(table), _ROWS):
                    body = arrow_stream(table.slice(at, _ROWS))
                    answer = client.post(f"{self.url}/v1/events:bulk", content=body)
                    self.accepted += answer.raise_for_status().json()["accepted"]
                    if self.accepted >= wanted:
                        self.enough.set()
        except httpx.TransportError:  # it was killed, as it should be
            return
        finally:
            self.enough.set()


def sent(wanted: int) -> int:
    """Return how many events a run needs."""
    return int(wanted * _MORE) + 10 * _ROWS


def measure(events: Path, wanted: int, folder: Path, say: Say) -> dict[str, Any]:
    """Return the figures of one run.

    Args:
        events: Parquet file of the native feed, in time order, with `sent(wanted)` rows.
    """
    table = pq.read_table(events)
    folder.mkdir(parents=True, exist_ok=True)
    store, log = folder / "store", folder / "serve.log"
    key = new_store(store)
    started = monotonic_s()
    process, url = serve(store, log)
    found: dict[str, Any] = {"first_ready_s": round(monotonic_s() - started, 2)}
    try:
        say(f"{wanted:,} events in bulk, then kill -9")
        sending, started = _Sending(url, key), monotonic_s()
        sender = threading.Thread(target=sending.run, args=(table, wanted), daemon=True)
        sender.start()
        sending.enough.wait(_DONE_S)
        found |= {
            "events": sending.accepted,
            "events_per_second": round(sending.accepted / (monotonic_s() - started), 1),
        }
    finally:
        process.kill()
        process.wait()
    sender.join()
    for name in ("killed", "stopped"):  # the second start is behind the clean stop of the first
        started = monotonic_s()
        process, url = serve(store, log)
        took = round(monotonic_s() - started, 2)
        try:
            status = httpx.get(f"{url}/v1/status", headers={"Authorization": f"Bearer {key}"}).json()
        finally:
            process.terminate()
            process.wait(_DONE_S)
        found[f"ready_behind_{name}_s"] = took
        found[f"read_again_behind_{name}"] = status["replayed_at_start"]
        say(f"ready in {took} s behind a service that was {name}")
    sizes = [path.stat().st_size for path in (store / "snapshots").iterdir()]
    return found | {"snapshot_bytes": max(sizes, default=0)}
