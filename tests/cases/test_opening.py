"""Cases out of alerts: opened, linked, unlinked, merged and split; nothing lost between two desks."""

from __future__ import annotations

from apikit import problem
from caseskit import WHY, Desk, ok, seen


def test_a_case_of_two_alerts_and_what_it_takes_from_them(either: Desk) -> None:
    desk = either
    grave, fee = desk.alert(), desk.alert("450.00")
    case_id = desk.open(grave, fee)
    found = desk.case(case_id)
    assert (found["state"], found["severity"], found["version"], found["protect"]) == (
        "open",
        "critical",
        1,
        True,
    )
    assert found["alerts"] == sorted((grave["alert_id"], fee["alert_id"]))
    assert set(found["typologies"]) == {"mule-layering", "labour-exploitation"}
    assert {(p["ref"], p["role"], p["confidence"]) for p in found["parties"]} == {
        (grave["subject_id"], "unknown", "low"), (fee["subject_id"], "possible_victim", "low"),
    }  # fmt: skip
    assert {desk.state_of(grave), desk.state_of(fee)} == {"escalated"}
    told = desk.decisions()[-1]
    assert (told["decision"], told["case"], told["reason"]) == ("case.opened", case_id, WHY)
    listed = desk.get("/v1/cases?protect=true&state=open", purpose=WHY)["items"]
    assert [each["case_id"] for each in listed] == [case_id]
    bare = desk.get(f"/v1/cases/{case_id}")  # without a purpose nobody is named
    assert "title" not in bare
    assert all("ref" not in each for each in bare["parties"])


def test_an_alert_is_in_one_case_and_in_the_version_that_was_read(desk: Desk) -> None:
    first, second = desk.alert(), desk.alert()
    problem(desk.ask_open(first | {"version": 9}), 412, "conflict")
    problem(desk.ask_open(first, {"alert_id": "al-none", "version": 1}), 404, "not_found")
    case_id = desk.open(first)
    again = desk.get(f"/v1/alerts/{first['alert_id']}")
    problem(desk.ask_open(again), 409, "transition")
    problem(
        desk.ask_open(second, key=desk.person("analyst", entities=frozenset({"north"}))), 404, "not_found"
    )
    problem(desk.ask_open(second, key=desk.audit), 403, "forbidden")
    ok(desk.do(case_id, "alerts", {"alerts": seen(second), "reason": WHY}))
    assert desk.case(case_id)["version"] == 2
    problem(desk.do(case_id, "alerts", {"alerts": seen(again), "reason": WHY}), 409, "transition")


def test_what_is_taken_out_is_in_review_again(desk: Desk) -> None:
    first, second = desk.alert(), desk.alert()
    case_id = desk.open(first, second)
    ok(desk.do(case_id, "alerts:unlink", {"alerts": [first["alert_id"]], "reason": "another matter"}))
    assert desk.state_of(first) == "in_review"
    assert desk.case(case_id)["alerts"] == [second["alert_id"]]
    body = {"alerts": [second["alert_id"]], "reason": WHY}
    problem(desk.do(case_id, "alerts:unlink", body), 422, "input")  # a case keeps one
    problem(desk.do(case_id, "alerts:unlink", {"alerts": ["al-none"], "reason": WHY}), 404, "not_found")
    desk.open(desk.get(f"/v1/alerts/{first['alert_id']}"))


def test_two_cases_become_one_and_keep_what_they_know(either: Desk) -> None:
    desk = either
    first, second = desk.open(desk.alert("450.00")), desk.open(desk.alert())
    ok(desk.patch(first, facts_known_at="2027-01-05T12:00:00Z"))
    body = {"into": second, "version": desk.version(second), "reason": "the same landlord"}
    ok(desk.do(first, "merge", body))
    gone, kept = desk.case(first), desk.case(second)
    assert (gone["state"], gone["merged_into"], gone["alerts"], gone["parties"]) == ("closed", second, [], [])
    assert len(kept["alerts"]) == len(kept["parties"]) == 2
    assert (kept["severity"], kept["protect"]) == ("critical", True)
    assert kept["facts_known_at"] == "2027-01-05T12:00:00.000000Z"
    problem(desk.patch(first, state="investigating"), 409, "transition")
    problem(desk.do(second, "merge", body | {"version": 9}), 422, "input")
    for case_id in (first, second):
        lines = desk.get(f"/v1/cases/{case_id}/timeline")["items"]
        assert [each["decision"] for each in lines if each["what"] == "decision"][-1] == "case.merged"


def test_nobody_sees_more_by_a_merge(desk: Desk) -> None:
    first = desk.open(desk.alert(), restriction="police_hold")
    second = desk.open(desk.alert())
    ok(desk.do(first, "merge", {"into": second, "version": 1, "reason": WHY}))
    assert desk.case(second)["restriction"] == "police_hold"
    problem(desk.api.get(f"/v1/cases/{second}", desk.ben), 404, "not_found")
    other = desk.open(desk.alert(), restriction="own_staff")
    problem(desk.do(other, "merge", {"into": second, "version": 2, "reason": WHY}), 422, "input")


def test_a_case_of_its_own_takes_its_parties_along(either: Desk) -> None:
    desk = either
    first, second = desk.alert("450.00"), desk.alert()
    case_id = desk.open(first, second)
    made = ok(desk.do(case_id, "split", {"alerts": [first["alert_id"]], "title": "Apart", "reason": WHY}))
    new = desk.case(made["case_id"])
    assert (new["alerts"], new["split_from"], new["protect"]) == ([first["alert_id"]], case_id, True)
    assert [each["ref"] for each in new["parties"]] == [first["subject_id"]]
    assert desk.case(case_id)["alerts"] == [second["alert_id"]]
    body = {"alerts": [second["alert_id"]], "title": "x", "reason": WHY}
    problem(desk.do(case_id, "split", body), 422, "input")
