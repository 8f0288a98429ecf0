"""People and processes who work on one report at once: no update is lost, no chain forks."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vaultkit import Clock, Desk, caller

from txmon.errors import StoreConflict, TxmonError
from txmon.reports.model import Report
from txmon.vault import Vault
from txmon.vault.office import Office
from txmon.vault.states import MLRO, RELEASE

INTERLEAVINGS = 10_000


def marked(report: Report, mark: str) -> Report:
    """A report with one more mark in its codes: an edit that another one must not take away."""
    return replace(report, codes=dict(report.codes) | {mark: "1"})


@pytest.fixture
def fast(desk: Desk) -> Iterator[Desk]:
    """A desk whose disk is not waited for: what is looked at here is order, not durability."""
    from sqlalchemy import event

    def unsynced(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(desk.vault.file._engine, "connect", unsynced)
    desk.vault.file._engine.dispose()
    return desk


@pytest.mark.slow
def test_no_edit_is_lost_in_ten_thousand_interleavings(fast: Desk) -> None:
    """Steps of four people, read and write apart, in drawn orders: an edit succeeds only on what was read last."""
    chance = random.Random(11)
    head = fast.draft(formats=("html",))
    people = [caller(name, MLRO) for name in ("ana", "ben", "cem", "dan")]
    held: list[tuple[int, Report] | None] = [None] * len(people)
    newest, alive, done, refused = head.version, set[str](), 0, 0
    for step in range(INTERLEAVINGS):
        who = chance.randrange(len(people))
        last = held[who]
        if last is None or chance.random() < 0.3:
            with fast.vault.file.read() as reader:
                found = fast.office.load(reader, people[who], head.report_id)
            assert set(found.report.codes) == alive
            held[who] = (found.head.version, found.report)
            continue
        version, report = last
        mark = f"m{step}"
        if len(report.codes) > 50:
            report = replace(report, codes={})
        wanted = marked(report, mark)
        try:
            made = fast.office.edit(people[who], head.report_id, version, wanted)
        except StoreConflict:
            assert version != newest, "an edit of the newest version was refused"
            refused += 1
        else:
            assert version == newest, "an edit went over another one"
            newest, alive, done = made.version, set(wanted.codes), done + 1
        held[who] = None
    assert done > 1000 < refused
    assert fast.vault.verify().ok


def test_threads_and_two_openings_of_one_file_lose_nothing(fast: Desk) -> None:
    head = fast.draft(formats=("html",))
    second = Vault.open(fast.file, fast.key, clock=Clock(), random_bytes=random.Random(77).randbytes)
    offices = [
        fast.office,
        Office(second, cases=fast.cases, copier=fast.copied, rules=fast.office.rules, drafter=None),
    ]
    done: list[str] = []
    broken: list[BaseException] = []

    def work(number: int) -> None:
        office, who, count = offices[number % 2], caller(f"p{number}", MLRO, RELEASE), 0
        try:
            while count < 10:
                found = office.show(who, head.report_id)
                mark = f"w{number}-{count}"
                try:
                    office.edit(who, head.report_id, found.head.version, marked(found.report, mark))
                except StoreConflict:
                    continue
                done.append(mark)
                count += 1
        except TxmonError as error:  # pragma: no cover - what would be a failure
            broken.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert broken == []
    assert set(fast.model(head).codes) == set(done)
    assert len(done) == 60
    assert fast.vault.verify().ok
    second.close()


def test_of_two_who_release_at_once_one_does(desk: Desk) -> None:
    head = desk.submitted()
    results: list[str] = []

    def release(name: str) -> None:
        try:
            desk.releases.release(caller(name, RELEASE), desk.doing(head, "release"))
            results.append("released")
        except TxmonError as error:
            results.append(error.code)

    threads = [threading.Thread(target=release, args=(name,)) for name in ("cem", "dan", "eve")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results) == ["conflict", "conflict", "released"] or results.count("released") == 1
    assert len(desk.office.show(desk.ana, head.report_id).head.files) == 1


def test_a_killed_process_leaves_whole_changes_only(tmp_path: Path) -> None:
    """Changes until the process is killed in the middle of one: the vault verifies, and the last one told is there."""
    import os
    import signal
    import subprocess
    import sys

    script = f"""
import sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from vaultkit import Desk
desk = Desk(Path({str(tmp_path)!r}))
head = desk.draft(formats=("html",))
print(head.report_id, flush=True)
while True:
    head = desk.office.edit(desk.ana, head.report_id, head.version, desk.model(head))
    print(head.version, flush=True)
"""
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        report_id = process.stdout.readline().strip()
        told = [int(process.stdout.readline()) for _ in range(15)]
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        last = int(rest[-1]) if rest and rest[-1].isdigit() else told[-1]
        with Vault.open(
            tmp_path / "v" / "vault.db", tmp_path / "vault.key", clock=Clock(), random_bytes=os.urandom
        ) as vault:
            assert vault.verify().ok
            with vault.file.read() as reader:
                assert reader.get("report", report_id).version >= last
        for path in [*(tmp_path / "v").iterdir(), tmp_path / "vault.key", tmp_path / "backup.key"]:
            path.unlink()
