"""A case follows its alerts: graver and protected by new evidence, never the other way by itself."""

from __future__ import annotations

from typing import Any

from apikit import pay
from caseskit import Desk, ok

from txmon.store import journal


def more(desk: Desk, alert: dict[str, Any], amount: str, number: int) -> None:
    desk.api.send(
        pay(
            f"m-{alert['subject_id']}-{number}",
            55 + number,
            amount=amount,
            payer=alert["subject_id"],
            payee="x",
        )
    )


def medium(desk: Desk) -> dict[str, Any]:
    """An alert of three small payments, of the severity that rules have by themselves."""
    number = desk.api.service.doors.clock.now_us()
    desk.api.service.doors.clock.time_us += 1_000_000  # type: ignore[attr-defined]
    desk.api.send(*(pay(f"s-{number}-{i}", i, payer=f"small-{number}") for i in range(3)))
    found = desk.get("/v1/alerts?limit=200", purpose="test")["items"]
    return dict(next(each for each in found if each["subject_id"] == f"small-{number}"))


def test_new_evidence_makes_a_case_graver_and_says_so(either: Desk) -> None:
    desk = either
    alert = medium(desk)
    case_id = desk.open(alert)
    before = desk.case(case_id)
    assert (before["severity"], before["protect"]) == ("medium", False)
    more(desk, alert, "450.00", 1)  # may be a victim's
    protected = desk.case(case_id)
    assert (protected["severity"], protected["protect"]) == ("high", True)
    assert protected["version"] == before["version"] + 1
    assert set(before["typologies"]) < set(protected["typologies"])
    more(desk, alert, "950.00", 2)
    grave = desk.case(case_id)
    assert grave["severity"] == "critical"
    told = [each for each in desk.decisions() if each["decision"] == "case.evidence"]
    assert [(each["by"], each["case"], each["alert"]) for each in told] == [
        ("pipeline", case_id, alert["alert_id"])
    ] * 2
    assert told[0]["from"] == {
        "severity": "medium",
        "protect": False,
        "typologies": told[0]["from"]["typologies"],
    }
    assert told[1]["to"]["severity"] == "critical"
    entries = desk.get(f"/v1/cases/{case_id}/timeline", purpose="test")["items"]
    assert [e["by"] for e in entries if e.get("decision") == "case.evidence"] == ["pipeline"] * 2
    more(desk, alert, "950.00", 3)  # known rules again: nothing new
    assert desk.case(case_id)["version"] == grave["version"]
    rows = list(journal.read(desk.api.service.store))
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))


def test_what_people_lowered_stays_until_an_alert_is_graver(desk: Desk) -> None:
    alert = desk.alert("450.00")
    case_id = desk.open(alert)
    assert desk.decide(desk.patch(case_id, severity="low"), desk.ben).status_code == 200
    more(desk, alert, "460.00", 1)
    assert desk.case(case_id)["severity"] == "low"
    more(desk, alert, "950.00", 2)
    assert desk.case(case_id)["severity"] == "critical"


def test_an_edit_of_before_is_refused_and_closed_cases_rest(desk: Desk) -> None:
    alert = medium(desk)
    case_id = desk.open(alert)
    version = desk.version(case_id)
    more(desk, alert, "950.00", 1)
    assert desk.patch(case_id, title="x", version=version).status_code == 412
    other = medium(desk)
    closed = desk.open(other)
    for state in ("investigating", "decided", "closed"):
        ok(desk.patch(closed, state=state))
    more(desk, other, "950.00", 1)
    assert desk.case(closed)["severity"] == "medium"
