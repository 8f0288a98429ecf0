"""Somebody who may be a victim: found, protected, decided on by safeguarding, reached by safe ways only."""

from __future__ import annotations

from apikit import problem
from caseskit import WHY, Desk, ok


def test_the_queue_of_protected_ones_and_who_decides(either: Desk) -> None:
    desk = either
    fee = desk.alert("450.00")
    desk.alert()
    waiting = desk.get("/v1/queue?protect=true", desk.sara)["items"]
    assert [each["alert_id"] for each in waiting] == [fee["alert_id"]]
    case_id = desk.open(fee)
    ok(desk.patch(case_id, state="investigating"))
    problem(desk.patch(case_id, state="decided"), 403, "forbidden")
    problem(desk.patch(case_id, desk.sara, state="decided"), 409, "transition")  # no lead yet
    problem(desk.patch(case_id, lead=desk.id_of(desk.ana)), 403, "forbidden")
    problem(desk.patch(case_id, desk.ben, lead=desk.id_of(desk.ana)), 422, "input")
    ok(desk.patch(case_id, lead=desk.id_of(desk.sara)))
    problem(desk.patch(case_id, lead=None), 422, "input")
    ok(desk.patch(case_id, desk.sara, state="decided", reason="support offered"))
    assert desk.case(case_id)["state_reason"] == "support offered"


def test_a_victims_role_ends_by_two_people_one_of_them_for_safeguarding(either: Desk) -> None:
    desk = either
    case_id = desk.open(desk.alert("450.00"))
    party = desk.victim(case_id)
    asked = desk.patch_party(case_id, party["party_id"], ended=True)
    assert asked.status_code == 202
    problem(desk.decide(asked, desk.ben), 403, "forbidden")
    assert desk.victim(case_id)["party_id"] == party["party_id"]
    assert desk.decide(asked, desk.sara).status_code == 200
    found = desk.case(case_id)
    assert found["parties"] == []
    assert found["protect"]  # the case stays protected until that is lifted, too
    lifted = desk.patch(case_id, protect=False)
    assert desk.decide(lifted, desk.sara).status_code == 200
    assert not desk.case(case_id)["protect"]
    told = desk.decisions()[-1]
    assert (told["decision"], told["to"]) == ("case.protected", {"protect": False})
    assert told["author"] != told["by"]


def test_protection_stays_while_a_party_may_be_a_victim(desk: Desk) -> None:
    case_id = desk.open(desk.alert("450.00"))
    lifted = desk.patch(case_id, protect=False)
    problem(desk.decide(lifted, desk.sara), 409, "exists")
    assert desk.case(case_id)["protect"]


def test_marking_somebody_takes_one_person_and_protects_the_case(either: Desk) -> None:
    desk = either
    case_id = desk.open(desk.alert())
    assert not desk.case(case_id)["protect"]
    body = {"kind": "person", "ref": "p-7", "role": "possible_victim", "confidence": "medium", "basis": WHY}
    ok(desk.do(case_id, "parties", body))
    found = desk.case(case_id)
    assert found["protect"]
    (party,) = [each for each in found["parties"] if each["ref"] == "p-7"]
    assert (party["author"], party["confidence"], party["basis"]) == (
        f"person:{desk.id_of(desk.ana)}", "medium", WHY,
    )  # fmt: skip
    problem(desk.do(case_id, "parties", body), 409, "exists")
    ok(desk.do(case_id, "parties", body | {"role": "recruiter", "confidence": "low"}))  # roles coexist
    assert {p["role"] for p in desk.case(case_id)["parties"] if p["ref"] == "p-7"} == {
        "possible_victim", "recruiter",
    }  # fmt: skip


def test_no_channel_is_safe_until_safeguarding_says_so(either: Desk) -> None:
    desk = either
    case_id = desk.open(desk.alert("450.00"))
    party = desk.victim(case_id)
    path, body = f"parties/{party['party_id']}/contact", {"channel": "phone", "text": "call-back"}
    problem(desk.do(case_id, path, body), 409, "transition")
    problem(desk.do(case_id, path, body, desk.sara), 409, "transition")
    problem(desk.patch_party(case_id, party["party_id"], contact=["phone"]), 403, "forbidden")
    ok(desk.patch_party(case_id, party["party_id"], desk.sara, contact=["branch"]))
    problem(desk.do(case_id, path, body), 409, "transition")
    made = ok(desk.do(case_id, path, body | {"channel": "branch"}))
    assert made["text"].startswith("Please come to a branch")
    problem(desk.do(case_id, path, body | {"channel": "branch", "text": "we-know"}), 422, "input")


def test_what_was_safe_for_anybody_is_not_safe_for_a_victim(desk: Desk) -> None:
    grave = desk.alert()
    case_id = desk.open(grave)
    (party,) = desk.case(case_id)["parties"]
    ok(desk.patch_party(case_id, party["party_id"], contact=["sms"]))
    body = {"kind": "account", "ref": party["ref"], "role": "victim", "confidence": "high", "basis": WHY}
    ok(desk.do(case_id, "parties", body))
    path = f"parties/{party['party_id']}/contact"
    problem(desk.do(case_id, path, {"channel": "sms", "text": "call-back"}), 409, "transition")


def test_an_account_action_is_proposed_and_noted_and_nothing_is_done(either: Desk) -> None:
    desk = either
    case_id = desk.open(desk.alert("450.00"))
    ref = desk.victim(case_id)["ref"]
    body = {"ref": ref, "action": "hold", "reason": WHY}
    asked = desk.do(case_id, "actions", body)
    problem(desk.decide(asked, desk.ben), 403, "forbidden")  # may be a victim: safeguarding decides
    problem(desk.decide(asked, desk.ana), 403, "forbidden")
    assert desk.decide(asked, desk.sara).status_code == 200
    told = desk.decisions()[-1]
    assert (told["decision"], told["ref"], told["action"]) == ("case.action", ref, "hold")
    other = desk.open(desk.alert())
    (party,) = desk.case(other)["parties"]
    asked = desk.do(other, "actions", body | {"ref": party["ref"]})
    assert desk.decide(asked, desk.ben).status_code == 200
    problem(desk.do(other, "actions", body), 422, "input")  # not a party of it
