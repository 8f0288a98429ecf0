"""The evidence bundle of an alert by the API: to whom, noted where, made beside the service and within bounds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pgkit
import pytest
import sqlalchemy as sa
from apikit import CRITICAL, THREE, on_bench, problem
from caseskit import PROTECTED, WHY, Desk
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from servicekit import Bench, simple_rules

from txmon.evidence import signing
from txmon.evidence.check import check
from txmon.store.schema import audit

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture(params=["folder", "postgres"])
def exporting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """A desk that has a key for bundles, over each kind of store."""
    signing.make_key(tmp_path / "evidence.key", lambda _: bytes(range(32)))
    place = str(tmp_path / "store") if request.param == "folder" else pgkit.fresh_database()
    bench = Bench(tmp_path, simple_rules(tmp_path, THREE, CRITICAL, PROTECTED), place)
    with on_bench(bench, evidence_key=tmp_path / "evidence.key") as api:
        yield Desk(api)


def state_of(desk: Desk) -> Path:
    settings = desk.api.service.settings
    return settings.state_dir if settings.store_is_database else Path(settings.store)


def ask(desk: Desk, alert: str, key: str, profile: str = "internal", purpose: str | None = WHY) -> Any:
    more = {} if purpose is None else {"purpose": purpose}
    return desk.api.post(f"/v1/alerts/{alert}/evidence", key, json={"profile": profile}, **more)


def test_a_bundle_is_sent_noted_and_passes(exporting: Desk, tmp_path: Path) -> None:
    desk = exporting
    alert = desk.alert()["alert_id"]
    answer = ask(desk, alert, desk.ben, "court")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    (tmp_path / "b.zip").write_bytes(answer.content)
    report = check(tmp_path / "b.zip", signing.public_pem(KEY))
    assert report.ok, report.findings
    assert (report.alert_id, report.profile, report.derived) == (alert, "court", 1)
    (line,) = [json.loads(each) for each in (state_of(desk) / "evidence.log").read_text().splitlines()]
    assert line["sha256"] == hashlib.sha256(answer.content).hexdigest() == answer.headers["x-content-sha256"]
    assert (line["by"], line["purpose"]) == (f"person:{desk.id_of(desk.ben)}", WHY)
    desk.change(lambda tx: desk.api.audit.write(tx))
    with desk.api.service.store.read() as conn:
        rows = conn.execute(sa.select(audit).where(audit.c.action == "alert.evidence")).all()
    assert [(row.subject, row.purpose) for row in rows] == [(alert, WHY)]
    assert not list(state_of(desk).glob(".evidence-*"))


def test_who_gets_none(exporting: Desk) -> None:
    desk = exporting
    alert = desk.alert()
    name = alert["alert_id"]
    for key in (desk.ana, desk.audit, desk.api.worker("analyst", scopes=("read", "explain"))):
        assert ask(desk, name, key).status_code == 403
    problem(ask(desk, name, desk.ben, purpose=None), 400, "purpose_required")
    problem(ask(desk, "al-none", desk.ben), 404, "not_found")
    problem(ask(desk, name, desk.ben, "everybody"), 422, "invalid")
    elsewhere = desk.person("approver", entities=frozenset({"north"}))
    problem(ask(desk, name, elsewhere), 404, "not_found")
    desk.open(alert, restriction="child_exploitation")
    problem(ask(desk, name, desk.ben), 404, "not_found")
    assert not (state_of(desk) / "evidence.log").exists()


def test_without_a_key_or_room_there_is_none(desk: Desk, tmp_path: Path) -> None:
    alert = desk.alert()["alert_id"]
    settings = desk.api.service.settings
    object.__setattr__(settings, "evidence_key", tmp_path / "none.key")
    problem(ask(desk, alert, desk.ben), 409, "state")
    signing.make_key(tmp_path / "evidence.key", lambda _: bytes(range(32)))
    object.__setattr__(settings, "evidence_key", tmp_path / "evidence.key")
    object.__setattr__(settings, "evidence_memory_mb", 20)
    found = problem(ask(desk, alert, desk.ben), 422, "input")
    assert "TXMON_EVIDENCE_MEMORY_MB" in found["detail"]
    object.__setattr__(settings, "evidence_memory_mb", 4096)
    object.__setattr__(settings, "evidence_seconds", 0.01)
    found = problem(ask(desk, alert, desk.ben), 422, "input")
    assert "not done in" in found["detail"]
    assert not list(state_of(desk).glob(".evidence-*"))
