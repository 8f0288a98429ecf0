"""What a case shows: what happened and where, who is connected with whom, which signs were seen."""

from __future__ import annotations

from typing import Any

import pytest
from apikit import pay, problem
from caseskit import WHY, Desk, ok

from txmon.api.pages import cursor_of
from txmon.cases import network
from txmon.cases.network import drawn
from txmon.cases.texts import signs


def test_the_timeline_has_both_ends_of_a_payment_and_its_clock_on_the_wall(either: Desk) -> None:
    desk = either
    alert = desk.alert(payer_country="NL", payee_country="RO", tz="Europe/Amsterdam")
    plain = desk.alert(payer_country="NL")
    case_id = desk.open(alert, plain)
    ok(desk.do(case_id, "comments", {"text": "called the branch"}))
    found = desk.get(f"/v1/cases/{case_id}/timeline", purpose=WHY)
    events = {each["from"]["account"]: each for each in found["items"] if each["what"] == "event"}
    hop = events[alert["subject_id"]]
    assert hop["from"]["jurisdiction"] == "NL"
    assert hop["to"]["jurisdiction"] == "RO"
    assert (hop["cross_border"], hop["zone"]) == (True, "Europe/Amsterdam")
    assert hop["local"][:19] != hop["at"][:19]
    assert hop["local"].endswith(("+01:00", "+02:00"))
    bare = events[plain["subject_id"]]
    assert bare["zone"] is None  # not known: none, never UTC
    assert bare["local"] is None
    assert bare["cross_border"] is None
    assert (bare["amount_minor"], bare["currency"]) == (95_000, "EUR")
    decisions = [each for each in found["items"] if each["what"] == "decision"]
    assert [each["decision"] for each in decisions] == ["case.opened", "case.comment"]
    assert decisions[-1]["facts"] == {"text": "called the branch"}
    assert [each["at"] for each in found["items"]] == sorted(each["at"] for each in found["items"])
    assert found["span"]["first"] <= found["span"]["last"]
    unnamed = desk.get(f"/v1/cases/{case_id}/timeline")["items"]
    assert {each["what"] for each in unnamed} == {"alert", "decision"}
    assert all("facts" not in each for each in unnamed)


def test_the_network_counts_money_once_and_by_currency(either: Desk) -> None:
    desk = either
    alert = desk.alert(payee="shop", device="dev-1")
    desk.api.send(pay("n-2", 55, amount="901.00", payer=alert["subject_id"], payee="shop", device="dev-1"))
    case_id = desk.open(desk.get(f"/v1/alerts/{alert['alert_id']}"))
    ok(desk.do(case_id, "parties", {"kind": "account", "ref": "shop", "role": "employer", "confidence": "high", "basis": WHY}))  # fmt: skip
    found = desk.get(f"/v1/cases/{case_id}/network", purpose=WHY)
    nodes = {each["id"]: each for each in found["nodes"]}
    assert set(nodes) == {f"account:{alert['subject_id']}", "account:shop", "device:dev-1"}
    assert [each["role"] for each in nodes["account:shop"]["roles"]] == ["employer"]
    money = [each for each in found["edges"] if each["kind"] == "money"]
    assert [(e["count"], e["amount_minor"], e["currency"]) for e in money] == [(2, 185_100, "EUR")]
    assert {each["event_id"] for each in money[0]["events"]} >= {"n-2"}
    used = [each for each in found["edges"] if each["kind"] == "used"]
    assert [(e["to"], e["amount_minor"]) for e in used] == [("device:dev-1", None)]
    assert not found["truncated"]


def test_sums_of_two_currencies_are_two_edges() -> None:
    event: dict[str, Any] = {
        "payer": "a",
        "payee": "b",
        "amount_minor": 5,
        "event_time": "2026-01-01T00:00:00Z",
    }
    found = drawn([event | {"currency": "EUR"}, event | {"currency": "USD"}, event | {"currency": "EUR"}], [])
    assert [(e["currency"], e["amount_minor"], e["count"]) for e in found["edges"]] == [
        ("EUR", 10, 2),
        ("USD", 5, 1),
    ]
    assert [each["id"] for each in found["nodes"]] == ["account:a", "account:b"]


def test_signs_that_were_seen_say_by_whom(either: Desk) -> None:
    desk = either
    case_id = desk.open(desk.alert())
    known = [each.id for each in signs()]
    problem(desk.do(case_id, "checklist", {"answers": [{"sign": known[0], "answer": "seen"}]}), 422, "input")
    problem(desk.do(case_id, "checklist", {"answers": [{"sign": "tall", "answer": "unknown"}]}), 422, "input")
    seen = {"sign": known[0], "answer": "seen", "witness": "clerk at desk 3", "note": "came with another man"}
    ok(desk.do(case_id, "checklist", {"answers": [seen, {"sign": known[1], "answer": "not_seen"}]}))
    ok(desk.do(case_id, "checklist", {"answers": [seen | {"note": "came with two men"}]}, desk.ben))
    noted = {each["sign"]: each for each in desk.case(case_id)["checklist"]}
    assert noted.keys() == {known[0], known[1]}
    assert noted[known[0]]["note"] == "came with two men"
    assert noted[known[0]]["author"] == f"person:{desk.id_of(desk.ben)}"
    twice = {"answers": [seen, seen]}
    problem(desk.do(case_id, "checklist", twice), 422, "invalid")
    assert "witness" not in desk.get(f"/v1/cases/{case_id}")["checklist"][0]


@pytest.mark.parametrize("personal", [True, False])
def test_a_timeline_in_pages_is_the_whole_timeline(either: Desk, personal: bool) -> None:
    """However it is cut, and however many entries are of one moment: none twice, none left out, in order."""
    desk = either
    alerts = [desk.alert() for _ in range(3)]
    alert = alerts[0]
    more = [
        pay(f"t-{i}", 10 + i // 3, amount="950.00", payer=alert["subject_id"]) for i in range(9)
    ]  # three at once
    desk.api.send(*more)
    case_id = desk.open(*[desk.get(f"/v1/alerts/{each['alert_id']}") for each in alerts])
    for i in range(5):
        ok(desk.do(case_id, "comments", {"text": f"note {i}"}))
    told = {"purpose": WHY} if personal else {}
    path = f"/v1/cases/{case_id}/timeline"
    whole = desk.get(path, **told)
    assert whole["next_cursor"] is None
    kinds = [each["what"] for each in whole["items"]]
    assert (kinds.count("alert"), kinds.count("decision")) == (3, 6)
    assert kinds.count("event") == (12 if personal else 0)
    assert [each["at"] for each in whole["items"]] == sorted(each["at"] for each in whole["items"])
    for limit in (1, 2, 5, 20):
        found, cursor, pages = [], None, 0
        while pages == 0 or cursor is not None:
            part = desk.get(f"{path}?limit={limit}" + (f"&cursor={cursor}" if cursor else ""), **told)
            assert len(part["items"]) <= limit
            assert part["span"] == whole["span"]
            found, cursor, pages = found + part["items"], part["next_cursor"], pages + 1
        assert found == whole["items"]
    for cursor in (
        "x",
        cursor_of((1, 1, "one")),
        cursor_of((1, 7, "1")),
        cursor_of((1, 2, "9" * 30)),
        cursor_of((1, "a")),
    ):
        problem(desk.api.get(f"{path}?cursor={cursor}", desk.ana), 400, "invalid_cursor")
    problem(desk.api.get(f"{path}?limit=501", desk.ana), 422, "invalid")


def test_the_network_says_what_it_left_out(either: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = either
    alert = desk.alert()
    desk.api.send(
        *[
            pay(f"n-{i}", 100 + i, amount="950.00", payer=alert["subject_id"], payee=f"to-{i}")
            for i in range(4)
        ]
    )
    case_id = desk.open(desk.get(f"/v1/alerts/{alert['alert_id']}"))
    whole = desk.get(f"/v1/cases/{case_id}/network", purpose=WHY)
    assert (whole["truncated"], whole["left_out"]) == (False, None)
    monkeypatch.setattr(network, "EVENTS_MAX", 3)
    part = desk.get(f"/v1/cases/{case_id}/network", purpose=WHY)
    assert part["truncated"]
    assert part["left_out"]["events"] == 2
    assert part["left_out"]["first"] < part["left_out"]["last"] == "2026-01-05T13:40:00.000000Z"
    assert {each["ref"] for each in part["nodes"]} >= {"to-1", "to-2", "to-3"}
