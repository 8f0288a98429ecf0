"""docs/integrate.md, followed literally: every command of the page, in its order, on a fresh clone.

What is not fresh is what `make setup` would install: the clone's `.venv` is made of links into the environment that
runs this test, marked as ready, so `make setup` finds nothing to do and its packages (txmon among them, from
this tree) are not installed once more. Nothing else is prepared, and no variable is set that the page does not set.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "integrate.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
TOOLS = ("bash", "make", "git", "curl", "prometheus", "promtool", "prometheus-alertmanager", "amtool")
PORTS = sorted({int(port) for port in re.findall(r"127\.0\.0\.1:(27\d{3})", PAGE)})
LONG_S = 1200  # for what must end; never a measure


def test_every_block_of_the_page_is_run() -> None:
    assert len(FENCES) > 10
    assert {language for language, _ in FENCES} == {"sh"}
    assert PORTS == [27080, 27090, 27092, 27093, 27094, 27095]
    for link in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (ROOT / "docs" / link).exists(), link


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with the environment of this process in its `.venv`."""
    missing = [name for name in TOOLS if shutil.which(name) is None]
    if missing or not (ROOT / ".git").exists():
        reason = f"not here: {', '.join(missing) or 'a git repository'}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}; CI skips nothing")
        pytest.skip(reason)
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))  # the page names it, so it must be free
    place = tmp_path / "txmon"
    trusted = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    subprocess.run(
        ["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(place)],
        check=True,
        env={**os.environ, **trusted},
    )
    (place / ".venv").mkdir()
    for entry in Path(sys.prefix).iterdir():
        if entry.name != ".ready":
            (place / ".venv" / entry.name).symlink_to(entry)
    (place / ".venv" / ".ready").touch()
    return place


def follow(place: Path, script: Path) -> str:
    """Paste all blocks into one shell that ends at the first command that fails; returns what is printed."""
    blocks = [f'echo "## block {i} at $SECONDS s"\n{text}' for i, (_, text) in enumerate(FENCES, 1)]
    script.write_text("set -eu\n" + "\n".join(blocks), encoding="utf-8")
    usual = {
        name: os.environ[name]
        for name in ("HOME", "LANG", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR")
        if name in os.environ
    }
    path = os.pathsep.join(
        p for p in os.environ["PATH"].split(os.pathsep) if not Path(p).is_relative_to(sys.prefix)
    )
    environment = usual | {"PATH": path, "XDG_CONFIG_HOME": str(script.parent / "config")}
    log = script.with_suffix(".log")
    with log.open("wb") as out:
        shell = subprocess.Popen(
            ["bash", str(script)], cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
        try:
            code = shell.wait(LONG_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)  # whatever it started and did not stop
    printed = log.read_text(encoding="utf-8", errors="replace")
    logs = "".join(
        f"\n-- {p.name}\n{p.read_text(errors='replace')[-1500:]}" for p in (place / "try").glob("*.log")
    )
    assert code == 0, printed[-3000:] + logs
    return printed


def objects(text: str) -> list[dict[str, object]]:
    """The JSON objects that are printed over several lines."""
    return [json.loads(found) for found in re.findall(r"^\{\n.*?^\}$", text, re.DOTALL | re.MULTILINE)]


def test_followed_literally_it_ends_with_an_alert(clone: Path, tmp_path: Path) -> None:
    printed = follow(clone, tmp_path / "page.sh")
    # its own feed: what the page says the samples become
    assert "6 rows: 5 events, 0 duplicates, 1 quarantined" in printed
    assert re.search(r"\d+ ok, \d+ warn, 0 fail", printed)
    # an alert from a Kafka topic, in the API
    alerts, quarantine = objects(printed)
    [alert] = alerts["items"]  # type: ignore[misc]
    assert (alert["opened_source"], alert["severity"], alert["historic"]) == ("wavepay", "critical", False)
    assert alert["opened_event_id"].startswith("ev_l")
    assert alert["subject_id"] == "w_150"
    assert alert["rule_ids"] == ["sextortion-receiver"]
    # its line in Alertmanager, with the alert's id
    assert re.search(rf"^TxmonUrgentAlert .*{alert['alert_id']}.* active", printed, re.MULTILINE)
    # the webhook was told, signed, nothing of whom and why
    [told] = [json.loads(line) for line in (clone / "try" / "received.ndjson").read_text().splitlines()]
    assert told["subject"] == alert["alert_id"]
    assert "w_150" not in json.dumps(told)
    # what was no event waits for a person
    assert [row["reason"] for row in quarantine["items"]] == ["unknown_value"]  # type: ignore[attr-defined]
    last = json.loads(printed.strip().splitlines()[-1])
    assert last["clean"]
    assert last["events"] >= 2210  # history, samples, today's; marks of time besides
    assert not list((clone / "try").glob("*.new"))
