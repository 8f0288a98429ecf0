"""The file of groups, sessions by themselves, and what the settings of sign-ins must be together."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from servicekit import Clock

from txmon.errors import ConfigError
from txmon.oidc import make_identity
from txmon.oidc.groups import Bounds, groups_in, load_groups, narrowed
from txmon.oidc.sessions import OWN_MAX, SESSIONS_MAX, Sessions
from txmon.settings import Settings, SettingsError, load
from txmon.store.identity import ROLES, SCOPES, Principal

ISSUER = {"TXMON_OIDC_ISSUER": "https://login.example.com/realm", "TXMON_OIDC_AUDIENCE": "txmon"}
WEB = ISSUER | {
    "TXMON_OIDC_CLIENT_ID": "web",
    "TXMON_OIDC_REDIRECT_URL": "https://txmon.example.com/auth/callback",
}


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    toml, plain = tmp_path / "g.toml", tmp_path / "g.json"
    toml.write_text(
        '[groups."a b"]\nroles = ["analyst"]\nentities = ["north"]\n[groups.c]\nroles = ["admin"]\n'
    )
    plain.write_text(
        json.dumps(
            {"groups": {"a b": {"roles": ["analyst"], "entities": ["north"]}, "c": {"roles": ["admin"]}}}
        )
    )
    for file in (toml, plain):
        found = load_groups(file)
        assert found.bounds(["a b"]) == Bounds(frozenset({"analyst"}), frozenset({"north"}))
        assert found.bounds(["a b", "c", "d"]) == Bounds(frozenset({"analyst", "admin"}), None)
        assert found.bounds([]) == Bounds(frozenset(), frozenset())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "table `groups`"), ("x = 1", "table `groups`"), ("[groups]", "table `groups`"), ("[groups", "it is TOML"), ("groups = 7", "table `groups`"),
        ("[groups.a]", "roles is a list"), ("[groups.a]\nroles = []", "roles is a list"), ('[groups.a]\nroles = "admin"', "roles is a list"),
        ('[groups.a]\nroles = ["root"]', "role 'root' is not one of"), ('[groups.a]\nroles = ["mlro"]', "role 'mlro'"),
        ('[groups.a]\nroles = ["admin"]\nentities = []', "entities is a list"), ('[groups.a]\nroles = ["admin"]\nentities = [" "]', "entities"),
        ('[groups.a]\nroles = ["admin"]\nentity = ["n"]', "'entity' is neither"), ('[groups.a]\nroles = ["admin"]\n[more]', "nothing else"),
        ("[groups]\na = 7", "is a table"),
    ],
)  # fmt: skip
def test_a_wrong_file_of_groups_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "groups.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_groups(file)
    assert said in str(caught.value)
    assert "TXMON_OIDC_GROUPS" in str(caught.value)
    assert str(file) in str(caught.value)


def test_every_fault_of_the_groups_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "groups.toml"
    file.write_text('[groups.a]\nroles = ["root"]\n[groups.b]\nroles = []\n')
    with pytest.raises(ConfigError) as caught:
        load_groups(file)
    assert len(str(caught.value).splitlines()) == 2
    with pytest.raises(ConfigError, match="correct the path"):
        load_groups(tmp_path / "nowhere.toml")


def test_a_sign_in_never_has_more_than_its_person() -> None:
    chance = random.Random(3)
    roles, entities = sorted(ROLES), ["a", "b", "c"]

    def some(values: list[str]) -> frozenset[str]:
        return frozenset(v for v in values if chance.random() < 0.5)

    for _ in range(500):
        own = None if chance.random() < 0.3 else some(entities)
        who = Principal("lnk_x", "psn_x", "X", "person", some(roles), SCOPES, None, own, "person:psn_x")
        bounds = Bounds(some(roles), None if chance.random() < 0.3 else some(entities))
        got = narrowed(who, bounds)
        assert got.roles <= who.roles & bounds.roles
        for bound in (who.entities, bounds.entities):
            assert bound is None or (got.entities is not None and got.entities <= bound)
        assert ("ingest" in got.scopes) == ("ingest" in got.roles)
        assert ("admin" in got.scopes) == bool({"admin", "auditor"} & got.roles)
        assert got.identity == who.identity


def test_groups_are_texts(tmp_path: Path) -> None:
    for value in (None, 7, {}, {"a": 1}, [7, None, ["a"]], True):
        assert groups_in(value) == frozenset()
    assert groups_in(["a", 7, "b", "a"]) == frozenset({"a", "b"})
    assert groups_in("a") == frozenset({"a"})


def test_sessions_are_bounded_and_hold_no_secret() -> None:
    clock = Clock()
    sessions = Sessions(clock, random.Random(1).randbytes, 3600, 900)
    own = [sessions.begin("ana", None)[0] for _ in range(OWN_MAX + 5)]
    assert len(sessions) == OWN_MAX
    assert [sessions.find(secret) is not None for secret in own] == [False] * 5 + [True] * OWN_MAX
    assert not [secret for secret in own if secret in repr(vars(sessions))]
    one = sessions.find(own[-1])
    assert one is not None
    sessions._kept.update((i.to_bytes(4, "big"), one) for i in range(SESSIONS_MAX))
    sessions.begin("ben", None)
    assert len(sessions) == SESSIONS_MAX
    clock.time_us += 3600 * 1_000_000
    sessions.begin("cem", None)
    assert len(sessions) == 1


def test_looking_is_no_use_where_it_is_said_so() -> None:
    clock = Clock()
    sessions = Sessions(clock, random.Random(1).randbytes, 3600, 900)
    secret, _ = sessions.begin("ana", None)
    for _ in range(2):
        clock.time_us += 449 * 1_000_000
        assert sessions.find(secret, used=False) is not None
    clock.time_us += 2 * 1_000_000
    assert sessions.find(secret, used=False) is None


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"TXMON_OIDC_ISSUER": "https://a.example.com"}, "say what it is for"),
        (ISSUER | {"TXMON_OIDC_ISSUER": "http://login.example.com"}, "TXMON_OIDC_ISSUER: is not https"),
        (ISSUER | {"TXMON_OIDC_ISSUER": "https://login.example.com/?a=b"}, "TXMON_OIDC_ISSUER: is not https"),
        (ISSUER | {"TXMON_OIDC_ISSUER": "https://[login"}, "TXMON_OIDC_ISSUER: is not https"),
        (ISSUER | {"TXMON_OIDC_ISSUER": "http://127.0.0.1:1"}, "TXMON_OIDC_ISSUER: is not https"),
        ({"TXMON_OIDC_AUDIENCE": "txmon"}, "means nothing without TXMON_OIDC_ISSUER"),
        ({"TXMON_OIDC_GROUPS": "g.toml"}, "means nothing without TXMON_OIDC_ISSUER"),
        (ISSUER | {"TXMON_OIDC_CLIENT_ID": "web"}, "set both or neither"),
        (WEB | {"TXMON_OIDC_REDIRECT_URL": "https://txmon.example.com/"}, "/auth/callback"),
        (WEB | {"TXMON_OIDC_REDIRECT_URL": "http://txmon.example.com/auth/callback"}, "is not https"),
        (WEB | {"TXMON_OIDC_SCOPES": "profile email"}, "must hold `openid`"),
        (ISSUER | {"TXMON_OIDC_ALGORITHMS": "RS256,HS256"}, "'HS256' is none of"),
        (ISSUER | {"TXMON_OIDC_ALGORITHMS": "none"}, "'none' is none of"),
        (ISSUER | {"TXMON_OIDC_TOKEN_AGE_SECONDS": "10"}, "too small"),
    ],
)
def test_settings_that_do_not_go_together_are_told(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    assert said in str(caught.value)


def test_settings_that_go_together_are_taken() -> None:
    assert load(ISSUER).oidc_algorithms == ("RS256", "ES256", "PS256", "EdDSA")
    assert load(WEB | {"TXMON_OIDC_ALGORITHMS": "ES256"}).oidc_algorithms == ("ES256",)
    local = ISSUER | {"TXMON_OIDC_ISSUER": "http://127.0.0.1:1", "TXMON_OIDC_TEST_LOOPBACK": "true"}
    assert load(local).oidc_issuer == "http://127.0.0.1:1"


def test_production_takes_no_issuer_of_tests_and_no_open_secret(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    secret.chmod(0o644)
    with pytest.raises(SettingsError) as caught:
        load(
            WEB
            | {
                "TXMON_ENV": "production", "TXMON_OIDC_TEST_LOOPBACK": "true", "TXMON_OIDC_CLIENT_SECRET_FILE": str(secret),
                "TXMON_OIDC_GROUPS": str(tmp_path / "none.toml"),
            }
        )  # fmt: skip
    text = str(caught.value)
    assert "TXMON_OIDC_TEST_LOOPBACK: is for tests only" in text
    assert "TXMON_OIDC_CLIENT_SECRET_FILE: " in text
    assert "chmod 600" in text
    assert "none.toml" in text


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [("s", 0o644, "chmod 600"), ("", 0o600, "is empty"), (None, 0, "cannot be read")],
)
def test_a_client_secret_that_cannot_be_used_is_told_at_the_start(
    tmp_path: Path, content: str | None, mode: int, said: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    made: Any = None
    settings = Settings(
        oidc_issuer="https://a.example.com", oidc_client_id="web", oidc_client_secret_file=file,
        oidc_redirect_url="https://t.example.com/auth/callback",
    )  # fmt: skip
    with pytest.raises(ConfigError, match=said):
        make_identity(settings, made, Clock(), random.Random(1).randbytes, made)
    with pytest.raises(ConfigError, match="CA_FILE"):
        make_identity(
            Settings(oidc_issuer="https://a.example.com", oidc_ca_file=tmp_path / "no.pem"), made, Clock(), random.Random(1).randbytes, made
        )  # fmt: skip
    assert make_identity(Settings(), made, Clock(), random.Random(1).randbytes, made) is None
