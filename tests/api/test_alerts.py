"""Alerts: who sees what of them, and how people move them on."""

from __future__ import annotations

from typing import Any

import pytest
from apikit import CRITICAL, Api, large, pay, problem
from servicekit import of_kind, rows_of

from txmon.store.identity import SCOPES
from txmon.store.schema import audit, journal

NEUTRAL = SCOPES - {"explain"}


def ids(answer: Any) -> list[str]:
    return [item["alert_id"] for item in answer.json()["items"]]


def open_alerts(api: Api, count: int = 5) -> list[str]:
    """Critical alerts of so many payers, the newest first."""
    for i in range(count):
        api.service.doors.clock.time_us += 1_000_000  # type: ignore[attr-defined]
        api.send(large(f"al-{i}", payer=f"payer-{i}", payee="shop"))
    return ids(api.get("/v1/alerts", api.person("analyst")))


def test_pages_are_stable_while_alerts_come(api: Api) -> None:
    alerts, key = open_alerts(api), api.person("analyst")
    first = api.get("/v1/alerts?limit=2", key)
    api.service.doors.clock.time_us += 1_000_000  # type: ignore[attr-defined]
    api.send(large("al-new", payer="payer-new"))
    second = api.get("/v1/alerts", key, params={"limit": 2, "cursor": first.json()["next_cursor"]})
    third = api.get("/v1/alerts", key, params={"limit": 2, "cursor": second.json()["next_cursor"]})
    assert ids(first) + ids(second) + ids(third) == alerts
    assert third.json()["next_cursor"] is None
    for bad in ("AAAA", "WzFd", "WzEsMl0", "a" * 400):
        problem(api.get("/v1/alerts", key, params={"cursor": bad}), 400, "invalid_cursor")


def test_filters(api: Api) -> None:
    alerts, key = open_alerts(api, 3), api.person("analyst")
    for i in range(3):
        api.send(pay(f"th-{i}", i, payer="often", mode="test"))
    (other,) = ids(api.get("/v1/alerts?mode=test", key))
    every = [other, *alerts]

    def found(**params: Any) -> set[str]:
        answer = api.get("/v1/alerts", key, params=params, purpose="a test")
        assert answer.status_code == 200, answer.text
        return set(ids(answer))

    assert found() == set(every)
    assert found(severity="critical") == set(alerts)
    assert found(severity=["critical", "medium"]) == set(every)
    assert found(typology="mule-layering") == set(alerts)
    assert found(rule="three") == {other}
    assert found(min_score=0.8) == set(alerts)
    assert found(subject="payer-1") == {alerts[1]}
    assert found(entity="default") == set(every)
    assert found(entity="elsewhere") == set()
    assert found(state="dismissed") == set()
    assert found(historic=True) == set()
    assert found(since="2030-03-17T17:46:42Z", until="2030-03-17T17:46:43Z") == {alerts[1]}
    for bad in (
        {"severity": "huge"},
        {"limit": 0},
        {"limit": 201},
        {"since": "today"},
        {"nonsense": "1"},
        {"subject": "4111111111111111"},
    ):
        problem(api.get("/v1/alerts", key, params=bad), 422, "invalid")


def test_what_is_neutral_and_what_is_personal(api: Api) -> None:
    (alert,) = open_alerts(api, 1)
    neutral = api.person("analyst", scopes=NEUTRAL)
    for path in ("/v1/alerts", f"/v1/alerts/{alert}"):
        found = api.get(path, neutral, purpose="a test").text
        for word in ("grave", "mule", "critical", "payer-0", "explanation", "rule_ids", "score"):
            assert word not in found, (path, word)
    for query in ("severity=low", "typology=other", "rule=grave", "min_score=0.1"):
        problem(api.get(f"/v1/alerts?{query}", neutral), 403, "forbidden")
    key = api.person("analyst")
    without = api.get(f"/v1/alerts/{alert}", key).json()
    assert without["rule_ids"] == ["grave"]
    assert without["personal"] is False
    assert "payer-0" not in str(without)
    assert "features" not in without["hits"][0]
    problem(api.get("/v1/alerts?subject=payer-0", key), 400, "purpose_required")
    assert api.audit.waiting == 1  # the neutral look at the single alert, which named a purpose
    found = api.get(f"/v1/alerts/{alert}", key, purpose="customer called").json()
    assert found["subject_id"] == "payer-0"
    assert found["hits"][0]["features"] == {"n": 1}
    assert found["hits"][0]["explanation"] == "1 large ones to shop"
    assert [event["event_id"] for event in found["events"]] == ["al-0"]
    assert found["events"][0]["amount_minor"] == 95000


def test_every_personal_read_is_recorded_with_its_purpose(api: Api) -> None:
    (alert,) = open_alerts(api, 1)
    key = api.person("analyst")
    api.get(f"/v1/alerts/{alert}", key, purpose="customer called")
    api.get("/v1/alerts?subject=payer-0", key, purpose="customer called again")
    api.get("/v1/hits?subject=payer-0", key, purpose="third call")
    api.service.change(lambda tx: api.audit.write(tx)).result(60)
    rows = rows_of(api.service, audit)
    assert [(row["action"], row["subject"], row["purpose"]) for row in rows] == [
        ("alert.read", alert, "customer called"),
        ("alert.list", "payer-0", "customer called again"),
        ("hit.list", "payer-0", "third call"),
    ]
    auditor = api.person("auditor")
    listed = api.get("/v1/audit", auditor, purpose="yearly audit").json()["items"]
    assert [row["subject"] for row in listed] == ["payer-0", "payer-0", alert]
    assert "subject" not in api.get("/v1/audit", auditor).json()["items"][0]
    for bad in ("", " ", "x" * 201, "card 4111 1111 1111 1111"):
        problem(api.get(f"/v1/alerts/{alert}", key, purpose=bad), 422, "invalid")


def test_mode_and_entity_of_a_key_bound_what_is_seen(api: Api) -> None:
    ingest = api.worker("ingest")
    for mode in ("live", "test"):
        for entity in ("north", "south"):
            api.send(large(f"b-{mode}-{entity}", payer="p", mode=mode, entity=entity), key=ingest)
    every = api.get("/v1/alerts", api.person("analyst")).json()["items"]
    assert len(every) == 4
    key = api.person("analyst", mode="test", entities=frozenset(("north",)))
    (mine,) = api.get("/v1/alerts", key).json()["items"]
    assert (mine["mode"], mine["entity"]) == ("test", "north")
    assert api.get("/v1/alerts?mode=live", key).json()["items"] == []
    for item in every:
        status = api.get(f"/v1/alerts/{item['alert_id']}", key).status_code
        assert status == (200 if item == mine or item["alert_id"] == mine["alert_id"] else 404)
    assert {hit["entity"] for hit in api.get("/v1/hits", key).json()["items"]} == {"north"}
    assert api.get("/v1/entities", key).json()["items"] == [
        {"entity": "north", "alerts": {"test": {"open": 1}}}
    ]
    assert len(api.get("/v1/entities", api.person("analyst")).json()["items"]) == 3
    problem(api.get("/v1/quarantine", key), 403, "forbidden")


def test_an_etag_saves_an_answer(api: Api) -> None:
    (alert,) = open_alerts(api, 1)
    key = api.person("analyst")
    for path in ("/v1/alerts", f"/v1/alerts/{alert}", "/v1/hits", "/v1/rules", "/v1/entities"):
        first = api.get(path, key)
        again = api.get(path, key, headers={"if-none-match": first.headers["etag"]})
        assert again.status_code == 304, path
        assert again.content == b""
        assert again.headers["etag"] == first.headers["etag"]


def move(api: Api, key: str, alert: str, state: str, etag: str | None = None, **more: Any) -> Any:
    etag = etag or api.get(f"/v1/alerts/{alert}", key).headers["etag"]
    return api.call(
        "PATCH", f"/v1/alerts/{alert}", key, json={"state": state} | more, headers={"if-match": etag}
    )


def test_an_alert_goes_its_way_and_no_other(api: Api) -> None:
    for i in range(3):
        api.send(pay(f"w-{i}", i))
    key = api.person("analyst")
    (alert,) = ids(api.get("/v1/alerts", key))
    etag = api.get(f"/v1/alerts/{alert}", key).headers["etag"]
    problem(
        api.call("PATCH", f"/v1/alerts/{alert}", key, json={"state": "in_review"}),
        428,
        "precondition_required",
    )
    problem(move(api, key, alert, "escalated"), 409, "transition")
    problem(move(api, key, alert, "in_review", 'W/"nonsense"'), 412, "conflict")
    moved = move(api, key, alert, "in_review", etag)
    assert moved.json()["state"] == "in_review"
    problem(move(api, key, alert, "dismissed", etag, reason="seen"), 412, "conflict")
    problem(move(api, key, alert, "dismissed", moved.headers["etag"]), 422, "invalid")
    problem(
        move(api, key, alert, "dismissed", moved.headers["etag"], reason="card 4111111111111111"),
        422,
        "invalid",
    )
    done = move(api, key, alert, "dismissed", moved.headers["etag"], reason="seen with the contract")
    assert done.status_code == 200
    problem(move(api, key, alert, "in_review"), 409, "transition")
    assert of_kind(api.service, "decision") == 2
    shown = api.get(f"/v1/alerts/{alert}", key, purpose="a test").json()
    assert (shown["state"], shown["state_reason"]) == ("dismissed", "seen with the contract")
    problem(move(api, key, "al-" + "0" * 24, "in_review", '"v1"'), 404, "not_found")


def test_a_critical_alert_is_dismissed_by_two_people(api: Api) -> None:
    (alert,) = open_alerts(api, 1)
    ana, ben = api.person("analyst", "approver"), api.person("approver")
    move(api, ana, alert, "in_review")
    answer = move(api, ana, alert, "dismissed", reason="a refund")
    assert answer.status_code == 202
    proposal = answer.json()["proposal_id"]
    assert api.get(f"/v1/alerts/{alert}", ana).json()["state"] == "in_review"
    path = f"/v1/proposals/{proposal}/decision"
    problem(api.post(path, ana, json={"approve": True}), 403, "four_eyes")
    problem(api.post(path, api.person("admin"), json={"approve": True}), 403, "forbidden")
    problem(api.post(path, ben, json={"approve": False}), 422, "input")
    (waiting,) = api.get("/v1/proposals", ben).json()["items"]
    assert waiting["body"]["alert_id"] == alert
    assert api.post(path, ben, json={"approve": True}).json()["state"] == "approved"
    assert api.get(f"/v1/alerts/{alert}", ana).json()["state"] == "dismissed"
    problem(api.post(path, ben, json={"approve": True}), 409, "exists")
    kinds = [row["kind"] for row in rows_of(api.service, journal)]
    assert kinds.count("decision") == 4  # in review, proposed, approved, dismissed
    assert api.service.doors.log.said("request.failed") == 0  # nothing of this was a failure of ours


def test_what_fails_in_a_handler_is_logged_and_told_without_details(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a secret of the service")

    monkeypatch.setattr("txmon.api.alerts.page", broken)
    answer = api.get("/v1/alerts", api.person("analyst"))
    problem(answer, 500, "internal")
    assert "secret" not in answer.text
    (error,) = api.service.doors.log.errors("request.failed")
    assert isinstance(error, RuntimeError)


def test_new_evidence_stops_a_dismissal_that_waits(api: Api) -> None:
    (alert,) = open_alerts(api, 1)
    ana, ben = api.person("analyst"), api.person("approver")
    move(api, ana, alert, "in_review")
    proposal = move(api, ana, alert, "dismissed", reason="a refund").json()["proposal_id"]
    revision = api.get(f"/v1/alerts/{alert}", ana).json()["revision"]
    api.send(*(pay(f"more-{i}", i, payer="payer-0") for i in range(3)))
    if api.get(f"/v1/alerts/{alert}", ana).json()["revision"] == revision:
        pytest.fail("the test's evidence was not new")
    answer = api.post(f"/v1/proposals/{proposal}/decision", ben, json={"approve": True})
    assert answer.status_code in (409, 412), answer.text
    assert api.get(f"/v1/alerts/{alert}", ana).json()["state"] == "in_review"
    assert api.get(f"/v1/proposals/{proposal}", ben).json()["state"] == "pending"
    done = api.post(
        f"/v1/proposals/{proposal}/decision", ben, json={"approve": False, "reason": "new evidence"}
    )
    assert done.json()["state"] == "rejected"
    assert CRITICAL["severity"] == "critical"


def test_hits_are_listed_and_filtered(api: Api) -> None:
    alerts, key = open_alerts(api, 3), api.person("auditor")
    first = api.get("/v1/hits?limit=2", key).json()
    rest = api.get("/v1/hits", key, params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [hit["event_id"] for hit in first["items"] + rest["items"]] == ["al-2", "al-1", "al-0"]
    for params, count in (
        ({"rule": "grave"}, 3),
        ({"rule": "three"}, 0),
        ({"event_id": "al-1"}, 1),
        ({"alert": alerts[0]}, 1),
        ({"until": "2026-01-05T12:00:00Z"}, 0),
    ):
        assert len(api.get("/v1/hits", key, params=params).json()["items"]) == count, params
    assert "subject_id" not in first["items"][0]
    shown = api.get("/v1/hits?limit=1", key, purpose="a test").json()["items"][0]
    assert (shown["subject_id"], shown["features"]) == ("payer-2", {"n": 1})
