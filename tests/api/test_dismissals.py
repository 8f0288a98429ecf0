"""Many alerts dismissed at once: by two people, each in the version that was read, and nothing that is new."""

from __future__ import annotations

import json
from typing import Any

from apikit import Api, large, pay, problem
from servicekit import rows_of

from txmon.store import journal
from txmon.store.schema import alerts


def opened(api: Api, count: int, **columns: Any) -> list[dict[str, Any]]:
    """So many alerts more; all that there are, the oldest first, as a list shows them."""
    for i in range(count):
        api.service.doors.clock.time_us += 1_000_000  # type: ignore[attr-defined]
        api.send(large(f"al-{i}-{len(columns)}", payer=f"payer-{i}", payee="shop", **columns))
    found: list[dict[str, Any]] = api.get("/v1/alerts?limit=200", api.person("analyst")).json()["items"]
    return found[::-1]


def ask(api: Api, key: str, *which: dict[str, Any], reason: str = "one salary run") -> Any:
    named = [{name: each[name] for name in ("alert_id", "version")} for each in which]
    return api.post("/v1/alerts:dismiss", key, json={"alerts": named, "reason": reason})


def decide(api: Api, key: str, asked: Any, approve: bool = True) -> Any:
    path = f"/v1/proposals/{asked.json()['proposal_id']}/decision"
    return api.post(path, key, json={"approve": approve, "reason": "list seen"})


def escalate(api: Api, key: str, alert: dict[str, Any]) -> None:
    path = f"/v1/alerts/{alert['alert_id']}"
    for state in ("in_review", "escalated"):
        etag = api.get(path, key).headers["etag"]
        api.call("PATCH", path, key, json={"state": state}, headers={"if-match": etag})


def states(api: Api) -> dict[str, str]:
    return {row["alert_id"]: row["state"] for row in rows_of(api.service, alerts)}


def decisions(api: Api) -> list[dict[str, Any]]:
    """Every decision in the journal, in order."""
    return [json.loads(row.document) for row in journal.read(api.service.store, kinds=["decision"])]


def test_two_people_dismiss_many_and_two_rows_tell_of_all(api: Api) -> None:
    found = opened(api, 40)
    ana, ben = api.person("analyst", "approver"), api.person("approver")
    asked = ask(api, ana, *found)
    assert asked.status_code == 202, asked.text
    assert {each["result"] for each in asked.json()["results"]} == {"proposed"}
    assert {each["version"] for each in asked.json()["results"]} == {found[0]["version"] + 1}
    assert set(states(api).values()) == {"in_review"}  # by Ana, who has looked at them
    problem(decide(api, ana, asked), 403, "four_eyes")
    problem(decide(api, api.person("admin"), asked), 403, "forbidden")
    assert set(states(api).values()) == {"in_review"}
    (waiting,) = api.get("/v1/proposals?kind=bulk_dismissal", ben).json()["items"]
    assert [each["alert_id"] for each in waiting["body"]["alerts"]] == [each["alert_id"] for each in found]
    answer = decide(api, ben, asked)
    assert (answer.status_code, answer.json()["outcome"]) == (200, {"dismissed": 40, "left": []})
    rows = rows_of(api.service, alerts)
    assert {(row["state"], row["state_reason"]) for row in rows} == {("dismissed", "one salary run")}
    told = decisions(api)
    assert [each["decision"] for each in told] == [
        "alerts.taken_up", "proposal.proposed", "proposal.approved", "alerts.dismissed",
    ]  # fmt: skip
    assert sorted(told[-1]["alerts"]) == sorted(states(api))
    assert told[-1]["author"] != told[-1]["by"]
    assert told[-1]["left"] == []
    assert {row["changed_seq"] for row in rows} == {api.service.store.marks.seq}


def test_each_alert_is_told_why_it_is_not_proposed(api: Api) -> None:
    first, newer, moved, strange = opened(api, 4)
    ana = api.person("analyst")
    escalate(api, ana, moved)
    now = api.get(f"/v1/alerts/{moved['alert_id']}", ana).json()
    older, none = newer | {"version": newer["version"] + 7}, strange | {"alert_id": "al-none"}
    asked = ask(api, ana, first, older, now, none)
    assert asked.status_code == 202, asked.text
    assert [each["result"] for each in asked.json()["results"]] == [
        "proposed", "conflict", "transition", "not_found",
    ]  # fmt: skip
    assert states(api)[newer["alert_id"]] == states(api)[strange["alert_id"]] == "open"
    found = problem(ask(api, ana, now, first), 409, "state")  # taken up since: another version
    assert [each["result"] for each in found["results"]] == ["transition", "conflict"]
    north = api.person("analyst", entities=frozenset(("north",)))
    found = problem(ask(api, north, newer), 409, "state")
    assert [each["result"] for each in found["results"]] == ["not_found"]


def test_what_is_new_by_the_approval_is_left(api: Api) -> None:
    first, second, third = opened(api, 3)
    ana, ben = api.person("analyst"), api.person("approver")
    asked, other = ask(api, ana, first, second), ask(api, ana, third)
    api.send(*(pay(f"more-{i}", i, payer="payer-0") for i in range(3)))
    answer = decide(api, ben, asked)
    assert answer.json()["outcome"] == {"dismissed": 1, "left": [first["alert_id"]]}
    assert decisions(api)[-1]["left"] == [first["alert_id"]]
    escalate(api, ana, third)
    answer = decide(api, ben, other)
    assert answer.status_code in (409, 412), answer.text
    assert [states(api)[each["alert_id"]] for each in (first, second, third)] == [
        "in_review", "dismissed", "escalated",
    ]  # fmt: skip
    assert decide(api, ben, other, approve=False).json()["state"] == "rejected"


def test_bounds_of_the_request(api: Api) -> None:
    (here,) = opened(api, 1)
    both = opened(api, 1, mode="test")
    ana = api.person("analyst")
    problem(ask(api, ana, *both), 422, "invalid")  # live and test together
    assert set(states(api).values()) == {"open"}
    problem(ask(api, ana, here, here), 422, "invalid")
    problem(ask(api, ana), 422, "invalid")
    many = [{"alert_id": f"al-{i}", "version": 1} for i in range(501)]
    problem(ask(api, ana, *many), 422, "invalid")
    problem(ask(api, ana, here, reason=" "), 422, "invalid")
    problem(ask(api, api.worker("analyst", scopes=("read",)), here), 403, "four_eyes")
