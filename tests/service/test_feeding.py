"""A source feeds the service: whatever breaks on the way, every message is stored once and in order."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from servicekit import (
    CROWD,
    KEY,
    WAIT_S,
    Bench,
    events_stored,
    failing_commits,
    hold,
    pay,
    poison,
    rows_of,
    send,
    store_away,
    stored,
    stream,
    until,
)

from txmon.errors import NoRoom, SourceError
from txmon.pipeline.service import Service
from txmon.pipeline.work import Sender
from txmon.store import offsets
from txmon.store.schema import quarantine
from txmon.streams import feeding as module
from txmon.streams.consumer import Message
from txmon.streams.decode import Decoder
from txmon.streams.feedfile import load_feed
from txmon.streams.feeding import Feeding, Source
from txmon.streams.scripted import ABORT, EOF, GAP, ScriptedConsumer, Step

NAME = "scripted"


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of a test are short."""
    monkeypatch.setattr(module, "_PROBLEM_PAUSE_S", 0.01)
    monkeypatch.setattr(module, "_PAUSE_S", 0.01)


def positions(service: Service) -> dict[str, int]:
    with service.store.read() as conn:
        return offsets.get(conn, NAME)


def feed(
    service: Service,
    consumer: ScriptedConsumer,
    *,
    batch: int = 8192,
    decode: Callable[[Sequence[Message]], Any] | None = None,
) -> Feeding:
    decoder = Decoder(load_feed("native"), KEY, service.config.rates)
    source = Source(
        consumer, Sender("native"), "kafka", decode or decoder.decode, lambda: positions(service), batch
    )
    feeding = Feeding(source, service, service.doors.clock, service.metrics, service.doors.log)
    feeding.start()
    return feeding


def scripted(service: Service, script: Sequence[Step]) -> ScriptedConsumer:
    return ScriptedConsumer(script, stored=lambda: positions(service), name=NAME)


@pytest.mark.parametrize("seed", range(4))
def test_breaks_of_the_source_leave_no_gap(bench: Bench, whole: dict[str, list[Any]], seed: int) -> None:
    chance = random.Random(seed)
    script: list[Step] = []
    for payload in stream(CROWD):
        script.append(payload)
        if chance.random() < 0.08:
            script.append(chance.choice((ABORT, GAP, GAP)))
    service = bench.open(batch_events=chance.choice((16, 4096)))
    consumer = scripted(service, [*script, EOF])
    feeding = feed(service, consumer, batch=chance.choice((4, 7, 100)))
    assert feeding.wait(WAIT_S)
    assert feeding.ended
    assert stored(service) == whole
    assert positions(service) == {"0": len(stream(CROWD)) - 1}
    assert consumer.closed
    assert service.close()


def test_a_batch_that_fails_takes_those_behind_it_along(bench: Bench, whole: dict[str, list[Any]]) -> None:
    """Were the one behind stored first, its positions would hide the failed one for ever."""
    service = bench.open(batch_events=1)
    real, left = service.applier.result, [3, 9, 10]

    def result() -> Any:
        left[:] = [n - 1 for n in left]
        if 0 in left:
            raise RuntimeError("the engine failed")
        return real()

    service.applier.result = result  # type: ignore[method-assign]
    feeding = feed(service, scripted(service, [*stream(CROWD), EOF]), batch=20)
    assert feeding.wait(WAIT_S)
    assert feeding.ended
    assert service.doors.log.said("feeding.failed") >= 2  # type: ignore[attr-defined]
    assert stored(service) == whole
    names = events_stored(service)
    assert len(names) == len(set(names))
    assert service.close()


def test_a_store_that_fails_under_a_source(
    bench: Bench, whole: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = bench.open(batch_events=20)
    left = failing_commits(monkeypatch, "pass", "lost", "unheard", "full", "pass", "unheard", "unheard")
    feeding = feed(service, scripted(service, [*stream(CROWD), EOF]), batch=20)
    assert feeding.wait(WAIT_S)
    assert not left
    assert stored(service) == whole
    assert service.close()


def test_two_sources_and_a_sender_beside_them(simple: Bench) -> None:
    service = simple.open(batch_events=50)
    script = [Message(pay(f"k{i}", i, payer=f"p{i}"), str(i % 3), i) for i in range(60)]
    feeding = feed(service, scripted(service, [*script, EOF]), batch=7)
    for i in range(30):
        send(service, [pay(f"h{i}", i, payer=f"q{i}")])
    assert feeding.wait(WAIT_S)
    assert positions(service) == {"0": 57, "1": 58, "2": 59}
    names = [n for _, n in events_stored(service)]
    assert sorted(names) == sorted([f"k{i}" for i in range(60)] + [f"h{i}" for i in range(30)])
    for partition in range(3):
        own = [n for n in names if n in {f"k{i}" for i in range(partition, 60, 3)}]
        assert own == [f"k{i}" for i in range(partition, 60, 3)]
    assert service.close()


def test_refused_messages_are_set_aside_once_with_the_reason(simple: Bench) -> None:
    service = simple.open(event_tries=1)
    poison(service, {"sick"}.__contains__)
    script: list[Step] = [
        pay("a"),
        b"{bad",
        pay("a", amount="11.00"),
        pay("sick", 1),
        ABORT,
        pay("b", 2),
        b"",
        EOF,
    ]
    consumer = scripted(service, script)
    feeding = feed(service, consumer, batch=10)
    assert feeding.wait(WAIT_S)
    letters = [(m.position, reason) for m, reason, _ in consumer.dead]
    kept = [(r["line"], r["reason"]) for r in rows_of(service, quarantine)]
    assert sorted(kept) == sorted(letters)  # who refused makes no difference to what `line` means
    assert letters[:3] == [(1, "bad_json"), (2, "conflict"), (3, "engine_error")]
    assert service.close()


class Breaking(ScriptedConsumer):
    """Fails at moments when nothing is read: while it is paused, and when letters are flushed."""

    failures = 0
    on = ""

    def poll(self, limit: int, timeout_s: float) -> list[Message]:
        if self.paused and self.on == "pause" and self.failures < 2:
            self.failures += 1
            raise SourceError("the broker is gone")
        return super().poll(limit, timeout_s)

    def flush(self, timeout_s: float) -> None:
        if self.on == "flush" and self.failures < 2:
            self.failures += 1
            raise SourceError("the dead-letter topic did not take them")


@pytest.mark.parametrize("on", ["pause", "flush"])
def test_a_source_that_breaks_while_a_batch_is_being_stored(
    simple: Bench, monkeypatch: pytest.MonkeyPatch, on: str
) -> None:
    service = simple.open()
    monkeypatch.setattr(module, "_POLL_S", 0.02)
    consumer = Breaking(
        [pay("a"), b"{bad", pay("b", 1), GAP, pay("c", 2), EOF],
        stored=lambda: positions(service),
        name=NAME,
    )
    consumer.on = on
    held = hold(service)
    feeding = feed(service, consumer)
    if on == "pause":
        until(lambda: consumer.failures > 0)
    held.set()
    assert feeding.wait(WAIT_S)
    assert feeding.ended
    assert [n for _, n in events_stored(service)] == ["a", "b", "c"]
    assert [r["reason"] for r in rows_of(service, quarantine)] == ["bad_json"]  # once, not once a try
    assert {m.position for m, _, _ in consumer.dead} == {1}
    assert service.close()


def test_too_little_room_is_waited_for(simple: Bench) -> None:
    service = simple.open(disk_free_bytes=1 << 60)
    feeding = feed(service, scripted(service, [pay("a"), pay("b", 1), EOF]))
    until(lambda: feeding.problem is not None and "make room" in feeding.problem)
    assert not feeding.wait(0)
    service.disk._least = 0
    service.disk._looked_s = -1e9
    assert feeding.wait(WAIT_S)
    assert feeding.ended
    assert feeding.problem is None
    assert len(events_stored(service)) == 2
    assert issubclass(NoRoom, Exception)
    assert service.close()


def test_a_full_queue_is_waited_for(simple: Bench) -> None:
    service = simple.open(queue_events=5, batch_events=5)
    held = hold(service)
    feeding = feed(service, scripted(service, [*(pay(f"e{i}", i) for i in range(20)), EOF]), batch=4)
    until(lambda: service.inbox.events > 0)
    held.set()
    assert feeding.wait(WAIT_S)
    assert feeding.ended
    assert len(events_stored(service)) == 20
    assert service.close()


def test_the_store_is_away_while_the_source_starts_anew(
    simple: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stored positions can only be had from the store: it waits for it, and goes on."""
    service = simple.open()
    consumer = scripted(service, [pay("a"), ABORT, pay("b", 1), EOF])
    taken: list[threading.Event] = []
    real = consumer.poll

    def poll(limit: int, timeout_s: float) -> list[Message]:
        try:
            return real(limit, timeout_s)
        except SourceError:
            if not taken:
                until(lambda: service.store.marks.events == 1)  # nothing is under way
                taken.append(store_away(monkeypatch))
            raise

    consumer.poll = poll  # type: ignore[method-assign]
    feeding = feed(service, consumer)
    until(lambda: bool(taken))
    until(lambda: service.doors.log.said("feeding.failed") >= 2)  # type: ignore[attr-defined]
    assert not feeding.wait(0)
    taken[0].set()
    assert feeding.wait(WAIT_S)
    assert feeding.ended
    assert [n for _, n in events_stored(service)] == ["a", "b"]
    assert service.close()


def test_a_fault_of_ours_is_said_and_tried_again(simple: Bench) -> None:
    service = simple.open()
    decoder = Decoder(load_feed("native"), KEY, service.config.rates)
    left = [1, 2]

    def decode(messages: Sequence[Message]) -> Any:
        if left:
            left.pop()
            raise RuntimeError("the decoder failed")
        return decoder.decode(messages)

    feeding = feed(service, scripted(service, [pay("a"), pay("b", 1), EOF]), decode=decode)
    assert feeding.wait(WAIT_S)
    assert feeding.ended
    assert service.doors.log.said("feeding.failed") == 2  # type: ignore[attr-defined]
    assert len(events_stored(service)) == 2
    assert service.close()


def test_stopping_leaves_what_was_not_stored_to_the_next_start(
    bench: Bench, whole: dict[str, list[Any]]
) -> None:
    script = [*stream(CROWD), EOF]
    for wanted in (50, 200):
        service = bench.open(batch_events=10)
        feeding = feed(service, scripted(service, script), batch=10)
        until(lambda s=service, n=wanted: s.store.marks.events >= n)  # type: ignore[misc]
        feeding.stop(WAIT_S)
        assert service.close()
    service = bench.open(batch_events=10)
    assert 0 < positions(service)["0"] < 399
    feeding = feed(service, scripted(service, script), batch=10)
    assert feeding.wait(WAIT_S)
    assert stored(service) == whole
    assert service.close()
