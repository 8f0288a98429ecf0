"""A browser signs in at a real issuer: there and back, the session, what another site cannot do, and out."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from apikit import problem
from issuerkit import b64
from placekit import REDIRECT, Place

SESSION, NOTE = "__Host-txmon_session", "__Host-txmon_signin"
HERE = "https://txmon.example.com"


@dataclass
class Browser:
    """Keeps cookies as it is told, follows nothing by itself."""

    place: Place
    cookies: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, set[str]] = field(default_factory=dict)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = dict(more.pop("headers", {}))
        if self.cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.place.api.call(method, path, headers=headers, **more)
        for line in answer.headers.get_list("set-cookie"):
            pair, *rest = line.split("; ")
            name, _, value = pair.partition("=")
            self.attributes[name] = set(rest)
            if "Max-Age=0" in rest:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("GET", path, **more)

    def go(self) -> str:
        """To the issuer; returns where it sends the browser back, as path and query."""
        away = self.get("/auth/login")
        assert away.status_code == 303, away.text
        with httpx.Client(trust_env=False) as client:
            back = client.get(away.headers["location"]).headers["location"]
        assert back.startswith(REDIRECT)
        return back.removeprefix(HERE)

    def sign_in(self) -> httpx.Response:
        return self.get(self.go())

    def me(self) -> dict[str, Any]:
        answer = self.get("/auth/me")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def csrf(self) -> dict[str, str]:
        return {"x-csrf-token": self.me()["session"]["csrf_token"]}


@pytest.fixture
def browser(place: Place) -> Browser:
    place.issuer.claims = {"groups": ["analysts"]}
    return Browser(place)


def test_a_person_signs_in_and_out(browser: Browser) -> None:
    place = browser.place
    away = browser.get("/auth/login")
    asked = {k: v[0] for k, v in parse_qs(urlsplit(away.headers["location"]).query).items()}
    assert away.headers["location"].startswith(f"{place.issuer.url}/authorize?")
    assert asked["response_type"] == "code"
    assert (asked["client_id"], asked["redirect_uri"], asked["scope"]) == ("txmon-web", REDIRECT, "openid")
    assert asked["code_challenge_method"] == "S256"
    assert {len(asked[name]) for name in ("state", "nonce", "code_challenge")} == {43}
    assert browser.attributes[NOTE] == {"Max-Age=600", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"}
    back = browser.sign_in()
    assert (back.status_code, back.headers["location"], back.content) == (303, "/console", b"")
    assert browser.attributes[SESSION] == {"Max-Age=3600", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"}
    assert set(browser.cookies) == {SESSION}
    me = browser.me()
    assert (me["person_id"], me["roles"]) == (place.people["Cem"], ["analyst", "approver"])
    assert browser.get("/v1/alerts").status_code == 200
    assert "Cookie" in browser.get("/v1/alerts").headers["vary"]
    before = dict(browser.cookies)
    out = browser.ask("POST", "/auth/logout", headers=browser.csrf())
    assert out.json() == {
        "signed_out": True, "issuer_logout": f"{place.issuer.url}/logout?client_id=txmon-web",
    }  # fmt: skip
    assert browser.cookies == {}
    browser.cookies = before
    assert problem(browser.get("/v1/alerts"), 401, "unauthenticated")["reason"] == "session"


def test_the_exchange_proves_who_asks_and_who_began(browser: Browser) -> None:
    browser.sign_in()
    (form,) = browser.place.issuer.forms
    assert re.fullmatch("[A-Za-z0-9_-]{43}", form["code_verifier"][0])
    assert "client_secret" not in form  # it went by the header
    browser.place.issuer.says = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    browser.place.api.app._identity.signin._issuer._description = None
    browser.sign_in()
    assert browser.place.issuer.forms[-1]["client_secret"] == [browser.place.issuer.secret]


def test_an_answer_fits_the_browser_that_asked_once(browser: Browser) -> None:
    other = Browser(browser.place)
    mine, theirs = browser.go(), other.go()
    for note, path in (
        (None, mine), (other.cookies[NOTE], mine), ("x", mine), (browser.cookies[NOTE][:-1] + "A", mine), (browser.cookies[NOTE] + "A", mine),
        (browser.cookies[NOTE], theirs), (browser.cookies[NOTE], mine.replace("state=", "other=")), (browser.cookies[NOTE], re.sub(r"state=[^&]*", "state=", mine)),
    ):  # fmt: skip
        stranger = Browser(browser.place, {} if note is None else {NOTE: note})
        found = problem(stranger.get(path), 401, "unauthenticated")
        assert found["reason"] == "session"
        assert SESSION not in stranger.cookies
    assert browser.place.issuer.forms == []  # nothing was asked of the issuer
    assert browser.get(mine).status_code == 303
    again = Browser(browser.place, {NOTE: other.cookies[NOTE]})
    assert again.get(theirs).status_code == 303
    again = Browser(browser.place, {NOTE: other.cookies[NOTE]})
    assert problem(again.get(theirs), 401, "unauthenticated")["reason"] == "session"  # the code is used up


def test_an_answer_of_another_issuer_or_an_error_begins_nothing(browser: Browser) -> None:
    path = browser.go()
    there = urlsplit(path)
    query = {k: v[0] for k, v in parse_qs(there.query).items()}
    for changed, reason in (
        ({"iss": "https://evil.example.com"}, "issuer"), ({"iss": None}, "issuer"), ({"code": None}, "session"),
        ({"code": None, "error": "access_denied"}, "session"), ({"error": "access_denied"}, "session"),
    ):  # fmt: skip
        sent = {k: v for k, v in (query | changed).items() if v is not None}
        answer = browser.get(f"{there.path}?{urlencode(sent)}")
        assert problem(answer, 401, "unauthenticated")["reason"] == reason
        assert "evil" not in answer.text
    assert browser.place.issuer.forms == []
    problem(browser.get(f"{there.path}?{urlencode(query | {'code': 'x' * 5000})}"), 422, "invalid")
    browser.place.bench.clock.time_us += 601 * 1_000_000
    assert problem(browser.get(path), 401, "unauthenticated")["reason"] == "session"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"nonce": None}, "claims"), ({"nonce": "x" * 43}, "claims"), ({"nonce": 7}, "claims"), ({"aud": "https://txmon"}, "audience"),
        ({"aud": ["txmon-web", "other"]}, "audience"), ({"aud": ["txmon-web", "other"], "azp": "other"}, "audience"), ({"azp": "other"}, "audience"),
        ({"iss": "https://evil.example.com"}, "issuer"), ({"exp": 1}, "expired"), ({"sub": None}, "claims"),
    ],
)  # fmt: skip
def test_an_id_token_that_is_not_of_this_sign_in_is_refused(
    browser: Browser, claims: dict[str, Any], reason: str
) -> None:
    browser.place.issuer.claims |= claims
    assert problem(browser.sign_in(), 401, "unauthenticated")["reason"] == reason
    assert SESSION not in browser.cookies


def test_an_id_token_with_several_audiences_and_our_party_is_taken(browser: Browser) -> None:
    browser.place.issuer.claims |= {"aud": ["txmon-web", "other"], "azp": "txmon-web"}
    assert browser.sign_in().status_code == 303


def test_who_is_nobody_here_learns_how_to_be_named_and_no_session_begins(browser: Browser) -> None:
    browser.place.issuer.user = "stranger-7"
    found = problem(browser.sign_in(), 401, "unauthenticated")
    assert (found["reason"], found["subject"], found["issuer"]) == (
        "unlinked", "stranger-7", browser.place.issuer.url,
    )  # fmt: skip
    assert SESSION not in browser.cookies
    browser.place.issuer.user, browser.place.issuer.claims = "cem-1", {"groups": ["others"]}
    problem(browser.sign_in(), 403, "forbidden")
    assert SESSION not in browser.cookies
    assert len(browser.place.api.app._identity.sessions) == 0


def test_a_request_that_another_site_made_changes_nothing(browser: Browser) -> None:
    browser.sign_in()
    good, body = browser.csrf(), {"name": "own", "scopes": ["read"], "person_id": browser.place.people["Cem"]}
    for headers in (
        {}, {"x-csrf-token": ""}, {"x-csrf-token": "x" * 43}, {"x-csrf-token": browser.cookies[SESSION]},
        good | {"origin": "https://evil.example.com"}, good | {"origin": "null"}, good | {"origin": "https://txmon.example.com.evil.net"},
        good | {"origin": "http://txmon.example.com"}, good | {"sec-fetch-site": "cross-site"}, good | {"sec-fetch-site": "same-site"},
    ):  # fmt: skip
        for method, path in (
            ("POST", "/v1/keys"), ("DELETE", "/v1/keys/key_x"), ("PATCH", "/v1/alerts/al-x"), ("POST", "/auth/logout"), ("POST", "/v1/events"),
        ):  # fmt: skip
            problem(browser.ask(method, path, headers=headers, json=body), 403, "csrf")
    for headers in (good, good | {"origin": HERE, "sec-fetch-site": "same-origin"}):
        assert browser.ask("POST", "/v1/keys", headers=headers, json=body).status_code == 201
    # who sends a key or a token needs no such proof, and a bad one is not made good by a cookie
    problem(browser.get("/v1/alerts", headers={"authorization": "Bearer txm_x"}), 401, "unauthenticated")
    answer = browser.ask(
        "POST", "/v1/keys", headers={"authorization": f"Bearer {browser.place.keys['Ana']}"}, json=body
    )
    assert answer.status_code == 201


def test_a_token_of_one_session_does_not_fit_another(browser: Browser) -> None:
    browser.sign_in()
    other = Browser(browser.place)
    other.sign_in()
    problem(other.ask("POST", "/auth/logout", headers=browser.csrf()), 403, "csrf")
    assert other.get("/auth/me").status_code == 200


def test_a_session_ends_by_idleness_by_age_and_with_its_person(browser: Browser) -> None:
    clock = browser.place.bench.clock
    browser.sign_in()
    for _ in range(4):
        clock.time_us += 890 * 1_000_000
        assert browser.get("/auth/me").status_code == 200
    clock.time_us += 41 * 1_000_000  # an hour and a second since it began
    assert problem(browser.get("/auth/me"), 401, "unauthenticated")["reason"] == "session"
    browser.sign_in()
    clock.time_us += 900 * 1_000_000
    assert problem(browser.get("/auth/me"), 401, "unauthenticated")["reason"] == "session"
    browser.sign_in()
    ended = browser.place.api.call("DELETE", f"/v1/links/{browser.me()['key_id']}", browser.place.keys["Ana"])
    assert ended.status_code == 200
    assert problem(browser.get("/auth/me"), 401, "unauthenticated")["reason"] == "revoked"


def test_a_new_session_is_never_one_that_was_there_before(browser: Browser) -> None:
    browser.cookies[SESSION] = b64(bytes(32))
    browser.sign_in()
    first = browser.cookies[SESSION]
    assert first != b64(bytes(32))
    browser.sign_in()
    second = browser.cookies[SESSION]
    assert second != first
    browser.cookies[SESSION] = first
    problem(browser.get("/auth/me"), 401, "unauthenticated")
    browser.cookies[SESSION] = second
    assert browser.me()["kind"] == "person"
    for wrong in ("", "x", second + "=", second.swapcase(), "../" + second):
        browser.cookies[SESSION] = wrong
        problem(browser.get("/auth/me"), 401, "unauthenticated")
    answer = browser.place.api.get("/auth/me", headers={"cookie": f"{SESSION}={second}; {SESSION}={second}"})
    problem(answer, 401, "unauthenticated")


def test_a_session_and_a_key_of_one_person_are_one_pair_of_eyes(browser: Browser) -> None:
    place = browser.place
    place.link("Ana", "ana-1")
    place.issuer.user, place.issuer.claims = "ana-1", {"groups": ["all of it"]}
    browser.sign_in()
    made = browser.ask(
        "POST", "/v1/people", headers=browser.csrf(), json={"name": "Eve", "roles": ["analyst"]}
    ).json()
    problem(place.decide(made["proposal_id"], "Ana"), 403, "four_eyes")
    path = f"/v1/proposals/{made['proposal_id']}/decision"
    problem(browser.ask("POST", path, headers=browser.csrf(), json={"approve": True}), 403, "four_eyes")
    assert place.decide(made["proposal_id"], "Ben").status_code == 200


def test_who_comes_back_while_too_many_wait_is_told_to_come_again(browser: Browser) -> None:
    api, path = browser.place.api, browser.go()
    cookie = {"cookie": f"{NOTE}={browser.cookies[NOTE]}"}
    browser.place.issuer.gate.clear()

    async def all_at_once() -> list[httpx.Response]:
        calls = [asyncio.ensure_future(api.acall("GET", path, headers=cookie)) for _ in range(120)]
        while sum(call.done() for call in calls) < 20:
            await asyncio.sleep(0.01)
        browser.place.issuer.gate.set()
        return await asyncio.gather(*calls)

    answers = [answer.status_code for answer in api.run(all_at_once())]
    assert sorted(answers) == [303] + [401] * 99 + [503] * 20
    assert browser.sign_in().status_code == 303


@pytest.fixture
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    return getattr(request, "param", {})


@pytest.mark.parametrize("options", [{"auth_failures": 3}], indirect=True)
def test_an_address_that_fails_to_come_back_must_wait(browser: Browser) -> None:
    for _ in range(3):
        problem(browser.get("/auth/callback?code=x&state=y"), 401, "unauthenticated")
    path = browser.go()
    found = browser.get(path)
    problem(found, 429, "too_many_failures")
    assert int(found.headers["retry-after"]) >= 1
    assert browser.place.issuer.forms == []


@pytest.mark.parametrize("options", [{"oidc_client_id": None, "oidc_redirect_url": None, "oidc_client_secret_file": None}], indirect=True)  # fmt: skip
def test_without_a_client_tokens_are_taken_and_nobody_signs_in(place: Place) -> None:
    problem(place.api.get("/auth/login"), 404, "not_found")
    problem(place.api.get("/auth/callback?code=x&state=y"), 404, "not_found")
    assert place.api.get("/auth/me", place.issuer.token(groups=["analysts"])).status_code == 200
    problem(place.api.get("/auth/me", headers={"cookie": f"{SESSION}={'x' * 43}"}), 401, "unauthenticated")


@pytest.mark.parametrize("options", [{"oidc_audience": None}], indirect=True)
def test_without_an_audience_people_sign_in_and_no_token_is_taken(browser: Browser) -> None:
    problem(browser.place.api.get("/auth/me", browser.place.issuer.token(groups=["analysts"])), 401, "unauthenticated")  # fmt: skip
    assert browser.sign_in().status_code == 303


@pytest.mark.parametrize("options", [{"oidc_groups": None}], indirect=True)
def test_without_a_file_of_groups_a_person_has_what_was_granted(browser: Browser) -> None:
    browser.place.issuer.claims = {}
    browser.sign_in()
    assert browser.me()["roles"] == ["analyst", "approver"]


def test_nothing_of_a_sign_in_is_in_the_log_but_ids(browser: Browser) -> None:
    browser.sign_in()
    said = [line for line in browser.place.bench.log.lines if line[0] == "session.begun"]
    assert [set(values) for _, values in said] == [{"identity", "key_id"}]
