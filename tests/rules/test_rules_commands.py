"""`txmon rules`: check, list, show, lock and test, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rulekit import RULE, pack
from typer.testing import CliRunner

from txmon.cli import main
from txmon.cli.rules import app
from txmon.errors import ConfigError, RuleErrors
from txmon.rules.pack import read_pack
from txmon.rules.testing import read_tests

TESTED = """id: many
version: 1
title: Many payments
subject: payer
score: 0.4
params: {most: {value: 3, calibrated: false}, usd: {value: 10, currency: USD}}
let:
  n: count(*) filter (where moved) over payer_1d
  cities: count(distinct city) over payer_1d
  middle: quantile_cont(amount, 0.9) over payer_1d
when: n >= :most and amount < :usd
tests:
  - name: three
    rates: [{date: 2026-01-05, currency: USD, rate: 0.9}]
    defaults: {amount: 5, currency: EUR, payer: p}
    events:
      - {repeat: 3, every: 1h, payee: "x{i}", attributes: {k: [1], l: true}}
      - {kind: account.opened, account: p, holders: [{party: P, from: 2020-01-01}]}
      - {at: +5d, lat: 1.5, amount: 5}
      - {kind: tick, event_time: "2026-02-01T00:00:00Z"}
    hits: [2]
    late_hits: []
  - name: late
    arrival: listed
    defaults: {amount: 5, currency: EUR, payer: p}
    rates: [{date: 2026-01-05, currency: USD, rate: 0.9}]
    events: [{at: +2h}, {at: +3h}, {at: +1h}]
    hits: []
    late_hits: [2]
  - name: two
    defaults: {amount: 5, currency: EUR, payer: p}
    events: [{repeat: 2}]
    hits: []
"""
run = CliRunner().invoke


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return pack(tmp_path, {"many.yaml": TESTED, "plain.yaml": RULE.format(id="plain")})


def test_check(root: Path) -> None:
    shown = run(app, ["check", str(root)])
    assert shown.exit_code == 0
    assert shown.stdout.startswith("2 rules are right (2 scored")
    assert json.loads(run(app, ["check", str(root), "--json"]).stdout)["rules"] == 2
    pack(root, {"plain.yaml": RULE.format(id="plain").replace("amount > 1", "amount >")})
    shown = run(app, ["check", str(root)])
    assert shown.exit_code == 2
    assert "plain.yaml:5:14: expected a value, found the end" in shown.output
    assert "1 error" in shown.output
    (error,) = json.loads(run(app, ["check", str(root), "--json"]).stdout)["errors"]
    assert (error["line"], error["column"]) == (5, 14)
    assert run(app, ["check", str(root), "--strict"]).exit_code == 2


def test_list(root: Path) -> None:
    shown = run(app, ["list", str(root)]).stdout.splitlines()
    assert len(shown) == 2
    assert shown[0].startswith("many")
    assert shown[0].endswith("[signal]")
    rows = json.loads(run(app, ["list", str(root), "--json"]).stdout)["rules"]
    assert [row["id"] for row in rows] == ["many", "plain"]


def test_show_prints_rule_features_and_sql(root: Path) -> None:
    text = (root / "plain.yaml").read_text(encoding="utf-8")
    pack(
        root, {"plain.yaml": text + f"description: {'word ' * 60}\nlet: {{h: hits('many') over payer_1d}}\n"}
    )
    shown = run(app, ["show", "many", str(root)]).stdout
    for piece in (":most = 3", ":usd = 10 USD", "count(*) filter (where moved) over payer_1d",
                  "count(distinct city) over payer_1d", "quantile_cont(amount, 0.9) over payer_1d",
                  "create or replace temp table", "range between"):  # fmt: skip
        assert piece in shown, piece
    assert "hits('many') over payer_1d" in run(app, ["show", "plain", str(root)]).stdout
    wrong = run(app, ["show", "mnay", str(root)])
    assert isinstance(wrong.exception, ConfigError)
    assert "did you mean `many`" in str(wrong.exception)


def test_lock_pins_and_refuses_an_edit_without_a_new_version(root: Path) -> None:
    shown = run(app, ["lock", str(root)])
    assert "2 rules pinned" in shown.stdout
    assert set(json.loads((root / "lock.json").read_text(encoding="utf-8"))) == {"many", "plain"}
    edited = TESTED.replace("n >= :most", "n > :most")
    pack(root, {"many.yaml": edited})
    refused = run(app, ["lock", str(root)])
    assert isinstance(refused.exception, RuleErrors)
    assert "make it 2" in str(refused.exception)
    assert "make it 2" in run(app, ["check", str(root), "--strict"]).output
    pack(root, {"many.yaml": edited.replace("version: 1", "version: 2")})
    assert "version 2 is not in lock.json" in run(app, ["check", str(root), "--strict"]).output
    assert json.loads(run(app, ["lock", str(root), "--json"]).stdout)["changed"] == 1
    pack(root, {"many.yaml": edited.replace("version: 1", "version: 2").replace("name: two", "name: pair")})
    assert json.loads(run(app, ["lock", str(root), "--json"]).stdout)["changed"] == 0  # tests are free


def test_tests_run_in_both_implementations(root: Path) -> None:
    shown = run(app, ["test", str(root), "--json"])
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout) == {"rules": 2, "tests": 3, "failures": [], "untested": ["plain"]}
    assert "3 tests of 1 rules, 0 failures" in run(app, ["test", str(root), "many"]).stdout


def test_a_wrong_test_fails_in_both_and_a_test_that_proves_nothing_is_found(root: Path) -> None:
    wrong = TESTED.replace("hits: [2]", "hits: [1]", 1)
    weak = RULE.format(id="plain") + "tests: [{name: nothing, events: [{payee: x, amount: 5}], hits: []}]\n"
    pack(root, {"many.yaml": wrong, "plain.yaml": weak})
    shown = run(app, ["test", str(root)])
    assert shown.exit_code == 1
    assert "many, three: the engine finds hits [2], the test says [1]" in shown.output
    assert "many, three: DuckDB finds hits [2], the test says [1]" in shown.output
    assert "plain, all: every test passes for the negated rule as well" in shown.output


BAD_TESTS = {
    "shape": ("tests: 5", "`tests` must be a list"),
    "item": ("tests: [5]", "expected `key: value`"),
    "events": ("tests: [{name: t, hits: []}]", "`events` is missing"),
    "events shape": ("tests: [{name: t, events: 5, hits: []}]", "`events` must be a list"),
    "hits shape": ("tests: [{name: t, events: [], hits: 5}]", "must be a list of positions"),
    "position": (
        "tests: [{name: t, events: [{payer: a}], hits: [1]}]",
        "no position of an event; there are 1",
    ),
    "column": ("tests: [{name: t, events: [{payr: a}], hits: []}]", "did you mean `payer`"),
    "default": ("tests: [{name: t, defaults: {amnt: 1}, events: [], hits: []}]", "did you mean `amount`"),
    "made": ("tests: [{name: t, events: [{ingest_seq: 1}], hits: []}]", "unknown key `ingest_seq`"),
    "repeat": ("tests: [{name: t, events: [{repeat: 0}], hits: []}]", "`repeat` must be"),
    "too many": (
        "tests: [{name: t, events: [{repeat: 15000}, {repeat: 15000}], hits: []}]",
        "more than 20,000",
    ),
    "at": ("tests: [{name: t, events: [{at: soon}], hits: []}]", "distances such as +3d"),
    "time": ("tests: [{name: t, events: [{event_time: soon}], hits: []}]", "RFC 3339"),
    "naive": ("tests: [{name: t, events: [{event_time: '2026-01-01'}], hits: []}]", "RFC 3339"),
    "kind": ("tests: [{name: t, events: [{kind: paid}], hits: []}]", "kind 'paid' is not one of"),
    "currency": ("tests: [{name: t, events: [{currency: EURO}], hits: []}]", "not an ISO 4217"),
    "minor": ("tests: [{name: t, events: [{amount: 1.234}], hits: []}]", "whole minor units"),
    "amount": ("tests: [{name: t, events: [{amount: much}], hits: []}]", "whole minor units"),
    "value": ("tests: [{name: t, events: [{card_prepaid: [1]}], hits: []}]", "does not fit its column"),
    "rates": (
        "tests: [{name: t, rates: [{date: soon, currency: USD, rate: 1}], events: [], hits: []}]",
        "a rate is",
    ),
    "twice": ("tests: [{name: t, events: [], hits: []}, {name: t, events: [], hits: []}]", "a second test"),
}


@pytest.mark.parametrize("name", BAD_TESTS)
def test_tests_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    line, says = BAD_TESTS[name]
    (file,) = read_pack(pack(tmp_path, {"r.yaml": RULE.format(id="r") + line + "\n"})).files
    errors: list[object] = []
    read_tests(file.root, "EUR", errors)  # type: ignore[arg-type]
    assert any(says in str(error) for error in errors), errors
    shown = run(app, ["test", str(tmp_path)])
    assert isinstance(shown.exception, RuleErrors)


def test_main_prints_errors_and_ends_with_2(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["txmon", "rules", "show", "nobody", str(root)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "no rule 'nobody'" in capsys.readouterr().err
