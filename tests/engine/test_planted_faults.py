"""A fault planted into a kernel turns the comparison with the oracle red.

Each case copies the package, changes one place and compares in another process, without compiling. This
is what makes the comparison worth something: a suite that no fault can break proves nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import compare_once
import pytest

import txmon
from txmon.rules.pack import default_pack

PACKAGE = Path(txmon.__file__).parent
# (name, module, text, what stands there instead, streams that show it)
FAULTS: tuple[tuple[str, str, str, str, str], ...] = (
    ("a row leaves a microsecond early", "window", "if t > bound:", "if t >= bound:", "events"),
    ("a row enters a microsecond too old", "window", "if t <= S.lows[w]:", "if t < S.lows[w]:", "events"),
    ("a late look is a microsecond longer", "lookback", "return t - L.span[w], t", "return t - L.span[w] - 1, t", "events"),
    ("ties are found before instead of behind", "slab", "if S.rows[row_at(S, k, mid), 0] <= t:", "if S.rows[row_at(S, k, mid), 0] < t:", "events"),
    ("the edge counts for distinct values", "window", "newest and previous <= S.lows[w]", "newest and previous < S.lows[w]", "events"),
    ("a value seen again leaves with its first row", "window", "L.leave[j, P_SUPER_BIT] == 0", "L.leave[j, P_BIT] != 0", "events"),
    ("a quantile weighs its neighbours the wrong way", "advance", "a * (1.0 - share) + b * share", "a * share + b * (1.0 - share)", "events"),
    ("a position moves one too few", "window", "if q <= S.keys[k, o]:\n                S.keys[k, o] += 1", "if q < S.keys[k, o]:\n                S.keys[k, o] += 1", "events"),
    ("a late event does not see itself", "lookback", "if o > newest or", "if o >= newest or", "events"),
    ("squares lose the upper word's carry", "int128", "np.int64(1) if ulo < np.uint64(vlo)", "np.int64(0) if ulo < np.uint64(vlo)", "events"),
    ("prior windows hold the current row", "layout", "f.window.prior or f.agg == \"lag\" for f", "f.agg == \"lag\" for f", "prior"),
    ("months start at midnight in Greenwich", "calendar", "datetime(year, month, 1, tzinfo=tz)", "datetime(year, month, 1, tzinfo=UTC)", "month"),
    ("a month remembered is never looked at again", "advance", "S.keys[k, L.f_cache[f] + 2] = -1", "S.keys[k, L.f_cache[f] + 2] += 0", "month"),
)  # fmt: skip


def compare(folder: Path, streams: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(folder), "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, str(Path(compare_once.__file__)), streams]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)


def copy(folder: Path) -> Path:
    shutil.copytree(PACKAGE, folder / "txmon", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "rules").symlink_to(default_pack(), target_is_directory=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("streams", list(compare_once.CASES))
def test_the_copy_itself_is_green(tmp_path: Path, streams: str) -> None:
    done = compare(copy(tmp_path), streams)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("name", "module", "text", "fault", "streams"), FAULTS, ids=[f[0] for f in FAULTS])
def test_a_planted_fault_is_found(
    tmp_path: Path, name: str, module: str, text: str, fault: str, streams: str
) -> None:
    path = copy(tmp_path) / "txmon" / "engine" / f"{module}.py"
    source = path.read_text(encoding="utf-8")
    assert source.count(text) == 1, f"{module}.py changed: plant the fault anew"
    path.write_text(source.replace(text, fault), encoding="utf-8")
    done = compare(tmp_path, streams)
    assert done.returncode == 3, f"nobody noticed: {name}\n{done.stdout}{done.stderr}"
