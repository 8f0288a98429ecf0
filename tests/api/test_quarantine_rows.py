"""Rows that are no events, by HTTP: looked at, tried again, corrected by two, given up."""

from __future__ import annotations

import json
from typing import Any

from apikit import Api, problem
from servicekit import events_stored, rows_of

from txmon.store.schema import audit, quarantine

BAD: dict[str, Any] = {
    "event_id": "q-1",
    "event_time": "2026-01-05T12:00:00Z",
    "amount": "ten",
    "currency": "EUR",
    "payer": "someone",
}


def one_row(api: Api, **more: Any) -> int:
    (result,) = api.send(json.dumps(BAD | more).encode())
    assert result["status"] == "quarantined"
    return int(result["quarantine_id"])


def test_rows_are_listed_without_and_shown_with_a_purpose(api: Api) -> None:
    row, key = one_row(api), api.person("analyst")
    one_row(api, event_id="q-2", currency="XXX", amount="1.00")
    listed = api.get("/v1/quarantine", key, purpose="a test").json()["items"]
    assert [item["id"] for item in listed] == [row + 1, row]
    assert "raw" not in listed[0]
    assert [item["id"] for item in api.get("/v1/quarantine?limit=1", key).json()["items"]] == [row + 1]
    reason = listed[1]["reason"]
    assert [i["id"] for i in api.get(f"/v1/quarantine?reason={reason}&feed=native", key).json()["items"]] == [
        row
    ]
    assert "someone" not in api.get(f"/v1/quarantine/{row}", key).text
    shown = api.get(f"/v1/quarantine/{row}", key, purpose="a test").json()
    assert json.loads(shown["raw"])["payer"] == "someone"
    api.service.change(lambda tx: api.audit.write(tx)).result(60)
    assert [r["action"] for r in rows_of(api.service, audit)] == ["quarantine.read"]
    problem(api.get("/v1/quarantine/99999", key), 404, "not_found")
    problem(api.get("/v1/quarantine/none", key), 422, "invalid")


def test_a_row_is_tried_again_by_one_person_and_kept_once(api: Api) -> None:
    row, key = one_row(api), api.person("analyst")
    found = api.post(f"/v1/quarantine/{row}/resubmit", key).json()
    assert found["state"] == "open"
    assert found["results"][0]["status"] == "quarantined"
    rows = {r["id"]: r for r in rows_of(api.service, quarantine)}
    assert [(rows[i]["state"], rows[i]["tries"]) for i in sorted(rows)] == [("open", 1), ("dropped", 1)]
    problem(
        api.post(f"/v1/quarantine/{row}/resubmit", api.worker("analyst", scopes=("read",))), 403, "four_eyes"
    )


def fix(api: Api, key: str, row: int, tries: int = 0, **more: Any) -> Any:
    body = {
        "raw": json.dumps(BAD | {"amount": "10.00"}),
        "tries": tries,
        "reason": "typing error of the source",
    } | more
    return api.post(f"/v1/quarantine/{row}/fix", key, json=body)


def test_a_changed_value_takes_two_people(api: Api) -> None:
    row, ana, ben = one_row(api), api.person("analyst", "approver"), api.person("approver")
    problem(fix(api, ana, row, tries=3), 412, "conflict")
    problem(fix(api, ana, row, raw='{"memo": "4111 1111 1111 1111"}'), 422, "invalid")
    answer = fix(api, ana, row)
    assert answer.status_code == 202
    path = f"/v1/proposals/{answer.json()['proposal_id']}"
    assert events_stored(api.service) == []
    assert api.get("/v1/proposals", ben).json()["items"][0]["body"] is None
    assert api.get(path, ben, purpose="to decide").json()["body"]["row"] == row
    problem(api.post(f"{path}/decision", ana, json={"approve": True}), 403, "four_eyes")
    done = api.post(f"{path}/decision", ben, json={"approve": True}).json()
    assert done["outcome"]["state"] == "fixed"
    assert events_stored(api.service) == [("native", "q-1")]
    (kept,) = rows_of(api.service, quarantine)
    assert (kept["state"], kept["resubmitted_as"]) == ("fixed", "q-1")
    problem(api.post(f"/v1/quarantine/{row}/resubmit", ana), 409, "exists")
    problem(fix(api, ana, row, tries=1), 409, "exists")


def test_a_fix_that_does_not_help_leaves_the_row_open(api: Api) -> None:
    row, ana, ben = one_row(api), api.person("analyst"), api.person("approver")
    proposal = fix(api, ana, row, raw=json.dumps(BAD)).json()["proposal_id"]
    done = api.post(f"/v1/proposals/{proposal}/decision", ben, json={"approve": True}).json()
    assert done["outcome"]["state"] == "open"
    other = fix(api, ana, row, tries=1).json()["proposal_id"]
    assert api.post(f"/v1/proposals/{other}/withdrawal", ana).json()["state"] == "withdrawn"
    problem(api.post(f"/v1/proposals/{other}/withdrawal", ana), 409, "exists")
    mine = fix(api, ana, row, tries=1).json()["proposal_id"]
    problem(api.post(f"/v1/proposals/{mine}/withdrawal", api.person("analyst")), 403, "forbidden")


def test_a_row_is_given_up_with_a_reason(api: Api) -> None:
    row, key = one_row(api), api.person("analyst")
    for bad in ({}, {"reason": ""}, {"reason": " \n "}, {"reason": "a\0b"}, {"reason": "a\ud800"}):
        body = json.dumps(bad).encode()
        answer = api.post(
            f"/v1/quarantine/{row}/drop", key, content=body, headers={"content-type": "application/json"}
        )
        problem(answer, 422, "invalid")
    assert (
        api.post(f"/v1/quarantine/{row}/drop", key, json={"reason": "a test of the source"}).json()["state"]
        == "dropped"
    )
    problem(api.post(f"/v1/quarantine/{row}/drop", key, json={"reason": "again"}), 409, "exists")
    assert [item["id"] for item in api.get("/v1/quarantine?state=dropped", key).json()["items"]] == [row]
