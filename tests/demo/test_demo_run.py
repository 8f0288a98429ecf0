"""The demo from end to end, small: files, determinism, and what a reader is told."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from txmon.alerts import ALERTS
from txmon.cli.demo import app
from txmon.cli.demodesk import open_desk
from txmon.demo.run import demo
from txmon.demo.summary import LINES_MAX
from txmon.model.keys import PanKey

KEY = PanKey("0" * 8, bytes(32))


@pytest.mark.slow
def test_same_seed_same_story(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    said: list[str] = []
    lines = [demo(folder, 20_000, 3, KEY, open_desk, said.append) for folder in folders]
    assert len(lines[0]) <= LINES_MAX
    for name in ("events", "labels", "hits", "alerts"):
        first, second = (pq.read_table(folder / f"{name}.parquet") for folder in folders)
        assert first.equals(second), name
    assert pq.read_schema(folders[0] / "alerts.parquet").names == ALERTS.names
    pages = [(folder / "alert.html").read_text(encoding="utf-8") for folder in folders]
    assert pages[0] == pages[1]
    assert [line for line in lines[0] if "committed in" not in line and str(tmp_path) not in line] == [
        line for line in lines[1] if "committed in" not in line and str(tmp_path) not in line
    ]
    assert "SIMULATED" in pages[0]
    assert any("simulating" in text for text in said)
    assert "her own approval was refused (four_eyes)" in "\n".join(lines[0])


def test_a_wrong_number_of_events_is_refused_at_once(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--out", str(tmp_path), "--events", "7"])
    assert result.exit_code != 0
    assert "7 is outside" in str(result.exception)
