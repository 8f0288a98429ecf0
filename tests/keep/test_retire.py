"""Retention by class: what is past is nowhere on disk any more, and the journal verifies and replays."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pgkit
import pytest
import sqlalchemy as sa
from apikit import CRITICAL, THREE, on_bench, pay
from caseskit import Desk
from keepkit import BY, PLANTED, Filled, bytes_below, classes_of, rows_of
from servicekit import Bench, chance, simple_rules

from txmon.errors import InputError, RuleErrors
from txmon.pipeline.replay import replay
from txmon.store import Store, journal
from txmon.store.backup import backup, restore
from txmon.store.db import ERASURES_FILE
from txmon.store.due import find_due
from txmon.store.erase import Why
from txmon.store.retention import DAY_US
from txmon.store.retentionfile import load_classes
from txmon.store.retire import retire
from txmon.store.schema import hits
from txmon.store.verify import verify
from txmon.store.warehouse import Warehouse, forget


def opened(bench: Bench) -> Store:
    """The store of a bench whose service is stopped."""
    folder = not bench.place.startswith("postgresql")
    erasures = None if folder else bench.folder / "state" / ERASURES_FILE
    place = Path(bench.place) if folder else bench.place
    return Store.open(place, clock=bench.clock, random_bytes=chance(7), erasures=erasures)


def findings(store: Store) -> list[str]:
    """What verify finds, but for people whom the tests put into the table by no decision."""
    return [each.what for each in verify(store).findings if "was made by no decision" not in each.what]


def state_of(bench: Bench) -> Path:
    return bench.folder / "state" if bench.place.startswith("postgresql") else Path(bench.place)


def test_what_is_past_is_nowhere_and_the_store_verifies_and_replays(bench: Bench, tmp_path: Path) -> None:
    with on_bench(bench) as api:
        filled = Filled(Desk(api))
        filled.later()
        api.send(pay("young-1", 0, payer="young", event_time="2049-12-01T00:00:00Z"))
    warehouse = state_of(bench) / "warehouse"
    with opened(bench) as store:
        with Warehouse.open(warehouse) as made:
            made.catch_up(store)
        if bench.place.startswith("postgresql"):
            assert PLANTED in str(rows_of(store))
        else:
            assert PLANTED.encode() in bytes_below(Path(bench.place))
        done = retire(store, load_classes().at(bench.clock.now_us()), BY)
        assert done.outcome.rows > 0
        assert {"alerts", "cases", "hits"} <= done.outcome.deleted.keys()
        forget(store, warehouse, state_of(bench) / "snapshots")
        assert PLANTED not in str(rows_of(store))
        for entry in journal.read(store):
            payload = entry.payload if isinstance(entry.payload, bytes) else entry.table.to_pylist()
            assert PLANTED not in str(payload), entry.seq
        assert findings(store) == []
        backup(store, tmp_path / "copy")
    assert PLANTED.encode() not in bytes_below(state_of(bench))
    if bench.place.startswith("postgresql"):
        url = bench.place.replace("+psycopg", "")
        dump = subprocess.run(["pg_dump", url], capture_output=True, check=True).stdout
        assert PLANTED.encode() not in dump
        assert b"young" in dump or b"events" in dump
    else:
        assert PLANTED.encode() not in bytes_below(tmp_path / "copy")
    with opened(bench) as store:
        found = replay(store)
        assert found.differences == 0
        again = retire(store, load_classes().at(bench.clock.now_us()), BY)
        assert (again.outcome.rows, again.outcome.deleted) == (0, {})
    with on_bench(bench) as api:  # and the service goes on
        assert api.send(pay("young-2", 0, payer="young", event_time="2049-12-01T00:01:00Z"))[0]["status"]


def test_an_older_backup_is_restored_without_what_went_since(bench: Bench, tmp_path: Path) -> None:
    with on_bench(bench) as api:
        Filled(Desk(api)).later()
    with opened(bench) as store:
        backup(store, tmp_path / "copy")
        retire(store, load_classes().at(bench.clock.now_us()), BY)
        erasures = store.files.erasures
        left = rows_of(store)["hits"] + rows_of(store)["alerts"]
    target = tmp_path / "again" if not bench.place.startswith("postgresql") else pgkit.fresh_database()
    restore(tmp_path / "copy", target, clock=bench.clock, random_bytes=chance(8), erasures=erasures)
    with Store.open(target, clock=bench.clock, random_bytes=chance(9), read_only=True) as store:
        rows = rows_of(store)
        named = (
            "alerts",
            "cases",
            "case_parties",
            "case_log",
            "case_files",
            "hits",
            "proposals",
            "quarantine",
        )
        assert {name: rows[name] for name in named} == {name: [] for name in named}
        assert not left
        for entry in journal.read(store):
            assert PLANTED not in str(entry.payload), entry.seq
        assert findings(store) == []


def test_each_class_ends_by_itself(desk: Desk) -> None:
    filled = Filled(desk)
    desk.api.send(pay("plain-1", 0, payer="plain", payee="x"))
    store, clock = filled.store, desk.api.service.doors.clock
    event_us = min(row["event_time"] for row in rows_of(store)["hits"])
    now = clock.now_us()
    days = (now - event_us) // DAY_US + 1
    values = vars(classes_of(10_000))

    def due(**classes: int) -> dict[str, int]:
        kind = type(load_classes())
        return find_due(store, kind(**(values | classes)).at(now)).counts

    assert due() == {}
    assert due(events=days - 10)["events"] == 1  # only what no alert rests on
    assert due(quarantine=1) == {}
    clock.time_us += 2 * DAY_US  # type: ignore[attr-defined]
    now = clock.now_us()
    assert due(quarantine=1) == {"quarantine": 1}
    assert due(attachments=1)["case_files"] == 1
    assert due(attachments=3) == {}
    work = due(events=days - 10, events_work=1)
    assert (work["alerts"], work["cases"], work["events"]) == (2, 1, 3)
    assert due(events=days - 10, events_work=3)["events"] == 1
    for state in ("investigating", "decided", "closed"):
        assert desk.patch(filled.case_id, state=state).status_code == 200
    clock.time_us += 2 * DAY_US  # type: ignore[attr-defined]
    now = clock.now_us()
    closed = due(events=days - 10, events_no_action=1)
    assert (closed["cases"], closed["alerts"]) == (1, 1)
    assert due(events=days - 10, events_action=1).get("cases") is None


def test_what_a_kept_alert_rests_on_stays_and_its_peoples_events_within_reach(desk: Desk) -> None:
    old = "2024-12-01T00:00:00Z"
    desk.api.send(pay("old-1", 0, payer="busy", payee="x", event_time=old))
    desk.api.send(pay("older", 0, payer="busy", payee="x", event_time="2019-01-01T00:00:00Z"))
    alert = desk.alert(payer="busy")
    store, clock = desk.api.service.store, desk.api.service.doors.clock
    classes = type(load_classes())(**(vars(classes_of(10_000)) | {"events": 30}))
    found = find_due(store, classes.at(clock.now_us()))
    with store.read() as conn:
        needed = set(conn.execute(sa.select(hits.c.ingest_seq)).scalars())
    assert alert["alert_id"]
    assert not needed & set(found.events.tolist())
    gone = [
        entry.table["event_id"].to_pylist()[i]
        for entry in journal.read(store, kinds=["events"])
        for i, number in enumerate((entry.first_event_seq + entry.rows).tolist())
        if number in set(found.events.tolist())
    ]
    assert "old-1" not in gone


def test_profiles_stay_while_their_account_lives(desk: Desk) -> None:
    opened_event = {
        "event_id": "p-1", "kind": "account.opened", "event_time": "2024-01-01T00:00:00Z", "account": "lives",
        "holders": [{"party": "jane", "role": "owner"}],
    }  # fmt: skip
    for account, number in (("lives", 1), ("gone", 2)):
        event = opened_event | {"event_id": f"p-{number}", "account": account}
        desk.api.send(json.dumps(event).encode())
    desk.api.send(pay("now-1", 0, payer="lives", payee="x"))
    store, clock = desk.api.service.store, desk.api.service.doors.clock
    event = next(
        e for e in journal.read(store, kinds=["events"]) if "now-1" in e.table["event_id"].to_pylist()
    )
    days = (clock.now_us() - event.table["event_time"][0].value) // DAY_US + 10
    classes = type(load_classes())(**(vars(classes_of(10_000)) | {"events": days}))
    names = {
        entry.first_event_seq + place: event_id
        for entry in journal.read(store, kinds=["events"])
        for place, event_id in zip(entry.rows.tolist(), entry.table["event_id"].to_pylist(), strict=True)
    }
    found = {names[number] for number in find_due(store, classes.at(clock.now_us())).events.tolist()}
    assert "p-2" in found
    assert "p-1" not in found
    assert "now-1" not in found


def test_it_takes_two_people(desk: Desk) -> None:
    with pytest.raises(InputError, match="another person"):
        retire(desk.api.service.store, load_classes().at(0), Why("x", "a", "a"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("retention:\n  events: 0\n", "2:"),
        ("retention:\n  evnts: 5\n", "did you mean `events`"),
        ("retention: {}\n", "`quarantine` is missing"),
        ("classes: {}\n", "`retention` is missing"),
        ("retention:\n  events: many\n", "whole number"),
        ("retention:\n" + "".join(f"  {name}: 9\n" for name in vars(load_classes()) if name != "outbox") + "  outbox: 10\n",
         "no longer than `events`"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "retention.yaml"
    path.write_text(text)
    with pytest.raises(RuleErrors) as found:
        load_classes(path)
    assert says in str(found.value)
    assert str(path) in str(found.value)


def test_who_asked_for_an_export_is_forgotten_with_the_reads(desk: Desk) -> None:
    ask = {"party": "planted-party", "reason": "request of 3 March"}
    asked = desk.api.post("/v1/subject-exports", desk.ben, json=ask)
    assert desk.decide(asked, desk.sara).status_code == 200
    path = f"/v1/subject-exports/{asked.json()['proposal_id']}"
    assert desk.api.get(path, desk.ben, purpose="answer").status_code == 200
    desk.change(desk.api.audit.write)
    desk.api.service.doors.clock.time_us += 20 * 366 * DAY_US  # type: ignore[attr-defined]
    assert desk.api.get(path, desk.ben, purpose="answer").status_code == 404
    assert desk.get("/v1/proposals?state=approved", desk.ben)["items"] == []
    store, now = desk.api.service.store, desk.api.service.doors.clock.now_us()
    desk.change(desk.api.audit.write)
    retire(store, load_classes().at(now), BY)
    assert "planted-party" not in str(rows_of(store))
    assert all("planted-party" not in str(entry.payload) for entry in journal.read(store))
    assert findings(store) == []


def test_hits_of_an_event_that_stays_stay_hidden_and_the_store_replays(tmp_path: Path) -> None:
    """A hit that is past by itself, of an event that is evidence of a kept alert."""
    quiet = {"id": "quiet", "status": "shadow", "subject": "payer", "score": 0.7,
             "let": {"n": "count(*) over payer_3d"}, "when": "n >= 1", "explain": "{n} payments"}  # fmt: skip
    rules = simple_rules(tmp_path, THREE, CRITICAL, quiet)
    bench = Bench(tmp_path, rules, str(tmp_path / "store"))
    with on_bench(bench) as api:
        desk = Desk(api)
        api.send(pay("first", 0, payer="busy", payee="x"))
        desk.alert(payer="busy")
        api.send(pay("other", 0, payer="somebody", payee="x"))
        classes = type(load_classes())(**(vars(classes_of(10_000)) | {"events": 30}))
        past = classes.at(bench.clock.now_us())
        with api.service.store.read() as conn:
            hidden = conn.execute(sa.select(hits.c.event_id).where(past.hit())).scalars().all()
    assert set(hidden) >= {"first", "other"}
    with opened(bench) as store:
        retire(store, past, BY)
        with store.read() as conn:
            left = conn.execute(sa.select(hits.c.event_id, hits.c.rule_id)).all()
        assert ("first", "quiet") in {tuple(row) for row in left}
        assert "other" not in {row.event_id for row in left}
        found = replay(store)
        assert found.differences == 0
        assert findings(store) == []
