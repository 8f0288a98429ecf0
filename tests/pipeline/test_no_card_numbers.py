"""No card number leaves `txmon score`: not in results, not in quarantine, not in what it prints."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

COUNT = 10_000
FULL_WIDTH = {ord(d): chr(0xFF10 + int(d)) for d in "0123456789"}
RUN = re.compile(r"(?:\d[ \-.\u00a0_/]?){12,18}\d")


def luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def card_numbers(count: int) -> list[str]:
    rng = np.random.default_rng(11)
    numbers = []
    for _ in range(count):
        body = str(rng.choice(["4", "51", "55", "2221", "3528", "6011"]))
        body += "".join(str(d) for d in rng.integers(0, 10, 15 - len(body)))
        numbers.append(next(body + str(d) for d in range(10) if luhn(body + str(d))))
    return numbers


def spelled(number: str, how: int) -> str:
    groups = [number[i : i + 4] for i in range(0, 16, 4)]
    return (number, " ".join(groups), "-".join(groups), number.translate(FULL_WIDTH))[how % 4]


def rows(numbers: list[str]) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for i, number in enumerate(numbers):
        text = spelled(number, i)
        row: dict[str, object] = {
            "event_id": f"e{i}",
            "event_time": f"2026-01-{1 + i % 28:02d}T10:00:00Z",
            "amount": "10.00",
            "currency": "EUR",
            "payer": f"a{i % 50}",
            "payee": f"b{i % 20}",
        }
        place = i % 5
        if place == 0:
            row["card"] = text
        elif place == 1:
            row["memo"] = f"paid with {text}, thank you"
        elif place == 2:
            row["attributes"] = {"note": text}
        elif place == 3:  # a row that goes to quarantine
            row |= {"currency": "QQQ", "descriptor": f"shop {text}"}
        else:  # the number is the wrong value itself
            row |= {"amount": text, "memo": text}
        made.append(row)
    return made


@pytest.mark.slow
def test_ten_thousand_card_numbers_leave_no_trace(tmp_path: Path) -> None:
    numbers = card_numbers(COUNT)
    source = tmp_path / "events.ndjson"
    lines = [json.dumps(row, ensure_ascii=i % 2 == 0) for i, row in enumerate(rows(numbers))]
    lines.insert(100, '{"event_id": "broken ' + numbers[0] + '", ')
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    out = tmp_path / "out"
    command = [sys.executable, "-c", "from txmon.cli import main; main()", "score", str(source)]
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
    known = set(numbers)
    for text in texts:
        plain = unicodedata.normalize("NFKC", text)
        for match in RUN.finditer(plain):
            digits = re.sub(r"\D", "", match.group())
            assert not any(digits[i : i + 16] in known for i in range(len(digits) - 15))
    quarantined = pq.read_table(out / "quarantine.parquet")
    assert len(quarantined) >= COUNT // 5
    assert any("pan_" in raw for raw in quarantined.column("raw").to_pylist())
