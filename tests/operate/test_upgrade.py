"""Stores that earlier programs made are taken over whole, and the way back is a backup.

`stores/` holds folders as the programs of earlier revisions left them (keepstore.py): 160 messages of the
crowded stream and the rules of the pipeline's tests; from 0003 on with two people. On PostgreSQL the rows of
the same stores are put into tables of that revision.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb
import pgkit
import pytest
import sqlalchemy as sa
from operatekit import Rows, command, environment, everything, open_store, rows_of, serving

sys.path.append(str(Path(__file__).parents[1] / "service"))

from servicekit import Bench, busy_rules, send, stored, stream

from txmon.clock import SystemClock, random_bytes
from txmon.errors import StateError
from txmon.pipeline.replay import replay
from txmon.store import dialects, migrate
from txmon.store.backup import backup, restore
from txmon.store.db import Store
from txmon.store.verify import verify
from txmon.store.warehouse import layout

STORES = Path(__file__).parent / "stores"
KEPT = sorted(path.name.partition(".")[0] for path in STORES.glob("*.tar.xz"))
SCRIPTS = Path(migrate.__file__).parent / "migrations"
READ_STILL = ("0004", "0005")  # whose snapshots are of the format of today
SEED, SENT = 5, 160


def old_store(revision: str, place: str, folder: Path) -> dict[str, Rows]:
    """Put a kept store in its place; returns its rows."""
    kept = Path(place) if dialects.is_folder(place) else folder / "kept"
    with tarfile.open(STORES / f"{revision}.tar.xz") as archive:
        archive.extractall(kept, filter="data")
    before = everything_then(kept)
    if kept != Path(place):
        shutil.move(kept / "snapshots", folder / "state" / "snapshots")
        engine = dialects.make_engine(place, read_only=False)
        with engine.connect().execution_options(txmon_writes=True) as conn, conn.begin():
            migrate.upgrade(conn, revision)
            then = sa.MetaData()
            then.reflect(conn)
            for table in then.sorted_tables:
                if before.get(table.name):
                    conn.execute(sa.insert(table), before[table.name])
        engine.dispose()
    return before


def everything_then(folder: Path) -> dict[str, Rows]:
    """Every row of a folder's store, in tables of its revision."""
    with closing(sqlite3.connect(folder / dialects.DATABASE_FILE)) as conn:
        conn.row_factory = sqlite3.Row
        names = [name for (name,) in conn.execute("select name from sqlite_master where type = 'table'")]
        return {
            name: [dict(row) for row in conn.execute(f'select * from "{name}"')]
            for name in names
            if name != "alembic_version"
        }


def same_rows(found: Rows, wanted: Rows) -> bool:
    """Whether tables are equal whatever their order; numbers of SQLite may be truth values elsewhere."""
    return sorted(map(_text, found)) == sorted(map(_text, wanted))


def _text(row: dict[str, object]) -> str:
    return repr([(k, int(v) if isinstance(v, bool) else v) for k, v in sorted(row.items())])


@contextmanager
def older_program(monkeypatch: pytest.MonkeyPatch, folder: Path, revision: str) -> Iterator[None]:
    """Today's code with the revisions that there were then."""
    scripts = folder / f"migrations-{revision}"
    if not scripts.exists():
        shutil.copytree(SCRIPTS, scripts)
        for path in (scripts / "versions").glob("r*.py"):
            if path.name[1:5] > revision:
                path.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "_SCRIPTS", scripts)
        yield


def test_a_store_of_every_earlier_revision_is_kept() -> None:
    """Whoever adds a revision keeps a store of the one before: see keepstore.py."""
    revisions = {path.name[1:5] for path in (SCRIPTS / "versions").glob("r*.py")}
    assert revisions - {max(revisions)} <= set(KEPT)


@pytest.mark.parametrize("revision", KEPT)
def test_it_is_taken_over_with_all_it_holds(revision: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    before = old_store(revision, place, tmp_path)
    assert before["alerts"]
    assert before["hits"]
    with pytest.raises(StateError, match="open it once for writing"):
        open_store(place, read_only=True)
    with open_store(place) as store:
        assert verify(store).ok
        assert replay(store).differences == 0
    after = everything(place)
    assert all(same_rows(after[name], rows) for name, rows in before.items())
    assert not [name for name in after.keys() - before.keys() if after[name]]

    # it goes on where it stopped, as if one program had scored it all
    bench = Bench(tmp_path, busy_rules(tmp_path), place)
    service = bench.open()
    passed_over = bench.log.said("snapshot.passed_over") >= 1
    assert passed_over == (revision not in READ_STILL)
    assert (service.replayed > 100) == passed_over  # all of the journal instead
    send(service, stream(SEED)[SENT:])
    found = stored(service)
    assert replay(service.store).differences == 0
    assert verify(service.store).ok
    assert service.close()
    whole = Bench(tmp_path, bench.rules, str(tmp_path / "whole")).open()
    send(whole, [*_kept_messages(), *stream(SEED)[SENT:]])
    assert found == stored(whole)
    assert whole.close()


def _kept_messages() -> list[bytes]:
    """What the older program was given: the stream with two messages that it refused."""
    lines = list(stream(SEED)[:SENT])
    lines[50] = b'{"no event": 1}'
    lines[51] = b'{"event_id": "p1", "amount": "much", "currency": "EUR"}'
    return lines


def test_it_is_served(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    before = old_store(KEPT[-1], str(folder), tmp_path)
    keys = json.loads((folder / "keys.json").read_text(encoding="utf-8"))["administrators"]
    with duckdb.connect(str(folder / "warehouse" / layout.DATABASE)) as con:
        con.execute("update layout set version = 0")  # a warehouse of an older layout is made anew
    settings = environment(tmp_path, TXMON_RULES=str(busy_rules(tmp_path)))
    with serving(folder, settings, tmp_path / "log") as served:
        served.key = keys[0]["key"]  # a key of then
        shown = served.alerts()
        assert {a["alert_id"] for a in shown} == {a["alert_id"] for a in before["alerts"]}
        detail = served.get("/v1/alerts/" + shown[0]["alert_id"])
        assert detail["events"]
        assert served.send(stream(SEED)[SENT:260])["accepted"] > 50
        served.wait_for_warehouse()
    found = command(settings, "store", "verify", "--store", folder)
    assert (found["ok"], found["warehouse"]["state"]) == (True, "ok")
    assert found["warehouse"]["rows"] == found["events"] > 200


def test_back_to_the_version_before(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/operations.md says: back up with the old version, and restore with it when there is trouble."""
    if not dialects.is_folder(place) and pgkit.binary("pg_dump") is None:
        pytest.skip("pg_dump is not installed")
    (tmp_path / "state").mkdir()
    revision = KEPT[-1]
    before = old_store(revision, place, tmp_path)
    again = str(tmp_path / "again") if dialects.is_folder(place) else pgkit.fresh_database()
    with older_program(monkeypatch, tmp_path, revision), open_store(place, read_only=True) as store:
        made = backup(store, tmp_path / "backup")

    rules = busy_rules(tmp_path)
    service = Bench(tmp_path, rules, place).open()  # the new version, which upgrades and writes
    send(service, stream(SEED)[SENT:260])
    assert service.close()

    with older_program(monkeypatch, tmp_path, revision):
        with pytest.raises(StateError, match="newer version that made it, or restore a backup made before"):
            open_store(place)
        restore(tmp_path / "backup", again, clock=SystemClock(), random_bytes=random_bytes)
        with open_store(again) as store:
            assert (store.marks.seq, store.marks.head.hex()) == (made.seq, made.head)
            assert replay(store).differences == 0
            with store.read() as conn:
                then = sa.MetaData()
                then.reflect(conn)
                found = rows_of(conn, then)
        assert found.keys() == before.keys()
        assert all(same_rows(found[name], before[name]) for name in before.keys() - {"answers", "outbox"})
        assert found["outbox"] == [row for row in found["outbox"] if row["state"] == "pending"]
        older = Bench(tmp_path, rules, again).open()
        send(older, stream(SEED)[SENT:])
        assert older.close()
    # and the new version takes what the old one went on with
    with Store.open(again, clock=SystemClock(), random_bytes=random_bytes) as store:
        assert verify(store).ok
        assert replay(store).differences == 0
