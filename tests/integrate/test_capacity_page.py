"""docs/capacity.md: its command runs, at a small size, and gives every constant that the page works with."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from txmon.cli import main
from txmon.doctor import machine, stored

PAGE = (Path(__file__).parents[2] / "docs" / "capacity.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the page's command prints as JSON."""
    [line] = re.findall(r"^txmon (bench --capacity .*)$", PAGE, re.MULTILINE)
    words = line.split()
    words[words.index("--events") + 1] = "1000"
    with pytest.MonkeyPatch.context() as patch, (tmp_path_factory.mktemp("out") / "out").open("w+") as out:
        patch.setattr(sys, "argv", ["txmon", *words])
        patch.setattr(sys, "stdout", out)
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        out.seek(0)
        report: dict[str, Any] = json.loads(out.read().splitlines()[-1])
        return report


def test_it_measures_what_the_page_says(found: dict[str, Any]) -> None:
    assert found["events"] == 1000
    for part in ("bytes", "start_seconds", "events_per_second", "cpu_us_per_event"):
        assert all(value > 0 for value in found[part].values()), found[part]
    assert found["warehouse_files"] == 30
    assert found["start_seconds"]["empty"] < 600
    names = set(re.findall(r"`(\w+\.\w+)`", PAGE))
    known = {
        f"{part}.{name}" for part, values in found.items() if isinstance(values, dict) for name in values
    }
    assert {name for name in names if name.partition(".")[0] in found} <= known
    assert {f"bytes.{name}" for name in found["bytes"]} <= names
    assert {f"events_per_second.{name}" for name in found["events_per_second"]} <= names


def test_memory_adds_up(found: dict[str, Any]) -> None:
    held = found["memory"]
    kept = {group["key"]: group["days"] for group in held["groups"]}
    # the packs' longest windows, the lateness that is accepted, and the group's own
    assert pages_days().items() <= kept.items()
    assert len(pages_days()) == 6
    total = sum(group["bytes_per_event_a_day"] for group in held["groups"])
    assert total == pytest.approx(held["bytes_per_event_a_day"], rel=0.02)
    assert held["snapshot_bytes_per_event_a_day"] > 0


def pages_days() -> dict[str, int]:
    """Windows and days of the page's table."""
    words = {
        "account, from both sides": "account",
        "account and counterparty, from both sides": "account+counterparty",
        "payer and payee": "payer+payee",
    }
    rows = re.findall(r"^\| ([a-z ,]+) \| (\d+) \| \d+ kB \|$", PAGE, re.MULTILINE)
    return {words.get(name, name): int(days) for name, days in rows}


def test_the_doctor_reckons_with_the_constants_of_the_page() -> None:
    assert f"{stored.READ_AGAIN_PER_S:,.0f} events/s" in PAGE
    assert f"{stored.SNAPSHOT_BYTES_PER_S / 1e6:.0f} MB/s" in PAGE
    assert f"{stored.START_S:.0f} s" in PAGE
    assert f"{machine.STATE_FACTOR:.0f} times" in PAGE
