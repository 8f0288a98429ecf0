"""Alerts: promtool runs their tests, every one has its page in the runbook, and a drill's expressions are the same."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from boardkit import ROOT, RULES, files, rules, tool

from txmon.dashboards import Made, Tuning, build
from txmon.dashboards.rulefiles import all_alerts

TESTS = ("txmon.tests.yaml", "txmon.long.tests.yaml")
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
NAMES = [alert.name for alert in all_alerts(Tuning())]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in files().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tool(words[0]), *words[1:]], cwd=cwd, capture_output=True, text=True, timeout=120)


def test_promtool_and_amtool_accept_what_is_built(folder: Path) -> None:
    for words in (
        ("promtool", "check", "rules", "txmon.rules.yaml"),
        ("promtool", "check", "config", "prometheus.yml"),
        ("promtool", "test", "rules", *TESTS),
    ):
        done = run(*words, cwd=folder / "prometheus")
        assert done.returncode == 0, done.stdout + done.stderr
    done = run("amtool", "check-config", "alertmanager.yml", cwd=folder / "alertmanager")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    found: dict[str, set[bool]] = {}
    for name in TESTS:
        for test in yaml.safe_load(files()[f"prometheus/{name}"])["tests"]:
            (case,) = test["alert_rule_test"]
            found.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert found == {name: {True, False} for name in NAMES}


@pytest.mark.parametrize(("expr", "missed"), [("vector(0) > 1", "fires"), ("vector(1)", "is quiet")])
def test_a_rule_that_never_or_always_fires_fails_its_tests(folder: Path, expr: str, missed: str) -> None:
    made = yaml.safe_load((folder / RULES).read_text())
    for group in made["groups"]:
        for rule in group["rules"]:
            rule["expr"] = expr
            rule.pop("for", None)
    (folder / RULES).write_text(yaml.safe_dump(made))
    done = run("promtool", "test", "rules", *TESTS, cwd=folder / "prometheus")
    assert done.returncode != 0
    assert set(re.findall(rf"name: (\w+) {missed}", done.stdout + done.stderr)) == set(NAMES)


def test_every_alert_has_its_page_in_the_runbook() -> None:
    pages = re.findall(r"^## (\w+)$", RUNBOOK, re.M)
    assert pages == NAMES
    for rule in rules():
        if "alert" in rule:
            assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
    for page in RUNBOOK.split("\n## ")[1:]:
        assert all(f"**{word}**" in page for word in ("Means", "Look at", "Do")), page[:30]


def test_every_panel_that_the_runbook_names_is_there() -> None:
    text = " ".join(files().values())
    for title in re.findall(r'"([A-Z][^"]+)"', RUNBOOK):
        assert f'"title": "{title}' in text, title


def test_an_unacknowledged_alert_is_told_of_by_its_id_alone() -> None:
    (rule,) = [r for r in rules() if r.get("alert") == "TxmonUrgentAlertUnacknowledged"]
    assert rule["expr"] == "max by (alert_id) (txmon_alert_urgent_unacknowledged_seconds) > 1800"
    assert rule["labels"] == {"severity": "critical", "concern": "compliance"}
    assert set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) == {"alert_id"}


def test_a_drill_changes_times_and_nothing_else() -> None:
    def timeless(text: str) -> list[tuple[str, str]]:
        found = []
        for rule in rules(text):
            expr = re.sub(r"\[\w+\]", "[]", rule["expr"])
            expr = re.sub(r"(seconds\)?) > [0-9.]+$", r"\1 > age", expr)
            found.append((rule.get("alert") or rule["record"], expr))
        return found

    drill = build(Made(Tuning(scale=1 / 600)))[RULES]
    assert timeless(drill) == timeless(files()[RULES])
    assert {len(rule.get("for", "")) for rule in rules(drill)} <= {0, 2, 3}


def test_routes_tell_compliance_and_operations_apart(folder: Path) -> None:
    for labels, receiver in (
        (("concern=compliance", "severity=critical"), "compliance-duty"),
        (("concern=operations", "severity=critical"), "operations-page"),
        (("concern=operations", "severity=warning"), "operations-ticket"),
    ):
        words = ("amtool", "config", "routes", "test", "--config.file=alertmanager.yml", *labels)
        assert run(*words, cwd=folder / "alertmanager").stdout.strip() == receiver
