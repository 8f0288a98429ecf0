"""Tokens of a real issuer as bearer tokens: good ones are a person, every other one is 401."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from apikit import large, problem
from cryptography.hazmat.primitives import serialization
from issuerkit import b64, jwk, private, raw_token
from placekit import Place

IN = {"groups": ["analysts"]}


def refused(place: Place, token: str, reason: str | None = None) -> dict[str, Any]:
    found = problem(place.api.get("/v1/alerts", token), 401, "unauthenticated")
    assert reason is None or found["reason"] == reason, found
    assert "cem-1" not in json.dumps(found)
    return found


@pytest.mark.parametrize("kid", ["rsa-1", "ec-1", "ed-1", "pss-1"])
def test_a_token_of_each_algorithm_is_its_person(place: Place, kid: str) -> None:
    me = place.api.get("/auth/me", place.issuer.token(kid, **IN)).json()
    assert (me["person_id"], me["identity"]) == (place.people["Cem"], f"person:{place.people['Cem']}")
    assert (me["roles"], me["scopes"]) == (["analyst", "approver"], ["explain", "read"])
    assert me["key_id"].startswith("lnk_")
    assert place.api.get("/v1/alerts", place.issuer.token(kid, **IN)).status_code == 200
    assert place.issuer.asked["keys"] == 1


def test_a_token_without_a_signature_or_signed_with_the_public_key_is_refused(place: Place) -> None:
    issuer = place.issuer
    claims = {"iss": issuer.url, "sub": "cem-1", "aud": "https://txmon", "iat": issuer.now_s(), "exp": issuer.now_s() + 60} | IN  # fmt: skip
    public = private("RSA").public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    document = json.dumps(jwk(private("RSA"), "rsa-1")).encode()
    assert place.api.get("/v1/alerts", raw_token({"alg": "RS256", "kid": "rsa-1"}, claims, private("RSA"))).status_code == 200  # fmt: skip
    for word in ("none", "None", "NONE", "nOnE", "", None, ["RS256"], 0, True):
        refused(place, raw_token({"alg": word, "kid": "rsa-1"}, claims, b"x"))
    without = raw_token({"alg": "none", "kid": "rsa-1"}, claims, b"")
    assert without.endswith(".")
    refused(place, without, "malformed")
    for secret in (pem, pem.strip(), der, document, b"", b"rsa-1"):
        for algorithm in ("HS256", "HS384", "HS512"):
            refused(place, raw_token({"alg": algorithm, "kid": "rsa-1"}, claims, secret), "algorithm")
        for algorithm in ("RS256", "ES256", "EdDSA", "PS256"):  # the hash where a signature should be
            refused(place, raw_token({"alg": algorithm, "kid": "rsa-1"}, claims, secret))
    for algorithm in ("RS384", "RS512", "ES384", "ES256K", "PS512", "Ed448", "rs256", "A128KW"):
        refused(place, raw_token({"alg": algorithm, "kid": "rsa-1"}, claims, private("RSA")), "algorithm")


def test_a_key_verifies_its_own_algorithm_only(place: Place) -> None:
    good = place.issuer.token(**IN).split(".")[1]
    for kid, algorithm in (("rsa-1", "ES256"), ("ec-1", "RS256"), ("ed-1", "ES256"), ("ec-1", "EdDSA")):
        key = place.issuer.keys[kid][1]
        claims = base64.urlsafe_b64decode(good + "=" * (-len(good) % 4))
        refused(place, raw_token({"alg": algorithm, "kid": kid}, claims, key))
    # an RSA key that is published for one algorithm is not for the other
    place.issuer.published = [jwk(private("RSA"), "only", alg="RS256"), *place.issuer.key_set()["keys"]]
    place.issuer.keys["only"] = ("PS256", private("RSA"))
    refused(place, place.issuer.token("only", **IN))


@pytest.mark.parametrize(
    "kid",
    [
        "none", "", None, 7, True, ["rsa-1"], {"rsa-1": 1}, "rsa-1\n", "rsa-1\x00", "RSA-1", " rsa-1", "x" * 300,
        "../../../../dev/null", "/dev/null", "file:///etc/passwd", "https://evil.example.com/keys",
        "rsa-1' OR '1'='1", "rsa-1; DROP TABLE links", "$(id)", "0", "*", "ключ",
    ],
)  # fmt: skip
def test_a_name_of_a_key_is_a_name_and_nothing_else(place: Place, kid: Any) -> None:
    refused(place, place.issuer.token(header={"kid": kid}, **IN))
    bare = {"alg": "RS256"} | ({} if kid is None else {"kid": kid})
    refused(place, raw_token(bare, {"sub": "cem-1"}, private("RSA")))
    assert place.issuer.asked["keys"] <= 1


@pytest.mark.parametrize("word", ["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"])
def test_a_key_that_a_token_brings_or_points_to_is_not_looked_at(place: Place, word: str) -> None:
    mine = private("RSA", 7)
    values: dict[str, Any] = {
        "jwk": jwk(mine, "rsa-1"), "jku": f"{place.issuer.url}/evil", "x5u": f"{place.issuer.url}/evil", "x5c": ["MIIB"],
        "crit": ["exp"], "b64": False, "zip": "DEF", "enc": "A128GCM",
    }  # fmt: skip
    for key in (mine, private("RSA")):  # even under a signature that is good
        token = raw_token(
            {"alg": "RS256", "kid": "rsa-1", word: values[word]},
            {"iss": place.issuer.url, "sub": "cem-1", "aud": "https://txmon", "iat": place.issuer.now_s(), "exp": place.issuer.now_s() + 60} | IN,
            key,
        )  # fmt: skip
        refused(place, token)
    assert place.issuer.asked["evil"] == 0


def test_only_the_issuers_key_signs(place: Place) -> None:
    good = place.issuer.token(**IN)
    assert place.api.get("/v1/alerts", good).status_code == 200
    head, body, sign = good.split(".")
    place.issuer.keys["rsa-1"] = ("RS256", private("RSA", 9))
    refused(place, place.issuer.token(**IN), "signature")
    other = json.loads(base64.urlsafe_b64decode(body + "==")) | {"sub": "ana-1"}
    refused(place, f"{head}.{b64(json.dumps(other).encode())}.{sign}", "signature")
    refused(place, f"{head}.{body}.{sign[:-4]}AAAA", "signature")
    for broken in (
        f"{head}.{body}.", f".{body}.{sign}", f"{head}..{sign}", f"{head}.{body}.{sign}=", f"{head}.{body}.{sign}.", f"{head}.{body}.{sign}.x.y",
        f"{head}.{body}.{sign} ", f"{head}.{body}", f"{head}.{body}.{sign}!", "..", "a.b.c", f"{head}.{'A' * 20_000}.{sign}", f"{head}.{body}.{sign}\u00e9",
    ):  # fmt: skip
        answer = place.api.call(
            "GET", "/v1/alerts", headers={"authorization": f"Bearer {broken}".encode("latin-1")}
        )
        assert answer.status_code == (200 if broken.strip() == good else 401), broken[-20:]


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://evil.example.com"}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"iss": ["https://txmon"]}, "issuer"),
        ({"aud": "https://other"}, "audience"),
        ({"aud": "txmon-web"}, "audience"),  # an ID token of the same service is no bearer token
        ({"aud": None}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": ["https://other", 7, "https://txmon"]}, "audience"),
        ({"aud": {"https://txmon": 1}}, "audience"),
        ({"aud": "https://txmon/"}, "audience"),
        ({"exp": None}, "claims"),
        ({"exp": "2030"}, "claims"),
        ({"exp": True}, "claims"),
        ({"exp": 2**60}, "claims"),
        ({"exp": -1}, "claims"),
        ({"iat": None}, "claims"),
        ({"iat": "now"}, "claims"),
        ({"nbf": "soon"}, "claims"),
        ({"nbf": {}}, "claims"),
        ({"sub": None}, "claims"),
        ({"sub": ""}, "claims"),
        ({"sub": 7}, "claims"),
        ({"sub": "x" * 256}, "claims"),
        ({"sub": "cem-1\n"}, "claims"),
        ({"cnf": {"jkt": "x"}}, "claims"),
    ],
)
def test_claims_that_are_not_for_us_are_refused(place: Place, claims: dict[str, Any], reason: str) -> None:
    refused(place, place.issuer.token(**(IN | claims)), reason)


@pytest.mark.parametrize("payload", [b"[]", b"null", b"7", b"{", b"\xff", b'{"iss":NaN}', b"[" * 5000])
def test_a_signed_payload_that_is_no_object_is_refused(place: Place, payload: bytes) -> None:
    refused(place, raw_token({"alg": "RS256", "kid": "rsa-1"}, payload, private("RSA")), "malformed")


def test_times_are_compared_with_a_minute_of_grace_and_no_more(place: Place) -> None:
    now = place.issuer.now_s()
    for claims, reason in (
        ({"exp": now - 59}, None), ({"exp": now - 60}, "expired"), ({"nbf": now + 60}, None), ({"nbf": now + 61}, "claims"),
        ({"iat": now + 60}, None), ({"iat": now + 61}, "claims"), ({"iat": now - 7260}, None), ({"iat": now - 7261}, "expired"),
        ({"exp": now + 10**6}, None),
    ):  # fmt: skip
        token = place.issuer.token(**(IN | claims))
        if reason is None:
            assert place.api.get("/v1/alerts", token).status_code == 200, claims
        else:
            refused(place, token, reason)
    token = place.issuer.token(**IN)
    place.bench.clock.time_us += 361 * 1_000_000
    refused(place, token, "expired")


@pytest.mark.parametrize("kind", ["logout+jwt", "dpop+jwt", "JWE", 7, ["JWT"]])
def test_tokens_of_other_kinds_open_nothing(place: Place, kind: Any) -> None:
    refused(place, place.issuer.token(header={"typ": kind}, **IN), "header")
    assert place.api.get("/v1/alerts", place.issuer.token(header={"typ": "at+JWT"}, **IN)).status_code == 200


def test_groups_narrow_what_two_people_granted_and_never_widen_it(place: Place) -> None:
    def me(*groups: str, **more: Any) -> dict[str, Any]:
        answer = place.api.get("/auth/me", place.issuer.token(groups=list(groups), **more))
        found: dict[str, Any] = answer.json()
        return found

    everything = me("all of it")
    assert (everything["roles"], everything["entities"]) == (["analyst", "approver"], None)
    northern = me("northern", "somebody else's")
    assert (northern["roles"], northern["entities"]) == (["analyst"], ["north"])
    assert me("northern", "southern")["entities"] == ["north", "south"]
    assert me("northern", "analysts")["entities"] is None
    for token in (
        place.issuer.token(), place.issuer.token(groups=[]), place.issuer.token(groups=["Analysts"]), place.issuer.token(groups={"analysts": 1}),
        place.issuer.token(groups=[["analysts"]]), place.issuer.token(groups=["southern"]), place.issuer.token(roles=["analysts"]),
    ):  # fmt: skip
        problem(place.api.get("/v1/alerts", token), 403, "forbidden")
    assert place.api.get("/v1/alerts", place.issuer.token(groups="analysts")).status_code == 200
    place.hire("Dora", "analyst", entities=["north", "west"])
    place.link("Dora", "dora-1")
    assert me("analysts", sub="dora-1")["entities"] == ["north", "west"]
    assert me("northern", sub="dora-1")["entities"] == ["north"]
    assert me("southern", sub="dora-1")["status"] == 403


def test_who_is_not_linked_gets_nothing_and_an_ended_link_ends_at_once(place: Place) -> None:
    for subject in ("nobody", "CEM-1", "cem-1 ", place.people["Cem"], "Cem", "ana-1"):
        refused(place, place.issuer.token(sub=subject, groups=["all of it"]), "unlinked")
    proposed = place.api.post(
        f"/v1/people/{place.people['Ana']}/links", place.keys["Ana"], json={"subject": "ana-1"}
    ).json()
    refused(place, place.issuer.token(sub="ana-1", groups=["all of it"]), "unlinked")
    assert place.decide(proposed["proposal_id"]).status_code == 200
    token = place.issuer.token(sub="ana-1", groups=["all of it"])
    assert place.api.get("/v1/people", token).status_code == 200
    listed = place.api.get("/v1/links", token).json()["items"]
    assert [each["subject"] for each in listed] == ["cem-1", "ana-1"]
    ended = place.api.call("DELETE", f"/v1/links/{proposed['link_id']}", place.keys["Ben"])
    assert ended.json()["state"] == "revoked"
    refused(place, token, "revoked")
    assert place.api.call("DELETE", f"/v1/people/{place.people['Cem']}", place.keys["Ben"]).status_code == 200
    refused(place, place.issuer.token(**IN), "revoked")


def test_the_same_person_by_key_and_by_token_is_one_pair_of_eyes(place: Place) -> None:
    api = place.api
    place.link("Ana", "ana-1")
    ana = place.issuer.token(sub="ana-1", groups=["all of it"])
    cem = place.issuer.token(**IN)
    results = api.send(*[large(f"f{i}", i, payer=f"acc-{i}") for i in range(2)])
    assert {r["status"] for r in results} == {"accepted"}
    first, second = (each["alert_id"] for each in api.get("/v1/alerts", cem).json()["items"])

    def dismissal(alert: str, by: str) -> str:
        taken = api.call(
            "PATCH", f"/v1/alerts/{alert}", by, json={"state": "in_review"}, headers={"if-match": '"v1"'}
        )
        tag = taken.headers.get("etag")
        assert taken.status_code == 200, taken.text
        put = api.call(
            "PATCH",
            f"/v1/alerts/{alert}",
            by,
            json={"state": "dismissed", "reason": "seen"},
            headers={"if-match": tag},
        )
        assert put.status_code == 202, put.text
        found: str = put.json()["proposal_id"]
        return found

    made = dismissal(first, cem)
    problem(place.decide(made, cem), 403, "four_eyes")
    assert place.decide(made, "Ben").status_code == 200
    # proposed by Ana's key, decided on by Ana's token
    key = api.post(
        "/v1/keys", place.keys["Ana"], json={"name": "p", "scopes": ["ingest"], "roles": ["ingest"]}
    ).json()
    problem(place.decide(key["proposal_id"], ana), 403, "four_eyes")
    # proposed by Ana's token, decided on by Ana's key
    other = api.post("/v1/keys", ana, json={"name": "q", "scopes": ["ingest"], "roles": ["ingest"]}).json()
    problem(place.decide(other["proposal_id"], "Ana"), 403, "four_eyes")
    assert place.decide(other["proposal_id"], "Ben").status_code == 200
    # by Ana's key, by Cem's token: two people
    assert place.decide(dismissal(second, place.keys["Ana"]), cem).status_code == 200


def test_keys_go_on_working_and_a_token_counts_like_a_key(place: Place) -> None:
    assert place.api.get("/v1/alerts", place.keys["Ana"]).status_code == 200
    again = {"idempotency-key": "one"}
    body = {"name": "p", "scopes": ["read"], "person_id": place.people["Cem"]}
    one = place.api.post("/v1/keys", place.issuer.token(**IN), json=body, headers=again)
    two = place.api.post("/v1/keys", place.issuer.token("ec-1", **IN), json=body, headers=again)
    assert one.status_code == 201, one.text
    assert one.json() == two.json()
    reasons = place.api.service.metrics.render("")[0].decode()
    refused(place, place.issuer.token(aud="x"), "audience")
    counted = place.api.service.metrics.render("")[0].decode()
    assert 'reason="audience"' not in reasons
    assert 'txmon_auth_failures_total{reason="audience"} 1.0' in counted


def test_a_stream_ends_when_its_token_does(place: Place) -> None:
    """`test_live` has the stream itself; here only that it asks again who listens."""
    from txmon.api import callers
    from txmon.api.context import Exchange

    token = place.issuer.token(**IN)
    scope = {"headers": [(b"authorization", f"Bearer {token}".encode())], "method": "GET"}
    exchange = Exchange(scope, None, None, "req")  # type: ignore[arg-type]
    parts = place.api.app._live._parts
    who = place.api.run(callers.caller(parts, exchange, used=False))
    assert who.person_id == place.people["Cem"]
    place.bench.clock.time_us += 3600 * 1_000_000
    with pytest.raises(Exception, match="expired"):
        place.api.run(callers.caller(parts, exchange, used=False))
