"""What the routes ask of the database, asked of PostgreSQL too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pgkit
import pytest
from apikit import CRITICAL, THREE, Api, large, on_bench
from servicekit import Bench, simple_rules


@pytest.fixture(params=["folder", "postgres"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Api]:
    """An API over each kind of store."""
    place = str(tmp_path / "store") if request.param == "folder" else pgkit.fresh_database()
    with on_bench(Bench(tmp_path, simple_rules(tmp_path, THREE, CRITICAL), place)) as api:
        yield api


def test_lists_pages_and_filters(either: Api) -> None:
    api = either
    for i in range(3):
        api.send(large(f"d-{i}", payer=f"p-{i}"), json.dumps({"event_id": f"bad-{i}"}).encode())
    key, asks = api.person("analyst", "auditor", "admin"), {"purpose": "a test"}
    queries = {
        "/v1/alerts": "severity=critical&typology=mule-layering&rule=grave&min_score=0.5&since=2020-01-01T00:00:00Z&subject=p-1&entity=default&mode=live",
        "/v1/hits": "rule=grave&since=2020-01-01T00:00:00Z&subject=p-1&source=native&event_id=d-1",
        "/v1/quarantine": "reason=missing&feed=native",
        "/v1/rules": "days=400", "/v1/entities": "", "/v1/keys": "", "/v1/people": "",
    }  # fmt: skip
    for path, query in queries.items():
        answer = api.get(f"{path}?{query}", key, **asks)
        assert answer.status_code == 200, (path, answer.text)
    for path in ("/v1/alerts", "/v1/hits", "/v1/quarantine"):
        seen, cursor = [], None
        while True:
            page = api.get(path, key, params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
            seen += [json.dumps(item) for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == 3, path


def test_a_decision_of_two_people_and_its_record(either: Api) -> None:
    api = either
    again = {"idempotency-key": "pg-1", "content-type": "application/json"}
    ingest = api.worker("ingest")
    first = api.post("/v1/events", ingest, content=large("t-1"), headers=again)
    assert api.post("/v1/events", ingest, content=large("t-1"), headers=again).content == first.content
    ana, ben = api.person("analyst"), api.person("approver")
    (alert,) = api.get("/v1/alerts", ana).json()["items"]
    path = f"/v1/alerts/{alert['alert_id']}"
    shown = api.get(path, ana, purpose="a test")
    assert [event["event_id"] for event in shown.json()["events"]] == ["t-1"]
    taken = api.call(
        "PATCH", path, ana, json={"state": "in_review"}, headers={"if-match": shown.headers["etag"]}
    )
    made = api.call(
        "PATCH",
        path,
        ana,
        json={"state": "dismissed", "reason": "x"},
        headers={"if-match": taken.headers["etag"]},
    )
    for limit in (1, 200):
        (waiting,) = api.get(f"/v1/proposals?kind=alert_dismissal&limit={limit}", ben).json()["items"]
    assert waiting["proposal_id"] == made.json()["proposal_id"]
    decision = f"/v1/proposals/{waiting['proposal_id']}/decision"
    assert api.post(decision, ben, json={"approve": True}).status_code == 200
    assert api.get(path, ana).json()["state"] == "dismissed"
    api.service.change(lambda tx: api.audit.write(tx)).result(60)
    (read,) = api.get(
        "/v1/audit?action=alert.read&since=2020-01-01T00:00:00Z", api.person("auditor"), purpose="x"
    ).json()["items"]
    assert read["subject"] == alert["alert_id"]
