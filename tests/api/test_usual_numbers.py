"""An alert's numbers by the API, who works here, and the case that an alert is in."""

from __future__ import annotations

from pathlib import Path

from apikit import Api, large, on_bench, problem
from servicekit import Bench, simple_rules

from txmon.pipeline.warehousing import Warehousing
from txmon.store.warehouse.layout import FOLDER

GRAVE = {
    "id": "grave", "subject": "payer", "score": 0.9, "severity": "critical", "typology": "mule-layering",
    "params": {"least": {"value": 1, "calibrated": False, "source": "start value"}},
    "let": {"n": "count(*) filter (where amount >= 900) over payer_3d", "total": "sum(amount) filter (where kind = 'payment') over payer_3d"},
    "when": "n >= :least and total >= 100", "explain": "{n} large ones",
}  # fmt: skip


def test_numbers_beside_their_lines_and_weeks(tmp_path: Path) -> None:
    bench = Bench(tmp_path, simple_rules(tmp_path, GRAVE), str(tmp_path / "store"))
    with on_bench(bench, parts={"warehouse": tmp_path / "store" / FOLDER}) as api:
        service = api.service
        work = Warehousing(
            service.store,
            tmp_path / "store" / FOLDER,
            service.metrics,
            service.doors.log,
            service.doors.point,
            lambda: False,
        )
        api.send(large("w-0", -8 * 24 * 60), large("w-1"), large("w-2", 5))
        work.start()
        try:
            key = api.person("analyst")
            alert = api.get("/v1/alerts", key).json()["items"][0]["alert_id"]
            for _ in range(600):
                answer = api.get(f"/v1/alerts/{alert}/usual", key, purpose="first look")
                assert answer.status_code == 200, answer.text
                found = answer.json()
                if len(found["weeks"]) == 2:
                    break
            assert [(each["name"], each["value"], each["line"], each["met"]) for each in found["lines"]] == [
                ("n", "2", "at least 1", True), ("total", "EUR 1,900.00", "at least EUR 100.00", True),
            ]  # fmt: skip
            assert (found["currency"], found["history"], found["until"]) == (
                "EUR",
                True,
                "2026-01-05T12:05:00.000000Z",
            )
            assert [(each["paid"], each["paid_amount"]) for each in found["weeks"]] == [
                (2, 190_000),
                (1, 95_000),
            ]
            paid = next(each for each in found["numbers"] if each["name"] == "paid")
            assert paid == {
                "name": "paid",
                "unit": "count",
                "value": 2,
                "low": None,
                "middle": None,
                "high": None,
            }
        finally:
            work.stop(10)


def test_it_takes_a_purpose_a_scope_and_an_alert(api: Api) -> None:
    api.send(large("u-1"))
    key = api.person("analyst")
    alert = api.get("/v1/alerts", key).json()["items"][0]["alert_id"]
    problem(api.get(f"/v1/alerts/{alert}/usual", key), 400, "purpose_required")
    problem(api.get("/v1/alerts/al-none/usual", key, purpose="x"), 404, "not_found")
    problem(
        api.get(f"/v1/alerts/{alert}/usual", api.person("analyst", mode="test"), purpose="x"),
        404,
        "not_found",
    )
    problem(
        api.get(f"/v1/alerts/{alert}/usual", api.person("analyst", scopes=frozenset(("read",))), purpose="x"),
        403,
        "forbidden",
    )
    found = api.get(f"/v1/alerts/{alert}/usual", key, purpose="first look").json()
    assert (found["history"], found["numbers"], found["weeks"]) == (
        False,
        [],
        [],
    )  # no warehouse is kept here
    assert [each["name"] for each in found["lines"]] == ["n"]
    assert api.audit.waiting == 1


def test_who_works_here(api: Api) -> None:
    first = api.service.change(
        lambda tx: api.access.bootstrap(tx, [("Ana", ["analyst"]), ("Ben", ["approver"])])
    ).result(60)
    found = api.get("/v1/colleagues", first[0].token).json()["items"]
    assert [(each["name"], each["roles"], each["state"]) for each in sorted(found, key=lambda each: each["name"])] == [
        ("Ana", ["admin", "analyst"], "active"), ("Ben", ["admin", "approver"], "active"),
    ]  # fmt: skip
    assert set(found[0]) == {"person_id", "name", "roles", "state"}
    problem(api.get("/v1/colleagues", api.worker("ingest", scopes=("read",))), 403, "forbidden")


def test_the_case_that_an_alert_is_in(api: Api) -> None:
    api.send(large("k-1", payer="a"), large("k-2", payer="b"))
    key = api.person("analyst")
    first, second = api.get("/v1/alerts", key).json()["items"]
    body = {
        "alerts": [{"alert_id": first["alert_id"], "version": first["version"]}],
        "title": "One",
        "reason": "x",
    }
    case_id = api.post("/v1/cases", key, json=body).json()["case_id"]
    assert [
        each["case_id"] for each in api.get(f"/v1/cases?alert={first['alert_id']}", key).json()["items"]
    ] == [case_id]
    assert api.get(f"/v1/cases?alert={second['alert_id']}", key).json()["items"] == []


def test_the_contract_says_who_may(api: Api) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    access = paths["/v1/alerts/{alert_id}"]["patch"]["x-access"]
    assert access == {"scopes": ["read"], "roles": ["analyst", "approver", "safeguarding"], "people": True}
    assert "x-access" not in paths["/console"]["get"]
