"""`txmon store ...`, as an operator runs it: exit codes, the JSON on the last line, errors with remedies."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pgkit
import pytest
import sqlalchemy as sa
from warehousekit import add, assert_equal, everything, fill, journal_events, open_store, random_events

from txmon.cli import main
from txmon.store.schema import alerts, people
from txmon.store.warehouse import Warehouse

Run = Callable[..., tuple[int, dict[str, Any], str]]
WHO = ("--reason", "request 12", "--author", "ana", "--approver", "ben")


@pytest.fixture
def txmon(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command with --json; gives exit code, JSON of the last line, and what stderr says."""
    for name in ("TXMON_STORE", "TXMON_HEADS_FILE", "TXMON_STATE_DIR", "TXMON_SETTINGS"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str | Path, as_json: bool = True) -> tuple[int, dict[str, Any], str]:
        monkeypatch.setattr(sys, "argv", ["txmon", *map(str, words), *(["--json"] if as_json else [])])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        lines = printed.out.strip().splitlines()
        code = ended.value.code
        found = json.loads(lines[-1]) if as_json and lines else {"text": printed.out}
        return int(code or 0), found, printed.err

    return run


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a journal, alerts, a warehouse and a snapshot."""
    place = tmp_path / "store"
    with open_store(place) as store:
        fill(store, random.Random(1), 20, days=4)
        with Warehouse.open(place / "warehouse") as warehouse:
            warehouse.catch_up(store)
    (place / "snapshots").mkdir()
    (place / "snapshots" / "00000000000000000001-0123456789abcdef.arrow").write_bytes(b"state")
    return place


def test_verify(txmon: Run, place: Path) -> None:
    code, found, _ = txmon("store", "verify", "--store", place)
    assert code == 0
    assert found["ok"]
    assert found["first_bad_row"] is None
    assert found["warehouse"]["state"] == "ok"
    assert found["warehouse"]["rows"] == found["events"] > 0
    assert found["warehouse"]["seq"] == found["seq"] == found["rows"]
    code, found, _ = txmon("store", "verify", "--store", place, as_json=False)
    assert code == 0
    assert found["text"].endswith("ok\n")


@pytest.mark.parametrize("damage", ["delete from journal where seq = 7", "update journal set payload = zeroblob(50) where seq = 7", "update journal set received_at = 1 where seq = 7"])  # fmt: skip
def test_verify_names_the_first_bad_row(txmon: Run, place: Path, damage: str) -> None:
    with sqlite3.connect(place / "txmon.db") as con:
        con.execute(damage)
    con.close()
    code, found, _ = txmon("store", "verify", "--store", place)
    assert (code, found["ok"], found["first_bad_row"]) == (1, False, 7)
    assert found["findings"][0].startswith("journal row 7: ")
    code, found, err = txmon("store", "verify", "--store", place, as_json=False)
    assert code == 1
    assert "first bad row: 7" in err
    assert found["text"].endswith("NOT ok\n")


def test_verify_finds_a_cut_tail_by_heads_kept_elsewhere(txmon: Run, place: Path, tmp_path: Path) -> None:
    heads = tmp_path / "heads-elsewhere.log"
    shutil.copy(place / "heads.log", heads)
    (place / "heads.log").unlink()
    with sqlite3.connect(place / "txmon.db") as con:
        con.execute("pragma foreign_keys = off")
        last = con.execute("select max(seq) from journal").fetchone()[0]
        for table in ("hits", "alerts"):
            con.execute(f"delete from {table} where journal_seq = {last}")
        con.execute(f"delete from journal where seq = {last}")
    con.close()
    code, found, _ = txmon("store", "verify", "--store", place, "--heads", heads)
    assert (code, found["first_bad_row"]) == (1, last)


def test_verify_finds_a_damaged_warehouse_and_rebuild_mends_it(txmon: Run, place: Path) -> None:
    path = next(iter((place / "warehouse").rglob("*.parquet")))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    code, found, _ = txmon("store", "verify", "--store", place)
    assert (code, found["first_bad_row"]) == (1, None)
    assert found["warehouse"]["state"] == "damaged"
    assert path.name in found["warehouse"]["damages"][0]
    assert txmon("store", "verify", "--store", place, "--no-warehouse")[0] == 0
    code, found, _ = txmon("store", "rebuild", "--store", place)
    assert code == 0
    assert found["events"] > 0
    assert txmon("store", "verify", "--store", place)[0] == 0
    with open_store(place) as store, Warehouse.open(place / "warehouse") as warehouse:
        assert_equal(warehouse, store)


def test_verify_finds_the_warehouse_of_another_journal(txmon: Run, place: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with open_store(other, seed=2) as store:
        fill(store, random.Random(2), 30)
    shutil.copytree(place / "warehouse", other / "warehouse")
    code, found, _ = txmon("store", "verify", "--store", other)
    assert code == 1
    assert "another journal" in found["warehouse"]["damages"][0]


def test_the_warehouse_is_in_use(txmon: Run, place: Path) -> None:
    with Warehouse.open(place / "warehouse"):
        code, found, _ = txmon("store", "verify", "--store", place)
        assert (code, found["warehouse"]["state"]) == (0, "open_elsewhere")
        code, _, err = txmon("store", "rebuild", "--store", place)
        assert code == 2
        assert "is written by process" in err


def test_backup_and_restore(txmon: Run, place: Path, tmp_path: Path) -> None:
    with open_store(place):  # the service goes on
        code, made, _ = txmon("store", "backup", tmp_path / "backup", "--store", place)
    assert code == 0
    code, found, _ = txmon("store", "restore", tmp_path / "backup", "--store", tmp_path / "new")
    assert code == 0
    assert (found["seq"], found["head"], found["events"]) == (made["seq"], made["head"], made["events"])
    code, found, _ = txmon("store", "verify", "--store", tmp_path / "new")
    assert (code, found["warehouse"]["state"], found["warehouse"]["seq"]) == (0, "ok", made["seq"])
    with open_store(place) as old, open_store(tmp_path / "new") as new:
        assert journal_events(old) == journal_events(new)
    code, _, err = txmon("store", "backup", tmp_path / "backup", "--store", place)
    assert code == 2
    assert "name a new folder" in err


def test_an_old_backup_erases_again(txmon: Run, place: Path, tmp_path: Path) -> None:
    txmon("store", "backup", tmp_path / "backup", "--store", place)
    code, erased, _ = txmon("store", "erase", "person-3", *WHO, "--store", place)
    assert code == 0
    # the place of the new store has what another one left there
    shutil.copytree(place / "warehouse", tmp_path / "new" / "warehouse")
    (tmp_path / "new" / "snapshots").mkdir()
    (tmp_path / "new" / "snapshots" / "1.arrow").write_text("person-3")
    code, found, _ = txmon(
        "store", "restore", tmp_path / "backup", "--store", tmp_path / "new", "--erasures", place / "erasures.log"
    )  # fmt: skip
    assert code == 0
    assert found["erased_again"] == erased["rows"] > 0
    assert found["snapshots_removed"] == 1
    with open_store(tmp_path / "new") as store, Warehouse.open(tmp_path / "new" / "warehouse") as warehouse:
        assert_equal(warehouse, store)
        assert not any(row["payer"] == "person-3" for row in everything(warehouse)["events"])
    assert txmon("store", "verify", "--store", tmp_path / "new")[0] == 0


def test_erase_subjects(txmon: Run, place: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("person-3\n\nperson-4\n")
    code, found, _ = txmon("store", "erase", "person-5", "--subjects", names, *WHO, "--store", place)
    assert code == 0
    assert found["rows"] > 0
    assert found["deleted"]["hits"] > 0
    assert found["snapshots_removed"] == 1
    assert list((place / "snapshots").iterdir()) == []
    with open_store(place) as store, Warehouse.open(place / "warehouse") as warehouse:
        left = {row["payer"] for row in journal_events(store)}
        assert left
        assert not left & {"person-3", "person-4", "person-5"}
        assert_equal(warehouse, store)
    code, found, _ = txmon("store", "verify", "--store", place)
    assert (code, found["warehouse"]["state"]) == (0, "ok")
    assert found["erased"] > 0
    code, found, _ = txmon("store", "erase", "person-5", *WHO, "--store", place)  # again: nothing is left
    assert (code, found["rows"]) == (0, 0)


def test_erase_events_and_values(txmon: Run, place: Path, tmp_path: Path) -> None:
    with open_store(place) as store:
        rows = [row for row in journal_events(store) if row["memo"]]
    chosen = tmp_path / "events.csv"
    chosen.write_text("".join(f"{r['source']},{r['event_id']}\n" for r in rows[:2]))
    code, found, _ = txmon(
        "store", "erase", "--events", chosen, "--column", "memo", "--column", "lat", *WHO, "--store", place
    )
    assert (code, found["rows"]) == (0, 2)
    chosen.write_text(f"{rows[2]['source']},{rows[2]['event_id']}\n")
    assert txmon("store", "erase", "--events", chosen, *WHO, "--store", place)[1]["rows"] == 1
    with open_store(place) as store, Warehouse.open(place / "warehouse") as warehouse:
        assert_equal(warehouse, store)
        by_id = {row["event_id"]: row for row in everything(warehouse)["events"]}
    assert by_id[rows[0]["event_id"]]["memo"] is None
    assert rows[2]["event_id"] not in by_id


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["person-1", "--reason", "r", "--author", "ana", "--approver", "ana"], "another person"),
        (["person-1", "--reason", "", "--author", "ana", "--approver", "ben"], "needs a reason"),
        ([*WHO], "name either subjects"),
        (["person-1", "--column", "memo", *WHO], "--column goes with --events"),
        (["--subjects", "nothing.txt", *WHO], "nothing.txt: cannot be read"),
    ],
)
def test_erase_refuses(txmon: Run, place: Path, words: list[str], says: str) -> None:
    code, _, err = txmon("store", "erase", *words, "--store", place)
    assert code == 2
    assert says in err
    assert txmon("store", "verify", "--store", place)[1]["erased"] == 0


def test_erase_wants_people_that_the_store_knows(txmon: Run, place: Path) -> None:
    with open_store(place) as store, store.write() as tx:
        for person, state, roles in (("ana", "active", '["analyst"]'), ("ben", "active", '["approver"]'), ("cyd", "disabled", '["approver"]')):  # fmt: skip
            tx.conn.execute(sa.insert(people), {"id": person, "name": person.title(), "roles": roles, "entities": None, "state": state, "created_us": 1, "created_by": "local"})  # fmt: skip
    base = ("store", "erase", "person-1", "--reason", "r", "--store", place)
    for author, approver, says in (
        ("ana", "dan", "'dan' is no active person"),
        ("ana", "cyd", "'cyd' is no active person"),
        ("ben", "ana", "has not the role 'approver'"),
        ("Ben", "ben", "another person"),
    ):
        code, _, err = txmon(*base, "--author", author, "--approver", approver)
        assert code == 2
        assert says in err
    assert txmon(*base, "--author", "Ana", "--approver", "ben")[0] == 0
    with open_store(place) as store, store.read() as conn:
        assert conn.exec_driver_sql("select author, approver from erasures").all() == [("ana", "ben")]


def test_erase_while_the_service_runs(txmon: Run, place: Path) -> None:
    with open_store(place):
        code, _, err = txmon("store", "erase", "person-1", *WHO, "--store", place)
    assert code == 2
    assert "is written by process" in err


def test_retain(txmon: Run, place: Path, tmp_path: Path) -> None:
    with open_store(place) as store, store.write() as tx:
        tx.conn.execute(sa.update(alerts).values(state="dismissed"))
        tx.conn.execute(sa.update(alerts).where(alerts.c.subject_id == "person-6").values(state="open"))
    with open_store(place) as store:
        rows = journal_events(store)
        with store.read() as conn:
            assert "person-6" in conn.execute(sa.select(alerts.c.subject_id)).scalars().all()
    (tmp_path / "hold.txt").write_text("person-7\np-person-8\n")
    single = next(r for r in rows if r["payer"] == "person-9")
    (tmp_path / "events.csv").write_text(f"{single['source']},{single['event_id']}\n")
    code, found, _ = txmon(
        "store", "retain", "--before", "2026-01-07", "--hold", tmp_path / "hold.txt",
        "--hold-events", tmp_path / "events.csv", *WHO, "--store", place,
    )  # fmt: skip
    assert code == 0
    assert found["before"] == "2026-01-07T00:00:00.000000Z"
    with open_store(place) as store, Warehouse.open(place / "warehouse") as warehouse:
        left = {row["ingest_seq"] for row in journal_events(store)}
        assert everything(warehouse)["events"] == journal_events(store)

    def stays(row: dict[str, Any]) -> bool:
        named = {row["payer"], row["payee"], row["account"]} & {"person-6", "person-7"}
        holders = any(h["party"] == "p-person-8" for h in row["holders"] or ())
        return row["day"].isoformat() >= "2026-01-07" or bool(named) or holders or row is single

    assert left == {row["ingest_seq"] for row in rows if stays(row)}
    assert found["rows"] == len(rows) - len(left) > 0
    assert txmon("store", "verify", "--store", place)[0] == 0


def test_retain_refuses(txmon: Run, place: Path) -> None:
    for words, says in (
        (("--hold", "x"), "go with --before or --days"),
        (("--now", "2100-01-01"), "a day to come"),
        (("--now", "2020-01-01", "--days", "3"), "go without"),
        (("--before", "2021-01-01", "--days", "3"), "either --before DATE or --days"),
        (("--before", "soon"), "is no date"),
    ):
        code, _, err = txmon("store", "retain", *words, *WHO, "--store", place)
        assert code == 2
        assert says in err


def test_no_store(txmon: Run, tmp_path: Path) -> None:
    for words in (("verify",), ("rebuild",), ("backup", tmp_path / "b"), ("erase", "x", *WHO)):
        code, _, err = txmon("store", *words, "--store", tmp_path / "nothing")
        assert code == 2
        assert "holds no store" in err
    code, _, err = txmon("store", "restore", tmp_path / "nothing", "--store", tmp_path / "new")
    assert code == 2
    assert "holds no whole backup" in err


def test_everything_on_a_database(txmon: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url, state = pgkit.fresh_database(), tmp_path / "state"
    with open_store(url) as store:
        add(store, random_events(random.Random(3), 60, 0, people=6))
    monkeypatch.setenv("TXMON_STORE", url)
    monkeypatch.setenv("TXMON_STATE_DIR", str(state))
    assert txmon("store", "rebuild")[1]["events"] == 60
    assert txmon("store", "backup", tmp_path / "backup")[0] == 0
    assert txmon("store", "erase", "person-1", *WHO)[1]["rows"] > 0
    code, found, _ = txmon("store", "verify")
    assert (code, found["warehouse"]["state"]) == (0, "ok")
    assert (state / "erasures.log").exists()
    fresh = pgkit.fresh_database()
    code, found, _ = txmon("store", "restore", tmp_path / "backup", "--store", fresh)
    assert code == 0
    assert found["erased_again"] > 0
    with open_store(fresh) as store, Warehouse.open(state / "warehouse") as warehouse:
        assert_equal(warehouse, store)
