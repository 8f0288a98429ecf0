"""A service that starts again goes on as if it had never stopped: from a snapshot and the rest of the journal."""

from __future__ import annotations

import random
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from servicekit import Answers, Bench, busy_rules, events_stored, pay, send, stored, stream, submit, until

from txmon.errors import Stopping, WriterActive
from txmon.pipeline.history import epochs
from txmon.pipeline.recover import recover
from txmon.pipeline.replay import replay
from txmon.pipeline.snapshots import Snapshots
from txmon.store import Store
from txmon.store.schema import alert_hits, hits
from txmon.store.verify import verify

SEED = 11


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What the stream leads to without a restart."""
    folder = tmp_path_factory.mktemp("whole")
    service = Bench(folder, busy_rules(folder), str(folder / "store")).open()
    send(service, stream(SEED))
    found = stored(service)
    assert service.close()
    return found


def killed(bench: Bench, payloads: Any, name: str) -> Bench:
    """A store as it was at a moment when its service was still at work."""
    service = bench.open(snapshot_events=50)
    for part in (payloads[:60], payloads[60:120], payloads[120:-30], payloads[-30:]):
        send(service, part, range(10, 400, 10))
        until(lambda: service.store.marks.events - service.saving._events < 50)  # what was due was begun
        service.saving.wait(None)
    copy = bench.folder / name
    copy.mkdir()
    for path in Path(bench.place).iterdir():
        if path.is_file():
            shutil.copy(path, copy / path.name)
        else:
            shutil.copytree(path, copy / path.name)
    service.close()
    return Bench(bench.folder, bench.rules, str(copy))


def snapshots_of(bench: Bench) -> list[Path]:
    return sorted((Path(bench.place) / "snapshots").glob("*.arrow"))


def test_snapshot_and_tail_at_many_places(bench: Bench, whole: dict[str, list[Any]]) -> None:
    payloads, at = stream(SEED), 0
    for step, every in ((70, 50), (1, 50), (129, 30), (100, 10_000), (100, 50)):
        service = bench.open(snapshot_events=every)
        send(service, payloads[at : at + step], range(7, step, 7))
        at += step
        assert service.close()
    service = bench.open()
    assert service.replayed == 0  # a clean stop leaves a snapshot of the end
    assert stored(service) == whole
    assert replay(service.store).differences == 0
    assert service.close()


def test_a_kill_leaves_a_snapshot_and_a_tail(bench: Bench, whole: dict[str, list[Any]]) -> None:
    dead = killed(bench, stream(SEED)[:290], "dead")
    service = dead.open()
    assert 0 < service.replayed < 290
    assert service.status()["snapshot_seq"] > 0
    send(service, stream(SEED)[280:])
    assert stored(service) == whole
    assert service.close()


def test_a_damaged_snapshot_is_passed_over_wherever_the_damage_is(
    bench: Bench, whole: dict[str, list[Any]]
) -> None:
    dead = killed(bench, stream(SEED)[:290], "dead")
    newest = snapshots_of(dead)[-1]
    good = newest.read_bytes()
    service = dead.open()
    expected = stored(service)
    service.store.close()  # as a kill: nothing is saved
    service._writer.stop("", 5)
    chance = random.Random(3)
    for damage in range(50):
        data = bytearray(good)
        at = chance.randrange(len(data))
        if damage % 5 == 4:
            data = data[:at]
        else:
            data[at] ^= 1 << chance.randrange(8)
        newest.write_bytes(data)
        with Store.open(dead.place, clock=dead.clock, random_bytes=bytes, read_only=True) as store:
            snapshots = Snapshots(newest.parent)
            found = recover(store, snapshots, epochs(store), store.marks.seq)
            assert len(snapshots.problems) == 1, f"damage {damage} at byte {at} was not seen"
            assert found.snapshot_seq < int(newest.name[:20])
    service = dead.open()
    assert dead.log.said("snapshot.passed_over") == 1
    assert stored(service) == expected
    send(service, stream(SEED)[280:])
    assert stored(service) == whole
    assert service.close()


@pytest.mark.parametrize("what", ["absent", "empty", "strange", "all damaged", "half written"])
def test_snapshots_that_cannot_be_used_cost_time_only(
    bench: Bench, whole: dict[str, list[Any]], what: str
) -> None:
    dead = killed(bench, stream(SEED)[:290], "dead")
    folder = Path(dead.place) / "snapshots"
    for path in snapshots_of(dead):
        if what == "absent":
            path.unlink()
        elif what == "all damaged":
            path.write_bytes(path.read_bytes()[:-100])
        elif what == "empty":
            path.write_bytes(b"")
    if what == "strange":
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / "readme.txt").write_text("x", encoding="utf-8")
    if what == "half written":
        (folder / f"{9:020d}-0123456789abcdef.new").write_bytes(b"x" * 1000)
    service = dead.open(snapshot_events=50)
    assert service.replayed > (0 if what == "half written" else 250)
    send(service, stream(SEED)[280:])
    assert stored(service) == whole
    assert service.close()
    assert [p.suffix for p in folder.iterdir() if p.suffix == ".new"] == []  # a crash leaves nothing for ever


def test_snapshots_ahead_of_the_journal_give_way(bench: Bench, whole: dict[str, list[Any]]) -> None:
    """An older backup was put back: the snapshots beside it are of a future that is gone."""
    dead = killed(bench, stream(SEED)[:120], "dead")
    shutil.rmtree(Path(dead.place) / "snapshots")
    for part in (stream(SEED)[120:260], stream(SEED)[260:]):
        later = bench.open(batch_events=10)
        send(later, part, range(10, 140, 10))
        assert later.close()
    shutil.copytree(Path(bench.place) / "snapshots", Path(dead.place) / "snapshots")
    ahead = snapshots_of(dead)
    assert len(ahead) == 2
    service = dead.open(snapshot_events=50)
    assert dead.log.said("snapshot.passed_over") == 2
    send(service, stream(SEED)[110:250], range(10, 140, 10))
    assert service.close()
    assert snapshots_of(dead)
    assert not set(snapshots_of(dead)) & set(ahead)
    service = dead.open()
    assert service.replayed == 0
    send(service, stream(SEED)[240:])
    assert stored(service) == whole
    assert service.close()


def test_a_snapshot_is_tagged_with_the_config_it_was_made_with(bench: Bench) -> None:
    """The config may change while the file is being written."""
    other = Bench(bench.folder, bench.rules, str(bench.folder / "other")).open(base_currency="USD").config
    swapped = []

    def point(step: str) -> None:
        if step == "snapshot_copied":
            swapped.append(service.config)
            service.config = other

    service = bench.open(point=point, snapshot_events=10)
    send(service, stream(SEED)[:30])
    until(lambda: bool(service.snapshots.places()))
    (path,) = snapshots_of(bench)
    assert path.stem.partition("-")[2] == swapped[0].essence[:16]
    service.config = swapped[0]
    assert service.close()


def test_other_rules_in_the_files_are_staged_and_change_nothing(
    bench: Bench, whole: dict[str, list[Any]]
) -> None:
    service = bench.open()
    send(service, stream(SEED)[:200])
    assert service.close()
    rule = bench.rules / "pack" / "much-in.yaml"
    rule.write_text(rule.read_text(encoding="utf-8").replace("taken >= 60", "taken >= 1"), encoding="utf-8")
    service = bench.open()
    assert service.staged is not None
    assert service.status()["staged_config"] == service.staged.id
    send(service, stream(SEED)[200:])
    assert stored(service) == whole
    assert replay(service.store).differences == 0
    assert service.close()


def test_a_snapshot_that_cannot_be_written_stops_nothing(bench: Bench, whole: dict[str, list[Any]]) -> None:
    Path(bench.place).mkdir()
    (Path(bench.place) / "snapshots").write_text("in the way", encoding="utf-8")
    service = bench.open(snapshot_events=50)
    send(service, stream(SEED), range(10, 400, 10))
    assert stored(service) == whole
    assert service.close()
    assert bench.log.said("snapshot.failed") > 0


def test_a_second_service_on_one_store_is_refused(simple: Bench, place: str) -> None:
    bench = Bench(simple.folder, simple.rules, place)
    service = bench.open()
    with pytest.raises(WriterActive):
        bench.open()
    send(service, [pay("a")])
    assert service.close()


def test_stopping_finishes_what_waits_and_takes_nothing_more(simple: Bench) -> None:
    service = simple.open(batch_events=1)
    answers, refused = Answers(), threading.Event()
    for i in range(200):
        submit(service, [pay(f"e{i}", i % 50, memo=str(i))], answers)
    closing = threading.Thread(target=lambda: service.close() and refused.set())
    closing.start()
    until(lambda: service.readiness() == ["stopping"] or not closing.is_alive())
    with pytest.raises(Stopping):
        submit(service, [pay("late")])
    with pytest.raises(Stopping):
        service.change(lambda tx: None)
    closing.join(60)
    assert refused.is_set()
    assert [o.accepted for o in answers.outcomes()] == [1] * 200
    assert service.close()  # a second time is nothing
    service = simple.open()
    assert (len(events_stored(service)), service.replayed) == (200, 0)
    assert verify(service.store).ok
    assert service.close()


def test_replay_finds_a_changed_and_a_missing_hit(bench: Bench) -> None:
    service = bench.open(snapshot_events=50)
    send(service, stream(SEED), range(10, 400, 10))
    assert service.close()
    service = bench.open()
    report = replay(service.store)
    assert (report.differences, report.events) == (0, service.store.marks.events)
    assert report.hits == len(stored(service)["hits"]) > 50
    with service.store.read() as conn:
        numbers = list(conn.execute(sa.select(hits.c.hit_id).order_by(hits.c.hit_id)).scalars())
        found = conn.execute(sa.select(hits).where(hits.c.hit_id == numbers[20])).mappings().one()
    with service.store.write() as tx:
        tx.conn.execute(sa.update(hits).where(hits.c.hit_id == numbers[20]).values(score=found["score"] / 2))
    report = replay(service.store)
    assert (report.differences, len(report.shown)) == (1, 1)
    assert report.shown[0].hit[3] == found["rule_id"]
    assert report.shown[0].what.startswith("score: ")
    with service.store.write() as tx:
        tx.conn.execute(sa.update(hits).where(hits.c.hit_id == numbers[20]).values(score=found["score"]))
        tx.conn.execute(sa.delete(alert_hits).where(alert_hits.c.hit_id == numbers[30]))
        tx.conn.execute(sa.delete(hits).where(hits.c.hit_id == numbers[30]))
    report = replay(service.store)
    assert (report.differences, report.shown[0].what) == (1, "derived, but not stored")
    with service.store.write() as tx:
        row = dict(found) | {"hit_id": numbers[-1] + 1, "rule_id": "echo", "leg": "", "trigger": "made"}
        tx.conn.execute(sa.insert(hits), [row])
    assert replay(service.store).differences == 2
    assert service.close()
