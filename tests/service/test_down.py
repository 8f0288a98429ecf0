"""The way down of a whole process: what was taken is finished, answers and notes are out, nothing is lost."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from portkit import Process
from servicekit import KEY, WAIT_S, Bench, events_stored, pay, store_away, until

from txmon.streams.intake import FeedIntake


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


def test_a_stream_that_is_listened_to_is_ended_and_not_cut_off(simple: Bench, process: Process) -> None:
    with process.listening() as stream:
        assert stream.readline() == b"retry: 2000\n"
        process.stop.set()
        assert stream.read() == b"\n"  # to its proper end: cut off, it would be an IncompleteRead
    assert process.ended()["clean"]


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
