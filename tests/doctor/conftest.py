"""A place to look at, and a way to make one check."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from doctorkit import Look, Place, made

from txmon.clock import SystemClock, random_bytes
from txmon.doctor import CHECKS, Finding, Ground, run
from txmon.settings import examine

for name in ("oidc", "notify"):  # a real issuer, real receivers
    sys.path.append(str(Path(__file__).parents[1] / name))


@pytest.fixture
def look() -> Look:
    """Make one check and give its findings."""

    def make(
        name: str, environ: dict[str, str] | None = None, *, clock: Any = None, **more: Any
    ) -> tuple[Finding, ...]:
        ground = Ground(examine(environ or {}), clock or SystemClock(), random_bytes, **more)
        ground.open()
        try:
            [check] = [check for check in CHECKS if check.name == name]
            [looked] = run([check], ground)
        finally:
            ground.close()
        for finding in looked.findings:
            assert finding.status in ("ok", "warn", "fail", "skipped")
            assert finding.found
            assert finding.remedy or finding.status in ("ok", "skipped")
        return looked.findings

    return make


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return made(str(tmp_path / "store"), {"TXMON_KEY_FILE": str(tmp_path / "pan.key")})
