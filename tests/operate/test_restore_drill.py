"""The drill of an operator: back up a service at work, restore the copy elsewhere, compare, serve it, go on.

The live store holds what a real one does: simulated events scored by the packs that ship, alerts at every
state, refused rows, an erasure, people, keys, proposals and the record of reads. It goes on writing while it is
backed up, so that "equal" means equal to the live store at the row at which the backup stands.
"""

from __future__ import annotations

import json
import random
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pgkit
import pytest
import sqlalchemy as sa
from operatekit import Rows, Served, command, environment, everything, open_store, serving
from soakload import rows_of

from txmon.clock import SystemClock
from txmon.store import dialects, schema
from txmon.store.access import Access, KeySpec
from txmon.store.erase import Why, erase_subjects
from txmon.store.verify import verify
from txmon.store.warehouse import inspect

TIMES, EVENTS, CHUNK, MORE, ALERTS = 3, 6_000, 80, 2_000, 100
BAD = [b'{"event_id": "bad-%d", "amount": "much", "currency": "EUR"}' % i for i in range(7)]
# what says when a batch was cut or written, not what was found
CUT = {"journal_seq", "changed_seq", "version", "created_us", "changed_us", "hit_id"}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """A simulated stream several times, each behind the last one, as native JSON in the order of event time."""
    folder = tmp_path_factory.mktemp("simulated")
    file = folder / "events.parquet"
    command(environment(folder), "simulate", "--events", str(EVENTS), "--out", file)
    rows: Rows = []
    for number in range(TIMES):
        by = timedelta(days=70 * number)
        for row in rows_of(file):
            rows.append(row | {"source": f"sim{number}", "event_time": row["event_time"] + by})
    rows.sort(key=lambda row: row["event_time"])
    return [json.dumps(row, default=str).encode() for row in rows]


def hire(place: str) -> str:
    """Two administrators, an analyst, a service with a key, a key that waits for its grant, a stopped receiver."""
    clock = SystemClock()
    with open_store(place) as store:
        access = Access(store)
        with store.write() as tx:
            people = access.bootstrap(tx, [("Ana", ["analyst", "ingest", "auditor"]), ("Ben", ["approver"])])
        ana, ben = (access.authenticate(p.token, clock.now_us()) for p in people)
        with store.write() as tx:
            _, grant = access.create_person(tx, ana, "Cem", {"analyst"}, None)
            access.decide_grant(tx, grant, ben)
            roles = frozenset({"ingest"})
            made = access.create_key(tx, ana, KeySpec("gateway", roles, None, roles))
            assert made.grant_id is not None
            access.decide_grant(tx, made.grant_id, ben)
            access.create_key(tx, ana, KeySpec("waits", roles, None, roles))
            hook = {"id": "hook_a", "url": "https://example.org/x", "secret_nonce": b"n", "scope": "neutral", "topics": "[]", "state": "disabled", "failures": 0, "created_us": 1, "created_by": ana.identity}  # fmt: skip
            tx.conn.execute(sa.insert(schema.endpoints), hook)
    return people[0].token


def fill(live: Served, key: str, lines: list[bytes]) -> None:
    """Send events and lines that are none; take some alerts up, escalate some; each look is recorded."""
    live.key = key
    live.send([*lines, *BAD])
    for number, alert in enumerate(live.alerts()[:12]):
        path = "/v1/alerts/" + alert["alert_id"]
        for state in ("in_review", "escalated")[: 1 + number % 2]:
            _, _, headers = live.ask("GET", path, X_Purpose="drill")
            body = json.dumps({"state": state, "reason": "drill"}).encode()
            status, found, _ = live.ask(
                "PATCH", path, body, If_Match=headers["etag"], Content_Type="application/json"
            )  # fmt: skip
            assert status == 200, found


def back_up_at_work(
    live: Served, lines: list[bytes], settings: dict[str, str], place: str, target: Path
) -> tuple[dict[str, Any], int]:
    """Back up while small batches come; some of the lines are sent behind it.

    Returns:
        What the command says, and how many lines were answered for before it was run.
    """
    over, held, started = threading.Event(), len(lines) * 3 // 5, threading.Event()

    def work() -> None:
        for at in range(0, len(lines), CHUNK):
            live.send(lines[at : at + CHUNK])
            started.set()
            over.wait(None if at >= held else 0.05)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert started.wait(300)
        made = command(settings, "store", "backup", target, "--store", place)
    finally:
        over.set()
        thread.join()
    return made, CHUNK


def as_of(live: dict[str, Rows], seq: int, copy: dict[str, Rows]) -> dict[str, Rows]:
    """The live rows that there were at a row of the journal."""
    last = max((row["id"] for row in copy["audit"]), default=0)
    hits = {row["hit_id"] for row in live["hits"] if row["journal_seq"] <= seq}
    schemas = {row["schema_hash"] for row in live["journal"] if row["seq"] <= seq}
    chosen = dict(live)
    chosen["journal"] = [r for r in live["journal"] if r["seq"] <= seq]
    chosen["payload_schemas"] = [r for r in live["payload_schemas"] if r["hash"] in schemas]
    chosen["hits"] = [r for r in live["hits"] if r["hit_id"] in hits]
    chosen["alert_hits"] = [r for r in live["alert_hits"] if r["hit_id"] in hits]
    chosen["alerts"] = [r for r in live["alerts"] if r["journal_seq"] <= seq]
    chosen["quarantine"] = [r for r in live["quarantine"] if r["journal_seq"] <= seq]
    chosen["outbox"] = [r for r in live["outbox"] if r["created_seq"] <= seq and r["state"] == "pending"]
    chosen["audit"] = [r for r in live["audit"] if r["id"] <= last]
    chosen["answers"] = []  # kept answers are not brought back
    return chosen


def check(place: str, state: Path, seq: int) -> None:
    """What `txmon store verify` looks at."""
    with open_store(place, read_only=True) as store:
        assert verify(store).ok
    found = inspect(state / "warehouse")
    assert (found.state, found.mark.seq if found.mark else None) == ("ok", seq)


def without(rows: Rows, names: set[str]) -> Rows:
    return [{k: v for k, v in row.items() if k not in names} for row in rows]


@pytest.mark.slow
def test_a_restored_backup_is_the_store_that_was_backed_up(
    place: str, lines: list[bytes], tmp_path: Path
) -> None:
    folder = dialects.is_folder(place)
    if not folder and pgkit.binary("pg_dump") is None:
        pytest.skip("pg_dump is not installed")
    settings = environment(tmp_path)
    key, first = hire(place), len(lines) * 2 // 3

    if folder:  # tests/store has erasures before a backup on both databases
        with serving(place, settings, tmp_path / "log") as live:
            fill(live, key, lines[:first])
        gone = sorted({json.loads(line)["payer"] for line in lines[:first] if b'"payer"' in line})[:3]
        with open_store(place) as store:
            assert erase_subjects(store, gone, Why("request 7", "ana", "ben")).rows > 0

    with serving(place, settings, tmp_path / "log") as live:
        if not folder:
            fill(live, key, lines[:first])
        live.key = key
        made, before = back_up_at_work(live, lines[first:], settings, place, tmp_path / "backup")
        again = str(tmp_path / "again") if folder else pgkit.fresh_database()
        elsewhere = settings | {"TXMON_STATE_DIR": str(tmp_path / "state-again")}
        side = ("--erasures", Path(place) / "erasures.log") if folder else ()
        back = command(elsewhere, "store", "restore", tmp_path / "backup", "--store", again, *side)
        assert (back["seq"], back["head"], back["events"]) == (made["seq"], made["head"], made["events"])

        copy = everything(again)
        now = everything(place)
        then = as_of(now, made["seq"], copy)
        assert then["journal"][-1]["head"].hex() == made["head"]
        assert len(then["journal"]) > 20
        assert made["seq"] < max(r["seq"] for r in now["journal"])  # the live store went on
        assert {name: len(rows) for name, rows in copy.items()} == {n: len(r) for n, r in then.items()}
        for name in then.keys() - {"alerts", "api_keys"}:
            assert copy[name] == then[name], name
        used = {"last_used_us"}
        assert without(copy["api_keys"], used) == without(then["api_keys"], used)
        same = {r["alert_id"]: r for r in then["alerts"] if r["changed_seq"] <= made["seq"]}
        assert [r for r in copy["alerts"] if r["alert_id"] in same] == list(same.values())
        assert {r["state"] for r in copy["alerts"]} >= {"open", "in_review", "escalated"}
        assert copy["erasures"] or not folder
        for name in ("hits", "quarantine", "people", "proposals", "audit", "endpoints", "outbox"):
            assert copy[name], name
        check(again, Path(again) if folder else tmp_path / "state-again", made["seq"])

        # served, the copy says of each alert what the live one says: values, hits, evidence
        with serving(again, elsewhere, tmp_path / "log-again") as other:
            other.key = key
            chosen = random.Random(1).sample(sorted(same), ALERTS)
            for name in chosen:
                shown = other.get("/v1/alerts/" + name)
                assert shown == live.get("/v1/alerts/" + name)
                assert shown["hits"]
            assert len(other.alerts()) == len(copy["alerts"])
            # and takes what senders did not hear of: it ends as the live one did
            for at in range(first + before, len(lines), MORE):
                other.send(lines[at : at + MORE])
            assert other.send([_new(lines[-1])])["accepted"] == live.send([_new(lines[-1])])["accepted"] == 1
    ends, other_ends = everything(place), everything(again)
    for name in ("hits", "alerts"):
        assert without(other_ends[name], CUT) == without(ends[name], CUT), name
    with open_store(again, read_only=True) as store:
        assert verify(store).ok


def _new(line: bytes) -> bytes:
    return json.dumps(json.loads(line) | {"event_id": "new"}).encode()
