"""Killed writers, full and failing disks, a database that goes away: what was acknowledged is there, once."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pgkit
import psycopg
import pytest
import sqlalchemy as sa
from storekit import add_batch, count, events, fill, open_store

from txmon.errors import CommitUnknown, StoreFatal, StoreUnavailable
from txmon.store import Store, answers, journal, offsets, schema
from txmon.store.heads import last_line
from txmon.store.verify import verify

ROUNDS = int(os.environ.get("TXMON_CRASH_ROUNDS", "5"))


def killed_round(place: str, heads: Path, seed: int, after_lines: int) -> tuple[int, int]:
    """Start a writer, kill it some time after so many acknowledgements; returns the last acknowledged."""
    command = [sys.executable, str(Path(__file__).parent / "writer.py"), place, str(heads), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines: list[bytes] = []
        for line in process.stdout:
            lines.append(line)
            if len(lines) == after_lines:
                time.sleep(random.Random(seed).random() * 0.01)
                process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    last = lines[-1] if lines[-1].endswith(b"\n") else lines[-2]
    seq, number = last.split()
    return int(seq), int(number)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_by_kill_9(place: str, side: dict[str, Path]) -> None:
    for seed in range(ROUNDS):
        seq, number = killed_round(place, side["heads"], seed, 5 + seed * 7)
        with open_store(place, **side) as store:
            # one row more may be there: committed, but killed before it could say so
            assert seq <= store.marks.seq <= seq + 1
            assert store.marks.events >= number
            assert count(store, schema.hits) == count(store, schema.alerts) == store.marks.seq
            assert count(store, schema.outbox) == store.marks.seq
            with store.read() as conn:
                assert offsets.get(conn, "file") == {"0": store.marks.events}
            report = verify(store)
            assert report.ok, [str(f) for f in report.findings]


def test_a_full_disk_stores_nothing_and_is_over_when_there_is_room(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        fill(store)
        marks, head = store.marks, journal.head(store)
        pages = store._writer.exec_driver_sql("PRAGMA page_count").scalar()
        store._writer.commit()
        store._writer.exec_driver_sql(f"PRAGMA max_page_count = {pages + 3}")
        store._writer.commit()
        with pytest.raises(StoreFatal, match="SQLITE_FULL; make room"):
            add_batch(store, 4000)
        with pytest.raises(StoreUnavailable, match="must be reopened"):
            add_batch(store)
        assert journal.head(store) == head
        store.reopen()
        assert store.marks == marks
        assert add_batch(store).seq == marks.seq + 1
        assert verify(store).ok


_FAILING = """
import resource, signal, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from storekit import add_batch, open_store
from txmon.errors import StoreFatal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = open_store(sys.argv[1])
limit = (Path(sys.argv[1]) / "txmon.db-wal").stat().st_size + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
last = store.marks.seq
try:
    for _ in range(100_000):
        last = add_batch(store, 30).seq
except StoreFatal as error:
    sys.stdout.write(f"{{last}} {{error.detail}}\\n")
    sys.stdout.flush()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.reopen()
    add_batch(store, 30)
    store.close()
"""


@pytest.mark.parametrize("room", [0, 10_000, 65_000, 200_001])
def test_writes_that_fail_in_the_middle_acknowledge_nothing(tmp_path: Path, room: int) -> None:
    place = tmp_path / "store"
    with open_store(place) as store:
        fill(store)
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    code = _FAILING.format(paths=paths)
    done = subprocess.run(
        [sys.executable, "-c", code, str(place), str(room)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    last, _, detail = done.stdout.partition(" ")
    assert "SQLITE_IOERR" in detail or "SQLITE_FULL" in detail
    with open_store(place) as store:
        assert int(last) + 1 <= store.marks.seq <= int(last) + 2
        assert verify(store).ok
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_failed_commit_is_fatal_and_the_head_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(tmp_path / "store") as store:
        fill(store)
        marks = store.marks

        def fail(*_: object) -> None:
            raise sa.exc.OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

        with monkeypatch.context() as patched:
            patched.setattr(store._writer.dialect, "do_commit", fail)
            with pytest.raises(StoreFatal, match="disk"):
                add_batch(store)
        assert store.marks == marks
        store.reopen()
        assert store.marks == marks
        assert add_batch(store).seq == marks.seq + 1


@pytest.fixture
def server() -> Iterator[pgkit.PostgresServer]:
    """A server that may be stopped."""
    own = pgkit.own_server()
    yield own
    own.close()


def test_a_database_that_goes_away_stores_all_or_nothing(
    server: pgkit.PostgresServer, side: dict[str, Path]
) -> None:
    with open_store(server.url(), **side) as store:
        fill(store)
        marks = store.marks
        server.stop()
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            add_batch(store)
        with pytest.raises(StoreUnavailable, match="must be reopened"):
            add_batch(store)
        with pytest.raises(StoreUnavailable, match="cannot be reached"), store.read():
            pass
        with pytest.raises(StoreUnavailable):
            store.reopen()
        server.start()
        store.reopen()
        assert store.marks == marks
        assert add_batch(store).seq == marks.seq + 1

        def commit() -> None:
            with store.write() as tx:
                journal.append(tx, "events", events(3, 500), 1)
                server.stop()

        with pytest.raises(CommitUnknown, match="compare its head"):
            commit()
        server.start()
        store.reopen()
        assert store.marks.seq == marks.seq + 1  # here it was not stored
        assert verify(store).ok


@pytest.mark.parametrize("place", ["postgres"], indirect=True)  # only there is it a session's
def test_a_lost_session_gives_the_lock_back(place: str, side: dict[str, Path]) -> None:
    with open_store(place, **side) as store:
        add_batch(store)
        pid = store._writer.exec_driver_sql("select pg_backend_pid()").scalar()
        store._writer.commit()
        with psycopg.connect(place.replace("+psycopg", ""), autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s)", (pid,))
        with pytest.raises(StoreUnavailable):
            add_batch(store)
        store.reopen()
        assert add_batch(store).seq == 2


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_the_session_of_a_writer_that_has_just_ended_is_waited_for(
    place: str,
) -> None:
    with open_store(place) as store:
        last = threading.Timer(0.5, store.close)
        last.start()
        with open_store(place) as after:
            assert add_batch(after).seq == 1
        last.join()


def test_heads_follow_within_a_second_and_are_whole_at_the_end(place: str, side: dict[str, Path]) -> None:
    with open_store(place, **side) as store:
        first = add_batch(store)
        assert last_line(side["heads"]).seq == first.seq  # the first at once
        for _ in range(5):
            last = add_batch(store)
        for _ in range(40):
            if last_line(side["heads"]).seq == last.seq:
                break
            time.sleep(0.05)
        assert last_line(side["heads"]).head == last.head
        assert len(side["heads"].read_bytes().splitlines()) < 5
        last = add_batch(store)
    assert last_line(side["heads"]).head == last.head
    with side["heads"].open("ab") as file:
        file.write(b"7 00ff")  # cut by a crash
    with open_store(place, **side) as store:
        add_batch(store)
        assert verify(store).ok


def test_what_journals_nothing_leaves_the_log_of_heads_as_it_is(place: str, side: dict[str, Path]) -> None:
    def change(store: Store, key: bytes) -> None:
        with store.write() as tx:
            answers.put(tx, [("somebody", key, answers.Answer(b"h" * 32, 200, {}, b"", 0))])

    with open_store(place, **side) as store:
        change(store, b"1")
        assert verify(store).ok
    assert side["heads"].read_bytes() == b""
    with open_store(place, **side) as store:  # a row 0 in the log would be one that the journal lacks
        add_batch(store)
        time.sleep(0.6)
        change(store, b"2")
    assert len(side["heads"].read_bytes().splitlines()) == 1


def test_a_head_that_a_killed_process_did_not_come_to_log_is_logged_at_the_next_start(
    place: str, side: dict[str, Path]
) -> None:
    with open_store(place, **side) as store:
        add_batch(store)
        last = add_batch(store)
        store.heads._pending = None  # killed here
    assert last_line(side["heads"]).seq == last.seq - 1
    with open_store(place, **side):
        assert last_line(side["heads"]).head == last.head


def test_a_log_of_heads_that_cannot_be_written_is_shown_and_stops_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        whole = store.heads._file
        store.heads._file = os.open(tmp_path / "store" / "heads.log", os.O_RDONLY)  # every write fails
        last = add_batch(store)
        assert "cannot append to" in store.heads.failure
        assert add_batch(store).seq == last.seq + 1
        os.close(store.heads._file)
        store.heads._file = whole
    assert last_line(tmp_path / "store" / "heads.log").seq == 2
    assert store.heads is None
    with pytest.raises(StoreUnavailable, match="cannot write the log of heads"):
        open_store(tmp_path / "store", heads=tmp_path / "no" / "heads.log")
