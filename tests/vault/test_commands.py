"""`txmon vault ...`, as an operator runs it: exit codes, the JSON on the last line, errors with remedies."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servicekit import Bench, Clock, chance, simple_rules

from txmon.cli import main
from txmon.settings import Settings, SettingsError, load
from txmon.store import Store
from txmon.store.access import Access

Run = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def txmon(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs a command with --json; gives exit code, JSON of the last line, and what stderr says."""
    for name in ("TXMON_STORE", "TXMON_VAULT_FILE", "TXMON_VAULT_KEY_FILE", "TXMON_SETTINGS"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str | Path) -> tuple[int, dict[str, Any], str]:
        more = ("--store", tmp_path / "store", "--key", tmp_path / "keys" / "vault.key", "--json")
        monkeypatch.setattr(sys, "argv", ["txmon", "vault", *map(str, (*words, *more))])
        code: Any = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        printed = capsys.readouterr()
        lines = printed.out.strip().splitlines()
        return int(code), json.loads(lines[-1]) if lines else {}, printed.err

    return run


@pytest.fixture
def people(tmp_path: Path) -> tuple[str, str]:
    """A store with two administrators; returns their ids."""
    with Store.open(tmp_path / "store", clock=Clock(), random_bytes=chance()) as store, store.write() as tx:
        Access(store).bootstrap(tx, [("Ana", ()), ("Ben", ())])
        rows = tx.conn.exec_driver_sql("select name, id from people").all()
        found = {row[0]: str(row[1]) for row in rows}
    return found["Ana"], found["Ben"]


def test_a_vault_is_made_checked_backed_up_rotated_and_restored(
    txmon: Run, people: tuple[str, str], tmp_path: Path
) -> None:
    code, made, _ = txmon("init", "--mlro", "Ana", "--release", people[1])
    assert (code, made["people"]) == (0, list(people))
    for name in ("key", "backup_key", "vault"):
        assert Path(made[name]).stat().st_mode & 0o777 == 0o600
    code, checked, _ = txmon("verify")
    assert (code, checked["ok"], checked["rows"]) == (0, True, 1)
    assert txmon("backup", "--out", tmp_path / "copy")[0] == 0
    assert txmon("rotate")[0] == 0
    assert txmon("retain")[:2] == (0, {"copies": 0})
    noted = f"{checked['seq']}:{checked['head']}"
    assert txmon("verify", "--head", noted)[0] == 0
    code, told, _ = txmon("verify", "--head", f"1:{'0' * 64}")
    assert (code, told["ok"]) == (1, False)
    code, _, error = txmon("restore", "--from", tmp_path / "copy", "--backup-key", made["backup_key"])
    assert code == 2
    assert "not replaced" in error
    for name in ("key", "vault"):
        Path(made[name]).unlink()
    code, told, _ = txmon("restore", "--from", tmp_path / "copy", "--backup-key", made["backup_key"])
    assert (code, told["head"]) == (0, checked["head"])
    assert txmon("verify", "--head", noted)[0] == 0


def test_a_damaged_vault_ends_with_1_and_names_the_row(txmon: Run, people: tuple[str, str]) -> None:
    vault = Path(txmon("init", "--mlro", "Ana", "--release", "Ben")[1]["vault"])
    with sqlite3.connect(vault) as conn:
        conn.execute("update log set owner = 'x'")
    conn.close()
    code, told, _ = txmon("verify")
    assert code == 1
    assert "log: row 1 does not fit the chain" in told["findings"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("init", "--mlro", "Ana", "--release", "Ana"), "two different people"),
        (("init", "--mlro", "Ana", "--release", "Cem"), "'Cem' is no active person"),
        (("verify",), "txmon vault init"), (("rotate",), "vault"), (("verify", "--head", "1"), "SEQ:HEX"),
        (("restore", "--from", "none", "--backup-key", "none"), "none"),
    ],
)  # fmt: skip
def test_errors_are_one_line_with_a_remedy(
    txmon: Run, people: tuple[str, str], words: tuple[str, ...], told: str
) -> None:
    code, _, error = txmon(*words)
    assert code == 2
    assert told in error
    assert len(error.strip().splitlines()) == 1


def test_the_service_does_not_start_with_another_key(
    txmon: Run, people: tuple[str, str], tmp_path: Path
) -> None:
    from apikit import Api

    from txmon.errors import ConfigError

    txmon("init", "--mlro", "Ana", "--release", "Ben")
    other = tmp_path / "other.key"
    other.write_text("ab" * 32)
    other.chmod(0o600)
    bench = Bench(tmp_path, simple_rules(tmp_path), str(tmp_path / "store"))
    service = bench.open(vault_key_file=other)
    try:
        with pytest.raises(ConfigError, match="another key"):
            Api(service)
    finally:
        service.close()


def test_production_wants_the_key_named_elsewhere_and_closed_to_others(tmp_path: Path) -> None:
    place = Settings(store=str(tmp_path)).vault_path
    place.parent.mkdir()
    place.touch()
    key = place.parent / "vault.key"
    key.touch(0o644)

    def faults(**more: str) -> str:
        with pytest.raises(SettingsError) as error:
            load({"TXMON_ENV": "production", "TXMON_STORE": str(tmp_path)} | more)
        return str(error.value)

    assert "TXMON_VAULT_KEY_FILE: production does not take its default" in faults()
    told = faults(TXMON_VAULT_KEY_FILE=str(key))
    assert "must lie outside the vault's folder" in told
    assert f"chmod 600 {key}" in told
