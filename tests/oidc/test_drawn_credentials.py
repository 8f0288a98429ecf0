"""Drawn tokens, cookies and answers of the issuer: never an error of ours, never somebody by accident."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import urlencode

import pytest
from issuerkit import b64, private, raw_token
from placekit import Place

_WORDS: list[Any] = [
    None, True, False, 0, -1, 1, 2**63, 1e308, "", "x", "none", "HS256", "RS256", "ES256", "EdDSA", "JWT", "rsa-1", "ec-1", "cem-1", [], ["rsa-1"],
    [None], {}, {"a": 1}, "é", "\u0000", "a" * 1000, "https://txmon", ["https://txmon"],
]  # fmt: skip


@pytest.fixture
def options() -> dict[str, Any]:
    return {"oidc_keys_pause_seconds": 3600}


def claims_of(place: Place) -> dict[str, Any]:
    now = place.issuer.now_s()
    return {"iss": place.issuer.url, "sub": "cem-1", "aud": "https://txmon", "iat": now, "exp": now + 60, "groups": ["analysts"]}  # fmt: skip


def test_a_token_with_anything_else_in_its_header_is_never_an_error_of_ours(place: Place) -> None:
    chance = random.Random(7)
    names = [
        "alg",
        "kid",
        "typ",
        "jwk",
        "jku",
        "x5u",
        "x5c",
        "x5t",
        "crit",
        "b64",
        "zip",
        "enc",
        "cty",
        "nonce",
        "made-up",
    ]
    taken = 0
    for _ in range(400):
        header: dict[str, Any] = {"alg": "RS256", "kid": "rsa-1"}
        for name in chance.sample(names, chance.randint(1, 3)):
            header[name] = chance.choice(_WORDS)
        key = chance.choice([private("RSA"), private("EC"), b"secret"])
        answer = place.api.get("/auth/me", raw_token(header, claims_of(place), key))
        sound = (
            key is private("RSA")
            and (header["alg"], header["kid"]) == ("RS256", "rsa-1")
            and not {"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"} & header.keys()
            and header.get("typ") in (None, "JWT")
        )
        assert answer.status_code == (200 if sound else 401), (header, answer.text)
        taken += sound
    assert 0 < taken < 200
    assert place.issuer.asked["keys"] == 1


def test_signed_claims_of_any_kind_are_never_an_error_of_ours(place: Place) -> None:
    chance = random.Random(8)
    for _ in range(400):
        claims = claims_of(place)
        name = chance.choice([*claims, "nbf", "cnf", "azp", "nonce", "_claim_names"])
        claims[name] = chance.choice(_WORDS)
        answer = place.api.get(
            "/auth/me", raw_token({"alg": "RS256", "kid": "rsa-1"}, claims, private("RSA"))
        )
        assert answer.status_code in (200, 401, 403), (name, claims[name], answer.text)
        if name in ("iss", "sub", "aud", "exp", "iat", "cnf"):
            good: dict[str, list[Any]] = {"sub": ["cem-1"], "aud": ["https://txmon", ["https://txmon"]]}
            sound = claims[name] in good.get(name, [])
            assert answer.status_code == (200 if sound else 401), (name, claims[name])


def test_a_token_with_any_character_changed_is_refused(place: Place) -> None:
    chance = random.Random(9)
    for kid in ("rsa-1", "ec-1", "ed-1"):
        good = place.issuer.token(kid, groups=["analysts"])
        for _ in range(60):
            where, letter = chance.randrange(len(good)), chance.choice("ABCxyz019-_.=+/ ~")
            changed = good[:where] + letter + good[where + 1 :]
            if changed != good:
                answer = place.api.get("/auth/me", changed)
                assert answer.status_code == 401, (kid, where, letter)


def test_answers_of_any_kind_begin_no_session(place: Place) -> None:
    chance = random.Random(10)
    note = dict([place.api.get("/auth/login").headers["set-cookie"].partition(";")[0].split("=", 1)])
    for _ in range(200):
        query = {
            name: chance.choice(["", "x", "é", "a b", "\x00", b64(bytes(32)), place.issuer.url, "9" * 300])
            for name in chance.sample(["code", "state", "iss", "error", "session_state"], 3)
        }
        value = chance.choice([*note.values(), "", "x", "0000000000.a.b", b64(bytes(90))])
        answer = place.api.get(
            f"/auth/callback?{urlencode(query)}", headers={"cookie": f"{next(iter(note))}={value}"}
        )
        assert answer.status_code in (401, 422), (query, answer.text)
        assert "set-cookie" not in answer.headers
    assert place.issuer.forms == []


@pytest.mark.parametrize(
    "answer",
    [
        b"{}", b'{"id_token": 7}', b'{"id_token": ""}', b'{"id_token": "a.b.c"}', b"[]", b"null", b"{", b"", b'{"id_token": "' + b"x" * 200_000 + b'"}',
    ],
)  # fmt: skip
def test_an_answer_without_a_good_id_token_begins_no_session(place: Place, answer: bytes) -> None:
    place.issuer.answers["/token"] = (200, "application/json", answer)
    away = place.api.get("/auth/login")
    cookie = away.headers["set-cookie"].partition(";")[0]
    state = away.headers["location"].partition("&state=")[2].partition("&")[0]
    query = urlencode({"code": "c", "state": state, "iss": place.issuer.url})
    found = place.api.get(f"/auth/callback?{query}", headers={"cookie": cookie})
    assert found.status_code in (401, 503), found.text
    assert "set-cookie" not in found.headers
    assert json.loads(found.text)["code"] in ("unauthenticated", "issuer")
