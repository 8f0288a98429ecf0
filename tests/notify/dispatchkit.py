"""Helpers: a clock that stands, messages as the pipeline writes them, a dispatcher that is driven by hand."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from txkit import START_US

from txmon.notify.deliver import Deliverer, Limits
from txmon.notify.dispatcher import Dispatcher, Parts
from txmon.notify.endpoints import Endpoint, Wanted, add
from txmon.notify.signing import Master
from txmon.store import Store, Tx, journal, outbox

MASTER = Master(b"\x07" * 32)
HOUR_US = 3_600_000_000


class TurnClock:
    """Stands still until `move`."""

    def __init__(self) -> None:
        self.time_us = START_US

    def now_us(self) -> int:
        return self.time_us

    def move(self, seconds: float) -> None:
        self.time_us += round(seconds * 1e6)


def open_store(place: str, clock: TurnClock, side: Path) -> Store:
    return Store.open(
        place,
        clock=clock,
        random_bytes=random.Random(1).randbytes,
        heads=side / "heads.log",
        erasures=side / "erasures.log",
    )


class Metrics:
    """Counts what is measured."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.backlog = -1
        self.webhook_backlog = self.webhook_deliveries_total = self
        self._label = ""

    def set(self, value: int) -> None:
        self.backlog = value

    def labels(self, outcome: str) -> Metrics:
        self._label = outcome
        return self

    def inc(self) -> None:
        self.outcomes[self._label] += 1


class Log:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **values: Any) -> None:
        self.lines.append((event, values))

    warning = error = info


def body(number: int, mode: str = "live", entity: str = "default", **full: Any) -> dict[str, Any]:
    """An alert of the outbox in both forms."""
    neutral = {
        "alert_id": f"al-{number:024x}", "entity": entity, "mode": mode, "recommendation": "review", "opened_time": "2026-01-05T12:00:00.000000Z",
        "opened_source": "test", "opened_event_id": f"ev-{number}", "revision": 0,
    }  # fmt: skip
    return {
        "neutral": neutral,
        "full": neutral
        | {"subject_id": f"person-{number}", "rule_ids": ["weekly-fee-out"], "typologies": ["other"]}
        | full,
    }


def write(store: Store, *bodies: dict[str, Any], kind: str = "alert.opened") -> range:
    """Put messages into the outbox, as one batch would; returns their numbers."""
    with store.write() as tx:
        seq = journal.append(tx, "decision", b"{}", store.clock.now_us()).seq
        made = [outbox.Message("alerts", kind, orjson.dumps(b)) for b in bodies]
        return outbox.add(tx, made, seq, store.clock.now_us())


def endpoint(store: Store, url: str, **more: Any) -> Endpoint:
    """Add an endpoint."""
    with store.write() as tx:
        return add(tx, MASTER, Wanted(url, loopback=True, **more), by="person:psn_ana")[0]


def changes(store: Store) -> Callable[[Callable[[Tx], None]], None]:
    """What a service does: a change in a transaction of its own."""

    def change(make: Callable[[Tx], None]) -> None:
        with store.write() as tx:
            make(tx)

    return change


class Driven:
    """A dispatcher, and what it said and counted."""

    def __init__(
        self, store: Store, clock: TurnClock, *, change: Any = None, timeout_s: float = 1.0, **parts: Any
    ) -> None:
        self.metrics, self.log = Metrics(), Log()
        made = Parts(clock, random.Random(3).randbytes, self.metrics, self.log, **parts)
        deliverer = Deliverer(Limits(timeout_s, loopback=True), clock)
        self.dispatcher = Dispatcher(store, change or changes(store), deliverer, MASTER, made)

    def settle(self) -> None:
        self.dispatcher.settle()

    def __enter__(self) -> Driven:
        return self

    def __exit__(self, *_: Any) -> None:
        self.dispatcher.stop()
