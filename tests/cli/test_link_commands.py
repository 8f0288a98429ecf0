"""`txmon keys link | links | unlink` at a store that is not being served."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from txmon.cli import main
from txmon.clock import SystemClock, random_bytes
from txmon.store import Store
from txmon.store.access import Access
from txmon.store.verify import verify

ISSUER = "https://login.example.com"


def test_a_link_is_proposed_approved_listed_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    for name in ("TXMON_STORE", "TXMON_HEADS_FILE", "TXMON_STATE_DIR", "TXMON_SETTINGS", "TXMON_OIDC_ISSUER"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["txmon", "keys", *map(str, words), "--store", str(store)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    def told(*words: str | Path) -> Any:
        code, out, err = run(*words, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    first = told("bootstrap", "Ana", "Ben=approver")["administrators"]
    for each in first:
        (tmp_path / each["name"]).write_text(each["key"])
        (tmp_path / each["name"]).chmod(0o600)
    ana = told("person", "list")["people"][0]["id"]
    code, _, err = run("link", ana, "ana-1", "--as", tmp_path / "Ana")
    assert code == 2
    assert "--issuer" in err
    made = told("link", ana, "ana-1", "--issuer", ISSUER, "--as", tmp_path / "Ana")
    monkeypatch.setenv("TXMON_OIDC_ISSUER", ISSUER)
    monkeypatch.setenv("TXMON_OIDC_AUDIENCE", "txmon")
    assert "linked to a person already" in run("link", ana, "ana-1", "--as", tmp_path / "Ana")[2]
    assert "link" in run("grants")[1]
    assert run("decide", made["grant_id"], "--approve", "--as", tmp_path / "Ana")[0] == 2
    assert run("decide", made["grant_id"], "--approve", "--as", tmp_path / "Ben")[0] == 0
    (shown,) = told("links")["links"]
    assert shown == {
        "id": made["link_id"], "person": ana, "state": "active", "issuer": ISSUER, "subject": "ana-1",
    }  # fmt: skip
    assert run("unlink", made["link_id"], "--as", tmp_path / "Ben")[:2] == (
        0, f"link {made['link_id']} is ended\n",
    )  # fmt: skip
    assert "revoked" in run("links")[1]
    with Store.open(str(store), clock=SystemClock(), random_bytes=random_bytes) as opened:
        assert verify(opened).ok
        assert Access(opened)._links[ISSUER, "ana-1"].fault == "revoked"
