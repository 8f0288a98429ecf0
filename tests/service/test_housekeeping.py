"""What is looked after once a second goes on, whatever fails in a round."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest
from servicekit import Bench, metric, pay, send, store_away

from txmon.pipeline.errand import Errand
from txmon.pipeline.housekeeping import Housekeeping
from txmon.store import answers
from txmon.store.answers import Answer


def test_a_chore_that_fails_ends_neither_the_others_nor_the_next_round(
    simple: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = simple.open()
    send(service, [pay("a")])
    done = []

    def late() -> None:
        raise TimeoutError("the writer is waiting for the store")

    housekeeping = Housekeeping(service, [late, lambda: done.append(1)])
    housekeeping.round()
    assert metric(service, "txmon_ready", reason="store") == 1
    back = store_away(monkeypatch)
    housekeeping.round()
    back.set()
    housekeeping.round()
    assert len(done) == 3
    assert simple.log.said("chore.failed") > 3
    assert service.close()


def test_an_errand_is_never_asked_for_twice_at_once_and_its_failure_is_told_once() -> None:
    asked: list[Future[Any]] = []

    def ask(_: Any) -> Future[Any]:
        asked.append(Future())
        return asked[-1]

    errand = Errand(ask, lambda _: None)
    assert errand.run()
    assert not errand.run()  # under way, however long the store is away
    asked[0].set_exception(TimeoutError("away"))
    with pytest.raises(TimeoutError):
        errand.run()
    assert errand.run()
    asked[1].set_result(None)
    assert errand.run()
    assert len(asked) == 3


def test_old_answers_are_forgotten_in_the_writers_turn(simple: Bench) -> None:
    service = simple.open(idempotency_hours=30)
    send(service, [pay("a")])
    now = simple.clock.now_us()
    ages = {b"old": 31, b"day": 25, b"new": 0}
    kept = [(name, Answer(b"r", 200, {}, b"", now - hours * 3_600_000_000)) for name, hours in ages.items()]
    service.change(lambda tx: answers.put(tx, [("key", *each) for each in kept])).result(30)
    Housekeeping(service).round()
    service.change(lambda tx: None).result(30)  # behind what the round asked for
    with service.store.read() as conn:
        found = [answers.get(conn, "key", name) is not None for name in ages]
    assert found == [False, True, True]
    assert service.close()
