"""Settings, key files, API keys, four eyes, rules, lists and rates: what each says when it is not well."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from doctorkit import Fixed, Look, Place
from hookserver import certificate
from txkit import DAY, START_US, event, table, write_pack

from txmon.model.keys import ensure_key
from txmon.pipeline.config import read_config
from txmon.rules.pack import default_pack
from txmon.store import journal
from txmon.store.access import Access, KeySpec
from txmon.store.schema import api_keys, people

RULE = {
    "id": "large", "typology": "other", "subject": "account", "severity": "low", "score": 0.5,
    "status": "live", "when": "amount > 100", "explain": "large",
}  # fmt: skip


def states(findings: Any) -> list[str]:
    return [finding.status for finding in findings]


def bad(findings: Any) -> list[Any]:
    return [finding for finding in findings if finding.status in ("warn", "fail")]


def test_every_fault_of_the_settings_has_its_remedy(look: Look, tmp_path: Path) -> None:
    found = look("settings.values", {"TXMON_PORT": "many", "TXMON_STROE": "x", "TXMON_TLS_KEY_FILE": "k.pem"})
    assert states(found) == ["fail"] * 3
    assert any("did you mean 'store'" in f.found for f in found)
    production = look("settings.values", {"TXMON_ENV": "production", "TXMON_STORE": str(tmp_path)})
    assert {f.found.partition(":")[0] for f in production} >= {
        "TXMON_KEY_FILE",
        "TXMON_HEADS_FILE",
        "TXMON_TLS_CERT_FILE",
    }


def test_development_says_what_production_would_refuse(look: Look) -> None:
    [found] = look("settings.production", {})
    assert found.status == "warn"
    assert "TXMON_KEY_FILE" in found.found
    assert states(look("settings.production", {"TXMON_ENV": "production"})) == ["ok"]


def test_the_key_of_cards(look: Look, place: Place) -> None:
    path = Path(place.environ["TXMON_KEY_FILE"])
    assert states(look("keys.card", place.environ)) == ["warn"]
    assert look("keys.card", place.environ | {"TXMON_ENV": "production"})[0].status == "fail"
    key = ensure_key(path)
    assert states(look("keys.card", place.environ)) == ["ok"]
    path.chmod(0o644)
    [found] = look("keys.card", place.environ)
    assert (found.status, found.remedy) == ("fail", f"run `chmod 600 {path}`")
    path.chmod(0o600)
    secret = path.read_text()
    path.write_text("no key " + secret)
    [found] = look("keys.card", place.environ)
    assert found.status == "fail"
    assert secret.strip() not in found.found
    path.write_text(secret)
    with place.writing() as store, store.write() as tx:
        rows = [event("e1", START_US, card=f"pan_{'0' * 8}_abc")]
        journal.append(tx, journal.EVENTS, table(rows).drop_columns(["ingest_seq"]), START_US)
    [found] = bad(look("keys.card", place.environ))
    assert "00000000" in found.found
    assert key.id in found.found


def test_files_of_secrets(look: Look, tmp_path: Path) -> None:
    closed, opened, empty, broker = (tmp_path / name for name in ("closed", "opened", "empty", "broker"))
    for path in (closed, opened, broker):
        path.write_text("hunter2")
    empty.touch()
    for path in (closed, empty, broker):
        path.chmod(0o600)
    opened.chmod(0o640)
    environ = {
        "TXMON_WEBHOOK_KEY_FILE": str(closed), "TXMON_STRIPE_SECRET_FILE": str(opened), "TXMON_ADYEN_HMAC_FILE": str(empty),
        "TXMON_SOURCE_URL": f"kafka://127.0.0.1:9/t?config={tmp_path}/none", "TXMON_ALERTS_URL": f"kafka://127.0.0.1:9/t?config={broker}",
    }  # fmt: skip
    found = look("keys.files", environ)
    assert [(f.status, f.found.partition(":")[0]) for f in bad(found)] == [
        ("fail", "TXMON_STRIPE_SECRET_FILE"), ("fail", "TXMON_ADYEN_HMAC_FILE"), ("fail", "TXMON_SOURCE_URL, config"),
    ]  # fmt: skip
    assert "hunter2" not in repr(found)
    if os.geteuid() == 0:
        os.chown(closed, 12345, 12345)
        [found] = bad(look("keys.files", {"TXMON_WEBHOOK_KEY_FILE": str(closed)}))
        assert "12345" in found.found


def test_the_certificate_of_the_service(look: Look, tmp_path: Path) -> None:
    assert states(look("keys.certificate")) == ["skipped"]
    certificate(tmp_path, "txmon.test")  # for ten years
    environ = {
        "TXMON_TLS_CERT_FILE": str(tmp_path / "txmon.test.pem"),
        "TXMON_TLS_KEY_FILE": str(tmp_path / "txmon.test.key"),
    }
    assert states(look("keys.certificate", environ)) == ["ok"]
    end = time.time_ns() // 1000 + 3650 * DAY
    assert states(look("keys.certificate", environ, clock=Fixed(end - 5 * DAY))) == ["warn"]
    assert states(look("keys.certificate", environ, clock=Fixed(end + DAY))) == ["fail"]
    (tmp_path / "txmon.test.pem").write_text("none")
    assert states(look("keys.certificate", environ)) == ["fail"]


def test_keys_that_end_soon_ended_or_were_never_exchanged(look: Look, place: Place) -> None:
    assert states(look("keys.api", place.environ, clock=place.clock)) == ["ok"]
    with place.writing() as store:
        access = Access(store)
        ana, ben = (access.authenticate(key.token, START_US) for key in place.people)
        made = {}
        for days in (3, 90, 5):
            with store.write() as tx:
                spec = KeySpec(
                    f"gateway{days}",
                    frozenset({"ingest"}),
                    roles=frozenset({"ingest"}),
                    expires_us=START_US + days * DAY,
                )
                key = access.create_key(tx, ana, spec)
                made[days] = key.key_id
                access.decide_grant(tx, key.grant_id, ben)
            access.refresh()
        with store.write() as tx:
            person, grant = access.create_person(tx, ana, "Cem", {"analyst"})
            access.decide_grant(tx, grant, ben)
        with store.write() as tx:
            key = access.create_key(tx, ana, KeySpec("Cem", frozenset({"read"}), person))
            access.decide_grant(tx, key.grant_id, ben)
        with store.write() as tx:
            tx.conn.execute(
                sa.update(api_keys).where(api_keys.c.id == made[5]).values(last_used_us=START_US + 4 * DAY)
            )
    found = bad(look("keys.api", place.environ, clock=place.clock))
    assert [made[3] in f.found or made[5] in f.found for f in found] == [True, True, False]
    assert "never exchanged" in found[2].found
    later = bad(look("keys.api", place.environ, clock=Fixed(START_US + 6 * DAY)))
    assert [(made[5] in f.found, "expired" in f.found) for f in later[:1]] == [(True, True)]
    assert all(key.token not in repr(found) for key in place.people)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"state": "disabled"}, "1 administrators"),
        ({"roles": '["admin", "analyst"]'}, "0 approvers"),
    ],
)
def test_four_eyes_need_two_people(look: Look, place: Place, change: dict[str, str], says: str) -> None:
    assert states(look("keys.four_eyes", place.environ, clock=place.clock)) == ["ok"]
    with place.writing() as store, store.write() as tx:
        tx.conn.execute(sa.update(people).where(people.c.name == "Ben").values(**change))
    found = look("keys.four_eyes", place.environ, clock=place.clock)
    assert found[0].status == "fail"
    assert says in found[0].found


def test_a_person_without_a_key_cannot_decide(look: Look, place: Place) -> None:
    with place.writing() as store, store.write() as tx:
        tx.conn.execute(sa.update(api_keys).where(api_keys.c.name == "Ben").values(state="revoked"))
    assert {f.status for f in look("keys.four_eyes", place.environ, clock=place.clock)} == {"fail"}
    with place.writing() as store, store.write() as tx:
        tx.conn.execute(sa.delete(api_keys))
        tx.conn.execute(sa.delete(people))
    [found] = look("keys.four_eyes", place.environ)
    assert (found.status, "bootstrap" in found.remedy) == ("warn", True)


# -- what decides outcomes -------------------------------------------------------------------------------


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "rules", RULE, list_small={"version": 1, "entries": ["a"]})


def test_rules_that_do_not_load(look: Look, pack: Path) -> None:
    environ = {"TXMON_RULES": str(pack)}
    assert states(look("rules.files", environ)) == ["ok"]
    path = pack / "pack" / "large.yaml"
    path.write_text(path.read_text().replace("amount > 100", "amuont > 100"))
    [found] = look("rules.files", environ)
    assert found.status == "fail"
    assert "large.yaml:" in found.found
    for name in ("rules.lock", "rules.in_force", "rules.lists"):
        assert look(name, environ)[0].status in ("skipped", "warn")
    [found] = look("rules.files", {"TXMON_RULES": str(pack / "none")})
    assert found.status == "fail"


def test_a_rule_that_is_not_as_its_lock_pins_it(look: Look, pack: Path) -> None:
    environ = {"TXMON_RULES": str(pack)}
    [found] = look("rules.lock", environ)
    assert (found.status, "txmon rules lock" in found.remedy) == ("warn", True)
    (pack / "lock.json").write_text(json.dumps({"large": {"version": 1, "sha256": "0" * 64}}))
    [found] = look("rules.lock", environ)
    assert found.status == "fail"
    assert "make it 2" in found.found


def test_files_that_are_not_in_force(look: Look, place: Place, pack: Path) -> None:
    environ = place.environ | {"TXMON_RULES": str(pack)}
    assert states(look("rules.in_force", environ)) == ["ok"]
    with place.writing() as store, store.write() as tx:
        journal.append(tx, "config", read_config([pack], base_currency="EUR").document, START_US)
    assert states(look("rules.in_force", environ)) == ["ok"]
    path = pack / "pack" / "large.yaml"
    path.write_text(path.read_text().replace("amount > 100", "amount > 99"))
    shutil.copy(path, path.with_name("larger.yaml"))
    other = path.with_name("larger.yaml")
    other.write_text(other.read_text().replace("id: large", "id: larger"))
    [found] = look("rules.in_force", environ)
    assert found.status == "warn"
    assert "1 rules new, 1 rules changed" in found.found
    [found] = look("rules.in_force", place.environ | {"TXMON_RULES": str(pack), "TXMON_BASE_CURRENCY": "USD"})
    assert found.status == "warn"


def test_the_time_zone_data_is_another(look: Look, place: Place, pack: Path) -> None:
    document = json.loads(read_config([pack], base_currency="EUR").document)
    document["versions"]["tzdata"] = "1999.1"
    with place.writing() as store, store.write() as tx:
        journal.append(tx, "config", json.dumps(document).encode(), START_US)
    [found] = look("clock.zones", place.environ)
    assert (found.status, "1999.1" in found.found) == ("warn", True)


def test_lists_that_are_empty_or_old(look: Look, pack: Path) -> None:
    for name, entries in (
        ("none_left", []), ("old", [{"value": "a", "to": "2025-12-31"}]), ("soon", [{"value": "a", "to": "2026-01-20"}]),
        ("open_end", [{"value": "a", "to": "2025-12-31"}, "b"]),
    ):  # fmt: skip
        (pack / "lists" / f"{name}.yaml").write_text(yaml.safe_dump({"version": 1, "entries": entries}))
    found = bad(look("rules.lists", {"TXMON_RULES": str(pack)}, clock=Fixed()))
    assert [f.found.split()[1].rstrip(":") for f in found] == ["none_left", "old", "soon"]


def test_rates_that_are_old_or_of_another_currency(look: Look, tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    environ = {"TXMON_RATES_FILE": str(path)}
    [found] = look("rules.rates", environ)
    assert found.status == "fail"
    path.write_text(
        "date,currency,base,rate\n2026-01-04,USD,EUR,0.9\n2026-01-01,GBP,EUR,1.1\n2025-12-20,JPY,EUR,0.006\n"
    )
    found = look("rules.rates", environ, clock=Fixed())
    assert [(f.status, f.found.split()[4] if f.status != "ok" else "") for f in found] == [
        ("warn", "GBP"),
        ("fail", "JPY"),
        ("ok", ""),
    ]
    [found] = look("rules.rates", environ | {"TXMON_BASE_CURRENCY": "CHF"}, clock=Fixed())
    assert found.status == "fail"


def test_the_packs_that_ship_are_well(look: Look) -> None:
    assert default_pack().is_dir()
    for name in ("rules.files", "rules.lock", "rules.lists", "rules.rates"):
        assert states(look(name, {})) == ["ok"], name
