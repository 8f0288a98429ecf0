"""What a preservation order holds goes into the vault before it leaves the store, by the commands of an operator."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "keep"))

from apikit import CRITICAL, THREE, on_bench
from caseskit import PROTECTED, Desk
from keepkit import Filled, bytes_below
from servicekit import Bench, Clock, chance, simple_rules
from test_preservation import made

from txmon.cli import main
from txmon.store import Store, journal
from txmon.store.keeping import proof_of
from txmon.vault import Vault


def run(monkeypatch: pytest.MonkeyPatch, *words: Any) -> int:
    monkeypatch.setattr(sys, "argv", ["txmon", *map(str, words), "--json"])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_what_an_order_holds_is_in_the_vault_when_the_store_has_it_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(tmp_path, simple_rules(tmp_path, THREE, CRITICAL, PROTECTED), str(tmp_path / "store"))
    bench.clock.time_us = int(time.time()) * 1_000_000
    with on_bench(bench) as api:
        desk = Desk(api)
        Filled(desk)
        order_id = made(desk)
    store = tmp_path / "store"
    with sqlite3.connect(store / "txmon.db") as conn:
        people = dict(conn.execute("select roles, id from people").fetchall())
    conn.close()
    ana, ben = people['["analyst"]'], people['["approver"]']
    monkeypatch.setenv("TXMON_VAULT_KEY_FILE", str(tmp_path / "vault.key"))
    assert run(monkeypatch, "vault", "init", "--mlro", ana, "--release", ben, "--store", store) == 0
    who = ("--reason", "asked for", "--author", ana, "--approver", ben, "--store", store)
    assert run(monkeypatch, "store", "erase", "planted-linked", *who) == 0
    assert run(monkeypatch, "store", "erase", "planted-linked", *who) == 0  # once more copies nothing twice
    capsys.readouterr()
    assert b"planted-linked" not in bytes_below(store / "vault")  # the order alone names it, in the store
    with Vault.open(
        store / "vault" / "vault.db", tmp_path / "vault.key", clock=Clock(), random_bytes=chance()
    ) as vault:
        kept = vault.kept(order_id)
        assert vault.verify().ok
    events = [item for item in kept if item["what"] == "event"]
    assert {item["event"]["payer"] for item in events} == {"planted-linked"}
    assert len({json.dumps(item, sort_keys=True) for item in kept}) == len(kept)
    with Store.open(store, clock=Clock(), random_bytes=chance(), read_only=True) as opened:
        _, head = journal.head(opened)
        left = [row.table["payer"].to_pylist() for row in journal.read(opened, kinds=[journal.EVENTS])]
        assert not any("planted-linked" in payers for payers in left)
        assert all(proof_of(opened, item).verify(head) for item in events)
