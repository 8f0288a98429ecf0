"""The record of reads: every look at personal data has a line, and lines are found by person, purpose and time."""

from __future__ import annotations

import json

from caseskit import WHY, Desk
from keepkit import PLANTED, Filled

from txmon.store.retention import DAY_US


def test_whatever_shows_personal_data_leaves_a_line(desk: Desk) -> None:
    filled = Filled(desk)
    boss = desk.api.person("admin", "auditor", "approver", "safeguarding", "analyst")
    who = desk.api.access.known[boss]
    desk.change(desk.api.audit.write)
    shown = 0
    for number, path in enumerate(filled.paths()):
        purpose = f"look number {number}"
        answer = desk.api.get(path, boss, purpose=purpose)
        desk.change(desk.api.audit.write)
        lines = desk.get(f"/v1/audit?identity={who.identity}&limit=1", desk.audit, purpose=WHY)["items"]
        if PLANTED in answer.text:
            shown += 1
            assert lines[0]["purpose"] == purpose, path
    assert shown >= 8


def test_without_a_purpose_no_value_of_an_event_is_shown(desk: Desk) -> None:
    filled = Filled(desk)
    for path, (_, text) in filled.crawl(purpose=False).items():
        for what in (
            "alone",
            "shop",
            "memo",
            "linked",
            "title",
            "name",
            "basis",
            "comment",
            "note",
            "raw",
            "reason",
        ):
            assert PLANTED + what not in text, path


def test_lines_are_found_by_person_subject_purpose_and_time(desk: Desk) -> None:
    first = desk.alert()
    clock = desk.api.service.doors.clock
    desk.get(f"/v1/alerts/{first['alert_id']}", desk.ana, purpose="review 100%_of it")
    clock.time_us += DAY_US  # type: ignore[attr-defined]
    desk.get(f"/v1/alerts/{first['alert_id']}", desk.ben, purpose="second look")
    desk.change(desk.api.audit.write)

    def found(query: str) -> list[str]:
        lines = desk.get(f"/v1/audit?action=alert.read&{query}", desk.audit, purpose=WHY)["items"]
        return [line["purpose"] for line in lines]

    assert found("") == ["second look", "review 100%_of it"]
    assert found(f"person={desk.id_of(desk.ana)}") == ["review 100%_of it"]
    assert found(f"subject={first['alert_id']}&purpose=look") == ["second look"]
    assert found("purpose=100%25_of") == ["review 100%_of it"]
    assert found("purpose=1009of") == []  # signs of a pattern are signs
    day = "2030-03-18T00:00:00Z"
    assert found(f"since={day}") == ["second look"]
    assert found(f"until={day}") == ["review 100%_of it"]
    both = desk.api.get(f"/v1/audit?person={desk.id_of(desk.ana)}&identity=person:x", desk.audit, purpose=WHY)
    assert both.status_code == 422
    assert desk.api.get("/v1/audit?purpose=look", desk.audit).status_code == 400
    assert desk.api.get("/v1/audit", desk.ana, purpose=WHY).status_code == 403


def test_the_export_is_whole(desk: Desk) -> None:
    for number in range(3):
        desk.get("/v1/alerts", desk.ana, purpose=f"number {number}")
    desk.change(desk.api.audit.write)
    text = desk.api.get("/v1/audit/export?action=alert.list", desk.audit, purpose=WHY).text
    assert [json.loads(line)["purpose"] for line in text.splitlines()] == ["number 2", "number 1", "number 0"]
    assert desk.api.get("/v1/audit/export", desk.audit).status_code == 400
    desk.change(desk.api.audit.write)
    line = desk.get("/v1/audit?action=audit.export", desk.audit, purpose=WHY)["items"][0]
    assert line["purpose"] == WHY
