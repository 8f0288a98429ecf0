"""A service in the test's own process: real store, real engine, time that stands still, doors that can break."""

from __future__ import annotations

import io
import itertools
import json
import random
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from txkit import write_pack

from txmon.clock import rfc3339
from txmon.errors import CommitUnknown, StoreFatal, StoreUnavailable
from txmon.logs import make_logger
from txmon.metrics import Metrics
from txmon.model.keys import PanKey
from txmon.model.rates import Rates
from txmon.pipeline.commit import Fault, no_fault
from txmon.pipeline.service import Doors, Service
from txmon.pipeline.work import Intake, Outcome, Sender, Work
from txmon.settings import Settings
from txmon.store import Store
from txmon.store.schema import alert_hits, alerts, hits, journal, outbox
from txmon.streams.intake import FeedIntake

sys.path.append(str(Path(__file__).parents[1] / "pipeline"))

import busy

LONG_AGO_US = int(
    1_900_000_000 * 1e6
)  # the test's today: 2030, so that no event is ahead and no mark of time due
WAIT_S = 60.0  # how long a test waits for what must come: never a measure, only an end
KEY = PanKey("0badcafe", bytes(32))


class Clock:
    """Stands still until it is moved."""

    def __init__(self, time_us: int = LONG_AGO_US) -> None:
        self.time_us = time_us

    def now_us(self) -> int:
        return self.time_us


class Log:
    """Keeps what was said."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self._real = make_logger(Clock(), stream=io.BytesIO())  # which refuses what may not be logged

    def _say(self, event: str, **values: Any) -> None:
        self.lines.append((event, values))
        self._real.error(event, **values)

    info = warning = error = _say

    def said(self, event: str) -> int:
        return sum(1 for name, _ in self.lines if name == event)

    def errors(self, event: str) -> list[BaseException]:
        return [values["exc_info"] for name, values in self.lines if name == event]


@dataclass
class Bench:
    """What one test opens services with: a store that outlives them, rules, a clock and a log."""

    folder: Path
    rules: Path
    place: str
    clock: Clock = field(default_factory=Clock)
    log: Log = field(default_factory=Log)
    pauses: threading.Event = field(default_factory=threading.Event)

    def settings(self, **more: Any) -> Settings:
        usual: dict[str, Any] = {
            "store": self.place, "rules": self.rules, "entity_tz": "Europe/Berlin", "disk_free_bytes": 0, "engine_process": False,
            "snapshot_seconds": 1_000_000, "state_dir": self.folder / "state", "shutdown_seconds": 60,
        }  # fmt: skip
        return Settings(**(usual | more))

    def open(
        self,
        *,
        point: Fault = no_fault,
        intake: Callable[[Rates], Intake] | None = None,
        **settings: Any,
    ) -> Service:
        doors = Doors(self.clock, chance(), self._sleep, Metrics(), self.log, point)
        return Service.open(self.settings(**settings), doors, intake or (lambda r: FeedIntake(KEY, r)))

    def _sleep(self, seconds: float) -> None:
        self.pauses.set()  # a test may wait until the writer waits
        threading.Event().wait(min(seconds, 0.05))


def chance(seed: int = 1) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


CROWD = 11  # the seed of the stream that `whole` is about


@cache
def stream(seed: int, count: int = 400) -> tuple[bytes, ...]:
    """The crowded stream of the pipeline's tests as native JSON, one event a payload."""
    return tuple(payload(row) for row in busy.stream(seed, count).to_pylist())


def payload(row: Mapping[str, Any]) -> bytes:
    """A canonical event as the native feed reads it."""
    made: dict[str, Any] = {}
    for name, value in row.items():
        if value is None or name in ("ingest_seq", "amount_base_minor", "base_currency", "unconverted"):
            continue
        if name == "attributes":
            value = dict(value)
        elif name == "holders":
            value = [_holder(h) for h in value]
        elif hasattr(value, "isoformat"):
            value = value.isoformat()
        made[name] = value
    return json.dumps(made).encode()


def _holder(holder: Mapping[str, Any]) -> dict[str, Any]:
    names = {"party": "party", "role": "role", "valid_from": "from", "valid_to": "to"}
    return {
        names[k]: v.isoformat() if hasattr(v, "isoformat") else v for k, v in holder.items() if v is not None
    }


def pay(event_id: str, minute: int = 0, **columns: Any) -> bytes:
    """A payment of EUR 10.00 by `p`, so many minutes after the START of the other tests."""
    row = {"event_id": event_id, "event_time": rfc3339(1_767_614_400_000_000 + minute * 60_000_000)}
    return json.dumps(row | {"amount": "10.00", "currency": "EUR", "payer": "p"} | columns).encode()


THREE: dict[str, Any] = {
    "id": "three",
    "subject": "payer",
    "score": 0.7,
    "let": {"n": "count(*) over payer_3d"},
    "when": "n >= 3",
    "explain": "{n} payments",
}


def busy_rules(folder: Path) -> Path:
    return write_pack(folder / "rules", *busy.RULES, **busy.FILES)


def simple_rules(folder: Path, *rules: Mapping[str, Any]) -> Path:
    return write_pack(folder / "rules", *(rules or (THREE,)))


# -- sending ---------------------------------------------------------------------------------------------


class Answers:
    """The answers to works, in the order in which they were sent."""

    def __init__(self) -> None:
        self.results: list[Outcome | Exception | None] = []
        self.calls = 0
        self._changed = threading.Condition()

    def slot(self) -> Callable[[Outcome | Exception], None]:
        number = len(self.results)
        self.results.append(None)

        def done(result: Outcome | Exception) -> None:
            with self._changed:
                assert self.results[number] is None, "a work was answered twice"
                self.results[number] = result
                self._changed.notify_all()

        return done

    def wait(self) -> list[Outcome | Exception]:
        with self._changed:
            assert self._changed.wait_for(lambda: None not in self.results, WAIT_S), (
                "a work was never answered"
            )
        return [r for r in self.results if r is not None]

    def outcomes(self) -> list[Outcome]:
        found = []
        for result in self.wait():
            if isinstance(result, Exception):
                raise result
            found.append(result)
        return found


def submit(service: Service, payloads: Sequence[bytes], into: Answers | None = None, **more: Any) -> Answers:
    into = into or Answers()
    sender = more.pop("sender", Sender("native"))
    work = Work(sender, more.pop("kind", "http"), service.doors.clock.now_us(), payloads, **more)
    service.submit(work, into.slot())
    return into


def send(service: Service, payloads: Sequence[bytes], cuts: Iterable[int] = (), **more: Any) -> list[Outcome]:
    """Send payloads cut into works at these places, all at once; returns their outcomes."""
    edges = [0, *sorted({c for c in cuts if 0 < c < len(payloads)}), len(payloads)]
    answers = Answers()
    for a, b in itertools.pairwise(edges):
        submit(service, payloads[a:b], answers, **more)
    return answers.outcomes()


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come to pass."""
    pause = threading.Event()
    for _ in range(int(WAIT_S / 0.02)):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("what had to come to pass did not")


def hold(service: Service) -> threading.Event:
    """Keep the writer from taking anything until the event is set; it is held when this returns."""
    running, release = threading.Event(), threading.Event()

    def wait() -> None:
        running.set()
        release.wait(WAIT_S)

    service.inbox.change(wait)
    assert running.wait(WAIT_S)
    return release


# -- what is stored --------------------------------------------------------------------------------------

_NOT_COMPARED = {
    "alerts": {"version", "journal_seq", "changed_seq", "created_us", "changed_us"},
    "hits": {"hit_id", "journal_seq"},
}  # fmt: skip


def stored(service: Service) -> dict[str, list[Any]]:
    """Hits, alerts and what fed them, without what depends on how the stream was cut into batches."""
    with service.store.read() as conn:
        found_hits = [dict(r) for r in conn.execute(sa.select(hits).order_by(hits.c.hit_id)).mappings()]
        found_alerts = [
            dict(r) for r in conn.execute(sa.select(alerts).order_by(alerts.c.alert_id)).mappings()
        ]
        fed = conn.execute(
            sa.select(
                alert_hits.c.alert_id, hits.c.ingest_seq, hits.c.rule_id, hits.c.leg, alert_hits.c.change
            )
            .join(hits, hits.c.hit_id == alert_hits.c.hit_id)
            .order_by(alert_hits.c.hit_id)
        ).all()
    return {
        "hits": [without(row, _NOT_COMPARED["hits"]) for row in found_hits],
        "alerts": [without(row, _NOT_COMPARED["alerts"]) for row in found_alerts],
        "fed": [tuple(row) for row in fed],
    }


def without(row: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k not in names}


def events_stored(service: Service) -> list[tuple[str, str]]:
    """(source, event_id) of every journaled event, in order."""
    from txmon.pipeline.history import runs

    found: list[tuple[str, str]] = []
    for run in runs(service.store, 1, None):
        found += zip(run.events["source"].to_pylist(), run.events["event_id"].to_pylist(), strict=True)
    return found


def rows_of(service: Service, table: sa.Table) -> list[dict[str, Any]]:
    with service.store.read() as conn:
        return [dict(r) for r in conn.execute(sa.select(table)).mappings()]


def messages(service: Service) -> list[tuple[str, str]]:
    """Kind and alert of every message of the outbox, in order."""
    return [
        (row["kind"], json.loads(row["body"])["full"]["alert_id"])
        for row in sorted(rows_of(service, outbox), key=lambda r: r["id"])
    ]


def metric(service: Service, name: str, **labels: str) -> float:
    """A sample of a metric, 0 where there is none yet."""
    value = service.metrics.registry.get_sample_value(name, labels)
    return 0.0 if value is None else value


def of_kind(service: Service, kind: str) -> int:
    return sum(1 for row in rows_of(service, journal) if row["kind"] == kind)


# -- faults ----------------------------------------------------------------------------------------------


def failing_commits(monkeypatch: pytest.MonkeyPatch, *faults: str) -> list[str]:
    """Let the next commits of every store fail, then work again; returns what is still to come.

    Faults: `full` as a disk that is full or failing does, `lost` when the connection breaks before the commit
    is done, `unheard` when it breaks behind it, `pass` for none.
    """
    left, real = list(faults), Store._commit

    def commit(self: Store, transaction: sa.RootTransaction) -> None:
        fault = left.pop(0) if left else "pass"
        if fault in ("pass", "unheard"):
            real(self, transaction)
        else:
            transaction.rollback()
        if fault == "full":
            raise StoreFatal("committing: the test's disk is full")
        if fault != "pass":
            raise CommitUnknown("the test broke the connection while committing")

    monkeypatch.setattr(Store, "_commit", commit)
    return left


def store_away(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let no store be opened, read or written until the returned event is set."""
    back = threading.Event()
    connect, write, read = Store._connect, Store.write, Store.read

    def check() -> None:
        if not back.is_set():
            raise StoreUnavailable("the test took the store away")

    def connect_(self: Store) -> None:
        check()
        connect(self)

    @contextmanager
    def write_(self: Store) -> Iterator[Any]:
        with write(self) as tx:
            yield tx
            check()

    @contextmanager
    def read_(self: Store) -> Iterator[Any]:
        check()
        with read(self) as conn:
            yield conn

    monkeypatch.setattr(Store, "_connect", connect_)
    monkeypatch.setattr(Store, "write", write_)
    monkeypatch.setattr(Store, "read", read_)
    return back


class Poison(Exception):
    """What a broken engine raises."""


def poison(
    service: Service,
    bad: Callable[[str], bool],
    tries: list[str] | None = None,
    error: Callable[[str], Exception] = Poison,
) -> None:
    """Break every scorer of this service: it fails on some event ids, after it has changed its state.

    Args:
        bad: says of an event id whether the engine fails on it.
        tries: gets the ids of failing batches of one.
    """
    from txmon.pipeline.scorer import Scorer

    def break_(scorer: Scorer) -> Scorer:
        real = scorer.apply

        def apply(events: pa.Table) -> Any:
            names = events.column("event_id").to_pylist()
            at = [i for i, name in enumerate(names) if bad(name)]
            if not at:
                return real(events)
            real(events.slice(0, at[0] + 1))  # the bad one too: its traces must vanish
            if tries is not None and len(names) == 1:
                tries.append(names[0])
            raise error("the engine failed")

        scorer.apply = apply  # type: ignore[method-assign]
        return scorer

    def near(scoring: Any) -> Any:
        break_(scoring.scorer)
        return scoring

    near(service.applier.scoring)
    reload = service.applier._reload
    service.applier._reload = lambda: near(reload())
