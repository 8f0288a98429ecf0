"""Signed heads: whatever is cut or rewritten afterwards is found, in either database; the file may be anybody's."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pgkit
import pytest
import sqlalchemy as sa
from caseskit import Desk
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from txmon.errors import ConfigError, InputError
from txmon.evidence import heads, signing
from txmon.evidence.headchore import HeadChore
from txmon.settings import Settings
from txmon.store import Store, journal
from txmon.store.schema import journal as journal_table


class Clock:
    time_us = 1_900_000_000_000_000

    def now_us(self) -> int:
        return self.time_us


@pytest.fixture(params=["folder", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    place = tmp_path / "store" if request.param == "folder" else pgkit.fresh_database()
    with Store.open(place, clock=Clock(), random_bytes=random.Random(1).randbytes) as opened:
        yield opened


@pytest.fixture
def key(tmp_path: Path) -> Ed25519PrivateKey:
    return signing.make_key(tmp_path / "evidence.key", random.Random(2).randbytes)


def add(store: Store, count: int = 1) -> None:
    for _ in range(count):
        with store.write() as tx:
            journal.append(tx, "decision", b'{"by":"ana"}', 5)


def signed(store: Store, key: Ed25519PrivateKey, path: Path) -> None:
    made = heads.sign_head(store, key, 7)
    assert made is not None
    heads.append(path, made)


def faults(store: Store, path: Path, key: Ed25519PrivateKey) -> list[str]:
    return [what for _, what in heads.check(store, path, [key.public_key()])[1]]


def test_an_untouched_journal_agrees(store: Store, key: Ed25519PrivateKey, tmp_path: Path) -> None:
    assert heads.sign_head(store, key, 7) is None
    path = tmp_path / "heads"
    for _ in range(3):
        add(store, 2)
        signed(store, key, path)
    add(store)
    assert heads.check(store, path, [key.public_key()]) == (3, [])
    assert heads.is_signed(path)


def test_a_cut_or_rewritten_journal_is_found(store: Store, key: Ed25519PrivateKey, tmp_path: Path) -> None:
    path = tmp_path / "heads"
    add(store, 3)
    signed(store, key, path)
    with store.write() as tx:
        tx.conn.execute(sa.delete(journal_table).where(journal_table.c.seq == 3))
    (cut,) = faults(store, path, key)
    assert "was cut" in cut
    if store.heads is not None:  # who rewrites the journal rewrites the log beside it
        store.heads.path.unlink()
    store.reopen()
    with store.write() as tx:  # a rewritten end, as consistent in itself as the first one
        journal.append(tx, "decision", b'{"by":"eve"}', 5)
    (rewritten,) = faults(store, path, key)
    assert "was rewritten" in rewritten


def test_any_changed_line_is_found(store: Store, key: Ed25519PrivateKey, tmp_path: Path) -> None:
    path = tmp_path / "heads"
    add(store)
    signed(store, key, path)
    line = json.loads(path.read_text())
    changes = {
        "seq": line["seq"] + 1, "events": 5, "time": "2026-01-05T12:00:00.000000Z", "head": "00" * 32,
        "signature": "ff" * 64, "key": "ab" * 32,
    }  # fmt: skip
    for name, value in changes.items():
        path.write_text(json.dumps(line | {name: value}) + "\n")
        assert faults(store, path, key), name
    for text in ('{"version":1}\n{}\n', "nonsense\n\n", json.dumps(line | {"more": 1}) + "\n\n"):
        path.write_text(text)
        with pytest.raises(InputError, match=r":1: no signed head"):
            faults(store, path, key)
    other = Ed25519PrivateKey.generate()
    path.write_text(json.dumps(line) + "\n")
    assert "key that is not known" in faults(store, path, other)[0]


def test_a_line_that_a_crash_cut_is_no_fault(store: Store, key: Ed25519PrivateKey, tmp_path: Path) -> None:
    path = tmp_path / "heads"
    add(store)
    signed(store, key, path)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    add(store)
    signed(store, key, path)  # ends the line that was cut
    assert heads.check(store, path, [key.public_key()]) == (2, [])


def test_the_service_signs_when_it_is_due_and_only_what_is_new(tmp_path: Path) -> None:
    clock, said = Clock(), []
    key = tmp_path / "evidence.key"
    path = tmp_path / "elsewhere" / "heads.ndjson"
    settings = Settings(
        store=str(tmp_path / "store"), evidence_key=key, signed_heads_file=path, heads_seconds=60
    )
    with Store.open(tmp_path / "store", clock=clock, random_bytes=random.Random(1).randbytes) as store:
        chore = HeadChore(settings, store, clock, said.append)
        for _ in range(3):
            chore.round()
            clock.time_us += 61_000_000
        assert [type(each) for each in said] == [ConfigError]  # said once that there is no key
        signing.make_key(key, random.Random(2).randbytes)
        add(store)
        chore.round()
        chore.round()
        add(store)
        chore.round()  # not due yet
        assert len(list(heads.read(path))) == 1
        clock.time_us += 61_000_000
        chore.round()
        clock.time_us += 61_000_000
        chore.round()  # nothing new
        assert [head.seq for _, head in heads.read(path)] == [1, 2]
        again = HeadChore(settings, store, clock, said.append)
        again.round()
        assert len(list(heads.read(path))) == 2
        off = HeadChore(Settings(store=settings.store, heads_seconds=0), store, clock, said.append)
        off.round()


def test_heads_are_listed_with_their_key(desk: Desk, tmp_path: Path) -> None:
    settings = desk.api.service.settings
    path = Path(settings.store) / heads.FILE
    key = signing.make_key(tmp_path / "k", random.Random(3).randbytes)
    for number in range(3):
        desk.alert()
        made = heads.sign_head(desk.api.service.store, key, number)
        assert made is not None
        heads.append(path, made)
    first = desk.get("/v1/heads?limit=2", desk.audit)
    rest = desk.get(f"/v1/heads?limit=2&cursor={first['next_cursor']}", desk.audit)
    assert [head["seq"] for head in first["items"] + rest["items"]] == [
        head.seq for _, head in reversed(list(heads.read(path)))
    ]
    assert rest["next_cursor"] is None
