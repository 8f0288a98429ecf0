"""`txmon report draft | validate | export | show | formats`, on files and on cases."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from reportkit import changed, report

from txmon.cli import main
from txmon.reports import formats, modeljson
from txmon.reports.model import Mode

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["txmon", "report", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return command


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.json"
    path.write_bytes(modeljson.dumps(report()))
    return path


def test_a_report_is_checked_written_and_checked_again(run: Run, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.xml"
    assert run("validate", model, "--format", "goaml")[0] == 0
    code, told, _ = run("export", model, "--format", "goaml", "--out", out, "--json")
    assert code == 0
    assert json.loads(told)["bytes"] == out.stat().st_size
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert run("validate", out) == (0, f"{out}: nothing is missing or wrong\n", "")


XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="report"><xs:simpleType>
<xs:restriction base="xs:string"><xs:pattern value="^[a-z]+$"/></xs:restriction></xs:simpleType></xs:element>
</xs:schema>"""


def test_a_repaired_schema_is_told(run: Run, tmp_path: Path) -> None:
    schema, odd = tmp_path / "unit.xsd", tmp_path / "odd.xml"
    schema.write_text(XSD)
    odd.write_text("<report>abc</report>")
    code, told, note = run("validate", odd, "--schema", schema)
    assert code == 1
    assert "[schema]" not in told
    assert note == f"{schema}: 1 patterns were repaired in memory; as exported they refuse every name\n"


def test_what_is_missing_ends_with_1_and_names_the_field(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(modeljson.dumps(changed(report(), "subjects", ())))
    code, told, _ = run("validate", path)
    assert code == 1
    assert told.startswith("error: subjects: is missing; name whom the report suspects")
    code, told, _ = run("validate", path, "--json")
    assert (code, json.loads(told)["errors"]) == (1, 1)
    out = tmp_path / "report.xml"
    code, _, refused = run("export", path, "--format", "goaml", "--out", out)
    assert (code, out.exists()) == (2, False)
    assert "subjects: is missing" in refused


def test_a_draft_replaces_an_unsigned_narrative_alone(run: Run, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "draft.json"
    code, _, refused = run("draft", model, "--out", out)
    assert (code, out.exists()) == (2, False)
    assert "is signed" in refused
    model.write_bytes(modeljson.dumps(changed(report(), "narrative.signed", None)))
    assert run("draft", model, "--out", out)[0] == 0
    assert modeljson.loads(out.read_bytes()).narrative.paragraphs[0].heading == "Summary"


def test_a_page_is_written_with_what_is_missing(run: Run, tmp_path: Path) -> None:
    path, out = tmp_path / "model.json", tmp_path / "page.html"
    path.write_bytes(modeljson.dumps(replace(report(subjects=()), mode=Mode.TEST)))
    code, told, _ = run("show", path, "--out", out)
    assert (code, told) == (0, f"{out}: 1 findings stop release\n")
    assert b"TEST: made from test events" in out.read_bytes()
    assert run("validate", out, "--format", "html")[0] == 0


def test_formats_are_listed(run: Run) -> None:
    code, told, _ = run("formats")
    assert code == 0
    assert [line.split()[0] for line in told.splitlines()] == formats.names()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("validate", "nowhere.json"), "is no file, and a report of a case needs"),
        (("validate", "odd.bin"), "its format does not show"),
        (("validate", "odd.bin", "--format", "morse"), "there is no report format 'morse'"),
        (
            ("validate", "model.json", "--format", "goaml", "--profile", "zz"),
            "there is no goAML profile 'zz'",
        ),
        (("validate", "odd.xml", "--schema", "none.xsd"), "cannot be read"),
        (("validate", "odd.xml", "--schema", "odd.bin"), "is no XML schema"),
        (("export", "model.json", "--format", "goaml", "--out", "no/where.xml"), "cannot be written"),
    ],
)
def test_errors_name_the_remedy(
    run: Run, model: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(model.parent)
    Path("odd.bin").write_bytes(b"odd")
    Path("odd.xml").write_bytes(b"<report/>")
    code, _, error = run(*words)
    assert code == 2
    assert told in error


def test_a_page_is_a_pdf_where_the_file_is_called_so(run: Run, tmp_path: Path) -> None:
    path, out = tmp_path / "model.json", tmp_path / "page.pdf"
    path.write_bytes(modeljson.dumps(report(subjects=())))
    assert run("show", path, "--out", out)[0] == 0
    assert out.read_bytes().startswith(b"%PDF-")
    assert run("validate", out, "--format", "pdf")[0] == 0
