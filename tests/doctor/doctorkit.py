"""What the doctor's tests share: a store with people, written as it is asked to be."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from txkit import START_US, event, table

from txmon.doctor import Finding
from txmon.store import Store, journal
from txmon.store.access import Access, NewKey

Look = Callable[..., tuple[Finding, ...]]


class Fixed:
    """A clock that stands still."""

    def __init__(self, now_us: int = START_US) -> None:
        self.time_us = now_us

    def now_us(self) -> int:
        return self.time_us


@dataclass
class Place:
    """A store of a folder or a database, with Ana and Ben."""

    url: str
    clock: Fixed
    environ: dict[str, str]
    people: list[NewKey]

    @contextmanager
    def writing(self) -> Iterator[Store]:
        with Store.open(self.url, clock=self.clock, random_bytes=random.Random(1).randbytes) as store:
            yield store

    def fill(self, events: int = 3) -> None:
        with self.writing() as store, store.write() as tx:
            rows = [event(f"e{n}", START_US + n, payer="a", payee="b") for n in range(events)]
            journal.append(tx, journal.EVENTS, table(rows).drop_columns(["ingest_seq"]), self.clock.now_us())


def made(url: str, environ: dict[str, str]) -> Place:
    clock = Fixed()
    with Store.open(url, clock=clock, random_bytes=random.Random(0).randbytes) as store:
        access = Access(store)
        with store.write() as tx:
            people = access.bootstrap(tx, [("Ana", ["analyst"]), ("Ben", ["approver"])])
    return Place(url, clock, {"TXMON_STORE": url, **environ}, people)
