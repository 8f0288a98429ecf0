"""Every route with every role and scope, from the table itself; and what is the same on every answer."""

from __future__ import annotations

import re
from typing import Any

import pytest
from apikit import Api, problem

from txmon.api.table import BY_NAME, TABLE, Entry
from txmon.store.identity import ENROL, RESERVED_ROLES, ROLES, SCOPES

_BODIES: dict[str, Any] = {
    "POST /v1/people": {"name": "Nobody", "roles": ["analyst"]},
    "POST /v1/keys": {"name": "k", "scopes": ["read"], "roles": ["analyst"]},
}
_CONSOLE = ("/console", "/console/{file}")
_SIGN_IN = ("/auth/login", "/auth/callback")
_ID = {"row_id": "999999"}


def ask(api: Api, entry: Entry, key: str | None) -> Any:
    """Ask a route for something that is not there, so that nothing changes."""
    path = re.sub(r"\{(\w+)\}", lambda m: _ID.get(m[1], "none"), entry.path)
    if entry.path == "/v1/alerts/stream":
        return api.get(path, key, headers={"last-event-id": "x"})  # refused behind the door
    return api.call(
        entry.method, path, key, **({"json": {}} if entry.method in ("POST", "PATCH", "PUT") else {})
    )


def test_every_route_is_in_the_table_and_every_line_is_served(shared_api: Api) -> None:
    assert shared_api.app.routes == BY_NAME.keys()
    assert len(BY_NAME) == len(TABLE)


def test_the_table_names_roles_and_scopes_that_exist() -> None:
    for entry in TABLE:
        assert entry.roles <= (RESERVED_ROLES if entry.vault else ROLES), entry.name
        assert entry.scopes <= SCOPES | {ENROL}, entry.name
        assert entry.scopes or not entry.roles, entry.name
        assert entry.public == (entry.path in ("/livez", "/readyz", "/openapi.json", *_CONSOLE, *_SIGN_IN))


@pytest.mark.parametrize("entry", TABLE, ids=lambda e: e.name)
def test_a_route_lets_in_whom_the_table_names_and_nobody_else(shared_api: Api, entry: Entry) -> None:
    if entry.path in _SIGN_IN:  # its own tests; nobody signs in where no issuer is set
        problem(ask(shared_api, entry, None), 404, "not_found")
        return
    if entry.path == "/console/{file}":
        problem(ask(shared_api, entry, None), 404, "not_found")
        return
    if entry.public:
        assert ask(shared_api, entry, None).status_code in (200, 503)
        return
    if entry.signed:  # its own test
        return
    if entry.vault:  # nobody is let in by a role of the main store; `tests/vault/test_hidden.py`
        for key in (None, shared_api.person(*ROLES), shared_api.worker(*ROLES, scopes=tuple(SCOPES))):
            problem(ask(shared_api, entry, key), 404, "not_found")
        return
    if entry.path != "/metrics":  # open by a setting; `test_metrics_may_be_closed`
        problem(ask(shared_api, entry, None), 401, "unauthenticated")
    for role in sorted(ROLES):
        for scope in sorted(SCOPES):
            for kind in ("person", "service"):
                scopes = (scope,)
                key = (
                    shared_api.person(role, scopes=frozenset(scopes))
                    if kind == "person"
                    else shared_api.worker(role, scopes=scopes)
                )
                admitted = (
                    scope in entry.scopes
                    and (not entry.roles or role in entry.roles)
                    and (kind == "person" or not entry.people)
                )
                answer = ask(shared_api, entry, key)
                if entry.path == "/metrics":
                    assert answer.status_code == 200
                elif not admitted:
                    assert answer.status_code == 403, (entry.name, role, scope, kind, answer.text)
                    assert answer.json()["code"] in ("forbidden", "four_eyes")
                else:
                    assert answer.status_code not in (401, 405, 500), (
                        entry.name,
                        role,
                        scope,
                        kind,
                        answer.text,
                    )
                    if answer.status_code == 403:  # a handler's own finer rule, never the door
                        assert "takes the scope" not in answer.json()["detail"]


def test_a_key_to_be_exchanged_opens_nothing_but_its_exchange(shared_api: Api) -> None:
    key = shared_api.person(scopes=frozenset((ENROL,)))
    for entry in TABLE:
        if not entry.scopes or entry.path == "/metrics" or entry.vault:
            continue
        answer = ask(shared_api, entry, key)
        if entry.path == "/v1/keys/{key_id}/rotation":
            problem(answer, 404, "not_found")
        else:
            problem(answer, 403, "forbidden")


def test_unknown_paths_and_methods_are_problems_that_echo_nothing(shared_api: Api) -> None:
    found = problem(shared_api.get("/v1/4111111111111111?card=4111111111111111"), 404, "not_found")
    assert "4111" not in str(found)
    for entry in TABLE:
        path = re.sub(r"\{\w+\}", "none", entry.path)
        answer = shared_api.call("TRACE", path)
        if entry.vault:
            problem(answer, 404, "not_found")
            continue
        problem(answer, 405, "method_not_allowed")
        assert entry.method in answer.headers["allow"]


def test_every_answer_carries_the_same_safe_headers(shared_api: Api) -> None:
    key = shared_api.person("analyst")
    for answer in (
        shared_api.get("/livez"),
        shared_api.get("/v1/alerts", key),
        shared_api.get("/v1/alerts"),
        shared_api.get("/nowhere"),
        shared_api.post(
            "/v1/events",
            shared_api.worker("ingest"),
            content=b"[]",
            headers={"content-type": "application/json"},
        ),
    ):
        assert re.fullmatch("req_[a-z2-7]{26}", answer.headers["x-request-id"])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "server" not in answer.headers


def test_the_framework_has_no_page_of_its_own(shared_api: Api) -> None:
    for path in ("/docs", "/redoc", "/docs/oauth2-redirect", "/v1/alerts/"):
        problem(shared_api.get(path), 404, "not_found")
