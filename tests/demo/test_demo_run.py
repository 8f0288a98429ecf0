"""The demo from end to end, small: files, determinism, and what a reader is told."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from txmon.alerts import ALERTS
from txmon.cli import main
from txmon.cli.demo import app
from txmon.cli.demodesk import open_desk
from txmon.clock import SystemClock as Clock
from txmon.demo import filing, papers
from txmon.demo.run import demo
from txmon.demo.summary import LINES_MAX
from txmon.evidence.check import check
from txmon.model.keys import PanKey
from txmon.reports import checks, formats
from txmon.reports.formats import Options

PUBLIC = Path(__file__).parents[3] / "shared" / "formats"
SCHEMAS = {
    "goaml": PUBLIC / "goaml" / "goAMLSchema-5.0.2-ae-strict.xsd",
    "fincen": PUBLIC / "fincen" / "EFL_SARXBatchSchema.xsd",
}
KEY = PanKey("0" * 8, bytes(32))


@pytest.mark.slow
def test_same_seed_same_story(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    said: list[str] = []
    lines = [demo(folder, 20_000, 3, KEY, open_desk, Clock(), said.append) for folder in folders]
    assert len(lines[0]) <= LINES_MAX
    for name in ("events", "labels", "hits", "alerts"):
        first, second = (pq.read_table(folder / f"{name}.parquet") for folder in folders)
        assert first.equals(second), name
    assert pq.read_schema(folders[0] / "alerts.parquet").names == ALERTS.names
    pages = [(folder / "alert.html").read_text(encoding="utf-8") for folder in folders]
    assert pages[0] == pages[1]
    own = re.compile(f"committed in|case cas_|{re.escape(str(tmp_path))}")
    assert [line for line in lines[0] if not own.search(line)] == [
        line for line in lines[1] if not own.search(line)
    ]
    assert "SIMULATED" in pages[0]
    assert any("simulating" in text for text in said)
    assert "\n".join(lines[0]).count("her own approval was refused (four_eyes)") == 2
    _papers(folders[0])
    _commands(folders[0], monkeypatch, capsys)


def _papers(folder: Path) -> None:
    """A case with reports that validate and say SIMULATED, bundles that verify, and nothing else of the kind."""
    reports = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".xml", ".json")}
    assert sorted(reports) == ["filer.json", "fincen.xml", "fintrac.json", "goaml.xml"]
    for form, name in filing.REPORTS.items():
        assert b"SIMULATED" in reports[name], name
        assert checks.errors(formats.get(form).validate(reports[name], Options())) == [], name
    key = (folder / papers.PUBLIC_KEY).read_bytes()
    bundles = sorted(folder.glob("*.zip"))
    assert [path.name for path in bundles] == ["evidence-court.zip", "evidence-internal.zip"]
    for path in bundles:
        found = check(path, key)
        assert (found.ok, found.signer_known) == (True, True), found.findings


def _commands(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The settings that the demo leaves are all that the commands need, for a case and a format alone."""
    with closing(sqlite3.connect(f"file:{folder}/store/txmon.db?mode=ro", uri=True)) as conn:
        case_id, alert_id = conn.execute("select case_id, alert_id from case_alerts").fetchone()
    monkeypatch.chdir(folder)

    def run(*words: str) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["txmon", *words, "--settings", "settings.toml", "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return dict(json.loads(capsys.readouterr().out.splitlines()[-1]))

    for form in filing.REPORTS:
        assert run("report", "draft", case_id, "--format", form)["errors"] == 0
        made = run("report", "export", case_id, "--format", form)
        assert (made["mark"], Path(made["out"]).stat().st_size) == ("SIMULATED", made["bytes"])
        assert run("report", "validate", case_id, "--format", form)["errors"] == 0
    bundle = run("evidence", "export", alert_id, "--out", "own.zip")
    assert check(folder / "own.zip", (folder / papers.PUBLIC_KEY).read_bytes()).signer_known, bundle


@pytest.mark.shared
@pytest.mark.slow
def test_reports_are_valid_by_the_authorities_own_schemas(tmp_path: Path) -> None:
    for path in SCHEMAS.values():
        if not path.exists():
            pytest.skip(f"{path.name} is not beside the repository")
    demo(tmp_path, 12_000, 5, KEY, open_desk, Clock(), lambda _: None)
    for form, path in SCHEMAS.items():
        data = (tmp_path / filing.REPORTS[form]).read_bytes()
        assert checks.errors(formats.get(form).validate(data, Options(schema=path))) == [], form


def test_a_wrong_number_of_events_is_refused_at_once(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--out", str(tmp_path), "--events", "7"])
    assert result.exit_code != 0
    assert "7 is outside" in str(result.exception)
