"""Two services with the same clocks, ids and requests; in one a report is drafted, released, acknowledged and kept.

Whatever anybody without a role in the vault can ask, read or run tells the two apart by nothing: every route
as every role, metrics, log lines, the rows of every table of the main database, the files beside it, the
commands that export. `process_*`, durations and disk sizes are left out. That the comparison can fail is
shown by leaks that are planted on purpose.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apikit
import caseskit
import pytest
from apikit import CRITICAL, THREE
from caseskit import PROTECTED
from servicekit import Bench, pay, simple_rules
from test_sending import way_of
from vaultapi import VaultDesk, opened
from vaultkit import DAY_US, WHY

from txmon.api.table import TABLE, Entry
from txmon.cli import main
from txmon.store import Store, erase, journal, merkle
from txmon.store.identity import ROLES, SCOPES
from txmon.vault import Vault

Leak = Callable[[VaultDesk, str], Any]
LEFT_OUT = re.compile(
    r"process_|python_|txmon_disk_|txmon_\w+_seconds_(sum|bucket|created)|txmon_\w+_created"
)
SPENT = {"seconds", "events_per_second", "disk_free_bytes"}  # of what commands print


@dataclass
class World:
    """What was seen of a service, by name."""

    seen: dict[str, Any] = field(default_factory=dict)
    case_id: str = ""
    report_id: str = ""

    def differs(self, other: World) -> list[str]:
        """Names of what is not the same in another world."""
        names = self.seen.keys() | other.seen.keys()
        return sorted(name for name in names if self.seen.get(name) != other.seen.get(name))


@contextmanager
def fresh_numbers(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ids of people and alerts that tests make are counted from the start again."""
    with patch.context() as context:
        for module in (apikit, caseskit):
            context.setattr(module, "_numbers", itertools.count(1))
        yield


# -- the same requests in both -------------------------------------------------------------------------------


def lived(
    folder: Path, patch: pytest.MonkeyPatch, *, files: bool, leak: Leak | None = None, roles: int = 99
) -> World:
    """A world: cases are worked on, the vault is (or not), days go by, retention runs, everybody looks."""
    folder.mkdir()
    world = World()
    bench = Bench(folder, simple_rules(folder, THREE, CRITICAL, PROTECTED), str(folder / "store"))
    more: dict[str, Any] = {"auth_failures": 1_000_000, "filing_file": way_of(folder)}
    with fresh_numbers(patch), opened(folder, bench, **more) as desk:
        desk.api.send(
            *(pay(f"e-{i}", i, source="cards", payer="payer-x", amount="950.00") for i in (1, 2, 3))
        )
        first, second = desk.alert(), desk.alert("450.00")
        world.case_id = desk.open(first)
        desk.patch(world.case_id, state="investigating")
        if files:
            world.report_id = filed(desk, world.case_id)
        if leak is not None:
            leak(desk, world.report_id)
        desk.api.service.doors.clock.time_us += 3 * DAY_US  # type: ignore[attr-defined]
        desk.open(second)
        desk.alert()
        known = {"case_id": world.case_id, "alert_id": first["alert_id"], "report_id": "rep_aaaaaaaaaaaaaaaa"}
        if world.report_id:
            known["report_id"] = world.report_id
        world.seen |= crawled(desk, known, roles)
        world.seen |= outside(desk)
        clock = desk.api.service.doors.clock
    retained(folder, clock.now_us() + 400 * DAY_US, bench)
    world.seen |= at_rest(folder)
    return world


def filed(desk: VaultDesk, case_id: str) -> str:
    """A report's whole life, with looks, refusals, an examiner, and another report that is given up."""
    report_id = desk.new_report(case_id, ("goaml", "html"))
    desk.ask("POST", f"/reports/{report_id}/comments", {"text": "urgent"})
    desk.do(report_id, "release", {}, desk.release)  # refused: nobody has submitted it
    desk.ask("POST", "/nowhere")
    desk.did(report_id, "signature")
    desk.did(report_id, "submission")
    evidence = {"name": "a.zip", "content": "YnVuZGxl"}
    desk.did(report_id, "release", {"evidence": evidence}, desk.release)
    desk.did(report_id, "sending", {"format": "goaml"}, desk.release)
    desk.did(report_id, "acknowledgement", {"format": "goaml", "accepted": True, "authority_id": "F-1"})
    desk.did(report_id, "continuation", {"reason": "it goes on"})
    other = desk.new_report(case_id)
    desk.did(other, "no-file", {"reason": "no suspicion is left"})
    desk.did(other, "no-file/decision", {"approve": True, "reason": "seen"}, desk.release)
    for path in ("/reports", "/reminders", "/log", "/grants", f"/reports/{report_id}/kept", "/me"):
        assert desk.ask("GET", path, headers={"idempotency-key": "k"}).status_code == 200
    again = {"headers": {"idempotency-key": "again"}}
    assert desk.ask("POST", "/reports", {"case_id": case_id, "formats": ["html"]}, **again).status_code == 201
    return report_id


def crawled(desk: VaultDesk, known: dict[str, str], most: int) -> dict[str, Any]:
    """Every route as everybody: nobody, each role as a person and as a service, all roles at once."""
    keys: list[tuple[str, str | None]] = [("nobody", None), ("unknown", "txm_live_aaaaaaaa_" + "a" * 43)]
    for role in (*sorted(ROLES), "all"):
        roles = tuple(sorted(ROLES)) if role == "all" else (role,)
        keys.append((f"{role}", desk.api.person(*roles)))
        keys.append((f"{role} service", desk.api.worker(*roles, scopes=tuple(sorted(SCOPES)))))
    found: dict[str, Any] = {}
    for entry in TABLE:
        for name, key in keys[:most]:
            for purpose in (None, WHY):
                found[f"{entry.name} as {name} for {purpose}"] = asked(desk, entry, key, purpose, known)
    return found


def asked(desk: VaultDesk, entry: Entry, key: str | None, purpose: str | None, known: dict[str, str]) -> Any:
    path = re.sub(r"\{(\w+)\}", lambda m: known.get(m[1], "1" if m[1] == "row_id" else "none"), entry.path)
    headers = {"if-match": '"v2"'} | ({} if purpose is None else {"x-purpose": purpose})
    if entry.path == "/v1/alerts/stream":
        headers["last-event-id"] = "x"  # refused behind the door: a stream has no end
    more: dict[str, Any] = {"json": {"reason": WHY}} if entry.method in ("POST", "PATCH", "PUT") else {}
    answer = desk.api.call(entry.method, path, key, headers=headers, **more)
    body = answer.text
    if entry.path == "/metrics":
        body = "\n".join(line for line in body.splitlines() if not LEFT_OUT.search(line))
    elif entry.path == "/v1/status" and answer.status_code == 200:
        body = json.dumps(timeless(answer.json()))
    return answer.status_code, body.replace(known["report_id"], "REPORT"), sorted(headers_of(answer).items())


def headers_of(answer: Any) -> dict[str, str]:
    """The headers of an answer; the length of one with durations in it is left out with them."""
    return {name: value for name, value in answer.headers.items() if name != "content-length"}


def timeless(value: Any) -> Any:
    """A value without what tells how long something took or how much room there is."""
    if isinstance(value, dict):
        return {
            k: timeless(v)
            for k, v in sorted(value.items())
            if not re.search(r"seconds|_ms|free|rss|size|made|head_lines", k)
        }
    return [timeless(each) for each in value] if isinstance(value, list) else value


def outside(desk: VaultDesk) -> dict[str, Any]:
    """What the process itself holds and says: metrics, log lines, notes that wait to be written, proposals."""
    text = desk.api.service.metrics.render("text/plain")[0].decode()
    found: dict[str, Any] = {
        f"metric {line.rpartition(' ')[0]}": line for line in text.splitlines() if not LEFT_OUT.search(line)
    }
    found["log lines"] = [(event, sorted(values)) for event, values in desk.api.service.doors.log.lines]  # type: ignore[attr-defined]
    access = desk.api.access
    found["uses of keys"] = dict(access._unwritten)

    def note(tx: Any) -> None:
        desk.api.audit.write(tx)
        access.write_last_used(tx)

    desk.change(note)
    found["next random bytes"] = desk.api.service.store.random_bytes(16)
    return found


def retained(folder: Path, before_us: int, bench: Bench) -> None:
    """Retention of the main store, which asks no vault; and of the vault."""
    with Store.open(folder / "store", clock=bench.clock, random_bytes=random.Random(3).randbytes) as store:
        outcome = erase.retain(store, before_us, erase.Why("retention", "psn_x", "psn_y"))
        assert outcome.rows > 0


def at_rest(folder: Path) -> dict[str, Any]:
    """The main database, row for row, and every file beside it."""
    found: dict[str, Any] = {}
    with sqlite3.connect(folder / "store" / "txmon.db") as conn:
        tables = [
            name
            for (name,) in conn.execute("select name from sqlite_master where type = 'table' order by name")
        ]
        for table in tables:
            found[f"table {table}"] = conn.execute(f"select * from {table}").fetchall()
        found["schema"] = conn.execute("select * from sqlite_master order by name").fetchall()
    conn.close()
    for path in sorted((folder / "store").rglob("*")):
        if path.is_file() and path.suffix in (".log", ".arrow", ".parquet"):
            content = path.read_bytes()
            if (
                path.name == "heads.log"
            ):  # which heads are logged between the first and the last is a matter of real time
                content = content.splitlines()[-1]
            found[f"file {path.relative_to(folder)}"] = content
    found["files"] = sorted(
        str(p.relative_to(folder))
        for p in (folder / "store").rglob("*")
        if not p.name.endswith(("-wal", "-shm"))
    )
    return found


def commanded(folder: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What the commands on a store print and write."""
    found: dict[str, Any] = {}
    place = ("--store", str(folder / "store"))
    for words in (
        ("store", "verify", "--json"), ("replay", "--json"), ("keys", "list", "--json"), ("keys", "person", "list", "--json"),
        ("keys", "grants", "--json"), ("webhooks", "list", "--json"), ("store", "backup", str(folder / "copy"), "--json"),
    ):  # fmt: skip
        patch.setattr(sys, "argv", ["txmon", *words[:2], *words[2:], *place])
        code: Any = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        printed = capsys.readouterr()
        said = [json.loads(line) if line.startswith("{") else line for line in printed.out.splitlines()]
        shown = [
            timeless({k: v for k, v in s.items() if k not in SPENT}) if isinstance(s, dict) else s
            for s in said
        ]
        found[f"txmon {' '.join(words[:2])}"] = (
            code,
            json.dumps(shown).replace(str(folder), "FOLDER"),
            printed.err.replace(str(folder), "FOLDER"),
        )
    return found


# -- the comparison ------------------------------------------------------------------------------------------


def test_two_worlds_are_the_same_to_everybody_without_a_role_in_the_vault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_one = lived(tmp_path / "one", monkeypatch, files=True)
    without = lived(tmp_path / "none", monkeypatch, files=False)
    assert with_one.case_id == without.case_id
    assert with_one.differs(without) == []
    assert len(with_one.seen) > 2 * len(TABLE) * len(ROLES)
    answers = [seen for name, seen in with_one.seen.items() if " as all for " in name]
    assert sum(status == 200 for status, _, _ in answers) > 40, "the crawl is turned away everywhere"
    one = commanded(tmp_path / "one", monkeypatch, capsys)
    assert one == commanded(tmp_path / "none", monkeypatch, capsys)
    verified = json.loads(one.pop("txmon store verify")[1])[-1]
    assert all(
        "made by no decision" in finding for finding in verified["findings"]
    )  # people whom the test made
    assert {code for code, _, _ in one.values()} == {0}, one
    kept_when_the_store_has_nothing(tmp_path / "one", with_one.report_id)


def kept_when_the_store_has_nothing(folder: Path, report_id: str) -> None:
    """The store's retention took the events; the vault has them still, and they prove to stand in the journal."""
    clock, chance = apikit_clock(), random.Random(4).randbytes
    with (
        Vault.open(
            folder / "vault" / "vault.db", folder / "vault.key", clock=clock, random_bytes=chance
        ) as vault,
        Store.open(folder / "store", clock=clock, random_bytes=chance, read_only=True) as store,
    ):
        assert vault.verify().ok
        events = [item for item in vault.kept(report_id) if item["what"] == "event"]
        assert {item["event_id"] for item in events} == {"e-1", "e-2", "e-3"}
        heads = {entry.seq: entry for entry in journal.read(store)}
        for item in events:
            row = heads[item["seq"]]
            assert item["place"] not in row.rows.tolist()
            leaf = merkle.bytes_leaf(bytes.fromhex(item["salt"]), item["content"].encode())
            path = [(right, bytes.fromhex(sibling)) for right, sibling in item["path"]]
            assert merkle.root_from(leaf, path) == row.root
            assert "payer-x" in item["content"]


def apikit_clock() -> Any:
    from servicekit import Clock

    return Clock()


def _audit(desk: VaultDesk, report_id: str) -> None:
    who = desk.api.access.known[desk.mlro]
    desk.api.audit.record(who, "report.read", report_id, "x", 1)


def _journal(desk: VaultDesk, report_id: str) -> None:
    desk.change(lambda tx: journal.append(tx, "decision", b'{"decision": "filed"}', 1) and None)


PLANTED: dict[str, tuple[Leak, str]] = {
    "a row of the record of reads": (_audit, "table audit"),
    "a row of the journal": (_journal, "table journal"),
    "a use of a key": (lambda d, _: d.api.access._note_use("key_1", 10**15), "uses of keys"),
    "a metric": (lambda d, _: d.api.service.metrics.auth_failures_total.labels("role").inc(), "metric txmon_auth_failures"),
    "a log line": (lambda d, _: d.api.service.doors.log.info("request.failed"), "log lines"),
    "an id that was drawn": (lambda d, _: d.api.service.store.random_bytes(10), "next random bytes"),
    "a file": (lambda d, _: (d.api.service.store.folder / "reports.txt").write_text("1"), "files"),  # type: ignore[operator]
    "a version of the case": (lambda d, _: d.change(lambda tx: tx.conn.exec_driver_sql("update cases set version = version + 1") and None), "table cases"),
}  # fmt: skip


@pytest.fixture(scope="module")
def plain_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    with pytest.MonkeyPatch.context() as patch:
        return lived(tmp_path_factory.mktemp("plain") / "world", patch, files=False, roles=3)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_leak_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain_world: World, name: str
) -> None:
    leak, where = PLANTED[name]
    leaky = lived(tmp_path / "world", monkeypatch, files=False, leak=leak, roles=3)
    found = leaky.differs(plain_world)
    assert any(each.startswith(where) for each in found), found
