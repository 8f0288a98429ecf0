"""An event on which the engine fails is set aside, after so many tries; the others never know of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servicekit import (
    KEY,
    Answers,
    Bench,
    busy_rules,
    events_stored,
    metric,
    pay,
    poison,
    rows_of,
    send,
    stored,
    stream,
    submit,
)

from txmon.model.rates import Rates
from txmon.pipeline.replay import replay
from txmon.pipeline.work import Sender
from txmon.store.schema import quarantine
from txmon.streams.intake import FeedIntake

SEED = 11


def id_of(payload: bytes) -> str:
    found: str = json.loads(payload)["event_id"]
    return found


@settings(max_examples=5)
@given(st.sets(st.integers(0, 199), min_size=1, max_size=6), st.sampled_from([5, 40, 200]))
def test_the_others_are_scored_as_if_it_had_not_been_there(
    tmp_path_factory: pytest.TempPathFactory, places: set[int], size: int
) -> None:
    folder = tmp_path_factory.mktemp("poison")
    rules = busy_rules(folder)
    payloads = stream(SEED)[:200]
    bad = {id_of(payloads[i]) for i in places}
    broken = Bench(folder, rules, str(folder / "broken")).open(event_tries=2)
    tries: list[str] = []
    poison(broken, bad.__contains__, tries)
    outcomes = send(broken, payloads, range(size, 200, size))
    without = Bench(folder, rules, str(folder / "without")).open()
    send(without, [p for p in payloads if id_of(p) not in bad])
    assert stored(broken) == stored(without)
    assert events_stored(broken) == events_stored(without)
    rows = [r for o in outcomes for r in o.rows]
    refused = [r for r in rows if r.reason == "engine_error"]
    given_ = [p for p in payloads if id_of(p) in bad]
    assert [r.event_id for r in refused] == [id_of(p) for p in given_]
    assert all(tries.count(name) == 2 * sum(id_of(p) == name for p in given_) for name in bad)
    kept = {r["id"]: r for r in rows_of(broken, quarantine)}
    assert [kept[r.quarantine_id]["event_id"] for r in refused] == [r.event_id for r in refused]
    assert metric(broken, "txmon_quarantined_total", reason="engine_error") == len(refused)
    assert broken.readiness() == []
    assert replay(broken.store).differences == 0
    assert broken.close()
    assert without.close()


def test_behind_a_snapshot_and_behind_a_restart(bench: Bench) -> None:
    payloads = stream(SEED)
    bad = {id_of(payloads[i]) for i in (130, 260, 261, 390)}
    for part in (payloads[:150], payloads[150:300], payloads[300:]):
        service = bench.open(snapshot_events=60)
        poison(service, bad.__contains__)
        send(service, part, range(20, 150, 20))
        assert service.close()
    service = bench.open()
    found = stored(service)
    assert service.close()
    other = Bench(bench.folder, bench.rules, str(bench.folder / "other")).open()
    send(other, [p for p in payloads if id_of(p) not in bad])
    assert found == stored(other)
    assert other.close()


def test_an_engine_that_fails_for_a_moment_loses_nothing(simple: Bench) -> None:
    """A failure that does not come again is no poison."""
    service = simple.open()
    left = ["b"]

    def once(name: str) -> bool:
        return name in left and (left.remove(name) or True)  # type: ignore[func-returns-value]

    poison(service, once)
    (outcome,) = send(service, [pay("a"), pay("b", 1), pay("c", 2)])
    assert [r.status for r in outcome.rows] == ["accepted"] * 3
    assert (outcome.hits, [r.ingest_seq for r in outcome.rows]) == (1, [0, 1, 2])
    assert service.close()


def test_it_can_be_sent_again_when_the_engine_is_mended(simple: Bench) -> None:
    service = simple.open()
    poison(service, {"b"}.__contains__)
    send(service, [pay("a"), pay("b", 1), pay("c", 2)])
    assert service.close()
    service = simple.open()
    (outcome,) = send(service, [pay("b", 1)])
    assert (outcome.accepted, outcome.hits) == (1, 1)  # the later one, which was the second, is the third
    assert service.close()


@pytest.mark.parametrize("error", [OSError, MemoryError])
def test_what_the_machine_lacks_is_no_fault_of_an_event(
    simple: Bench, error: Callable[[str], Exception]
) -> None:
    """It is told to the sender, who sends it again; nothing is set aside."""
    service = simple.open()
    left = ["b"] * 2

    def bad(name: str) -> bool:
        return name in left and (left.remove(name) or True)  # type: ignore[func-returns-value]

    poison(service, bad, error=error)
    send(service, [pay("a")])
    for _ in range(2):
        (failed,) = submit(service, [pay("b", 1), pay("c", 2)]).wait()
        assert isinstance(failed, (OSError, MemoryError))
    (outcome,) = send(service, [pay("b", 1), pay("c", 2)])
    assert (outcome.accepted, outcome.hits) == (2, 1)
    assert rows_of(service, quarantine) == []
    assert service.close()


class Breaks(FeedIntake):
    """Fails on payloads that say so, which no decoder should."""

    def decode(self, sender: Sender, payloads: Any, positions: Any = None) -> Any:
        if any(b"BREAK" in p for p in payloads):
            raise RuntimeError("the decoder failed")
        return super().decode(sender, payloads, positions)


def test_a_decoder_that_fails_fails_its_own_sender_only(simple: Bench) -> None:
    service = simple.open(intake=lambda rates: Breaks(KEY, rates))
    answers = Answers()
    service.inbox.change(
        lambda: [submit(service, [p], answers) for p in (pay("a"), b"BREAK", pay("b", 1))]
    ).result()
    first, bad, last = answers.wait()
    assert isinstance(bad, RuntimeError)
    assert not isinstance(first, Exception)
    assert not isinstance(last, Exception)
    assert (first.accepted, last.accepted) == (1, 1)
    assert service.readiness() == []
    assert service.close()


def test_what_the_log_says_names_no_event(simple: Bench) -> None:
    service = simple.open()
    poison(service, {"secret-id"}.__contains__)
    send(service, [pay("a"), pay("secret-id", 1)])
    assert service.doors.log.said("engine.failed") >= 2  # type: ignore[attr-defined]
    for _, values in simple.log.lines:
        assert "secret-id" not in repr({k: v for k, v in values.items() if k != "exc_info"})
    assert service.close()


def test_the_scorer_is_whole_again_after_each_try(simple: Bench) -> None:
    """The double changes the state before it fails: nothing of that may stay."""
    service = simple.open()
    poison(service, {"x"}.__contains__)
    send(service, [pay("x", 0), pay("a", 1), pay("x", 0), pay("b", 2)])
    (outcome,) = send(service, [pay("c", 3)])
    assert [json.loads(h["features"]) for h in stored(service)["hits"]] == [{"n": 3}]
    assert outcome.hits == 1
    assert isinstance(service.applier.scoring.scorer.snapshot(), pa.Table)
    assert Rates("EUR").base_currency == service.config.rates.base_currency
    assert service.close()
