"""How the issuer is asked: once for all who wait, in measure, never elsewhere; and what happens without it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apikit import problem
from issuerkit import Issuer, certificate, jwk, private, serving, usual_keys
from placekit import Place
from servicekit import until

from txmon.errors import IssuerUnavailable
from txmon.oidc import issuer as asking
from txmon.oidc.fetch import Fetch, is_safe
from txmon.oidc.jwks import ALGORITHMS, key_set

IN = {"groups": ["analysts"]}


class Time:
    """Goes when it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Log:
    def __init__(self) -> None:
        self.said: list[str] = []

    def warning(self, event: str, **values: Any) -> None:
        self.said.append(values["reason"])

    info = warning


@pytest.fixture
def known() -> Iterator[Issuer]:
    with serving(Issuer(lambda: 0, keys=usual_keys())) as found:
        yield found


def asker(known: Issuer, timeout_s: float = 60.0, **policy: Any) -> tuple[asking.Issuer, Time, Log]:
    time, log = Time(), Log()
    fetch = Fetch(timeout_s, loopback=True)
    return asking.Issuer(known.url, fetch, asking.Policy(**policy), log, now_s=time), time, log


def test_all_who_wait_wait_for_one_answer(known: Issuer) -> None:
    found, _, _ = asker(known)

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(found.key(kid, "RS256") for kid in ["rsa-1"] * 50 + ["nothing"] * 50))

    keys = asyncio.run(all_at_once())
    assert [key is not None for key in keys] == [True] * 50 + [False] * 50
    assert (known.asked["keys"], known.asked["openid-configuration"]) == (1, 1)


def test_made_up_names_cost_the_issuer_nothing(known: Issuer) -> None:
    found, time, _ = asker(known, pause_s=10)

    async def run() -> None:
        assert await found.key("rsa-1", "RS256") is not None
        for i in range(1000):
            assert await found.key(f"made-up-{i}", "RS256") is None
        assert known.asked["keys"] == 1
        time.now += 10
        for i in range(1000):
            assert await found.key(f"made-up-{i}", "RS256") is None
        assert known.asked["keys"] == 2

    asyncio.run(run())


def test_a_new_key_is_seen_when_it_is_named_and_an_old_one_forgotten(known: Issuer) -> None:
    found, time, _ = asker(known, pause_s=10, keys_s=300)

    async def run() -> None:
        assert await found.key("rsa-1", "RS256") is not None
        known.keys = {"rsa-2": ("RS256", private("RSA", 2))}
        assert await found.key("rsa-2", "RS256") is None  # asked a moment ago
        time.now += 10
        assert await found.key("rsa-2", "RS256") is not None
        assert await found.key("rsa-1", "RS256") is None
        known.keys["rsa-2"] = ("RS256", private("RSA", 3))
        old = await found.key("rsa-2", "RS256")
        time.now += 301
        assert await found.key("rsa-2", "RS256") is old  # at once; it is looked up beside
        assert found._under_way is not None
        await found._under_way
        new = await found.key("rsa-2", "RS256")
        assert new is not None
        assert old is not None
        assert new.public_numbers() != old.public_numbers()  # type: ignore[union-attr]

    asyncio.run(run())


def test_a_key_taken_back_is_not_taken_after_a_long_quiet(known: Issuer) -> None:
    found, time, _ = asker(known, pause_s=10, keys_s=300)

    async def run() -> None:
        assert await found.key("rsa-1", "RS256") is not None
        assert await found.key("ec-1", "ES256") is not None
        del known.keys["rsa-1"]
        time.now += 601
        assert await found.key("rsa-1", "RS256") is None
        assert await found.key("ec-1", "ES256") is not None
        known.answers["/keys"] = (503, "text/plain", b"")
        time.now += 601
        assert await found.key("ec-1", "ES256") is not None  # asked for in vain, and still the last word
        time.now += 11
        known.gate.clear()
        assert await found.key("ec-1", "ES256") is not None  # and nobody waits for it again
        known.gate.set()
        assert found._under_way is not None
        await found._under_way

    asyncio.run(run())


def test_without_the_issuer_its_keys_are_trusted_for_a_day(known: Issuer) -> None:
    found, time, log = asker(known, pause_s=10, keys_s=300, stale_s=86_400)

    async def run() -> None:
        assert await found.key("ec-1", "ES256") is not None
        known.answers["/.well-known/openid-configuration"] = (503, "text/plain", b"")
        known.answers["/keys"] = (503, "text/plain", b"")
        time.now += 80_000
        assert await found.key("ec-1", "ES256") is not None
        with pytest.raises(IssuerUnavailable):  # it may be a new one
            await found.key("ec-2", "ES256")
        time.now += 6_401
        with pytest.raises(IssuerUnavailable):
            await found.key("ec-1", "ES256")
        known.answers.clear()
        time.now += 10
        assert await found.key("ec-1", "ES256") is not None

    asyncio.run(run())
    assert set(log.said) == {"status"}


WRONG: list[tuple[str, Callable[[Issuer], Any], str]] = [
    ("another name", lambda i: i.says.update(issuer="https://evil.example.com"), "name"),
    ("the name with a slash", lambda i: i.says.update(issuer=i.url + "/"), "name"),
    ("no name", lambda i: i.says.update(issuer=None), "name"),
    ("no keys' address", lambda i: i.says.update(jwks_uri=None), "address"),
    ("keys by http", lambda i: i.says.update(jwks_uri="http://keys.example.com/keys"), "address"),
    ("keys in a file", lambda i: i.says.update(jwks_uri="file:///etc/passwd"), "address"),
    ("keys with a password", lambda i: i.says.update(jwks_uri="https://a:b@keys.example.com/"), "address"),
    ("an address that is a number", lambda i: i.says.update(jwks_uri=7), "address"),
    ("a token address by http", lambda i: i.says.update(token_endpoint="http://t.example.com/"), "address"),
    ("a page", lambda i: i.answers.update({"/keys": (200, "text/html", b"<html>")}), "form"),
    ("no JSON", lambda i: i.answers.update({"/keys": (200, "application/json", b"{")}), "form"),
    ("a list", lambda i: i.answers.update({"/keys": (200, "application/json", b"[]")}), "form"),
    ("no key", lambda i: i.answers.update({"/keys": (200, "application/json", b"{}")}), "no_key"),
    ("elsewhere", lambda i: i.answers.update({"/keys": (302, "text/plain", b"")}), "status"),
    ("an error", lambda i: i.answers.update({"/keys": (500, "application/json", b"{}")}), "status"),
    ("too much", lambda i: i.answers.update({"/keys": (200, "application/json", b'{"keys":[' + b" " * (1 << 20))}), "size"),
    ("too much of itself", lambda i: i.answers.update({"/.well-known/openid-configuration": (200, "application/json", b" " * (1 << 17))}), "size"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "reason"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_an_issuer_that_says_what_cannot_be_has_no_keys(
    known: Issuer, make: Callable[[Issuer], Any], reason: str
) -> None:
    make(known)
    found, _, log = asker(known)

    async def run() -> str:
        with pytest.raises(IssuerUnavailable) as caught:
            await found.key("rsa-1", "RS256")
        with pytest.raises(IssuerUnavailable):
            await found.key("rsa-1", "RS256")
        return caught.value.reason

    assert asyncio.run(run()) == reason
    assert log.said == [reason]
    assert known.asked["elsewhere"] == 0


def test_a_slow_issuer_is_given_up_in_time_and_not_asked_by_everybody(known: Issuer) -> None:
    known.delay_s = 5.0
    found, _, log = asker(known, timeout_s=0.2)

    async def run() -> None:
        answers = await asyncio.gather(
            *(found.key(f"k{i}", "RS256") for i in range(20)), return_exceptions=True
        )
        assert {type(each) for each in answers} == {IssuerUnavailable}
        assert {each.reason for each in answers} == {"timeout"}  # type: ignore[union-attr]

    asyncio.run(run())
    assert known.asked["openid-configuration"] == 1
    assert log.said == ["timeout"]


def test_a_dead_issuer_is_no_reason_to_believe_anybody(known: Issuer) -> None:
    with serving(Issuer(lambda: 0, keys=usual_keys())) as gone:
        pass
    found, _, log = asker(gone)
    with pytest.raises(IssuerUnavailable):
        asyncio.run(found.key("rsa-1", "RS256"))
    assert log.said == ["unreachable"]


def test_only_an_issuer_whose_certificate_is_vouched_for_is_believed(tmp_path: Path) -> None:
    tls, chain = certificate(tmp_path)
    with serving(Issuer(lambda: 0, keys=usual_keys()), tls) as secure:
        assert secure.url.startswith("https://")
        for ca_file, believed in ((chain, True), (None, False)):
            log = Log()
            asked = asking.Issuer(secure.url, Fetch(60.0, ca_file=ca_file), asking.Policy(), log)
            if believed:
                assert asyncio.run(asked.key("rsa-1", "RS256")) is not None
            else:
                with pytest.raises(IssuerUnavailable):
                    asyncio.run(asked.key("rsa-1", "RS256"))
                assert log.said == ["unreachable"]


# -- keys ------------------------------------------------------------------------------------------------


def test_keys_that_cannot_be_used_are_left_out() -> None:
    good = jwk(private("RSA"), "good")
    secret = jwk(private("EC"), "secret") | {"d": "AAAA"}
    wrong: list[Any] = [
        None, 7, "key", [], {}, {"kty": "oct", "k": "c2VjcmV0", "kid": "oct"}, {"kty": "RSA", "kid": "empty"}, secret,
        good | {"kid": "enc", "use": "enc"}, good | {"kid": "ops", "key_ops": ["sign"]}, good | {"kid": "ops2", "key_ops": "verify"},
        good | {"kid": ""}, good | {"kid": 7}, good | {"kid": "x" * 201}, good | {"kid": "crv", "crv": "P-256"}, good | {"kid": "n", "n": "!"},
        good | {"kid": "n2", "n": 7}, good | {"kid": "e", "e": "AA"}, jwk(private("RSA-1024"), "short"), jwk(private("P-384"), "curve"),
        good | {"kid": "alg", "alg": "HS256"}, jwk(private("EC"), "point") | {"x": "AAAA"}, jwk(private("Ed25519"), "ed448") | {"crv": "Ed448"},
        {k: v for k, v in good.items() if k != "kid"}, good | {"kty": ["RSA"]},
    ]  # fmt: skip
    found = key_set({"keys": [*wrong, good]}, ALGORITHMS)
    assert len(found) == 2  # RS256 and PS256 of the good one
    assert found.find("good", "RS256") is not None
    assert [found.find("good", word) for word in ("ES256", "EdDSA", "HS256", "none")] == [None] * 4
    assert len(key_set({"keys": [good]}, ("PS256",))) == 1
    for nothing in (None, [], {}, {"keys": None}, {"keys": {}}, {"keys": [good | {"kid": None}]}):
        assert len(key_set(nothing, ALGORITHMS)) == 0


def test_two_keys_of_one_name_are_both_unknown() -> None:
    twice = [jwk(private("RSA"), "a"), jwk(private("RSA", 1), "a"), jwk(private("EC"), "a")]
    found = key_set({"keys": twice}, ALGORITHMS)
    assert found.find("a", "RS256") is None
    assert found.find("a", "ES256") is not None  # of another type, so never confused
    many = [jwk(private("EC"), f"k{i}") for i in range(300)]
    assert len(key_set({"keys": many}, ALGORITHMS)) == 100


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.com/", "ftp://login.example.com/", "https://", "https:///x", "//login.example.com", "login.example.com",
        "https://user@login.example.com/", "https://login.example.com/#x", "https://login.example.com/ x", "https://login.example.com/\n",
        "https://login.exämple.com/", "https://login.example.com:port/", "https://[::1", "https://login.example.com\\@evil/", "", None, 7,
        "https://login.example.com/" + "x" * 2000, "http://127.0.0.1.evil.example.com/", "http://localhost.evil.example.com/",
    ],
)  # fmt: skip
def test_an_address_that_is_not_https_is_never_asked(url: Any) -> None:
    assert not is_safe(url)
    assert not is_safe(url, loopback=True)
    assert is_safe("https://login.example.com:8443/keys?a=b")
    assert is_safe("http://127.0.0.1:1/keys", loopback=True)
    assert not is_safe("http://127.0.0.1:1/keys")


# -- the same through the API ----------------------------------------------------------------------------


def test_a_dead_issuer_is_told_with_a_time_to_come_back(place: Place) -> None:
    place.issuer.answers["/keys"] = (503, "text/plain", b"")
    found = place.api.get("/v1/alerts", place.issuer.token(**IN))
    problem(found, 503, "issuer")
    assert int(found.headers["retry-after"]) >= 1
    assert place.api.get("/v1/alerts", place.keys["Ana"]).status_code == 200
    place.issuer.answers["/.well-known/openid-configuration"] = (503, "text/plain", b"")
    identity = place.api.app._identity
    identity.signin._issuer._description = None
    problem(place.api.get("/auth/login"), 503, "issuer")
    asked = place.issuer.asked["openid-configuration"]
    for _ in range(20):
        problem(place.api.get("/auth/login"), 503, "issuer")
    assert place.issuer.asked["openid-configuration"] == asked


def test_a_slow_issuer_holds_up_nobody_else(place: Place) -> None:
    place.issuer.gate.clear()
    token = place.issuer.token(**IN)
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(place.api.get("/v1/alerts", token).status_code))
    waiting.start()
    until(lambda: bool(place.issuer.asked))
    assert place.api.get("/v1/alerts", place.keys["Ana"]).status_code == 200
    assert answers == []
    place.issuer.gate.set()
    waiting.join(60)
    assert answers == [200]


def test_keys_are_rotated_while_people_work(place: Place) -> None:
    old = place.issuer.token("rsa-1", **IN)
    assert place.api.get("/v1/alerts", old).status_code == 200
    place.issuer.keys = {"new": ("RS256", private("RSA", 5))}
    identity = place.api.app._identity
    asked = identity._tokens._issuer
    asked._tried_s -= 3601
    assert place.api.get("/v1/alerts", place.issuer.token("new", **IN)).status_code == 200
    problem(place.api.get("/v1/alerts", old), 401, "unauthenticated")
