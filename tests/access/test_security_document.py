"""SECURITY.md names tests that exist, and every control names at least one."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`([a-z_0-9/]+\.py)::(test_\w+)`", TEXT)


def test_every_test_that_it_names_exists() -> None:
    assert len(NAMED) > 40
    missing = [
        f"{file}::{name}"
        for file, name in NAMED
        if not (ROOT / "tests" / file).is_file()
        or not re.search(
            rf"^ *(async )?def {name}\(", (ROOT / "tests" / file).read_text(encoding="utf-8"), re.M
        )
    ]
    assert missing == []


def test_every_control_names_a_test() -> None:
    controls = TEXT.split("## What stands in the way")[1].split("## Secrets")[0]
    rows = [
        line
        for line in controls.splitlines()
        if line.startswith("| ") and not line.startswith(("| ---", "| threat"))
    ]
    assert len(rows) > 30
    assert [row for row in rows if "::test_" not in row] == []
