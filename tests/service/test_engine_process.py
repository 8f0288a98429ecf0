"""The engine in a process of its own: same results, two batches under way, and no end of it ends the service."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from servicekit import (
    CROWD,
    WAIT_S,
    Bench,
    pay,
    rows_of,
    send,
    stored,
    stream,
    submit,
    until,
)

from txmon.clock import SystemClock, random_bytes
from txmon.errors import StateError
from txmon.pipeline import commit, enginehost
from txmon.pipeline.far import Far
from txmon.pipeline.replay import Replay, replay
from txmon.pipeline.scorer import Scorer
from txmon.pipeline.service import Service
from txmon.pipeline.statefile import write_state
from txmon.store import Store
from txmon.store.schema import quarantine


def own(bench: Bench, **settings: Any) -> Service:
    return bench.open(engine_process=True, **settings)


def engines_of(pid: int) -> list[int]:
    """Processes of engines below the nurseries of a process."""
    return [engine for nursery in children(pid) for engine in children(nursery)]


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ended(pids: list[int]) -> None:
    until(lambda: not any(map(alive, pids)))


def replayed(service: Service) -> Replay:
    with Store.open(
        service.store.place, clock=SystemClock(), random_bytes=random_bytes, read_only=True
    ) as store:
        return replay(store)


def results(service: Service) -> dict[str, list[Any]]:
    """What a service that was closed has stored; nothing of it stays open, an engine is to be forked."""
    found = stored(service)
    service.store.close()
    return found


# -- same results ----------------------------------------------------------------------------------------


def test_results_are_those_of_an_engine_in_the_same_process(
    bench: Bench, whole: dict[str, list[Any]]
) -> None:
    service = own(bench, batch_events=16, snapshot_events=40)
    answers = None
    for at in range(0, len(stream(CROWD)), 10):  # none waits for the one before
        answers = submit(service, list(stream(CROWD)[at : at + 10]), answers)
    assert answers is not None
    assert len(answers.outcomes()) == len(stream(CROWD)) / 10
    assert service.close()
    assert results(service) == whole
    assert replayed(service).differences == 0
    again = own(bench)
    assert again.replayed < len(stream(CROWD))
    send(again, [pay("z")])
    assert again.close()


def test_two_batches_are_under_way_and_each_is_answered_behind_its_commit(simple: Bench) -> None:
    seen: list[str] = []
    service = own(simple, batch_events=1, point=seen.append)
    answers = submit(service, [pay("a")])
    for i in range(1, 6):
        submit(service, [pay(f"b{i}", i)], answers)
    assert [o.accepted for o in answers.outcomes()] == [1] * 6
    assert service.close()
    ahead = [seen[:n].count("submitted") - seen[:n].count("after_commit") for n in range(len(seen))]
    assert max(ahead) == 2


# -- failures --------------------------------------------------------------------------------------------


def broken(monkeypatch: pytest.MonkeyPatch, fail: Any) -> None:
    """Let every engine that is forked from now on fail on events whose id begins with `bad`."""
    real = Scorer.apply

    def apply(self: Scorer, events: Any, numbers: Any = None) -> Any:
        result = real(self, events, numbers)  # its traces must vanish
        if numbers is None and any(n.startswith("bad") for n in events.column("event_id").to_pylist()):
            fail()
        return result

    monkeypatch.setattr(Scorer, "apply", apply)


def raise_() -> None:
    raise RuntimeError("the engine failed")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("fail", [raise_, die])
def test_an_event_on_which_it_fails_or_dies_is_set_aside_and_the_others_are_not(
    simple: Bench, monkeypatch: pytest.MonkeyPatch, fail: Any
) -> None:
    broken(monkeypatch, fail)
    service = own(simple, event_tries=2)
    send(service, [pay("a")])
    answers = submit(service, [pay("b", 1), pay("bad-1", 2), pay("c", 3)])
    submit(service, [pay("d", 4)], answers)  # already given to the engine that fails
    first, second = answers.outcomes()
    assert (first.accepted, first.quarantined, first.hits) == (2, 1, 1)
    assert (second.accepted, second.hits) == (1, 1)
    assert [(r["event_id"], r["reason"]) for r in rows_of(service, quarantine)] == [("bad-1", "engine_error")]
    assert simple.log.said("engine.failed") >= 2
    assert service.close()
    assert replayed(service).differences == 0


def test_a_process_that_is_killed_is_replaced_and_nothing_is_lost(
    bench: Bench, whole: dict[str, list[Any]]
) -> None:
    service = own(bench, batch_events=8)
    before = set(children(os.getpid()))
    assert before
    answers = None
    for at in range(0, len(stream(CROWD)), 20):
        answers = submit(service, list(stream(CROWD)[at : at + 20]), answers)
        if at in (100, 200):
            for engine in engines_of(os.getpid()):
                os.kill(engine, signal.SIGKILL)
    assert answers is not None
    answers.outcomes()
    assert failures(bench) >= {"EngineLost"}
    assert service.readiness() == []
    assert service.close()
    assert results(service) == whole


def failures(bench: Bench) -> set[str]:
    return {type(error).__name__ for error in bench.log.errors("engine.failed")}


def test_a_failing_commit_throws_away_what_was_scored_behind_it(
    simple: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another sender's work, scored on top of one that cannot be stored, is scored again without it."""
    service = own(simple, batch_events=1)
    real = commit.write

    def write(store: Any, prepared: Any, point: Any) -> Any:
        if "no" in prepared.applied.accepted.column("event_id").to_pylist():
            raise RuntimeError("it cannot be stored")
        return real(store, prepared, point)

    monkeypatch.setattr(commit, "write", write)
    answers = submit(service, [pay("a")])
    submit(service, [pay("no", 1)], answers)
    submit(service, [pay("b", 2)], answers)
    submit(service, [pay("c", 3)], answers)
    _, bad, second, third = answers.wait()
    assert isinstance(bad, RuntimeError)
    assert not isinstance(third, Exception)
    assert third.hits == 1  # a, b, c: were `no` counted, b would have hit too
    assert not isinstance(second, Exception)
    assert second.hits == 0
    assert service.close()
    assert replayed(service).differences == 0


def test_a_nursery_that_is_gone_ends_the_taking_of_events_and_says_so(simple: Bench) -> None:
    service = own(simple)
    send(service, [pay("a")])
    for nursery in children(os.getpid()):
        engines = children(nursery)
        os.kill(nursery, signal.SIGKILL)
        for engine in engines:
            os.kill(engine, signal.SIGKILL)
    (answer,) = submit(service, [pay("b", 1)]).wait()
    assert isinstance(answer, Exception)
    until(lambda: service.readiness() == ["engine"])
    assert not service.close()


# -- snapshots -------------------------------------------------------------------------------------------


def test_a_snapshot_is_written_beside_the_next_batches(simple: Bench) -> None:
    service = own(simple, snapshot_events=1)
    send(service, [pay("a")])
    until(lambda: service.saving.seq > 0)
    send(service, [pay("b", 1)])
    service.saving.wait(WAIT_S)
    assert service.close()
    again = own(simple)
    assert again.replayed == 0
    (outcome,) = send(again, [pay("c", 2)])
    assert outcome.hits == 1
    assert again.close()


def test_without_room_for_a_copy_of_the_process_the_state_is_copied(
    simple: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fork() -> int:
        raise BlockingIOError("no memory")

    monkeypatch.setattr(enginehost, "fork", fork)
    service = own(simple, snapshot_events=1)
    send(service, [pay("a")])
    until(lambda: service.saving.seq > 0)
    assert simple.log.said("snapshot.failed") == 0
    assert service.close()
    again = own(simple)
    assert again.replayed == 0
    assert again.close()


def test_old_snapshots_that_cannot_be_removed_stop_nothing(simple: Bench) -> None:
    service = own(simple, snapshot_events=1)

    def tidy(place: Any) -> None:
        raise PermissionError("it is somebody else's")

    service.snapshots.tidy = tidy  # type: ignore[method-assign]
    send(service, [pay("a")])
    until(lambda: service.saving.seq > 0)
    assert simple.log.said("snapshot.failed") == 1
    (outcome,) = send(service, [pay("b", 1)])
    assert outcome.accepted == 1
    assert service.close()


def test_a_snapshot_that_cannot_be_written_is_told(simple: Bench) -> None:
    service = own(simple, snapshot_events=1)
    service.snapshots.folder.write_text("no folder")
    send(service, [pay("a")])
    until(lambda: simple.log.said("snapshot.failed") > 0)
    (error,) = simple.log.errors("snapshot.failed")[:1]
    assert isinstance(error, StateError)
    assert service.readiness() == []
    service.close()


def test_a_snapshot_that_cannot_even_be_begun_stops_nothing(simple: Bench) -> None:
    service = own(simple, snapshot_events=1)

    def save(order: Any, saved: Any) -> None:
        raise MemoryError

    service.applier.scoring.save = save  # type: ignore[method-assign]
    send(service, [pay("a")])
    until(lambda: simple.log.said("snapshot.failed") > 0)
    send(service, [pay("b", 1)])
    assert simple.log.said("snapshot.failed") == 1  # not tried again at once
    assert service.readiness() == []
    assert service.close()


def test_a_state_that_nobody_wants_any_more_is_not_written_to_the_end(tmp_path: Path) -> None:
    import pyarrow as pa

    state = pa.table({"data": pa.array([b"x" * 1000] * 50)})
    with pytest.raises(StateError, match="who asked for it has gone"):
        write_state(state, tmp_path / "s.arrow", lambda: False)
    assert list(tmp_path.iterdir()) == []


# -- ends ------------------------------------------------------------------------------------------------


def test_its_processes_end_with_the_service(simple: Bench) -> None:
    before = set(children(os.getpid()))
    service = own(simple)
    nursery = [pid for pid in children(os.getpid()) if pid not in before]
    engines = [engine for pid in nursery for engine in children(pid)]
    assert len(engines) == 1
    assert isinstance(service.applier.scoring, Far)
    assert service.close()
    ended([*nursery, *engines])


def test_its_processes_end_when_the_service_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path[:0] = sys.argv[1:4]\n"
        "from pathlib import Path\n"
        "from servicekit import Bench, simple_rules\n"
        "folder = Path(sys.argv[4])\n"
        "Bench(folder, simple_rules(folder), str(folder / 'store')).open(engine_process=True)\n"
        "print('open', flush=True); sys.stdin.read()\n"
    )
    here = Path(__file__).parent
    paths = [str(here), str(here.parent), str(here.parent / "pipeline")]
    with subprocess.Popen(
        [sys.executable, "-c", program, *paths, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        pids = [*children(process.pid), *engines_of(process.pid)]
        assert len(pids) >= 2
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    ended(pids)


def test_signals_are_for_the_service(simple: Bench) -> None:
    """A terminal or a supervisor may send them to every process of the group."""
    service = own(simple)
    pids = [*children(os.getpid()), *engines_of(os.getpid())]
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
    time.sleep(0.2)
    (outcome,) = send(service, [pay("a")])
    assert outcome.accepted == 1
    assert service.close()
