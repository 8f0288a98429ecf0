"""docs/evidence.md as it stands: every block of it runs, in order, in one shell."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from evidencekit import alert_with, bundle_of, files_in
from typer.testing import CliRunner

from txmon.cli import command_line
from txmon.cli.evidence import app
from txmon.store import Store

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def desk(crowd: Store, tmp_path: Path) -> Path:
    """A folder with a copy of a store."""
    shutil.copytree(crowd.place, tmp_path / "store")
    return tmp_path


def test_the_page_runs(crowd: Store, desk: Path) -> None:
    blocks = [b for b in BLOCKS if shutil.which("openssl") or not b.startswith("openssl")]
    (desk / "bin").mkdir()
    for name, words in (("txmon", f"{shlex.quote(sys.executable)} -m txmon"), ("python", sys.executable)):
        # only txmon itself sees this repository
        path = f"PYTHONPATH={shlex.quote(str(ROOT))} " if name == "txmon" else ""
        (desk / "bin" / name).write_text(f'#!/bin/sh\n{path}exec {words} "$@"\n', encoding="utf-8")
        (desk / "bin" / name).chmod(0o755)
    environment = {
        "PATH": f"{desk / 'bin'}:{os.environ['PATH']}", "ALERT": alert_with(crowd, "both"),
        "XDG_CONFIG_HOME": str(desk / "config"), "HOME": str(desk),
    }  # fmt: skip
    if "XDG_CACHE_HOME" in os.environ or "HOME" in os.environ:  # compiled kernels are found where they are
        cache = os.environ.get("XDG_CACHE_HOME") or str(Path(os.environ["HOME"]) / ".cache")
        environment["XDG_CACHE_HOME"] = cache
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        cwd=desk, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS" in done.stdout
    assert "('PASS', 'all'" in done.stdout
    log = [json.loads(line) for line in (desk / "store" / "evidence.log").read_text().splitlines()]
    assert [line["profile"] for line in log] == ["internal", "court"]
    assert log[0]["by"] == "Ana"
    assert log[0]["before"] is None
    assert len(log[1]["before"]) == 64
    assert (desk / "config" / "txmon" / "evidence.key").stat().st_mode & 0o777 == 0o600


def test_every_option_on_the_page_is_one() -> None:
    group = command_line(["evidence"]).commands["evidence"]
    commands = [*group.commands.values(), *group.commands["key"].commands.values()]  # type: ignore[attr-defined]
    options = {option for c in commands for p in c.params for option in p.opts}
    lines = "\n".join(line for b in BLOCKS for line in b.splitlines() if line.startswith("txmon"))
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", lines)) <= options


def test_the_key(tmp_path: Path) -> None:
    """0600, never replaced, refused where others may read it; the public half can be shown."""
    run, key = CliRunner(), tmp_path / "deep" / "evidence.key"
    assert run.invoke(app, ["key", "init", "--key", str(key)]).exit_code == 0
    before = key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    again = run.invoke(app, ["key", "init", "--key", str(key)])
    assert again.exit_code != 0
    assert "exists" in str(again.exception)
    assert key.read_bytes() == before
    shown = run.invoke(app, ["key", "show", "--key", str(key)]).output
    assert "BEGIN PUBLIC KEY" in shown
    assert "PRIVATE" not in shown
    key.chmod(0o644)
    assert "chmod 600" in str(run.invoke(app, ["key", "show", "--key", str(key)]).exception)
    key.chmod(0o600)
    key.write_bytes(b"no key")
    assert "no key in PEM form" in str(run.invoke(app, ["key", "show", "--key", str(key)]).exception)


def test_a_bundle_that_cannot_be_noted_is_not_made(crowd: Store, desk: Path) -> None:
    (desk / "store" / "evidence.log").mkdir()
    run, key = CliRunner(), str(desk / "evidence.key")
    assert run.invoke(app, ["key", "init", "--key", key]).exit_code == 0
    arguments = ["--store", str(desk / "store"), "--key", key, "--out", str(desk / "b.zip")]
    failed = run.invoke(app, ["export", alert_with(crowd, "both"), *arguments])
    assert "only if that can be noted" in str(failed.exception)
    assert not (desk / "b.zip").exists()


def test_verify_says_what_it_finds(crowd: Store, desk: Path) -> None:
    run, key, out = CliRunner(), str(desk / "evidence.key"), desk / "b.zip"
    run.invoke(app, ["key", "init", "--key", key])
    arguments = ["--store", str(desk / "store"), "--key", key, "--out", str(out), "--json"]
    made = run.invoke(app, ["export", alert_with(crowd, "odd"), *arguments])
    facts = json.loads(made.output.splitlines()[-1])
    assert facts["derived"] == facts["hits"]
    found = json.loads(run.invoke(app, ["verify", str(out), "--json"]).output.splitlines()[-1])
    assert found["ok"]
    assert found["scores"] > 0  # the detector's own state gave its score again
    assert not found["signer_known"]
    out.write_bytes(out.read_bytes().replace(b"manifest.sig", b"manifest.sog"))
    assert "manifest.sig" in str(run.invoke(app, ["verify", str(out)]).exception)


def test_the_summary_fetches_nothing(crowd: Store, tmp_path: Path) -> None:
    """One page with a chart: no script, no address, no picture from elsewhere; hits and custody are on it."""
    alert = alert_with(crowd, "both")
    page = files_in(bundle_of(crowd, alert, tmp_path / "b.zip").path)["summary.html"].decode()
    assert page.count("<svg") == 1
    assert alert in page
    assert "events received" in page
    for word in ("http", "src=", "<script", "<link", "url(", "@import", "javascript"):
        assert word not in page
