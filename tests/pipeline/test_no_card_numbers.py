"""No card number leaves `txmon score`: not in results, not in quarantine, not in what it prints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from cardhunt import COUNT, card_numbers, found_in, rows


@pytest.mark.slow
def test_ten_thousand_card_numbers_leave_no_trace(tmp_path: Path) -> None:
    numbers = card_numbers(COUNT)
    source = tmp_path / "events.ndjson"
    lines = [json.dumps(row, ensure_ascii=i % 2 == 0) for i, row in enumerate(rows(numbers))]
    lines.insert(100, '{"event_id": "broken ' + numbers[0] + '", ')
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "txmon", "score", str(source)]
    run = subprocess.run(
        [*command, "--feed", "native", "--out", str(out), "--store", str(tmp_path / "state")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    texts = [run.stdout, run.stderr]
    for name in ("hits", "alerts", "quarantine"):
        texts.append(
            json.dumps(pq.read_table(out / f"{name}.parquet").to_pylist(), default=str, ensure_ascii=False)
        )
    texts.append((tmp_path / "state" / "state.arrow").read_bytes().decode("latin-1"))
    assert found_in(texts, numbers) == []
    quarantined = pq.read_table(out / "quarantine.parquet")
    assert len(quarantined) >= COUNT // 5
    assert any("pan_" in raw for raw in quarantined.column("raw").to_pylist())
