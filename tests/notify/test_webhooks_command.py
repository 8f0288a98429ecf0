"""`txmon webhooks`: an endpoint from its adding to its removal, by the key of an administrator only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from txmon.cli.keys import app as keys
from txmon.cli.webhooks import app
from txmon.errors import AuthError, ConfigError
from txmon.notify import Blocked


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with two administrators; the key of one in a file, and the key of webhooks."""
    store, secret = tmp_path / "store", tmp_path / "webhooks.key"
    made = CliRunner().invoke(keys, ["bootstrap", "Ana", "Ben=analyst", "--store", str(store), "--json"])
    key = tmp_path / "ana.key"
    key.write_text(json.loads(made.stdout)["administrators"][0]["key"])
    secret.write_text("ab" * 32)
    for path in (key, secret):
        path.chmod(0o600)
    monkeypatch.setenv("TXMON_WEBHOOK_KEY_FILE", str(secret))
    return tmp_path


def run(place: Path, *words: str, as_json: bool = False) -> Any:
    """Run a command as Ana; its JSON, or what it printed."""
    arguments = [*words, "--store", str(place / "store")]
    if words[0] not in ("list", "log"):
        arguments += ["--as", str(place / "ana.key")]
    done = CliRunner().invoke(app, arguments + ["--json"] * as_json)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout) if as_json else done.stdout


def test_an_endpoint_from_adding_to_removal(place: Path) -> None:
    made = run(place, "add", "https://example.org/hook", "--scope", "full", "--mode", "live", as_json=True)
    assert made["secret"].startswith("whsec_")
    assert (made["state"], made["scope"], made["mode"]) == ("active", "full", "live")
    assert "disabled" in run(place, "disable", made["id"])
    assert [e["state"] for e in run(place, "list", as_json=True)["endpoints"]] == ["disabled"]
    assert "secret" not in json.dumps(run(place, "list", as_json=True))
    assert "active" in run(place, "enable", made["id"])
    rotated = run(place, "rotate", made["id"], as_json=True)
    assert rotated["secret"] != made["secret"]
    assert "newest" in run(place, "retire", made["id"])
    assert run(place, "replay", made["id"], "1", "2").startswith("0 of 2")
    assert run(place, "log", made["id"], as_json=True) == {"deliveries": []}
    assert "removed" in run(place, "remove", made["id"])
    assert run(place, "list", as_json=True) == {"endpoints": []}


def test_addresses_of_the_own_network_and_other_keys_are_refused(place: Path) -> None:
    with pytest.raises(Blocked):
        run(place, "add", "http://169.254.169.254/")
    (place / "ana.key").write_text("txm_live_abcdefgh_" + "x" * 43)
    with pytest.raises(AuthError):
        run(place, "add", "https://example.org/hook")


def test_without_a_key_file_the_remedy_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TXMON_WEBHOOK_KEY_FILE")
    with pytest.raises(ConfigError, match="TXMON_WEBHOOK_KEY_FILE"):
        run(place, "add", "https://example.org/hook")
