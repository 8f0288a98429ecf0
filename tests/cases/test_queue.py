"""The queue of alerts: in order, without what was put off; many worked on at once, and each told why not."""

from __future__ import annotations

from typing import Any

from apikit import CRITICAL, pay, problem
from caseskit import WHY, Desk, ok, seen

from txmon.cases.words import DISMISSALS
from txmon.clock import rfc3339

HOUR_US = 3_600_000_000


def listed(desk: Desk, query: str = "", key: str | None = None) -> list[str]:
    """Every page of the queue; subjects, in order."""
    found: list[str] = []
    cursor = None
    while True:
        more = f"&cursor={cursor}" if cursor else ""
        page = desk.get(f"/v1/queue?limit=2{query}{more}", key, purpose=WHY)
        found += [each["subject_id"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def work(desk: Desk, *alerts: dict[str, Any], key: str | None = None, **body: Any) -> Any:
    return desk.api.post(
        "/v1/queue:work", key or desk.ana, json={"alerts": seen(*alerts), "reason": WHY} | body
    )


def now(desk: Desk, alert: dict[str, Any]) -> dict[str, Any]:
    return desk.get(f"/v1/alerts/{alert['alert_id']}", purpose=WHY)


def test_the_gravest_first_then_the_oldest_and_each_once(either: Desk) -> None:
    desk = either
    fee, grave, second, later = desk.alert("450.00"), desk.alert(), desk.alert("460.00"), desk.alert()
    names = [each["subject_id"] for each in (grave, later, fee, second)]
    assert listed(desk) == names
    assert listed(desk, "&order=score") == names
    assert listed(desk, "&order=age") == [each["subject_id"] for each in (fee, grave, second, later)]
    assert listed(desk, "&severity=high") == names[2:]
    assert listed(desk, f"&typology={CRITICAL['typology']}") == names[:2]
    assert listed(desk, "&min_score=0.85") == names[:2]
    assert listed(desk, "&protect=true&order=age") == names[2:]
    moment = now(desk, second)["created"]
    assert listed(desk, f"&opened_before={moment}&order=age") == [fee["subject_id"], grave["subject_id"]]
    counts = desk.get("/v1/queue")["counts"]
    assert counts["severity"] == {"critical": 2, "high": 2}
    assert (counts["unassigned"], counts["protect"], counts["snoozed"]) == (4, 2, 0)
    assert counts["oldest"]["critical"] == now(desk, grave)["created"]


def test_many_are_taken_up_assigned_and_each_is_told(either: Desk) -> None:
    desk = either
    first, second, third = desk.alert(), desk.alert(), desk.alert()
    stale, none = third | {"version": 9}, {"alert_id": "al-none", "version": 1}
    answer = ok(work(desk, first, second, stale, none, action="take_up"))
    assert [each["result"] for each in answer["results"]] == ["done", "done", "conflict", "not_found"]
    assert {now(desk, each)["state"] for each in (first, second)} == {"in_review"}
    assert listed(desk, "&assignee=me") == [first["subject_id"], second["subject_id"]]
    assert listed(desk, "&assignee=none") == [third["subject_id"]]
    told = desk.decisions()[-1]
    assert (told["decision"], len(told["alerts"]), told["reason"]) == ("alerts.take_up", 2, WHY)
    answer = ok(work(desk, now(desk, first), action="assign", person_id=desk.id_of(desk.ben)))
    assert answer["results"][0]["version"] == now(desk, first)["version"]
    assert listed(desk, "&assignee=me", desk.ben) == [first["subject_id"]]
    ok(work(desk, now(desk, first), action="assign", person_id=None))
    assert listed(desk, "&assignee=me", desk.ben) == []
    problem(work(desk, first, action="assign", person_id="psn_" + "a" * 16), 404, "not_found")


def test_what_was_put_off_comes_back_in_time_or_with_new_evidence(either: Desk) -> None:
    desk = either
    fee, grave = desk.alert("450.00"), desk.alert()
    clock = desk.api.service.doors.clock
    soon = rfc3339(clock.now_us() + 20 * HOUR_US)
    later = rfc3339(clock.now_us() + 6 * 24 * HOUR_US)
    answer = ok(work(desk, fee, grave, action="snooze", until=later))
    assert [each["result"] for each in answer["results"]] == ["done", "too_long"]  # critical: a day at most
    ok(work(desk, grave, action="snooze", until=soon))
    assert listed(desk) == []
    assert len(listed(desk, "&snoozed=true")) == 2
    assert desk.get("/v1/queue")["counts"]["snoozed"] == 2
    clock.time_us += 21 * HOUR_US  # type: ignore[attr-defined]
    assert listed(desk) == [grave["subject_id"]]
    desk.api.send(*(pay(f"again-{i}", i, amount="20.00", payer=fee["subject_id"]) for i in range(4)))
    assert listed(desk) == [grave["subject_id"], fee["subject_id"]]
    ok(work(desk, now(desk, grave), action="snooze", until=rfc3339(clock.now_us() + HOUR_US)))
    assert listed(desk) == [fee["subject_id"]]
    ok(work(desk, now(desk, grave), action="snooze", until=None))
    assert len(listed(desk)) == 2


def test_a_cursor_that_is_none_is_refused(desk: Desk) -> None:
    for cursor in ("WyJ4IiwxLCJhIl0", "WyJuYW4iLDEsImEiXQ", "W10"):
        problem(desk.api.get(f"/v1/queue?order=score&cursor={cursor}", desk.ana), 400, "invalid_cursor")


def test_bounds_of_work_on_many(desk: Desk) -> None:
    alert = desk.alert()
    many = [{"alert_id": f"al-{i}", "version": 1} for i in range(201)]
    problem(desk.api.post("/v1/queue:work", desk.ana, json={"alerts": many, "action": "take_up", "reason": WHY}), 422, "invalid")  # fmt: skip
    problem(work(desk, alert, alert, action="take_up"), 422, "invalid")
    problem(work(desk, alert, action="take_up", until="2030-01-01T00:00:00Z"), 422, "invalid")
    problem(work(desk, alert, action="snooze", until="2020-01-01T00:00:00Z"), 422, "input")
    problem(work(desk, alert, action="take_up", key=desk.audit), 403, "forbidden")
    problem(
        work(desk, alert, action="take_up", key=desk.api.worker("analyst", scopes=("explain",))),
        403,
        "four_eyes",
    )
    desk.open(alert)
    answer = ok(work(desk, now(desk, alert), action="take_up"))
    assert answer["results"][0]["result"] == "transition"  # escalated


def test_the_kind_of_reason_of_a_dismissal_is_kept(either: Desk) -> None:
    desk = either
    fee = desk.alert("450.00")
    ok(work(desk, fee, action="take_up"))
    path, found = f"/v1/alerts/{fee['alert_id']}", now(desk, fee)
    body = {"state": "dismissed", "reason": "alimony, decree seen", "code": "known_relation"}
    answer = desk.api.call("PATCH", path, desk.ana, json=body, headers={"if-match": f'"v{found["version"]}"'})
    ok(answer)
    told = desk.decisions()[-1]
    assert (told["decision"], told["code"]) == ("alert.state", "known_relation")
    grave = desk.alert()
    asked = {"alerts": seen(grave), "reason": WHY, "code": "data_error"}
    answer = desk.api.post("/v1/alerts:dismiss", desk.ana, json=asked)
    assert desk.decide(answer, desk.ben).status_code == 200
    assert desk.decisions()[-1]["code"] == "data_error"
    with desk.api.service.store.read() as conn:
        rows = conn.exec_driver_sql("select alert_id, dismissal from alert_work").all()
    assert dict(map(tuple, rows)) == {fee["alert_id"]: "known_relation", grave["alert_id"]: "data_error"}
    assert set(desk.get("/v1/vocabulary")["dismissals"]) == set(DISMISSALS)
    wrong = body | {"code": "bored"}
    problem(desk.api.call("PATCH", path, desk.ana, json=wrong, headers={"if-match": '"v1"'}), 422, "invalid")
