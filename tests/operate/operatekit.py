"""What drills of operation share: `txmon serve` as a process, commands, and every row of a store."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from txmon.clock import SystemClock, random_bytes
from txmon.model.keys import ensure_key
from txmon.store import Store
from txmon.store.schema import metadata

TXMON = [sys.executable, "-m", "txmon"]
LONG_S = 900.0  # only an end, never a measure
Rows = list[dict[str, Any]]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Variables of a process of txmon in this folder: nothing of whoever runs the tests."""
    ensure_key(folder / "pan.key")
    own = {
        "TXMON_KEY_FILE": str(folder / "pan.key"), "TXMON_STATE_DIR": str(folder / "state"),
        "TXMON_DISK_FREE_BYTES": "0",
    }  # fmt: skip
    return {k: v for k, v in os.environ.items() if not k.startswith("TXMON_")} | own | more


def command(settings: dict[str, str], *words: str | Path, code: int = 0) -> dict[str, Any]:
    """Run a command with --json; returns what its last line says, and stderr under `err`."""
    asked = [*TXMON, *map(str, words), "--json"]
    done = subprocess.run(asked, env=settings, capture_output=True, text=True, timeout=LONG_S)
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-2000:]
    lines = done.stdout.strip().splitlines()
    return (json.loads(lines[-1]) if lines else {}) | {"err": done.stderr}


class Served:
    """A running `txmon serve`, and requests to it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process, self.port, self.log = process, port, log
        self.key = ""

    def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON and headers of an answer; a sender that is told to wait waits."""
        given = {"Authorization": f"Bearer {self.key}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        while True:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG_S)) as connection:
                connection.request(method, path, body or None, given)
                answer = connection.getresponse()
                text = answer.read()
            if answer.status not in (429, 503):
                found = json.loads(text) if "json" in (answer.getheader("content-type") or "") else text
                return answer.status, found, {k.lower(): v for k, v in answer.getheaders()}
            time.sleep(0.1)

    def get(self, path: str) -> Any:
        """The JSON of what must be there."""
        status, found, _ = self.ask("GET", path, X_Purpose="drill")
        assert status == 200, found
        return found

    def send(self, lines: Sequence[bytes]) -> dict[str, Any]:
        """Send events in bulk; every line is answered for."""
        body = b"\n".join(lines)
        status, found, _ = self.ask(
            "POST", "/v1/events:bulk", body, Content_Type="application/x-ndjson"
        )  # fmt: skip
        assert status == 200, found
        assert found["rows"] == len(lines), found
        return dict(found)

    def alerts(self) -> Rows:
        """Every alert as the list shows it, page by page."""
        found: Rows = []
        path = "/v1/alerts?limit=100"
        while True:
            page = self.get(path)
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            path = "/v1/alerts?limit=100&cursor=" + page["next_cursor"]

    def metric(self, name: str) -> float:
        """The sample of a metric without labels."""
        _, text, _ = self.ask("GET", "/metrics")
        found = [line for line in text.decode().splitlines() if line.startswith(name + " ")]
        return float(found[0].split()[1])

    def wait_for_warehouse(self) -> None:
        """Wait until the warehouse is where the journal ends; nothing else may be sent meanwhile."""
        until = time.monotonic() + LONG_S
        while self.metric("txmon_warehouse_seq") < self.metric("txmon_journal_seq"):
            assert time.monotonic() < until, self.log.read_text(encoding="utf-8")[-3000:]
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it as an operator does."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LONG_S) == 0, self.log.read_text(encoding="utf-8")[-3000:]


@contextmanager
def serving(
    place: str | Path, settings: dict[str, str], log: Path, program: Sequence[str] = tuple(TXMON)
) -> Iterator[Served]:
    """`txmon serve` on a store, ready; stopped behind this, and nothing is left of it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    words = ["serve", "--store", str(place), "--port", str(port)]
    with log.open("ab") as file:
        process = subprocess.Popen(
            [*program, *words], env=settings, stdout=file, stderr=file, stdin=subprocess.DEVNULL
        )
    served = Served(process, port, log)
    try:
        until = time.monotonic() + LONG_S
        while not _ready(port):
            assert process.poll() is None, log.read_text(encoding="utf-8")[-3000:]
            assert time.monotonic() < until, log.read_text(encoding="utf-8")[-3000:]
            time.sleep(0.05)
        yield served
        if process.poll() is None:
            served.stop()
    finally:
        process.kill()
        process.wait()


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    return False


def open_store(place: str | Path, **more: Any) -> Store:
    """A store with the machine's clock and chance."""
    return Store.open(place, clock=SystemClock(), random_bytes=random_bytes, **more)


def rows_of(conn: sa.Connection, tables: sa.MetaData = metadata) -> dict[str, Rows]:
    """Every row of every table, in the order of its key."""
    return {
        t.name: [dict(r) for r in conn.execute(sa.select(t).order_by(*t.primary_key)).mappings()]
        for t in tables.sorted_tables
        if t.name != "alembic_version"
    }


def everything(place: str | Path) -> dict[str, Rows]:
    """Every row of a store of today's tables, at one moment."""
    with open_store(place, read_only=True) as store, store.read() as conn:
        return rows_of(conn)
