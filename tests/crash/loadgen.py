"""The load of a crash drill, a process of its own: sends streams and logs each acknowledgement as it comes.

    loadgen.py http URL KEY LOG SEED LAST STREAM...      POST /v1/events, a connection a stream, in order
    loadgen.py file SOURCE STORE LOG SEED LAST STREAM    appends to a followed file
    loadgen.py kafka SERVERS/TOPIC STORE LOG SEED LAST STREAM

Of HTTP an answer is the acknowledgement; of a followed source it is the position that this process, another
than the service's, sees committed in the store. LAST is 1 if the load must go on until all is acknowledged.
It ends by itself when the service is gone.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import signal
import sqlite3
import sys
import threading
import time
from contextlib import closing, suppress
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from crashkit import acknowledged, lines_of

NEAR_DAYS = 20  # fewer than the engine accepts as late
RATE = 1500  # lines a second into a followed source: the service must be at work when it is killed
_lock = threading.Lock()


class Log:
    """The log of acknowledgements, written through at once."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, stream: int, count: int) -> None:
        """So many lines of a stream are acknowledged."""
        os.write(self._file, f"{stream} {count}\n".encode())


def say(text: str) -> None:
    """Tell the driver what should not be."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


class Pace:
    """Keeps streams near each other in the time of their events, so that none makes another's events too late."""

    def __init__(self, streams: list[list[bytes]], at: list[int]) -> None:
        self._days = [
            [date.fromisoformat(json.loads(line)["event_time"][:10]).toordinal() for line in lines]
            for lines in streams
        ]
        self._next = list(at)
        self._moved = threading.Condition()

    def at(self, number: int) -> int:
        """Where a stream stands."""
        return self._next[number]

    def allowed(self, number: int, wanted: int) -> int:
        """Wait until a stream may go on; returns how many lines it may send, at most `wanted`."""
        days, at = self._days[number], self._next[number]
        with self._moved:
            while True:
                # nobody goes far beyond the day at which the slowest stands
                least = min(self._days[n][i] for n, i in enumerate(self._next) if i < len(self._days[n]))
                some = list(itertools.takewhile(lambda day: day <= least + NEAR_DAYS, days[at : at + wanted]))  # noqa: B023
                if some:
                    return len(some)
                self._moved.wait(1)

    def moved(self, number: int, at: int) -> None:
        """A stream stands before line `at`; behind its end it holds nobody back."""
        with self._moved:
            self._next[number] = at
            self._moved.notify_all()


def send_http(
    url: str, key: str, log: Log, pace: Pace, number: int, lines: list[bytes], seed: int, last: bool
) -> None:
    """Send what is left of a stream over one connection; it holds no other back when it ends."""
    try:
        _send(url, key, log, pace, number, lines, random.Random(seed * 1000 + number), last)
    finally:
        pace.moved(number, len(lines))


def _send(
    url: str,
    key: str,
    log: Log,
    pace: Pace,
    number: int,
    lines: list[bytes],
    chance: random.Random,
    last: bool,
) -> None:
    at = pace.at(number)
    parts = urlsplit(url)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    while at < len(lines):
        size = pace.allowed(number, chance.choice((1, 1, 1, 2, 5, 20, 60)))
        some = lines[at : at + size]
        one = len(some) == 1
        try:
            kind = "application/json" if one else "application/x-ndjson"
            connection.request("POST", "/v1/events", b"\n".join(some), headers | {"Content-Type": kind})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            if not last:
                return  # the service is gone; what it did with this is what the drill is about
            connection.close()
            time.sleep(0.1)
            continue
        if answer.status in (429, 503, 504, 507):
            time.sleep(0.05)
            continue
        if answer.status != 200:
            say(f"status {answer.status}: {body[:300]!r}")
            return
        found = json.loads(body)
        rows = [found] if one else found["results"]
        bad = [r for r in rows if r.get("status", "accepted") not in ("accepted", "duplicate")]
        if len(rows) != len(some) or bad or (one and found["reason_code"] == "not_scored"):
            say(f"answer to {len(some)} events: {body[:300]!r}")
            return
        at += len(some)
        log.add(number, at)
        pace.moved(number, at)
        time.sleep(0.02)


def watch(store: Path, log: Log, seen: int, stop: threading.Event, wanted: int | None, above: int) -> None:
    """Log the stored position, and what lies `above` it, as another process sees it."""
    place = store / "txmon.db"
    while not stop.is_set():
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True)) as db:
            while not stop.is_set():
                row = db.execute("select max(position) from offsets").fetchone()
                if row[0] is not None and row[0] != seen:
                    seen = row[0]
                    log.add(0, seen + above)
                if wanted is not None and row[0] is not None and seen + above >= wanted:
                    stop.set()
                time.sleep(0.005)
        time.sleep(0.05)


def append(path: Path, lines: list[bytes], stop: threading.Event, forever: bool) -> None:
    """Append what is not in the followed file yet, each line in two halves."""
    size, at = path.stat().st_size if path.exists() else 0, 0
    with path.open("ab", buffering=0) as file:
        for number, line in enumerate(lines):
            at += len(line) + 1
            if at <= size:
                continue
            file.write(line[: len(line) // 2])
            file.write(line[len(line) // 2 :] + b"\n")
            if number % 20 == 0 and not forever:
                time.sleep(20 / RATE)
            if stop.is_set() and not forever:
                return


def produce(
    servers: str, topic: str, sent: Path, lines: list[bytes], stop: threading.Event, last: bool
) -> None:
    """Send what is not in the topic yet."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True, "linger.ms": 2})
    at = int(sent.read_text()) if sent.exists() else 0
    while at < len(lines) and (last or not stop.is_set()):
        some = lines[at : at + (5000 if last else 60)]
        for line in some:
            producer.produce(topic, line, partition=0)
        if producer.flush(60):
            say("the broker did not take the messages")
            return
        at += len(some)
        sent.write_text(str(at))
        if not last:
            time.sleep(60 / RATE)


def main() -> None:
    """See the module."""
    how, where, second, log_path, seed, last_, *files = sys.argv[1:]
    streams, log, last = [Path(f) for f in files], Log(Path(log_path)), last_ == "1"
    if how == "http":
        texts = [list(lines_of(path)) for path in streams]
        pace = Pace(texts, acknowledged(Path(log_path), streams))
        threads = [
            threading.Thread(
                target=send_http,
                args=(where, second, log, pace, n, lines, int(seed), last),
            )
            for n, lines in enumerate(texts)
        ]
    else:
        (stream,), stop = streams, threading.Event()
        lines = list(lines_of(stream))
        wanted, above = None, int(how == "kafka")
        seen = acknowledged(Path(log_path), streams)[0] - above
        if last:
            wanted = stream.stat().st_size if how == "file" else len(lines)
        if how == "file":
            target, more = append, (Path(where), lines, stop, last)
        else:
            servers, _, topic = where.partition("/")
            target, more = produce, (servers, topic, Path(log_path).with_suffix(".sent"), lines, stop, last)
        threads = [
            threading.Thread(target=target, args=more),
            threading.Thread(target=watch, args=(Path(second), log, seen, stop, wanted, above)),
        ]
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.1)


if __name__ == "__main__":
    main()
