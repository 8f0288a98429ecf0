"""`txmon keys ...`, as two administrators use it at a store that is not being served."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pgkit
import pytest

from txmon.cli import main
from txmon.clock import SystemClock, random_bytes
from txmon.store import Store
from txmon.store.access import Access
from txmon.store.verify import verify

Run = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def txmon(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command with --json; gives exit code, JSON of the last line, and what stderr says."""
    for name in ("TXMON_STORE", "TXMON_HEADS_FILE", "TXMON_STATE_DIR", "TXMON_SETTINGS"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str | Path, as_json: bool = True) -> tuple[int, dict[str, Any], str]:
        monkeypatch.setattr(
            sys, "argv", ["txmon", "keys", *map(str, words), *(["--json"] if as_json else [])]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        lines = printed.out.strip().splitlines()
        found = json.loads(lines[-1]) if as_json and lines else {"text": printed.out}
        return int(ended.value.code or 0), found, printed.err

    return run


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store that is not there yet."""
    if request.param == "sqlite":
        return str(tmp_path / "store")
    monkeypatch.setenv("TXMON_STATE_DIR", str(tmp_path / "state"))
    return pgkit.fresh_database()


class Desk:
    """Ana's and Ben's files with their keys."""

    def __init__(self, txmon: Run, place: str, folder: Path) -> None:
        self._run, self.place, self._folder = txmon, place, folder
        code, found, err = txmon("bootstrap", "Ana=analyst", "Ben=approver", "--store", place)
        assert (code, err) == (0, "")
        self.keys = {who["name"]: who for who in found["administrators"]}
        for name, who in self.keys.items():
            self.keep(name, who["key"])

    def keep(self, name: str, token: str) -> Path:
        path = self._folder / f"{name}.key"
        path.write_text(token + "\n")
        path.chmod(0o600)
        return path

    def __call__(self, name: str, *words: str, as_json: bool = True) -> tuple[int, dict[str, Any], str]:
        return self._run(*words, "--store", self.place, "--as", self._folder / f"{name}.key", as_json=as_json)

    def show(self, *words: str) -> dict[str, Any]:
        code, found, err = self._run(*words, "--store", self.place)
        assert (code, err) == (0, "")
        return found


@pytest.fixture
def desk(txmon: Run, place: str, tmp_path: Path) -> Desk:
    return Desk(txmon, place, tmp_path)


def who(place: str, token: str) -> Any:
    with Store.open(place, clock=SystemClock(), random_bytes=random_bytes, read_only=True) as store:
        return Access(store).authenticate(token, SystemClock().now_us())


def test_from_the_first_two_to_a_third_with_a_key_of_her_own(desk: Desk) -> None:
    code, found, _ = desk("Ana", "person", "add", "Cem", "--role", "analyst", "--entity", "bank-1")
    assert code == 0
    person = found["person_id"]
    code, key, _ = desk("Ana", "new", person, "--scope", "read", "--scope", "explain", "--days", "90")
    assert code == 0
    waiting = desk.show("grants")["grants"]
    assert {(g["id"], g["grant"]) for g in waiting} == {
        (found["grant_id"], "roles"),
        (key["grant_id"], "key"),
    }
    for grant in waiting:
        code, _, err = desk("Ana", "decide", grant["id"], "--approve", as_json=False)
        assert code == 2
        assert "ask another person" in err
        code, text, _ = desk("Ben", "decide", grant["id"], "--approve", as_json=False)
        assert (code, text["text"]) == (0, f"grant {grant['id']} is approved\n")
    assert who(desk.place, key["key"]).scopes == {"enrol"}
    desk.keep("Cem", key["key"])
    code, own, _ = desk("Cem", "rotate")
    assert code == 0
    cem = who(desk.place, own["key"])
    assert (cem.name, cem.roles, cem.scopes, cem.entities) == (
        "Cem",
        {"analyst"},
        {"read", "explain"},
        {"bank-1"},
    )
    states = {k["id"]: k["state"] for k in desk.show("list")["keys"]}
    assert (states[key["key_id"]], states[own["key_id"]]) == ("revoked", "active")
    people = {p["name"]: p for p in desk.show("person", "list")["people"]}
    assert set(people) == {"Ana", "Ben", "Cem"}
    assert people["Ana"]["roles"] == ["admin", "analyst"]


def test_a_service_key_is_made_rotated_and_revoked(desk: Desk) -> None:
    code, key, _ = desk("Ana", "new", "gateway", "--scope", "ingest", "--role", "ingest", "--mode", "test")
    assert code == 0
    assert key["key"].startswith("txm_test_")
    assert desk("Ben", "decide", key["grant_id"], "--approve", as_json=False)[0] == 0
    code, new, _ = desk("Ben", "rotate", key["key_id"], "--overlap-hours", "1")
    assert code == 0
    assert who(desk.place, key["key"]).kind == who(desk.place, new["key"]).kind == "service"
    assert desk("Ana", "revoke", new["key_id"], as_json=False)[0] == 0
    assert {k["id"]: k["state"] for k in desk.show("list")["keys"]}[new["key_id"]] == "revoked"
    text = json.dumps(desk.show("list"))
    assert key["key"] not in text
    assert key["key"][18:] not in text


def test_lists_read_and_everything_is_in_the_journal(desk: Desk, txmon: Run) -> None:
    _, found, _ = desk("Ana", "person", "add", "Cem", "--role", "analyst")
    assert (
        desk("Ben", "decide", found["grant_id"], "--reject", "--reason", "not hired", as_json=False)[0] == 0
    )
    with Store.open(desk.place, clock=SystemClock(), random_bytes=random_bytes) as store:
        assert verify(store).ok
        for words in (("list",), ("person", "list"), ("grants",)):  # beside a writer
            code, shown, err = txmon(*words, "--store", desk.place, as_json=False)
            assert (code, err) == (0, "")
            assert "txm_" not in shown["text"]


def test_a_store_in_service_is_left_alone_and_the_way_is_named(desk: Desk) -> None:
    with Store.open(desk.place, clock=SystemClock(), random_bytes=random_bytes):
        for words in (
            ("person", "add", "Cem", "--role", "analyst"),
            ("new", "s", "--scope", "read", "--role", "ingest"),
            ("rotate",),
        ):
            code, _, err = desk("Ana", *words)
            assert code == 2
            assert "by its API (/v1/people" in err


def test_what_is_refused_says_what_to_do(desk: Desk, txmon: Run, tmp_path: Path) -> None:
    cases = [
        (("new", "s", "--role", "ingest"), "name what the key is for"),
        (("new", "s", "--scope", "read", "--role", "ingest", "--days", "0"), "above 0"),
        (("new", "s", "--scope", "read", "--role", "admin"), "role of a service"),
        (("new", "psn_nobody", "--scope", "read"), "keys person list"),
        (("person", "add", "Cem"), "by --role"),
        (("person", "add", "Cem", "--role", "mlro"), "vault of reports"),
        (("revoke", "key_x"), "no such key"),
        (("decide", "prp_x", "--approve"), "no such proposal"),
    ]
    for words, said in cases:
        code, _, err = desk("Ana", *words, as_json=False)
        assert code == 2, words
        assert said in err
    token = desk.keys["Ana"]["key"]
    desk.keep("Eve", token[:-4] + "AAAA")
    code, _, err = desk("Eve", "rotate")
    assert code == 2
    assert "unknown" in err
    assert token[:-4] not in err
    desk.keep("Eve", token).chmod(0o644)
    assert "chmod 600" in desk("Eve", "rotate")[2]
    assert "cannot be read" in desk("Nobody", "rotate")[2]
    code, _, err = txmon("bootstrap", "Cem", "Dora", "--store", desk.place)
    assert code == 2
    assert "an administrator already" in err
    code, _, err = txmon("list", "--store", tmp_path / "nowhere")
    assert code == 2
    assert not (tmp_path / "nowhere").exists()


def test_a_key_may_be_typed(desk: Desk, txmon: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def prompt(text: str, **how: Any) -> str:
        asked.append(how)
        return desk.keys["Ana"]["key"] + " "

    monkeypatch.setattr("typer.prompt", prompt)
    code, found, _ = txmon("rotate", "--store", desk.place, "--overlap-hours", "0")
    assert code == 0
    assert asked == [{"hide_input": True, "err": True}]
    assert who(desk.place, found["key"]).name == "Ana"
    code, _, err = txmon(
        "person", "disable", who(desk.place, found["key"]).person_id, "--store", desk.place, as_json=False
    )
    assert code == 2
    assert "revoked" in err


def test_a_disabled_person_is_out(desk: Desk) -> None:
    ben = who(desk.place, desk.keys["Ben"]["key"]).person_id
    assert desk("Ana", "person", "disable", ben, as_json=False)[0] == 0
    assert "revoked" in desk("Ben", "rotate")[2]
    assert {p["name"]: p["state"] for p in desk.show("person", "list")["people"]}["Ben"] == "disabled"
