"""`txmon cases`: beside the running service, without names, restricted cases only to those who may know of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

sys.path.append(str(Path(__file__).parents[1] / "api"))
sys.path.append(str(Path(__file__).parents[1] / "cases"))

from apikit import CRITICAL, on_bench
from caseskit import Desk
from servicekit import Bench, simple_rules

from txmon.cli.cases import app
from txmon.errors import AuthError, InputError, NotFound


def run(*words: str) -> Any:
    return CliRunner().invoke(app, words)


def told(*words: str) -> dict[str, Any]:
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output + str(done.exception)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_cases_are_listed_and_shown_beside_the_service(tmp_path: Path) -> None:
    bench = Bench(tmp_path, simple_rules(tmp_path, CRITICAL), str(tmp_path / "store"))
    with on_bench(bench) as api:
        desk, place = Desk(api), ("--store", str(tmp_path / "store"))
        ana, ben = api.service.change(
            lambda tx: api.access.bootstrap(tx, [("Ana", ["analyst"]), ("Ben", ["approver"])])
        ).result(60)
        keys = {}
        for name, made in (("ana", ana), ("ben", ben)):
            keys[name] = tmp_path / f"{name}.key"
            keys[name].write_text(made.token)
            keys[name].chmod(0o600)
        open_to_all = desk.open(desk.alert(), key=ana.token, title="About Miller")
        hidden = desk.open(desk.alert(), key=ana.token, restriction="police_hold")
        listed = told("list", *place)["cases"]
        assert [each["case_id"] for each in listed] == [open_to_all]
        assert "Miller" not in str(listed)
        mine = told("list", *place, "--as", str(keys["ana"]))["cases"]
        assert {each["case_id"] for each in mine} == {open_to_all, hidden}
        assert len(told("list", *place, "--as", str(keys["ben"]))["cases"]) == 1
        assert told("list", *place, "--state", "closed")["cases"] == []
        shown = told("show", open_to_all, *place)
        assert (shown["state"], len(shown["alerts"]), shown["personal"]) == ("open", 1, False)
        assert {"ref", "name", "title"}.isdisjoint({*shown, *shown["parties"][0]})
        assert told("show", hidden, *place, "--as", str(keys["ana"]))["restriction"] == "police_hold"
        assert isinstance(run("show", hidden, *place).exception, NotFound)
        assert isinstance(run("show", hidden, *place, "--as", str(keys["ben"])).exception, NotFound)
        plain = run("list", *place)
        assert open_to_all in plain.stdout
        assert hidden not in plain.stdout
        assert "parties: " in run("show", open_to_all, *place).stdout


@pytest.mark.parametrize(("words", "error"), [(("--state", "won"), InputError), (("--as", "KEY"), AuthError)])
def test_what_is_refused(tmp_path: Path, words: tuple[str, ...], error: type[Exception]) -> None:
    bench = Bench(tmp_path, simple_rules(tmp_path, CRITICAL), str(tmp_path / "store"))
    (tmp_path / "none.key").write_text("txm_live_none")
    (tmp_path / "none.key").chmod(0o600)
    with on_bench(bench):
        given = [str(tmp_path / "none.key") if each == "KEY" else each for each in words]
        done = run("list", "--store", str(tmp_path / "store"), *given)
        assert isinstance(done.exception, error), done.exception
