"""A message that cannot be used holds nobody up: what comes behind it is scored within five seconds.

For every rail, on a real broker and a running `txmon stream`; the poison itself is found in the place of dead
letters with its reason. Time in which the machine let nobody run does not count.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from brokerkit import running_broker
from operatekit import LONG_S, TXMON, environment
from railkit import Nats, Redis, running

sys.path.append(str(Path(__file__).parents[1] / "service"))

from servicekit import pay, simple_rules

from txmon.streams.connect import open_consumer

MOST_S = 5.0
POISON = [
    b'{"no event": ', b"\xff\xfe", b"", b"[]", b'{"event_id": "p", "amount": "much", "currency": "EUR"}',
    b'{"event_id": "q", "event_time": "2300-01-01T00:00:00Z", "amount": "1.00", "currency": "EUR"}',
    b"[" * 100_000, b'{"event_id": "' + b"x" * 999_800 + b'"}',
]  # fmt: skip


@dataclass
class Way:
    """A rail: where messages are sent, read from, and where dead letters lie."""

    send: Callable[[list[bytes]], None]
    url: str
    letters: Callable[[], list[str]]


@contextmanager
def a_way(kind: str, folder: Path) -> Iterator[Way]:
    if kind == "kafka":
        with running_broker(folder) as broker:
            broker.topic("pay")
            broker.topic("dead")
            send = broker.send
            reasons = lambda: read_reasons(broker.url("dead"))  # noqa: E731
            yield Way(lambda m: send("pay", m), broker.url("pay", dead_letter="dead"), reasons)
    elif kind == "nats":
        with running(Nats, folder / "server") as server:
            server.stream("pay")
            server.stream("dead")
            reasons = lambda: read_reasons(server.url("dead"))  # noqa: E731
            yield Way(lambda m: server.send("pay.eu", m), server.url("pay", dead_letter="dead.eu"), reasons)
    else:
        with running(Redis, folder / "server") as server:

            def fields() -> list[str]:
                with closing(server.client()) as client:
                    return [row[b"txmon-reason"].decode() for _, row in client.xrange("dead")]

            yield Way(lambda m: server.send("pay", m), server.url("pay", dead_letter="dead"), fields)


def read_reasons(url: str) -> list[str]:
    reader = open_consumer(url)
    found: list[str] = []
    until = time.monotonic() + LONG_S
    while len(found) < len(POISON) and time.monotonic() < until:
        found += [(dict(m.headers)["txmon-reason"] or b"").decode() for m in reader.poll(100, 0.5)]
    reader.close()
    return found


class Standstill:
    """Seconds in which this process wanted to run and could not: a stopped or overloaded machine."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._stop.is_set():
            before = time.monotonic()
            self._stop.wait(0.05)
            self.seconds += max(0.0, time.monotonic() - before - 0.1)

    def __enter__(self) -> Standstill:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def events_in(store: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{store / 'txmon.db'}?mode=ro", uri=True, timeout=30)) as conn:
            return int(conn.execute("select coalesce(sum(event_count), 0) from journal").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # not made yet


def wait_for(store: Path, count: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + LONG_S
    while events_in(store) < count:
        assert process.poll() is None, log.read_text(encoding="utf-8")[-2000:]
        assert time.monotonic() < until, log.read_text(encoding="utf-8")[-2000:]
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["kafka", "nats", "redis"])
def test_what_comes_behind_poison_is_scored_at_once(kind: str, tmp_path: Path) -> None:
    store, log = tmp_path / "store", tmp_path / "log"
    settings = environment(tmp_path, TXMON_RULES=str(simple_rules(tmp_path)), TXMON_WAREHOUSE="false")
    with a_way(kind, tmp_path) as way, log.open("ab") as file, Standstill() as still:
        words = ["stream", "--source", way.url, "--feed", "native", "--store", str(store)]
        process = subprocess.Popen([*TXMON, *words], env=settings, stdout=file, stderr=file)
        try:
            way.send([pay("first")])
            wait_for(store, 1, process, log)
            slowest = 0.0
            for number, bad in enumerate(POISON, 2):
                before, stood = time.monotonic(), still.seconds
                way.send([bad, pay(f"good-{number}", number)])
                wait_for(store, number, process, log)
                slowest = max(slowest, time.monotonic() - before - (still.seconds - stood))
            assert slowest < MOST_S
            found = way.letters()
            assert len(found) == len(POISON)
            assert all(found)
        finally:
            process.terminate()
            process.wait(LONG_S)
