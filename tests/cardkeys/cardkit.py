"""Card numbers that check, payments with them, and a service whose programs are restarted with a key file."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from txkit import DAY, START_US, write_pack

from txmon.clock import rfc3339
from txmon.metrics import Metrics
from txmon.model.keys import load_key
from txmon.model.pan import luhn
from txmon.pipeline.commit import Fault, no_fault
from txmon.pipeline.service import Doors, Service
from txmon.pipeline.work import Outcome, Sender, Work
from txmon.settings import Settings
from txmon.store import Store, aliases, journal
from txmon.store.schema import hits
from txmon.streams.intake import FeedIntake

TODAY_US = START_US + 20 * DAY
RULE = {
    "id": "card-thrice",
    "subject": "card",
    "score": 0.6,
    "let": {"n": "count(*) filter (where moved) over card_30d"},
    "when": "n = 3",
}


def card_numbers(count: int, seed: int = 7) -> list[str]:
    """Numbers of known schemes, all different."""
    rng = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        body = rng.choice(["4", "51", "55", "2221", "3528", "6011"])
        body += "".join(rng.choice("0123456789") for _ in range(15 - len(body)))
        found[next(body + d for d in "0123456789" if luhn(body + d))] = None
    return list(found)


def spelled(number: str, how: int) -> str:
    """A number as people write it."""
    groups = [number[i : i + 4] for i in range(0, 16, 4)]
    return (number, " ".join(groups), "-".join(groups), "".join(chr(0xFF10 + int(d)) for d in number))[
        how % 4
    ]


def payments(numbers: Iterable[str], tag: str, day: int) -> list[bytes]:
    """A payment with each card; every third one says its number in the memo too."""
    rows = []
    for i, number in enumerate(numbers):
        row: dict[str, Any] = {
            "event_id": f"{tag}-{i}",
            "event_time": rfc3339(START_US + day * DAY + i),
            "payer": f"a{i % 11}",
            "payee": f"b{i % 3}",
            "currency": "EUR",
            "amount": 10,
            "card": spelled(number, i),
        }
        if i % 3 == 0:
            row["memo"] = f"card {spelled(number, i + 1)}"
        rows.append(json.dumps(row).encode())
    return rows


class Now:
    """Stands still."""

    def now_us(self) -> int:
        return TODAY_US


class Quiet:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **values: self.lines.append(f"{level} {event} {values}")


class Shop:
    """A service that is stopped and started; each start reads the key file."""

    def __init__(self, folder: Path, place: str, key: Path) -> None:
        self.folder, self.place, self.key = folder, place, key
        self.rules = write_pack(folder / "rules", RULE)
        self.log = Quiet()

    def open(self, point: Fault = no_fault) -> Service:
        settings = Settings(
            store=self.place,
            rules=self.rules,
            disk_free_bytes=0,
            state_dir=self.folder / "state",
            engine_process=False,
        )
        doors = Doors(Now(), random.Random(1).randbytes, lambda _: None, Metrics(), self.log, point)
        key = load_key(self.key)
        return Service.open(settings, doors, lambda rates: FeedIntake(key, rates, doors.aliases))

    def send(self, *runs: Sequence[bytes], point: Fault = no_fault) -> int:
        """Start, hand over, stop; returns how many hits there were."""
        service = self.open(point)
        try:
            return sum(send(service, run).hits for run in runs)
        finally:
            assert service.close()

    def read(self, what: Callable[[Store], Any]) -> Any:
        """Look at the store while nothing runs."""
        with Store.open(
            self.place, clock=Now(), random_bytes=random.Random(2).randbytes, read_only=True
        ) as store:
            return what(store)

    def cards(self, tag: str) -> list[str]:
        """Tokens of the events of a run, in order."""

        def look(store: Store) -> list[str]:
            rows = [
                row
                for e in journal.read(store, kinds=["events"])
                for row in e.table.select(["event_id", "card"]).to_pylist()
            ]
            mine = [
                (int(r["event_id"].split("-")[1]), r["card"])
                for r in rows
                if r["event_id"].startswith(f"{tag}-")
            ]
            return [card for _, card in sorted(mine)]

        found: list[str] = self.read(look)
        return found

    def counts(self) -> list[aliases.Count]:
        """Aliases by keys."""

        def look(store: Store) -> list[aliases.Count]:
            with store.read() as conn:
                return aliases.counts(conn)

        found: list[aliases.Count] = self.read(look)
        return found

    def subjects(self) -> list[str]:
        """Cards that hit."""

        def look(store: Store) -> list[str]:
            with store.read() as conn:
                return list(conn.execute(sa.select(hits.c.subject_id)).scalars())

        found: list[str] = self.read(look)
        return found


def send(service: Service, payloads: Sequence[bytes]) -> Outcome:
    """Hand payloads over and wait.

    Raises:
        Exception: what the service answers.
    """
    found: list[Outcome | Exception] = []
    there = threading.Event()

    def done(result: Outcome | Exception) -> None:
        found.append(result)
        there.set()

    service.submit(Work(Sender("native"), "http", TODAY_US, payloads), done)
    assert there.wait(120)
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


_RUN = re.compile(rb"\d(?:[ \-.\x00]?\d){15,}")


def numbers_in(data: bytes, known: frozenset[str]) -> set[str]:
    """Card numbers that bytes hold."""
    found = set()
    for match in _RUN.finditer(data):
        digits = re.sub(rb"\D", b"", match.group()).decode()
        found |= {digits[i : i + 16] for i in range(len(digits) - 15)} & known
    return found
