"""People, grants and keys from the first two administrators on, with real keys all the way."""

from __future__ import annotations

from typing import Any

import pytest
from apikit import Api, pay, problem
from servicekit import rows_of

from txmon.store.schema import answers, api_keys


@pytest.fixture
def first(api: Api) -> tuple[str, str]:
    """The keys of Ana and Ben."""
    ana, ben = api.service.change(
        lambda tx: api.access.bootstrap(tx, [("Ana", ["analyst"]), ("Ben", ["approver"])])
    ).result(60)
    return ana.token, ben.token


def decide(api: Api, key: str, proposal: str) -> Any:
    return api.post(f"/v1/proposals/{proposal}/decision", key, json={"approve": True})


def test_a_service_key_works_when_a_second_person_agreed(api: Api, first: tuple[str, str]) -> None:
    ana, ben = first
    made = api.post(
        "/v1/keys", ana, json={"name": "pipeline", "scopes": ["ingest"], "roles": ["ingest"], "mode": "test"}
    )
    assert made.status_code == 201
    token = made.json()["token"]
    event = {"content": pay("k-1"), "headers": {"content-type": "application/json"}}
    problem(api.post("/v1/events", token, **event), 401, "unauthenticated")
    problem(decide(api, ana, made.json()["proposal_id"]), 403, "four_eyes")
    assert decide(api, ben, made.json()["proposal_id"]).json()["state"] == "approved"
    assert api.post("/v1/events", token, **event).status_code == 200
    listed = {key["key_id"]: key for key in api.get("/v1/keys", ana).json()["items"]}
    shown = listed[made.json()["key_id"]]
    assert (shown["name"], shown["mode"], shown["state"]) == ("pipeline", "test", "active")
    assert token not in api.get("/v1/keys", ana).text
    assert [key["key_id"] for key in api.get("/v1/keys", token).json()["items"]] == [made.json()["key_id"]]
    assert api.call("DELETE", f"/v1/keys/{made.json()['key_id']}", ana).json()["state"] == "revoked"
    assert problem(api.post("/v1/events", token, **event), 401, "unauthenticated")["reason"] == "revoked"


def test_a_new_person_exchanges_a_key_that_another_made(api: Api, first: tuple[str, str]) -> None:
    ana, ben = first
    named = api.post("/v1/people", ana, json={"name": "Cem", "roles": ["analyst"]}).json()
    decide(api, ben, named["proposal_id"])
    made = api.post(
        "/v1/keys", ana, json={"name": "Cem's", "scopes": ["read"], "person_id": named["person_id"]}
    ).json()
    decide(api, ben, made["proposal_id"])
    problem(api.get("/v1/alerts", made["token"]), 403, "forbidden")
    own = api.post(f"/v1/keys/{made['key_id']}/rotation", made["token"], json={})
    assert own.status_code == 201
    assert api.get("/v1/alerts", own.json()["token"]).status_code == 200
    problem(api.get("/v1/alerts", made["token"]), 401, "unauthenticated")
    grant = api.post(f"/v1/people/{named['person_id']}/grants", ana, json={"roles": ["auditor"]}).json()
    decide(api, ben, grant["proposal_id"])
    assert api.get("/v1/audit", own.json()["token"]).status_code == 200
    people = {p["name"]: p for p in api.get("/v1/people", ana).json()["items"]}
    assert people["Cem"]["roles"] == ["auditor"]
    assert api.call("DELETE", f"/v1/people/{named['person_id']}", ana).json()["state"] == "disabled"
    problem(api.get("/v1/audit", own.json()["token"]), 401, "unauthenticated")


def test_what_is_not_allowed_is_told_without_repeating_it(api: Api, first: tuple[str, str]) -> None:
    ana, _ = first
    for body in (
        {"name": "Ana", "roles": ["mlro"]},
        {"name": "4111 1111 1111 1111", "roles": ["analyst"]},
        {"name": "x" * 81, "roles": ["analyst"]},
        {"name": "Dee", "roles": []},
        {"name": "Dee", "roles": ["analyst"], "4111111111111111": 1},
    ):
        answer = api.post("/v1/people", ana, json=body)
        problem(answer, 422, "invalid")
        assert "1111" not in answer.text
        assert "mlro" not in answer.text.replace("'mlro'", "")
    problem(api.post("/v1/people", ana, json={"name": "Ana", "roles": ["analyst"]}), 409, "exists")
    problem(
        api.post("/v1/keys", ana, json={"name": "k", "scopes": ["admin"], "roles": ["ingest"]}), 422, "input"
    )
    problem(
        api.post("/v1/people", ana, content=b"{", headers={"content-type": "application/json"}),
        400,
        "malformed_json",
    )
    problem(
        api.post("/v1/people", ana, content=b"{}", headers={"content-type": "text/plain"}),
        415,
        "unsupported_media_type",
    )
    deep = b'{"name":' + b"[" * 30 + b"]" * 30 + b"}"
    problem(
        api.post("/v1/people", ana, content=deep, headers={"content-type": "application/json"}),
        422,
        "too_deep",
    )


def test_a_repeated_request_for_a_key_gives_the_same_key_and_is_not_written(
    api: Api, first: tuple[str, str]
) -> None:
    ana, _ = first
    body, again = {"name": "p", "scopes": ["ingest"], "roles": ["ingest"]}, {"idempotency-key": "make-1"}
    one = api.post("/v1/keys", ana, json=body, headers=again)
    two = api.post("/v1/keys", ana, json=body, headers=again)
    assert one.json() == two.json()
    assert two.headers["idempotent-replayed"] == "true"
    assert len(rows_of(api.service, api_keys)) == 3
    api.post(
        "/v1/people", ana, json={"name": "Eve", "roles": ["analyst"]}, headers={"idempotency-key": "make-2"}
    )
    repeated = api.post(
        "/v1/people", ana, json={"name": "Eve", "roles": ["analyst"]}, headers={"idempotency-key": "make-2"}
    )
    assert repeated.status_code == 202
    kept = rows_of(api.service, answers)
    assert len(kept) == 1
    assert b"token" not in kept[0]["body"]
