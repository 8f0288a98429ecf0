"""`txmon store retain`, `due`, `subject`, `heads` and `verify --heads`, as an operator runs them."""

from __future__ import annotations

import json
import random
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apikit import on_bench
from caseskit import Desk
from keepkit import PLANTED, Filled, bytes_below, rows_of
from servicekit import Bench
from test_preservation import made

from txmon.cli import main
from txmon.cli.storeplace import places_of
from txmon.store import journal
from txmon.store.keeping import proof_of
from txmon.store.retention import NAMES
from txmon.vault.vault import Vault

Run = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def txmon(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command with --json; gives exit code, JSON of the last line, and what stderr says."""
    for name in ("TXMON_STORE", "TXMON_HEADS_FILE", "TXMON_STATE_DIR", "TXMON_SETTINGS"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str | Path) -> tuple[int, dict[str, Any], str]:
        monkeypatch.setattr(sys, "argv", ["txmon", *map(str, words), "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        lines = printed.out.strip().splitlines()
        return int(ended.value.code or 0), json.loads(lines[-1]) if lines else {}, printed.err

    return run


@pytest.fixture
def bench(tmp_path: Path, bench: Bench) -> Bench:
    if bench.place.startswith("postgresql"):
        pytest.skip("the commands are the same; what they do is tested on both")
    return bench


def two(store: Path) -> tuple[str, ...]:
    """An author and an approver that the store knows."""
    import sqlite3

    with sqlite3.connect(store / "txmon.db") as con:
        rows = con.execute("select id, roles from people").fetchall()
    con.close()
    ana = next(row[0] for row in rows if "analyst" in row[1])
    ben = next(row[0] for row in rows if "approver" in row[1])
    return ("--reason", "classes", "--author", ana, "--approver", ben)


def short(folder: Path) -> Path:
    """Classes of one day."""
    return days(folder, 1)


def days(folder: Path, count: int) -> Path:
    """Classes of so many days."""
    path = folder / f"classes-{count}.yaml"
    path.write_text("retention:\n" + "".join(f"  {name}: {count}\n" for name in NAMES))
    return path


def test_retain_by_class(txmon: Run, bench: Bench, tmp_path: Path) -> None:
    bench.clock.time_us = (int(time.time()) - 2 * 86_400) * 1_000_000  # the command counts by its own clock
    with on_bench(bench) as api:
        Filled(Desk(api))
    store = Path(bench.place)
    code, found, _ = txmon("store", "due", "--store", store, "--classes", days(tmp_path, 30_000))
    assert (code, found["due"]) == (0, {})
    code, found, _ = txmon("store", "due", "--store", store, "--now", "2099-01-01")
    assert found["due"]["cases"] == 1
    code, found, err = txmon("store", "retain", *two(store), "--store", store, "--classes", short(tmp_path))
    assert code == 0, err
    assert found["rows"] > 0
    assert PLANTED.encode() not in bytes_below(store)
    code, found, _ = txmon("store", "due", "--store", store, "--classes", short(tmp_path))
    assert found["due"] == {}


def test_what_is_held_stops_an_erasure_without_a_vault(txmon: Run, bench: Bench, tmp_path: Path) -> None:
    bench.clock.time_us = int(time.time()) * 1_000_000
    with on_bench(bench) as api:
        desk = Desk(api)
        Filled(desk)
        made(desk)
    store = Path(bench.place)
    who = two(store)
    for words in (("retain", "--classes", short(tmp_path)), ("erase", "planted-linked")):
        code, _, err = txmon("store", *words, *who, "--store", store)
        if words[0] == "retain":  # nothing is past today
            assert code == 0, err
        else:
            assert code == 2
            assert "txmon vault init" in err
    assert b"planted-linked" in bytes_below(store)
    code, _, err = txmon("store", "erase", "planted-alone", *who, "--store", store)
    assert code == 0, err
    code, found, err = txmon(
        "store", "retain", "--before", "2099-01-01", "--no-alerts", *who, "--store", store
    )
    assert (code, found["held"]) == (0, 1), err


def test_what_is_held_goes_into_the_vault_and_out_of_everything_else(
    txmon: Run, bench: Bench, tmp_path: Path, monkeypatch: Any
) -> None:
    bench.clock.time_us = (int(time.time()) - 2 * 86_400) * 1_000_000
    with on_bench(bench) as api:
        desk = Desk(api)
        filled = Filled(desk)
        order_id = made(desk, cases=[filled.case_id], subjects=["planted-alone"])
    store, key = Path(bench.place), tmp_path / "vault.key"
    monkeypatch.setenv("TXMON_VAULT_KEY_FILE", str(key))
    places = places_of(str(store), None)
    assert places.vault is not None
    vault = Vault.make(
        places.vault, key, tmp_path / "backup.key", ("psn_a", "psn_b"), clock=bench.clock,
        random_bytes=random.Random(4).randbytes,
    )  # fmt: skip
    vault.close()
    code, found, err = txmon("store", "retain", *two(store), "--store", store, "--classes", days(tmp_path, 1))
    assert code == 0, err
    assert found["copied"] > 0
    with places.keeper() as keeper, places.open(read_only=True) as opened:
        assert keeper is not None
        kept = keeper.kept(order_id)
        events = [item for item in kept if item["what"] == "event"]
        assert {item["event"]["payer"] for item in events} == {"planted-alone", "planted-linked"}
        _, head = journal.head(opened)
        assert all(proof_of(opened, item).verify(head) for item in events)
        assert {item["table"] for item in kept if item["what"] == "row"} >= {"cases", "case_files", "alerts"}
        opened_rows = rows_of(opened)
    # of the order itself stays whom it names; nothing of what it holds is readable anywhere
    assert opened_rows["preservation"][0]["subjects"] == '["planted-alone"]'
    everything = bytes_below(store).replace(b"planted-alone", b"")
    assert PLANTED.encode() not in everything
    code, found, _ = txmon("store", "retain", *two(store), "--store", store, "--classes", days(tmp_path, 1))
    assert (code, found["copied"], found["rows"]) == (0, 0, 0)


def test_a_subject_and_signed_heads(txmon: Run, bench: Bench, tmp_path: Path, monkeypatch: Any) -> None:
    with on_bench(bench) as api:
        desk = Desk(api)
        desk.alert(payer="jane")
    store, out = Path(bench.place), tmp_path / "jane.zip"
    who = two(store)
    code, found, err = txmon("store", "subject", "jane", "--out", out, *who, "--store", store)
    assert (code, found["events"]) == (0, 1), err
    with zipfile.ZipFile(out) as archive:
        assert "events.jsonl" in archive.namelist()
    assert txmon("store", "subject", "jane", "--out", out, *who, "--store", store)[0] == 2
    same = (*who[:4], "--approver", who[3])
    assert txmon("store", "subject", "jane", "--out", tmp_path / "x.zip", *same, "--store", store)[0] == 2
    key, heads = tmp_path / "k", tmp_path / "heads.ndjson"
    monkeypatch.setenv("TXMON_EVIDENCE_KEY", str(key))
    code, _, err = txmon("store", "heads", "--out", heads, "--store", store)
    assert code == 2
    assert "txmon evidence key init" in err
    monkeypatch.setattr(sys, "argv", ["txmon", "evidence", "key", "init"])
    with pytest.raises(SystemExit):
        main()
    code, found, err = txmon("store", "heads", "--out", heads, "--store", store)
    assert code == 0, err
    code, found, err = txmon("store", "verify", "--heads", heads, "--store", store)
    # people whom the test put into the table by no decision are found, and nothing else
    assert all("by no decision" in each for each in found["findings"]), err
    assert found["head_lines"] >= 1
    heads.write_text(heads.read_text().replace('"events":', '"events":9'))
    code, found, _ = txmon("store", "verify", "--heads", heads, "--store", store)
    assert code == 1
    assert any("was changed" in each for each in found["findings"])
