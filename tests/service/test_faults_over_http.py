"""What a sender and an operator see of each fault: status, code, reason of `/readyz`, metric, and its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from portkit import Process
from servicekit import WAIT_S, Bench, events_stored, failing_commits, metric, pay, poison, store_away, until

from txmon.errors import StoreCorrupt
from txmon.pipeline.service import Service
from txmon.pipeline.writer import Writer


@pytest.fixture
def service(simple: Bench) -> Service:
    return simple.open(
        port=0, shutdown_seconds=4, decision_timeout_ms=300, queue_events=4, batch_events=1, disk_free_bytes=1
    )


@pytest.fixture
def process(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    found = Process(service, monkeypatch)
    yield found
    found.stop.set()
    found.ended()


def test_the_store_is_away(service: Service, process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    assert process.ready() == (200, [])
    back = store_away(monkeypatch)
    status, answer = process.post(pay("a"))
    assert (status, answer["code"]) == (503, "decision_timeout")
    until(lambda: process.ready() == (503, ["store"]))
    until(lambda: process.sample('txmon_ready{reason="store"}') == 0)
    assert process.sample('txmon_store_failures_total{kind="store_unavailable"}') == 1
    back.set()
    until(lambda: process.ready() == (200, []))
    status, answer = process.post(pay("a"))  # the sender asks again and learns that it is stored
    assert (status, answer["duplicate"]) == (200, True)
    assert process.sample("txmon_store_recoveries_total") == 1
    assert events_stored(service) == [("native", "a")]


def test_the_disk_fails_in_a_commit(
    service: Service, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_commits(monkeypatch, "full", "full")
    until(lambda: process.post(pay("a"))[0] == 200)
    assert process.ready() == (200, [])
    assert process.sample('txmon_store_failures_total{kind="store_fatal"}') == 2
    assert events_stored(service) == [("native", "a")]


def test_the_disk_is_nearly_full(service: Service, process: Process) -> None:
    service.disk._least, service.disk._looked_s = 1 << 60, -1e9
    status, answer = process.post(pay("a"))
    assert (status, answer["code"], answer["retry_after"]) == (507, "no_room", "30")
    assert process.ready() == (503, ["disk"])
    until(lambda: process.sample('txmon_ready{reason="disk"}') == 0)
    until(lambda: process.sample("txmon_disk_free_bytes") > 0)
    service.disk._least = 0
    assert process.ready() == (200, [])
    assert process.post(pay("a"))[0] == 200


def test_too_much_waits(service: Service, process: Process) -> None:
    held, holding = threading.Event(), threading.Event()
    service.inbox.change(lambda: (holding.set(), held.wait()))
    assert holding.wait(WAIT_S)  # what comes before would be taken along
    answers: list[tuple[int, dict[str, Any]]] = []
    senders = [
        threading.Thread(target=lambda i=i: answers.append(process.post(pay(f"e{i}", i))))  # type: ignore[misc]
        for i in range(4)
    ]
    for sender in senders:
        sender.start()
    until(lambda: service.inbox.events == 4)
    status, answer = process.post(pay("more"))
    assert (status, answer["code"], answer["retry_after"]) == (429, "busy", "1")
    assert process.ready() == (503, ["queue"])
    assert process.sample("txmon_queue_limit") == 4
    held.set()
    for sender in senders:
        sender.join(WAIT_S)
    assert {status for status, _ in answers} <= {200, 503}  # stored, or not in time; asked again it is known
    until(lambda: process.ready() == (200, []))
    assert process.post(pay("more"))[0] == 200
    assert len(events_stored(service)) == 5


def test_an_event_on_which_the_engine_fails(service: Service, process: Process) -> None:
    poison(service, {"sick"}.__contains__)
    until(lambda: process.post(pay("sick"))[0] == 200)
    status, answer = process.post(pay("sick"))
    assert (status, answer["reason_code"], answer["reason"]) == (200, "not_scored", "engine_error")
    assert metric(service, "txmon_quarantined_total", reason="engine_error") >= 1
    assert process.post(pay("well", 1))[0] == 200
    assert process.ready() == (200, [])


def test_an_engine_that_cannot_go_on(
    service: Service, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored bytes are damaged: nothing is served from them until a person has looked."""

    def corrupt(*_: Any) -> Any:
        raise StoreCorrupt("the database file is damaged, restore a backup")

    monkeypatch.setattr(Writer, "_outcomes", corrupt)
    status, answer = process.post(pay("a"))
    assert (status, answer["code"]) == (500, "store_corrupt")
    until(lambda: process.ready() == (503, ["engine"]))
    status, answer = process.post(pay("b"))
    assert (status, answer["code"]) == (503, "unavailable")
    until(lambda: process.sample('txmon_ready{reason="engine"}') == 0)
    assert process.sample('txmon_store_failures_total{kind="store_corrupt"}') == 1
    process.stop.set()
    assert not process.ended()["clean"]
