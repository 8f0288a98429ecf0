"""A store that fails: nothing acknowledged that is not stored, nothing twice, and it goes on by itself."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pgkit
import pytest
from servicekit import (
    WAIT_S,
    Answers,
    Bench,
    busy_rules,
    events_stored,
    failing_commits,
    hold,
    messages,
    metric,
    pay,
    rows_of,
    send,
    store_away,
    stored,
    stream,
    submit,
    until,
)

from txmon.errors import CommitUnknown, Stopping, StoreFatal, StoreUnavailable
from txmon.pipeline.replay import replay
from txmon.pipeline.service import Service
from txmon.store import offsets
from txmon.store.schema import quarantine
from txmon.store.verify import verify

SEED = 11


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What the stream leads to when nothing fails."""
    folder = tmp_path_factory.mktemp("whole")
    service = Bench(folder, busy_rules(folder), str(folder / "store")).open()
    send(service, stream(SEED))
    found = stored(service) | {"events": events_stored(service), "messages": sorted(messages(service))}
    assert service.close()
    return found


def found_in(service: Service) -> dict[str, list[Any]]:
    return stored(service) | {"events": events_stored(service), "messages": sorted(messages(service))}


def settled(whole: dict[str, list[Any]], found: dict[str, list[Any]]) -> None:
    """Compare; how often an alert was told of depends on the batches, that it was opened does not."""
    told = [[m for m in one.pop("messages") if m[0] == "alert.opened"] for one in (whole | {}, found)]
    assert told[0] == told[1]
    for name, rows in found.items():
        assert rows == whole[name], name


@pytest.mark.parametrize("fault", ["full", "lost", "unheard"])
def test_a_commit_that_fails_is_made_good(
    bench: Bench, whole: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    service = bench.open(batch_events=50)
    left = failing_commits(monkeypatch, *[fault, "pass", fault, fault, "pass", "pass", "unheard"])
    outcomes = send(service, stream(SEED), range(25, 400, 25))
    assert not left
    settled(whole, found_in(service))
    assert sum(o.accepted for o in outcomes) == len(whole["events"])
    assert metric(service, "txmon_store_recoveries_total") == 4
    assert service.readiness() == []
    assert verify(service.store).ok
    assert replay(service.store).differences == 0
    assert service.close()


def test_a_commit_that_was_done_unheard_gives_the_same_answer(
    simple: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = simple.open()
    failing_commits(monkeypatch, "unheard")
    (outcome,) = send(service, [pay("a"), b"{bad", pay("b", 1), pay("c", 2)])
    assert [r.status for r in outcome.rows] == ["accepted", "quarantined", "accepted", "accepted"]
    assert outcome.rows[3].recommendation == "review"
    assert [row["id"] for row in rows_of(service, quarantine)] == [outcome.rows[1].quarantine_id]
    assert service.store.marks.events == 3
    assert service.close()


def test_only_duplicates_or_only_positions_have_no_journal_row_and_are_stored_again(
    simple: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = simple.open()
    send(service, [pay("a")])
    for number, fault in enumerate(("unheard", "lost", "full"), 1):
        failing_commits(monkeypatch, fault)
        (outcome,) = send(service, [pay("a")], consumer="c", positions={"0": number}, kind="kafka")
        assert (outcome.accepted, outcome.duplicates) == (0, 1)
        with service.store.read() as conn:
            assert offsets.get(conn, "c") == {"0": number}
    assert service.close()


def test_while_the_store_is_away_nothing_is_acknowledged_and_it_is_not_ready(
    simple: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = simple.open(queue_events=10, batch_events=1)
    send(service, [pay("a")])
    back = store_away(monkeypatch)
    answers = Answers()
    for i in range(10):
        submit(service, [pay(f"b{i}", i)], answers)
    until(lambda: "store" in service.readiness())
    assert answers.results == [None] * 10
    assert metric(service, "txmon_store_failures_total", kind="store_unavailable") == 1
    back.set()
    assert [o.accepted for o in answers.outcomes()] == [1] * 10
    assert service.readiness() == []
    assert metric(service, "txmon_store_recoveries_total") == 1
    assert len(events_stored(service)) == 11
    assert service.close()


def test_a_full_disk_of_the_database_itself(simple: Bench) -> None:
    service = simple.open()
    send(service, [pay("a")])

    def no_room() -> None:
        pages = service.store._writer.exec_driver_sql("PRAGMA page_count").scalar()
        service.store._writer.commit()
        service.store._writer.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")
        service.store._writer.commit()

    service.inbox.change(no_room).result(WAIT_S)
    payloads = [pay(f"m{i}", i, memo="x" * 200 + str(i)) for i in range(2000)]
    (outcome,) = send(service, payloads)
    assert outcome.accepted == 2000
    assert metric(service, "txmon_store_failures_total", kind="store_fatal") == 1
    assert verify(service.store).ok
    assert service.close()


def test_little_room_on_the_disk_refuses_before_it_is_too_late(simple: Bench) -> None:
    service = simple.open(disk_free_bytes=1 << 60)
    assert service.readiness() == ["disk"]
    with pytest.raises(Stopping, match="make room") as refused:
        submit(service, [pay("a")])
    assert refused.value.retry_after_s == 30
    service.disk._least = 0
    assert service.readiness() == []
    (outcome,) = send(service, [pay("a")])
    assert outcome.accepted == 1
    assert service.close()


def test_a_change_by_a_person_fails_and_the_service_goes_on(
    simple: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = simple.open()
    send(service, [pay("a")])
    for fault, kind in (("full", StoreFatal), ("lost", CommitUnknown), ("unheard", CommitUnknown)):
        failing_commits(monkeypatch, fault)
        with pytest.raises(kind):
            service.change(lambda tx: None).result(WAIT_S)
        (outcome,) = send(service, [pay(f"b-{fault}", 1)])
        assert outcome.accepted == 1
    with pytest.raises(ZeroDivisionError):
        service.change(lambda tx: 1 // 0).result(WAIT_S)
    assert service.change(lambda tx: tx.marks.events).result(WAIT_S) == 4
    assert service.close()


def test_a_change_is_answered_though_the_service_ends_without_the_store(
    simple: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = simple.open(shutdown_seconds=1)
    store_away(monkeypatch)
    changed = service.change(lambda tx: None)
    later = submit(service, [pay("a")])
    assert not service.close()
    assert isinstance(changed.exception(WAIT_S), StoreUnavailable)
    assert isinstance(later.wait()[0], Stopping)


def test_the_engine_fails_while_the_store_is_away(simple: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's state can only be had from the store: it waits for it, and goes on."""
    service = simple.open()
    send(service, [pay("a"), pay("b", 1)])
    real = service.applier.scoring.scorer.apply

    def fail(events: Any) -> Any:
        real(events)  # the state is changed, and then ...
        raise RuntimeError("the engine failed")

    service.applier.scoring.scorer.apply = fail  # type: ignore[method-assign]
    back = store_away(monkeypatch)
    answers = submit(service, [pay("c", 2)])
    until(lambda: "store" in service.readiness())
    assert answers.results == [None]
    back.set()
    (outcome,) = answers.outcomes()
    assert (outcome.accepted, outcome.hits) == (1, 1)
    assert service.readiness() == []
    assert service.close()


def test_a_state_that_is_ahead_of_the_journal_is_never_saved(
    simple: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service ends while the engine has events that the journal has not."""
    service = simple.open(shutdown_seconds=1)
    send(service, [pay("a")])
    real = service.applier.scoring.scorer.apply

    def fail(events: Any) -> Any:
        real(events)
        raise RuntimeError("the engine failed")

    service.applier.scoring.scorer.apply = fail  # type: ignore[method-assign]
    back = store_away(monkeypatch)
    answers = submit(service, [pay("b", 1)])
    until(lambda: "store" in service.readiness() or not service._writer.alive)
    assert not service.close()
    assert isinstance(answers.wait()[0], Exception)
    assert service.snapshots.places() == []
    back.set()
    service = simple.open()
    (outcome,) = send(service, [pay("b", 1), pay("c", 2)])
    assert (outcome.accepted, outcome.hits) == (2, 1)
    assert service.close()


def test_one_sender_whose_work_cannot_be_stored_does_not_fail_the_others(simple: Bench) -> None:
    """A consumer goes back behind its stored position: a fault of that source alone."""
    service = simple.open()
    send(service, [pay("a")], consumer="c", positions={"0": 10}, kind="kafka")
    held = hold(service)
    answers = Answers()
    submit(service, [pay("b", 1)], answers)
    submit(service, [pay("c", 2)], answers, consumer="c", positions={"0": 5}, kind="kafka")
    submit(service, [pay("d", 3)], answers)
    held.set()
    first, bad, last = answers.wait()
    assert isinstance(bad, Exception)
    assert "before the stored one" in str(bad)
    assert metric(service, "txmon_store_failures_total", kind="conflict") == 1
    assert not isinstance(first, Exception)
    assert not isinstance(last, Exception)
    assert (first.accepted, last.accepted) == (1, 1)
    assert [name for _, name in events_stored(service)] == ["a", "b", "d"]
    assert service.readiness() == []
    assert service.close()


@pytest.fixture
def server() -> Iterator[pgkit.PostgresServer]:
    """A server that may be stopped."""
    own = pgkit.own_server()
    yield own
    own.close()


@pytest.mark.slow
def test_postgresql_killed_and_started_again_under_load(
    tmp_path: Path, server: pgkit.PostgresServer, whole: dict[str, list[Any]]
) -> None:
    bench = Bench(tmp_path, busy_rules(tmp_path), server.url())
    service = bench.open(batch_events=8)
    payloads, answers = stream(SEED), Answers()
    stop, acknowledged = threading.Event(), 0

    def load() -> None:
        for a, b in itertools.pairwise([*range(0, 400, 8), 400]):
            submit(service, payloads[a:b], answers)
            if stop.wait(0.01):
                return

    sender = threading.Thread(target=load)
    sender.start()
    for wanted in (5, 15, 25):
        until(lambda n=wanted: len(service.doors.log.lines) >= 0 and service.store.marks.seq > n)  # type: ignore[misc]
        server.stop("immediate")
        until(lambda: "store" in service.readiness())
        acknowledged = sum(1 for r in answers.results if r is not None)
        bench.pauses.clear()
        assert bench.pauses.wait(WAIT_S)
        assert sum(1 for r in answers.results if r is not None) == acknowledged
        server.start()
        until(lambda: service.readiness() == [])
    sender.join(WAIT_S)
    answers.outcomes()
    settled(whole, found_in(service))
    assert metric(service, "txmon_store_recoveries_total") >= 3
    assert verify(service.store).ok
    assert replay(service.store).differences == 0
    assert service.close()
