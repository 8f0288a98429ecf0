"""Boards: what is committed is what is built, every panel is complete, and Grafana's SDK reads it back."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from boardkit import COMMITTED, asked, boards, files, panels
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard
from typer.testing import CliRunner

from txmon.cli.dashboards import app

OURS = {"timeseries", "stat", "bargauge", "table"}  # panels that come with Grafana
UNITS = {value for name, value in vars(units).items() if not name.startswith("_") and isinstance(value, str)}
BUILT_IN = {"__rate_interval", "__range", "__data", "datasource"}


def test_what_is_committed_is_what_is_built(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["build", "--out", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    written = {str(p.relative_to(tmp_path)): p.read_text() for p in tmp_path.rglob("*") if p.is_file()}
    assert sorted(written) == json.loads(done.output.splitlines()[-1])["files"]
    committed = {str(p.relative_to(COMMITTED)): p.read_text() for p in COMMITTED.rglob("*") if p.is_file()}
    assert committed.pop("README.md")
    assert committed.keys() == written.keys(), "run `txmon dashboards build --out dashboards`"
    for name, text in written.items():
        assert committed[name] == text, f"{name} is stale; run `txmon dashboards build --out dashboards`"


def test_a_folder_that_cannot_be_written_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(app, ["build", "--out", str(tmp_path / "file")])
    assert "name another folder" in str(done.exception)


def test_without_the_sdk_the_command_says_what_to_do(tmp_path: Path) -> None:
    words = ["txmon", "dashboards", "build", "--out", str(tmp_path)]
    code = f"import sys; sys.modules['grafana_foundation_sdk'] = None; sys.argv = {words!r}; from txmon.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    assert "install txmon[dashboards]" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(boards()))
def test_every_panel_is_complete(name: str) -> None:
    board = boards()[name]
    found = list(panels(board))
    assert len(found) >= 10
    for panel in found:
        title = panel["title"]
        assert panel["type"] in OURS, title
        assert panel["description"].endswith("."), title
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, title
        assert panel["targets"], title
        assert panel["options"] is not None, title
        assert all(t["expr"] and t["datasource"]["uid"] == "${datasource}" for t in panel["targets"]), title
    titles = [panel["title"] for panel in found]
    assert len(set(titles)) == len(titles)
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("name", sorted(boards()))
def test_panels_lie_beside_each_other(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in boards()[name]["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("name", sorted(boards()))
def test_the_sdk_reads_and_writes_a_board_unchanged(name: str) -> None:
    board = boards()[name]
    again = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    assert again == board


@pytest.mark.parametrize("name", sorted(boards()))
def test_every_variable_is_declared_and_used(name: str) -> None:
    board = boards()[name]
    declared = {variable["name"] for variable in board["templating"]["list"]}
    text = json.dumps(board)
    used = set(re.findall(r"\$\{?([a-z_]+)", text)) - {"__all"}
    assert used - BUILT_IN <= declared
    assert declared <= used
    assert {"datasource", "job", "instance"} <= declared
    for variable in board["templating"]["list"]:
        assert variable["type"] == "datasource" or variable["label"]


def test_every_query_keeps_to_the_chosen_service() -> None:
    for query in asked():
        selectors = re.findall(r"(?:txmon|process)_[\w:]+\{([^}]*)\}", query.expr)
        assert selectors, query.name
        for inside in selectors:
            assert 'job=~"$job", instance=~"$instance"' in inside, query.name


def test_tables_of_alerts_lead_to_the_alert() -> None:
    found = [p for p in panels(boards()["compliance"]) if p["type"] == "table"]
    assert len(found) == 2
    for panel in found:
        (override,) = panel["fieldConfig"]["overrides"]
        assert override["matcher"] == {"id": "byName", "options": "Alert"}
        (link,) = override["properties"][0]["value"]
        assert link["url"] == "${txmon}/v1/alerts/${__data.fields.Alert}"
        rename = panel["transformations"][0]["options"]["renameByName"]
        assert rename["alert_id"] == "Alert"


def test_provisioning_names_the_folder_and_the_source() -> None:
    made = {name: yaml.safe_load(text) for name, text in files().items() if "provisioning" in name}
    (source,) = made["grafana/provisioning/datasources/txmon.yaml"]["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://127.0.0.1:9090")
    (provider,) = made["grafana/provisioning/dashboards/txmon.yaml"]["providers"]
    assert provider["options"]["path"] == "/etc/grafana/dashboards/txmon"
