"""`txmon score` over files: counts that add up, quarantine that can be fixed, any batch size, a state to go on from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from txkit import write_pack
from typer.testing import CliRunner

from txmon.cli import main
from txmon.cli.score import app

RULE: dict[str, Any] = {
    "id": "three",
    "subject": "payer",
    "score": 0.7,
    "let": {"n": "count(*) over payer_3d", "s": "sum(amount) over payer_3d"},
    "when": "n >= 3",
}
DAY = "2026-01-{:02d}T12:00:00Z"


def line(event_id: str, day: int, **columns: Any) -> dict[str, Any]:
    usual = {
        "event_id": event_id,
        "event_time": DAY.format(day),
        "amount": "10.00",
        "currency": "EUR",
        "payer": "p",
    }
    return {k: v for k, v in (usual | columns).items() if v is not None}


ROWS: tuple[dict[str, Any] | str, ...] = (
    line("a", 5),
    line("b", 6),
    line("b", 6),  # a duplicate: no effect
    line("b", 6, amount="11.00"),  # a conflict
    "{not json",
    line("c", 7, amount="12.345"),  # not in whole cents
    line("d", 7, currency="XXQ"),
    line("e", 7),
    line("f", 30),
    line("old", 1, event_time="2025-10-01T12:00:00Z"),  # far behind
    line("late", 6, event_time="2026-01-06T18:00:00Z"),
    {k: v for k, v in line("x", 30).items() if k != "event_id"},
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.ndjson"
    path.write_text(
        "\n".join(r if isinstance(r, str) else json.dumps(r) for r in ROWS) + "\n", encoding="utf-8"
    )
    return path


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "rules", RULE)


@pytest.fixture(autouse=True)
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TXMON_KEY_FILE", str(tmp_path / "pan.key"))


def score(*arguments: object) -> dict[str, Any]:
    """Run the command and return its JSON object."""
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def test_counts_add_up_and_everything_is_said(tmp_path: Path, source: Path, rules: Path) -> None:
    out = tmp_path / "out"
    summary = score(source, "--feed", "native", "--rules", rules, "--out", out)
    assert (summary["rows"], summary["events"], summary["duplicates"], summary["quarantined"]) == (
        12,
        5,
        1,
        6,
    )
    assert summary["rows"] == summary["events"] + summary["duplicates"] + summary["quarantined"]
    assert sum(summary["quarantine_reasons"].values()) == 6
    assert {"conflict", "too_late"} <= set(summary["quarantine_reasons"])
    hits = pq.read_table(out / "hits.parquet").to_pylist()
    assert [(h["event_id"], h["trigger"]) for h in hits] == [
        ("e", "event"),
        ("late", "event"),
        ("late", "late"),
    ]
    assert json.loads(hits[0]["features"]) == {"n": 3, "s": 30.0}
    (alert,) = pq.read_table(out / "alerts.parquet").to_pylist()
    assert (alert["subject_id"], alert["rule_ids"], alert["hit_count"]) == ("p", ["three"], 3)
    assert (summary["hits"], summary["alerts"]) == (3, 1)
    assert summary["rows_looked_back"] > 0
    assert summary["seconds"] >= 0
    assert summary["peak_rss_mb"] > 0


def test_quarantine_names_line_field_value_and_remedy(tmp_path: Path, source: Path, rules: Path) -> None:
    score(source, "--feed", "native", "--rules", rules, "--out", tmp_path / "out")
    rows = {r["line"]: r for r in pq.read_table(tmp_path / "out" / "quarantine.parquet").to_pylist()}
    assert sorted(rows) == [4, 5, 6, 7, 10, 12]
    conflict, late = rows[4], rows[10]
    assert (conflict["feed"], conflict["event_id"], conflict["field"], conflict["reason"]) == (
        "native",
        "b",
        "event_id",
        "conflict",
    )
    assert (late["event_id"], late["field"], late["reason"]) == ("old", "event_time", "too_late")
    assert late["value"].startswith("2025-10-01T12:00:00")
    assert rows[6]["field"] == "amount"
    assert rows[7]["field"] == "currency"
    assert rows[5]["raw"] == "{not json"
    assert rows[5]["event_id"] is None
    assert all(r["message"] and r["reason"] and r["raw"] for r in rows.values())
    assert json.loads(conflict["raw"])["event_id"] == "b"


def test_fixed_rows_can_be_submitted_again(tmp_path: Path, source: Path, rules: Path) -> None:
    store = tmp_path / "store"
    score(source, "--feed", "native", "--rules", rules, "--out", tmp_path / "out", "--store", store)
    rows = {r["line"]: r for r in pq.read_table(tmp_path / "out" / "quarantine.parquet").to_pylist()}
    cents, currency, conflict = (json.loads(rows[n]["raw"]) for n in (6, 7, 4))
    fixed = [cents | {"amount": "12.34"}, currency | {"currency": "EUR"}, conflict | {"event_id": "b2"}]
    path = tmp_path / "fixed.ndjson"
    path.write_text("\n".join(json.dumps(r) for r in fixed) + "\n", encoding="utf-8")
    again = score(path, "--feed", "native", "--rules", rules, "--out", tmp_path / "more", "--store", store)
    assert (again["rows"], again["events"], again["quarantined"]) == (3, 3, 0)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_batch_rows_change_nothing(tmp_path: Path, source: Path, rules: Path, size: int) -> None:
    for name, more in (("all", []), ("cut", ["--batch-rows", size])):
        score(source, "--feed", "native", "--rules", rules, "--out", tmp_path / name, *more)
    for file in ("hits", "alerts"):
        one, other = (pq.read_table(tmp_path / name / f"{file}.parquet") for name in ("all", "cut"))
        assert one.equals(other)
    lines = [
        sorted(pq.read_table(tmp_path / n / "quarantine.parquet")["line"].to_pylist()) for n in ("all", "cut")
    ]
    assert lines[0] == lines[1]


def test_two_runs_with_a_store_equal_one(tmp_path: Path, source: Path, rules: Path) -> None:
    text = source.read_text(encoding="utf-8").splitlines(keepends=True)
    halves = [tmp_path / "1.ndjson", tmp_path / "2.ndjson"]
    for path, part in zip(halves, (text[:6], text[6:]), strict=True):
        path.write_text("".join(part), encoding="utf-8")
    whole = score(source, "--feed", "native", "--rules", rules, "--out", tmp_path / "whole")
    parts = [
        score(
            h, "--feed", "native", "--rules", rules, "--out", tmp_path / h.stem, "--store", tmp_path / "store"
        )
        for h in halves
    ]
    for count in ("rows", "events", "duplicates", "quarantined", "hits"):
        assert sum(p[count] for p in parts) == whole[count]
    hits = [pq.read_table(tmp_path / h.stem / "hits.parquet").to_pylist() for h in halves]
    assert hits[0] + hits[1] == pq.read_table(tmp_path / "whole" / "hits.parquet").to_pylist()
    last, all_ = (pq.read_table(tmp_path / n / "alerts.parquet") for n in ("2", "whole"))
    assert last.equals(all_)
    repeated = score(
        source,
        "--feed",
        "native",
        "--rules",
        rules,
        "--out",
        tmp_path / "again",
        "--store",
        tmp_path / "store",
    )
    assert (repeated["events"], repeated["hits"], repeated["alerts"]) == (0, 0, 1)


def test_nothing_to_read(tmp_path: Path, source: Path, rules: Path) -> None:
    empty = tmp_path / "empty.ndjson"
    empty.write_text("", encoding="utf-8")
    summary = score(empty, "--feed", "native", "--rules", rules, "--out", tmp_path / "out")
    assert (summary["rows"], summary["hits"], summary["alerts"], summary["quarantined"]) == (0, 0, 0, 0)
    assert pq.read_table(tmp_path / "out" / "hits.parquet").num_rows == 0


def test_what_cannot_be_read_or_written_is_one_line_and_exit_2(
    tmp_path: Path,
    source: Path,
    rules: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    usual = ["--feed", "native", "--rules", rules]
    for arguments, said in (
        ([source, *usual, "--out", tmp_path / "file"], "cannot write below"),
        ([tmp_path / "absent.ndjson", *usual], "no such file"),
    ):
        monkeypatch.setattr("sys.argv", ["txmon", "score", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 2
        shown = capsys.readouterr().err
        assert said in shown
        assert "Traceback" not in shown


def test_the_summary_for_people(tmp_path: Path, source: Path, rules: Path) -> None:
    arguments = [str(source), "--feed", "native", "--rules", str(rules), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert "12 rows: 5 events, 1 duplicates, 6 quarantined" in result.stdout
    assert "conflict: 1" in result.stdout
    assert "too_late: 1" in result.stdout
