"""`txmon simulate` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from txmon.cli.simulate import app
from txmon.errors import ConfigError
from txmon.simulate import LABELS, labels_path, simulate, write


def test_writes_events_and_labels_and_sums_up(tmp_path: Path) -> None:
    out = tmp_path / "new" / "f.parquet"
    result = CliRunner().invoke(app, ["--events", "10000", "--seed", "4", "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    facts = json.loads(result.output.splitlines()[-1])
    assert facts["events"] == pq.read_metadata(out).num_rows == 10_000
    assert facts["left_out"] == []
    assert facts["roles"]["planted"] == 71
    labels = pq.read_table(labels_path(out))
    assert labels.schema.equals(LABELS)
    assert set(labels["event_id"].to_pylist()) <= set(pq.read_table(out)["event_id"].to_pylist())


def test_labels_elsewhere_and_what_did_not_fit(tmp_path: Path) -> None:
    out, labels = tmp_path / "f.parquet", tmp_path / "truth.parquet"
    result = CliRunner().invoke(app, ["--events", "1000", "--out", str(out), "--labels", str(labels)])
    assert result.exit_code == 0, result.output
    assert labels.exists()
    assert "did not fit into 1000 events" in result.output


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="another --out"):
        write(simulate(1_000, 1), tmp_path / "file" / "f.parquet")
