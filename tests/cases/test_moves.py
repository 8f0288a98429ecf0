"""The way of a case: states, four eyes, clocks, snoozes; and of two who read the same, the second reads again."""

from __future__ import annotations

import itertools
import random
import threading
from typing import Any

import pytest
from apikit import problem
from caseskit import WHY, Desk, ok

from txmon.cases.words import CLOCK_HOURS, NEXT, SEVERITIES, STATES
from txmon.clock import rfc3339
from txmon.store.casetables import cases

HOUR_US = 3_600_000_000


def put(desk: Desk, case_id: str, **values: Any) -> None:
    """Have a case be so, however it came to it."""
    table = cases
    desk.change(
        lambda tx: tx.conn.execute(table.update().where(table.c.case_id == case_id).values(values)) and None
    )


@pytest.mark.parametrize("role", ["analyst", "approver", "safeguarding"])
def test_every_transition_and_no_other(desk: Desk, role: str) -> None:
    case_id, key = desk.open(desk.alert()), desk.person(role)
    for old, new in itertools.product(STATES, STATES):
        put(desk, case_id, state=old)
        answer = desk.patch(case_id, key, state=new)
        if new in NEXT[old]:
            assert ok(answer)["version"] == desk.version(case_id)
            told = desk.decisions()[-1]
            assert (told["decision"], told["from"], told["to"]) == (
                "case.state",
                {"state": old},
                {"state": new},
            )
        else:
            problem(answer, 409, "transition")
    put(desk, case_id, state="open")
    problem(desk.patch(case_id, desk.audit, state="investigating"), 403, "forbidden")
    service = desk.api.worker("analyst", scopes=("read",))
    problem(desk.patch(case_id, service, state="investigating"), 403, "four_eyes")


def test_severity_is_raised_by_one_and_lowered_by_two(either: Desk) -> None:
    desk = either
    case_id, both = desk.open(desk.alert("450.00")), desk.person("analyst", "approver")
    for old, new in itertools.product(SEVERITIES, SEVERITIES):
        put(desk, case_id, severity=old)
        answer = desk.patch(case_id, both, severity=new)
        if old == new:
            problem(answer, 422, "input")
        elif SEVERITIES.index(new) > SEVERITIES.index(old):
            ok(answer)
        else:
            assert answer.status_code == 202
            problem(desk.decide(answer, both), 403, "four_eyes")
            assert desk.case(case_id)["severity"] == old
            assert desk.decide(answer, desk.ben).status_code == 200
        assert desk.case(case_id)["severity"] == new


def test_one_person_with_two_keys_is_one(desk: Desk) -> None:
    key = desk.person("analyst", "approver")
    who = desk.api.access.known[key]
    second = desk.api._known(type(who)(**(vars(who) | {"key_id": "key_" + "b" * 16})))
    case_id = desk.open(desk.alert(), key=key)
    asked = desk.patch(case_id, key, severity="low")
    problem(desk.decide(asked, second), 403, "four_eyes")
    put(desk, case_id, severity="high")
    problem(desk.decide(asked, desk.ben), 409, "exists")  # not what was proposed any more
    assert desk.decide(asked, desk.ben, approve=False).json()["state"] == "rejected"


def test_of_two_who_read_the_same_version_the_second_is_refused(either: Desk) -> None:
    desk = either
    case_id = desk.open(desk.alert())
    ok(desk.patch(case_id, title="first", version=1))
    problem(desk.patch(case_id, title="second", version=1), 412, "conflict")
    assert desk.case(case_id)["title"] == "first"
    path = f"/v1/cases/{case_id}"
    problem(
        desk.api.call("PATCH", path, desk.ana, json={"title": "x", "reason": WHY}),
        428,
        "precondition_required",
    )
    answer = desk.api.get(path, desk.ana, purpose=WHY)
    assert answer.headers["etag"] == '"v2p"'
    again = desk.api.get(path, desk.ana, purpose=WHY, headers={"if-none-match": '"v2p"'})
    assert again.status_code == 304


def test_no_edit_is_lost_however_many_edit_at_once(either: Desk) -> None:
    desk = either
    case_id = desk.open(desk.alert())
    done: list[str] = []

    def edit(seed: int) -> None:
        chance = random.Random(seed)
        for i in range(40):
            version = desk.version(case_id) - chance.choice((0, 0, 1))
            answer = desk.patch(case_id, title=f"{seed}-{i}", version=version)
            assert answer.status_code in (200, 412), answer.text
            if answer.status_code == 200:
                done.append(f"{answer.json()['version']}:{seed}-{i}")

    threads = [threading.Thread(target=edit, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [each for each in desk.decisions() if each["decision"] == "case.titled"]
    assert len(told) == len(done) == desk.version(case_id) - 1  # one version for each edit that was taken
    titles = ["Rents in one street", *(each["to"]["title"] for each in told)]
    assert [each["from"]["title"] for each in told] == titles[:-1]  # each saw the one before it
    assert desk.case(case_id)["title"] == titles[-1]


def test_clocks_start_with_the_case_and_with_what_a_person_determines(either: Desk) -> None:
    desk = either
    case_id = desk.open(desk.alert())
    found, clock = desk.case(case_id), desk.api.service.doors.clock
    look, decide = CLOCK_HOURS["critical"]
    now = clock.now_us()
    assert found["due"] == {"look": rfc3339(now + look * HOUR_US), "decide": rfc3339(now + decide * HOUR_US)}
    assert (found["facts_known_at"], found["facts_known_by"]) == (None, None)
    problem(desk.patch(case_id, facts_known_at=rfc3339(now + HOUR_US)), 422, "input")
    ok(desk.patch(case_id, facts_known_at=rfc3339(now - HOUR_US)))
    problem(desk.patch(case_id, facts_known_at=rfc3339(now)), 422, "input")  # not moved later
    ok(desk.patch(case_id, desk.ben, facts_known_at=rfc3339(now - 2 * HOUR_US)))
    found = desk.case(case_id)
    assert found["facts_known_at"] == rfc3339(now - 2 * HOUR_US)
    assert found["facts_known_by"] == f"person:{desk.id_of(desk.ben)}"
    ok(desk.patch(case_id, state="investigating"))
    assert desk.case(case_id)["due"]["look"] is None


def test_a_case_is_put_off_for_a_while(either: Desk) -> None:
    desk = either
    case_id, clock = desk.open(desk.alert()), desk.api.service.doors.clock
    now = clock.now_us()
    problem(desk.patch(case_id, snoozed_until=rfc3339(now + 25 * HOUR_US)), 422, "input")  # critical: a day
    problem(desk.patch(case_id, snoozed_until=rfc3339(now - HOUR_US)), 422, "input")
    ok(desk.patch(case_id, snoozed_until=rfc3339(now + 20 * HOUR_US)))
    assert desk.get("/v1/cases")["items"] == []
    assert [each["case_id"] for each in desk.get("/v1/cases?snoozed=true")["items"]] == [case_id]
    clock.time_us += 21 * HOUR_US  # type: ignore[attr-defined]
    assert [each["case_id"] for each in desk.get("/v1/cases")["items"]] == [case_id]


def test_whose_a_case_is(desk: Desk) -> None:
    case_id = desk.open(desk.alert())
    assert [e["case_id"] for e in desk.get("/v1/cases?assignee=none")["items"]] == [case_id]
    ok(desk.patch(case_id, assignee=desk.id_of(desk.ben)))
    assert [e["case_id"] for e in desk.get("/v1/cases?assignee=me", desk.ben)["items"]] == [case_id]
    assert desk.get("/v1/cases?assignee=me")["items"] == desk.get("/v1/cases?assignee=none")["items"] == []
    problem(desk.patch(case_id, assignee="psn_" + "a" * 16), 404, "not_found")
    ok(desk.patch(case_id, assignee=None))
    problem(desk.patch(case_id), 422, "invalid")
    problem(desk.patch(case_id, title="x", severity="low"), 422, "invalid")
    problem(desk.patch(case_id, title=None), 422, "invalid")


def test_lists_of_cases_in_pages(either: Desk) -> None:
    desk = either
    made = [desk.open(desk.alert()) for _ in range(5)]
    found, cursor = [], None
    while True:
        page = desk.get(
            "/v1/cases?limit=2&severity=critical&state=open" + (f"&cursor={cursor}" if cursor else "")
        )
        found += [each["case_id"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == made[::-1]
