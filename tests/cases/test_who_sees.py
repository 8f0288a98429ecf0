"""Who may know of a case: those on its list, nobody of one's own, and for the rest it does not exist."""

from __future__ import annotations

from typing import Any

import pytest
from apikit import pay, problem
from caseskit import WHY, Desk, ok, seen


def asked_everywhere(desk: Desk, case_id: str, alert: dict[str, Any], key: str) -> list[int]:
    """What somebody is told who asks for a case, its parts, its alert, in every way there is."""
    path = f"/v1/cases/{case_id}"
    reads = [
        path,
        f"{path}/timeline",
        f"{path}/network",
        f"{path}/files/x",
        f"/v1/alerts/{alert['alert_id']}",
    ]
    found = [desk.api.get(each, key, purpose=WHY).status_code for each in reads]
    bodies: dict[str, Any] = {
        "comments": {"text": "x"}, "actions": {"ref": "x", "action": "hold", "reason": WHY},
        "parties": {"kind": "person", "ref": "x", "role": "client", "confidence": "low", "basis": WHY},
        "alerts": {"alerts": [{"alert_id": "x", "version": 1}], "reason": WHY},
        "alerts:unlink": {"alerts": [alert["alert_id"]], "reason": WHY},
        "split": {"alerts": [alert["alert_id"]], "title": "x", "reason": WHY},
        "checklist": {"answers": [{"sign": "fear", "answer": "unknown"}]},
    }  # fmt: skip
    found += [desk.do(case_id, part, body, key).status_code for part, body in bodies.items()]
    found.append(desk.patch(case_id, key, state="investigating").status_code)
    return found


@pytest.mark.parametrize("why", ["child_exploitation", "own_staff", "police_hold"])
def test_a_restricted_case_does_not_exist_for_others(either: Desk, why: str) -> None:
    desk = either
    alert = desk.alert()
    case_id = desk.open(alert, restriction=why)
    assert desk.case(case_id)["access"] == [
        {"person_id": desk.id_of(desk.ana), "granted_by": f"person:{desk.id_of(desk.ana)}"}
    ]
    for key in (desk.ben, desk.sara, desk.audit, desk.api.worker("auditor", scopes=("read", "explain"))):
        answers = asked_everywhere(desk, case_id, alert, key)
        assert set(answers) <= {403, 404}, answers  # 403: the route is not this role's, whatever the case
        assert answers[:5] == [404] * 5
        none = asked_everywhere(desk, "cas_none", {"alert_id": "al-none"}, key)
        assert answers == none
        for path in ("/v1/cases", "/v1/alerts", "/v1/queue", "/v1/hits", "/v1/entities"):
            text = desk.api.get(path, key, purpose=WHY).text
            assert case_id not in text
            assert alert["alert_id"] not in text
            assert alert["subject_id"] not in text
        assert desk.get("/v1/entities", key)["items"][0]["alerts"] == {}


def test_who_is_let_in_sees_it_and_who_is_not_sees_no_proposal_either(either: Desk) -> None:
    desk = either
    case_id = desk.open(desk.alert(), restriction="police_hold")
    lifted = desk.patch(case_id, restriction=None)
    number = lifted.json()["proposal_id"]
    problem(desk.api.get(f"/v1/proposals/{number}", desk.ben), 404, "not_found")
    problem(desk.decide(lifted, desk.ben), 404, "not_found")
    assert desk.get("/v1/proposals", desk.ben)["items"] == []
    body = {"person_id": desk.id_of(desk.ben), "allowed": True, "reason": WHY}
    problem(desk.do(case_id, "access", body), 403, "forbidden")  # an analyst lets nobody in
    both = desk.person("analyst", "approver")
    second = desk.open(desk.alert(), restriction="police_hold", key=both)
    ok(desk.do(second, "access", body, both))
    assert desk.case(second, desk.ben)["case_id"] == second
    lifted = desk.patch(second, both, restriction=None)
    assert desk.decide(lifted, desk.ben).status_code == 200
    assert desk.case(second, desk.sara)["restriction"] is None
    out = body | {"allowed": False}
    ok(desk.do(second, "access", out, both))
    problem(desk.do(second, "access", out, both), 404, "not_found")


def test_a_restricted_case_keeps_somebody_on_its_list(desk: Desk) -> None:
    both = desk.person("analyst", "approver")
    case_id = desk.open(desk.alert(), restriction="own_staff", key=both)
    body = {"person_id": desk.id_of(both), "allowed": False, "reason": WHY}
    problem(desk.do(case_id, "access", body, both), 422, "input")
    problem(desk.patch(case_id, both, assignee=desk.id_of(desk.ana)), 404, "not_found")
    missing = body | {"person_id": "psn_" + "a" * 16, "allowed": True}
    problem(desk.do(case_id, "access", missing, both), 404, "not_found")


def test_who_is_a_party_is_shut_out_whatever_is_granted(either: Desk) -> None:
    desk = either
    alert = desk.alert()
    case_id = desk.open(alert)
    assert desk.case(case_id, desk.ben)["case_id"] == case_id
    body = {"kind": "person", "ref": "employee-9", "role": "facilitator", "confidence": "low", "basis": WHY}
    problem(desk.do(case_id, "parties", body | {"user_id": desk.id_of(desk.ana)}), 422, "input")
    ok(desk.do(case_id, "parties", body | {"user_id": desk.id_of(desk.ben)}))
    assert set(asked_everywhere(desk, case_id, alert, desk.ben)) <= {403, 404}
    other = desk.person("approver")
    ok(desk.do(case_id, "access", {"person_id": desk.id_of(desk.ben), "allowed": True, "reason": WHY}, other))
    problem(desk.api.get(f"/v1/cases/{case_id}", desk.ben), 404, "not_found")
    # in again only by two people, one of them for safeguarding
    (party,) = [p for p in desk.case(case_id)["parties"] if p["user_id"]]
    asked = desk.patch_party(case_id, party["party_id"], ended=True)
    problem(desk.decide(asked, other), 403, "forbidden")
    assert desk.decide(asked, desk.sara).status_code == 200
    assert desk.case(case_id, desk.ben)["case_id"] == case_id


def test_alerts_of_a_shut_case_are_not_dismissed_linked_or_worked_on_by_others(desk: Desk) -> None:
    alert = desk.alert()
    desk.open(alert, restriction="own_staff")
    now = desk.get(f"/v1/alerts/{alert['alert_id']}")
    key = desk.person("analyst")
    answer = desk.api.post("/v1/alerts:dismiss", key, json={"alerts": seen(now), "reason": WHY})
    assert [each["result"] for each in problem(answer, 409, "state")["results"]] == ["not_found"]
    problem(desk.ask_open(now, key=key), 404, "not_found")
    body = {"alerts": seen(now), "action": "take_up", "reason": WHY}
    answer = ok(desk.api.post("/v1/queue:work", key, json=body))
    assert answer["results"] == [{"alert_id": alert["alert_id"], "result": "not_found", "version": None}]


def test_the_stream_of_alerts_tells_nobody_of_a_shut_one(desk: Desk) -> None:
    alert = desk.alert()
    desk.open(alert, restriction="own_staff")
    desk.api.send(pay("more-1", 50, amount="999.00", payer=alert["subject_id"]))
    live = desk.api.app._live
    for key, there in ((desk.ana, True), (desk.ben, False)):
        who = desk.api.access.known[key]
        rows = live._read(who, 0)
        assert rows
        assert {row.shut for row in rows} == {not there}


def test_the_stream_of_alerts_shows_no_address_of_a_case_about_children(desk: Desk) -> None:
    alert = desk.alert(payee="bad.example/room")
    live, who = desk.api.app._live, desk.api.access.known[desk.ana]
    assert "bad.example" in str(live._read(who, 0))
    desk.open(alert, restriction="child_exploitation")
    assert "bad.example" not in str(live._read(who, 0))


def test_keys_of_other_entities_and_modes_see_nothing(desk: Desk) -> None:
    case_id = desk.open(desk.alert())
    for more in ({"entities": frozenset({"north"})}, {"mode": "test"}):
        key = desk.person("analyst", "approver", **more)
        problem(desk.api.get(f"/v1/cases/{case_id}", key), 404, "not_found")
        assert desk.get("/v1/cases", key)["items"] == []


def test_the_record_of_reads_does_not_tell_of_a_case_to_who_may_not_know(either: Desk) -> None:
    desk = either
    auditor = desk.person("auditor")
    alert = desk.alert()
    case_id = desk.open(alert, restriction="own_staff")
    desk.case(case_id)
    desk.get(f"/v1/alerts/{alert['alert_id']}", purpose=WHY)
    desk.change(lambda tx: desk.api.audit.write(tx))
    text = desk.api.get("/v1/audit", auditor, purpose=WHY).text
    assert case_id not in text
    assert alert["alert_id"] not in text
    assert "case.read" in text  # that somebody looked stays
    for subject in (case_id, "cas_none"):
        assert desk.get(f"/v1/audit?subject={subject}", auditor, purpose=WHY)["items"] == []
    both = desk.person("analyst", "auditor")
    seen_case = desk.open(desk.alert(), restriction="own_staff", key=both)
    desk.case(seen_case, both)
    desk.change(lambda tx: desk.api.audit.write(tx))
    assert desk.get(f"/v1/audit?subject={seen_case}", both, purpose=WHY)["items"]


def test_every_look_at_a_case_is_recorded_with_its_purpose(desk: Desk) -> None:
    case_id = desk.open(desk.alert())
    desk.case(case_id)
    desk.get(f"/v1/cases/{case_id}/timeline", purpose=WHY)
    desk.get(f"/v1/cases/{case_id}/network", purpose=WHY)
    problem(desk.api.get(f"/v1/cases/{case_id}/network", desk.ana), 400, "purpose_required")
    desk.change(lambda tx: desk.api.audit.write(tx))
    lines = desk.get("/v1/audit", desk.audit, purpose=WHY)["items"]
    noted = {(each["action"], each["subject"], each["purpose"]) for each in lines}
    assert {(f"case.{part}", case_id, WHY) for part in ("read", "timeline", "network")} <= noted
