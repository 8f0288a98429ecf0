"""Killed again and again while it reads a stream of a broker, the process ends with what one run makes of it.

`ROUNDS` is the number of kills of each broker, usually a few; 100 take some minutes.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from railkit import Nats, Redis, drain, running

sys.path.append(str(Path(__file__).parents[1] / "service"))

from servicekit import busy_rules, stream

from txmon.model.keys import ensure_key
from txmon.streams.connect import open_consumer

MESSAGES, POISON_EVERY, KILLS_OF_A_LIFE = 5_000, 97, 5
ROUNDS = int(os.environ.get("ROUNDS", "3"))
LONG_S = 300.0
TXMON = [sys.executable, "-m", "txmon"]
_CUT = (
    "hit_id",
    "journal_seq",
    "ingest_seq",
    "changed_seq",
    "version",
    "created_us",
    "changed_us",
    "received_us",
)


@dataclass
class Rail:
    """A stream that holds all messages, and its address."""

    server: Any
    url: str
    dead: str
    positions: list[int]
    rules: Path

    def letters(self) -> list[tuple[str, str, bytes]]:
        """(place of the message, reason, body) of every dead letter."""
        if isinstance(self.server, Nats):
            reader = open_consumer(self.server.url("dead", subject=self.dead))
            found = []
            while True:
                part = reader.poll(1000, 1.0)
                found += [(dict(m.headers), m.payload) for m in part]
                if not part and reader.problem is None:
                    break
            reader.close()
            return [
                ((h["txmon-sequence"] or b"").decode(), (h["txmon-reason"] or b"").decode(), body)
                for h, body in found
            ]
        with closing(self.server.client()) as client:
            rows = [fields for _, fields in client.xrange(self.dead)]
        return [(r[b"txmon-id"].decode(), r[b"txmon-reason"].decode(), r[b"data"]) for r in rows]


def messages() -> list[bytes]:
    """The crowded stream of the pipeline's tests; every so many messages one is poison."""
    events = list(stream(5, MESSAGES))
    kinds = (b'{"no event": %d', b"\xff\xfe%d", b'{"event_id": "p%d", "amount": "much", "currency": "EUR"}')
    for i in range(POISON_EVERY - 1, MESSAGES, POISON_EVERY):
        events[i] = kinds[i % 3] % i
    return events


@pytest.fixture(scope="module", params=["nats", "redis"])
def rail(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rail]:
    folder = tmp_path_factory.mktemp(request.param)
    kind: Any = Nats if request.param == "nats" else Redis
    with running(kind, folder / "server") as server:
        if kind is Nats:
            server.stream("pay")
            server.stream("dead")
            server.send("pay.eu", messages())
        else:
            server.send("pay", messages())
        url = server.url("pay")
        reader = open_consumer(url)
        found = drain(lambda: reader.poll(5000, 0.2), MESSAGES)
        reader.close()
        places = [str(m.position) if kind is Nats else m.key.decode() for m in found]
        ensure_key(folder / "pan.key")
        made = Rail(server, url, "", [m.position for m in found], busy_rules(folder))
        made.bad = {places[i] for i in range(POISON_EVERY - 1, MESSAGES, POISON_EVERY)}  # type: ignore[attr-defined]
        yield made


class Life:
    """One store and its processes."""

    def __init__(self, folder: Path, rail: Rail) -> None:
        self.rail, self.store, self.folder = rail, folder / "store", folder
        nats = isinstance(rail.server, Nats)
        rail.dead = f"dead.{folder.name}".replace("_", "-") if nats else f"dead-{folder.name}"
        self.url = rail.server.url("pay", dead_letter=rail.dead)

    def start(self) -> subprocess.Popen[bytes]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TXMON_")}
        own = {
            "TXMON_KEY_FILE": str(self.rail.rules.parent / "pan.key"), "TXMON_RULES": str(self.rail.rules),
            "TXMON_BATCH_EVENTS": "64", "TXMON_SNAPSHOT_EVENTS": "700", "TXMON_DISK_FREE_BYTES": "0",
            "TXMON_WAREHOUSE": "false",
        }  # fmt: skip
        command = [*TXMON, "stream", "--source", self.url, "--feed", "native", "--store", str(self.store)]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*command, "--idle-exit", "2"],
                env=clean | own,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def done(self) -> int:
        """How many messages are behind the stored position."""
        found = self.rows("select max(position) as p from offsets where consumer not like 'publish:%'")
        position = found[0]["p"] if found else None
        return 0 if position is None else self.rail.positions.index(position) + 1

    def kill_at(self, count: int, chance: random.Random) -> None:
        """Start, and kill when so many messages are stored; -1: some time after the start."""
        process = self.start()
        until = time.monotonic() + (chance.random() * 3 if count < 0 else LONG_S)
        while time.monotonic() < until and process.poll() is None and (count < 0 or self.done() < count):
            time.sleep(0.003)
        time.sleep(chance.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def finish(self) -> None:
        """Run until all is stored."""
        for _ in range(20):
            process = self.start()
            try:
                assert process.wait(LONG_S) == 0, (self.folder / "log").read_text()[-2000:]
            finally:
                process.kill()
                process.wait()
            if self.done() == MESSAGES:
                return
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def rows(self, query: str) -> list[dict[str, Any]]:
        path = self.store / "txmon.db"
        if not path.exists():
            return []
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as conn:
                conn.row_factory = sqlite3.Row
                return [dict(row) for row in conn.execute(query)]
        except sqlite3.OperationalError:
            return []  # not made yet

    def results(self) -> dict[str, list[Any]]:
        """Everything the stream led to, without what depends on how it was cut into batches."""
        hits = "select * from hits order by source, event_id, leg, rule_id, trigger, subject_id"
        named = "select feed, line, event_id, field, value, reason, message, raw from quarantine order by line, field"
        found = {
            "hits": self.rows(hits),
            "alerts": self.rows("select * from alerts order by alert_id"),
            "quarantine": self.rows(named),
            "events": self.rows("select sum(event_count) as n from journal where kind = 'events'"),
        }
        for rows in found.values():
            for row in rows:
                for name in _CUT:
                    row.pop(name, None)
        return found


@pytest.mark.slow
def test_killed_at_random_points_it_ends_as_one_run(rail: Rail, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = Life(tmp_path / "whole", rail)
    whole.finish()
    wanted = whole.results()
    assert len(wanted["hits"]) > 100
    assert len(wanted["alerts"]) > 10
    letters = rail.letters()
    bad: set[str] = rail.bad  # type: ignore[attr-defined]
    assert {place for place, _, _ in letters} >= bad
    assert len(wanted["quarantine"]) == len(letters)
    said = {(place, reason) for place, reason, _ in letters}

    chance = random.Random(os.environ.get("SEED", "7"))
    left, number = ROUNDS, 0
    while left > 0:
        number += 1
        folder = tmp_path / f"life{number}"
        folder.mkdir()
        life = Life(folder, rail)
        kills = min(left, KILLS_OF_A_LIFE)
        left -= kills
        points = sorted(chance.choice((-1, *[chance.randrange(MESSAGES)] * 5)) for _ in range(kills))
        for point in points:
            life.kill_at(point, chance)
        life.finish()
        assert life.results() == wanted, points
        found = rail.letters()
        assert {(place, reason) for place, reason, _ in found if place in bad} == {
            (place, reason) for place, reason in said if place in bad
        }, points
