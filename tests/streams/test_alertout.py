"""Alerts to a topic: in order, from where it stood, and on again after whatever failed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, ClassVar

import pytest

from txmon.errors import SourceError
from txmon.store import Store, offsets, outbox
from txmon.streams import alertout
from txmon.streams.alertout import AlertOut, Sending
from txmon.streams.kafkaurl import kafka_address
from txmon.streams.publish import Outgoing


class Clock:
    def now_us(self) -> int:
        return 1


class Log:
    """Keeps what failed."""

    def __init__(self) -> None:
        self.failures: list[BaseException] = []

    def warning(self, _event: str, **values: Any) -> None:
        self.failures.append(values["exc_info"])

    error = info = warning


class Publisher:
    """A broker that takes what it is told to take."""

    sent: ClassVar[list[str]] = []
    refused: ClassVar[set[str]] = set()

    def __init__(self, _address: Any) -> None:
        self.closed = False

    def publish(self, items: Iterable[Outgoing], _timeout_s: float) -> set[str]:
        taken = {item.id for item in items} - Publisher.refused
        Publisher.sent += sorted(taken)
        return taken

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    Publisher.sent, Publisher.refused = [], set()
    with Store.open(tmp_path, clock=Clock(), random_bytes=bytes) as found:
        yield found


def add(store: Store, *names: str) -> None:
    with store.write() as tx:
        outbox.add(tx, [outbox.Message("alerts", "opened", name.encode()) for name in names], 1, 1)


def sending(store: Store, change: Callable[..., Future[Any]] | None = None) -> Sending:
    def at_once(make: Callable[[Any], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        with store.write() as tx:
            future.set_result(make(tx))
        return future

    address = kafka_address("kafka://127.0.0.1:1/alerts")
    return Sending(
        store, change or at_once, "alerts", address, lambda s: Outgoing(s.body.decode(), "k", s.body)
    )


def until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("what had to come to pass did not")


def reached(store: Store) -> int | None:
    with store.read() as conn:
        return offsets.get(conn, "publish:alerts").get("outbox")


def test_it_goes_on_behind_what_was_taken_in_order(store: Store) -> None:
    add(store, "a", "b", "c", "d")
    out, publisher = AlertOut(sending(store), Log()), Publisher(None)
    Publisher.refused = {"c"}
    assert out.round(publisher) == 2
    assert reached(store) == 2  # d was taken, too: it comes again
    with pytest.raises(SourceError):
        out.round(publisher)
    Publisher.refused = set()
    assert out.round(publisher) == 2
    assert out.round(publisher) == 0
    assert (Publisher.sent, reached(store)) == (["a", "b", "d", "d", "c", "d"], 4)


def test_no_failure_ends_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertout, "KafkaPublisher", Publisher)
    monkeypatch.setattr(alertout, "_PAUSE_S", 0.01)
    monkeypatch.setattr(alertout, "_PROBLEM_PAUSE_S", 0.01)
    whole = sending(store)
    faults: list[Exception] = [TimeoutError("the store is away"), RuntimeError("a fault of ours")]

    def change(make: Callable[[Any], Any]) -> Future[Any]:
        if not faults:
            return whole.change(make)
        future: Future[Any] = Future()
        future.set_exception(faults.pop(0))
        return future

    log = Log()
    out = AlertOut(sending(store, change), log)
    add(store, "a", "b")
    out.start()
    until(lambda: reached(store) == 2)
    out.stop(10)
    assert [type(error) for error in log.failures] == [TimeoutError, RuntimeError]
    assert out.problem is None
