"""Rules at work, and new ones that two people put in force."""

from __future__ import annotations

from pathlib import Path

from apikit import CRITICAL, THREE, Api, large, on_bench, problem
from servicekit import Bench, simple_rules, until
from txkit import write_pack


def test_rules_are_listed_with_how_often_they_fired(api: Api) -> None:
    api.service.doors.clock.time_us = 1_767_614_400_000_000  # type: ignore[attr-defined]
    api.send(large("r-1", payer="a"), large("r-2", payer="b"))
    key = api.person("analyst")
    found = {rule["rule_id"]: rule for rule in api.get("/v1/rules", key).json()["items"]}
    assert (found["grave"]["fired"], found["three"]["fired"]) == (2, 0)
    shown = api.get("/v1/rules/grave", key).json()
    assert shown["rule"]["when"] == "n >= 1"
    assert shown["fired"] == 2
    problem(api.get("/v1/rules/none", key), 404, "not_found")
    staged = api.get("/v1/rules:staged", key).json()
    assert staged["staged"] is None
    problem(api.post("/v1/rules:activate", key, json={"config": "0" * 64, "reason": "x"}), 409, "state")


def test_new_rules_are_put_in_force_by_two_people(tmp_path: Path) -> None:
    bench = Bench(tmp_path, simple_rules(tmp_path, THREE, CRITICAL), str(tmp_path / "store"))
    with on_bench(bench) as api:
        ana, ben = api.person("analyst", "approver"), api.person("approver")
        api.send(large("a-1", payer="before"))
        write_pack(tmp_path / "rules", CRITICAL | {"status": "shadow", "version": 2})
        staged = api.get("/v1/rules:staged", ana).json()
        assert staged["changes"] == [
            {
                "rule_id": "grave",
                "from": {"version": 1, "status": "live"},
                "to": {"version": 2, "status": "shadow"},
            }
        ]
        body = {"config": staged["staged"], "reason": "too many alerts"}
        path = (
            f"/v1/proposals/{api.post('/v1/rules:activate', ana, json=body).json()['proposal_id']}/decision"
        )
        problem(api.post(path, ana, json={"approve": True}), 403, "four_eyes")
        write_pack(tmp_path / "rules", CRITICAL | {"status": "shadow", "version": 3})
        problem(api.post(path, ben, json={"approve": True}), 409, "state")  # the files are other ones by now
        write_pack(tmp_path / "rules", CRITICAL | {"status": "shadow", "version": 2})
        done = api.post(path, ben, json={"approve": True}).json()
        assert done["outcome"]["state"] == "warming"
        until(lambda: api.service.config.id == staged["staged"])
        assert api.get("/v1/rules/grave", ana).json()["status"] == "shadow"
        count = len(api.get("/v1/alerts", ana).json()["items"])
        api.send(large("a-2", payer="after"))
        assert len(api.get("/v1/alerts", ana).json()["items"]) == count
        assert api.service.doors.log.said("activation.failed") == 0  # type: ignore[attr-defined]


def test_wrong_rule_files_are_told_and_change_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, simple_rules(tmp_path, THREE), str(tmp_path / "store"))
    with on_bench(bench) as api:
        write_pack(tmp_path / "rules", THREE | {"when": "n >= nonsense"})
        before = api.service.config.id
        problem(api.get("/v1/rules:staged", api.person("analyst")), 422, "rules")
        assert api.service.config.id == before


def test_a_rules_status_is_changed_by_two_people(tmp_path: Path) -> None:
    bench = Bench(tmp_path, simple_rules(tmp_path, THREE, CRITICAL), str(tmp_path / "store"))
    with on_bench(bench) as api:
        ana, ben = api.person("analyst"), api.person("approver")
        path, body = "/v1/rules/grave/status", {"status": "shadow", "reason": "too many alerts"}
        problem(api.post("/v1/rules/none/status", ana, json=body), 404, "not_found")
        problem(api.post(path, ana, json=body | {"status": "live"}), 409, "state")
        problem(api.post(path, api.person("analyst", mode="test"), json=body), 403, "forbidden")
        first, second = (api.post(path, ana, json=body).json() for _ in range(2))
        assert first["changes"] == [
            {
                "rule_id": "grave",
                "from": {"version": 1, "status": "live"},
                "to": {"version": 1, "status": "shadow"},
            }
        ]
        done = api.post(f"/v1/proposals/{first['proposal_id']}/decision", ben, json={"approve": True}).json()
        until(lambda: api.service.config.id == done["outcome"]["config"])
        api.send(large("st-1", payer="after"))
        assert api.get("/v1/alerts", ana).json()["items"] == []
        assert len(api.get("/v1/hits?rule=grave", ana).json()["items"]) == 1
        late = api.post(f"/v1/proposals/{second['proposal_id']}/decision", ben, json={"approve": True})
        problem(late, 409, "state")
        assert api.get("/v1/rules:staged", ana).json()["changes"][0]["to"]["status"] == "live"
