"""The way down of a whole process: what was taken is finished, answers and notes are out, nothing is lost."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

import pytest
from servicekit import KEY, WAIT_S, Bench, events_stored, pay, store_away, until

from txmon.cli import hosting
from txmon.cli.port import Port
from txmon.pipeline.service import Service
from txmon.store.access import Access, KeySpec
from txmon.streams.intake import FeedIntake


class Process:
    """`txmon serve` in a thread, with the port that it found."""

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stop = threading.Event()
        self.summary: dict[str, Any] = {}
        self.token = _key(service)
        ports: list[Port] = []
        start = Port.start

        def started(port: Port) -> None:
            start(port)
            ports.append(port)

        monkeypatch.setattr(Port, "start", started)
        self._thread = threading.Thread(target=self._run, args=(service,))
        self._thread.start()
        until(lambda: bool(ports))
        self.address = urlsplit(ports[0].address)

    def _run(self, service: Service) -> None:
        self.summary = hosting.run(service, self.stop, http=True)

    def ended(self) -> dict[str, Any]:
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        return self.summary

    def post(self, body: bytes) -> tuple[int, dict[str, Any]]:
        with closing(
            HTTPConnection(str(self.address.hostname), self.address.port, timeout=WAIT_S)
        ) as connection:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request("POST", "/v1/events", body, headers)
            try:
                answer = connection.getresponse()
                body = answer.read()
                return answer.status, json.loads(body) if answer.status == 200 else {}
            except HTTPException:  # cut off: the sender cannot know, and sends it again
                return 0, {}


def _key(service: Service) -> str:
    access = Access(service.store)
    now = service.doors.clock.now_us()
    people = service.change(lambda tx: access.bootstrap(tx, [("Ana", []), ("Ben", [])])).result()
    access.refresh()
    ana, ben = (access.authenticate(p.token, now) for p in people)

    def make(tx: Any) -> str:
        spec = KeySpec("test", frozenset({"ingest"}), roles=frozenset({"ingest"}))
        made = access.create_key(tx, ana, spec)
        assert made.grant_id is not None
        access.decide_grant(tx, made.grant_id, ben)
        return made.token

    return service.change(make).result()


@pytest.fixture
def process(simple: Bench, monkeypatch: pytest.MonkeyPatch) -> Process:
    return Process(simple.open(port=0, shutdown_seconds=4, intake=lambda r: FeedIntake(KEY, r)), monkeypatch)


def test_what_was_taken_is_answered_and_stored(simple: Bench, process: Process) -> None:
    answers: list[tuple[int, dict[str, Any]]] = []
    senders = [
        threading.Thread(target=lambda i=i: answers.append(process.post(pay(f"e{i}", i))))  # type: ignore[misc]
        for i in range(8)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(WAIT_S)
    process.stop.set()
    assert process.ended()["clean"]
    assert [status for status, _ in answers] == [200] * 8
    service = simple.open()
    assert len(events_stored(service)) == 8
    assert service.replayed == 0
    assert service.close()


def test_it_ends_though_the_store_is_away(
    simple: Bench, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of what could not be stored was acknowledged, and the summary says that it was not clean."""
    process.post(pay("a"))
    back = store_away(monkeypatch)
    answers: list[tuple[int, dict[str, Any]]] = []
    sender = threading.Thread(target=lambda: answers.append(process.post(pay("b", 1))))
    sender.start()
    until(lambda: simple.log.said("store.failed") > 0)
    process.stop.set()
    assert not process.ended()["clean"]
    sender.join(WAIT_S)
    assert [status for status, _ in answers if status == 200] == []
    back.set()
    service = simple.open()
    assert events_stored(service) == [("native", "a")]
    assert service.close()
