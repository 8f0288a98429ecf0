"""POST /v1/events: what is answered to whom, and what is refused before anything is parsed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from apikit import Api, large, lines, opened, pay, problem
from servicekit import events_stored, of_kind

JSON = {"content-type": "application/json"}


def send(api: Api, key: str, body: bytes, kind: str = "application/json", **headers: Any) -> Any:
    return api.post("/v1/events", key, content=body, headers={"content-type": kind} | headers)


def test_one_event_gets_a_neutral_decision_that_is_the_same_when_repeated(api: Api) -> None:
    key = api.worker("ingest")
    first = send(api, key, large("n-1", payer="someone")).json()
    assert set(first) == {
        "status",
        "decision_id",
        "recommendation",
        "reason_code",
        "late",
        "warming",
        "duplicate",
    }
    assert (first["status"], first["recommendation"], first["reason_code"]) == (
        "accepted",
        "review",
        "review_needed",
    )
    again = send(api, key, large("n-1", payer="someone")).json()
    assert again["decision_id"] == first["decision_id"]
    assert again["duplicate"] is True
    assert (again["recommendation"], again["reason_code"]) == ("review", "duplicate")
    assert len(events_stored(api.service)) == 1


def test_the_scope_explain_gets_the_reasons(api: Api) -> None:
    key = api.worker("ingest", scopes=("ingest", "explain"))
    found = send(api, key, large("e-1", payee="shop")).json()
    assert [hit["rule_id"] for hit in found["hits"]] == ["grave"]
    assert found["hits"][0]["explanation"] == "1 large ones to shop"
    assert found["alerts"] == [found["hits"][0]["alert_id"]]


def test_many_events_have_a_result_each_in_their_order(api: Api) -> None:
    key = api.worker("ingest")
    bodies = {
        "application/json": b" [" + b", ".join([pay("a-1"), b'{"event_id": "a-2"}', pay("a-3", 1)]) + b"\n] ",
        "application/x-ndjson": lines(pay("b-1"), b'{"event_id": "b-2"}', b"", pay("b-3", 1)),
    }
    for kind, body in bodies.items():
        results = send(api, key, body, kind).json()["results"]
        assert [row["status"] for row in results] == ["accepted", "quarantined", "accepted"]
        assert [row["index"] for row in results] == [0, 1, 2]
        assert results[1]["reason"] == "missing"
        assert results[1]["quarantine_id"] > 0
        assert results[1]["recommendation"] == "allow"
        assert results[1]["reason_code"] == "not_scored"
    assert send(api, key, b"[]").json() == {"results": []}


def test_what_cannot_be_an_event_is_kept_and_told(api: Api) -> None:
    found = send(api, api.worker("ingest"), b'{"event_id": "q-1", "amount": "many"}').json()
    assert found["status"] == "quarantined"
    assert found["decision_id"] is None
    assert of_kind(api.service, "quarantine") == 1


def test_mode_and_entity_of_a_key_are_a_bound_and_a_default(api: Api) -> None:
    key = api.worker("ingest", mode="test", entities=frozenset(("north",)))
    assert send(api, key, pay("m-1")).json()["status"] == "accepted"
    for column in ({"mode": "live"}, {"entity": "south"}):
        problem(send(api, key, pay("m-2", **column)), 403, "not_permitted")
    rows = send(
        api, key, b"[" + pay("m-3", mode="live") + b"," + pay("m-4", mode="test", entity="north") + b"]"
    ).json()["results"]
    assert [(row["status"], row.get("code")) for row in rows] == [("quarantined", 403), ("accepted", None)]
    from txmon.pipeline.history import runs

    (run,) = runs(api.service.store, 1, None)
    assert set(run.events["mode"].to_pylist()) == {"test"}
    assert set(run.events["entity"].to_pylist()) == {"north"}


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", "application/json", 400, "malformed_json"),
        (b"null", "application/json", 400, "malformed_json"),
        (b'{"a": 1', "application/json", 400, "malformed_json"),
        (b'{"a": 1} {"b": 2}', "application/json", 400, "malformed_json"),
        (b"\xff\xff\xff\xff\x00\x00\x00\x00", "application/json", 400, "malformed_json"),
        (b"[[1]]", "application/json", 400, "malformed_json"),
        (b"[1, 2]", "application/json", 400, "malformed_json"),
        (b"ARROW1 is here\n", "application/x-ndjson", 400, "malformed_json"),
        (b'{"a":' * 30 + b"1" + b"}" * 30, "application/json", 422, "too_deep"),
        (b'{"a":' * 30 + b"1" + b"}" * 30, "application/x-ndjson", 422, "too_deep"),
        (b"[" + b"{}," * 1000 + b"{}]", "application/json", 413, "too_many_items"),
        (b"{}\n" * 1001, "application/x-ndjson", 413, "too_many_items"),
        (b'{"a": "' + b"x" * (1 << 20) + b'"}', "application/json", 413, "too_large"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b"{}", "application/vnd.apache.arrow.stream", 415, "unsupported_media_type"),
        (b"not xml", "application/xml", 400, "bad_request"),
    ],
)  # fmt: skip
def test_bodies_that_are_refused_whole(
    shared_api: Api, body: bytes, kind: str, status: int, code: str
) -> None:
    before = shared_api.service.store.marks.seq
    problem(send(shared_api, shared_api.worker("ingest"), body, kind), status, code)
    assert shared_api.service.store.marks.seq == before


def test_brackets_inside_texts_are_no_depth(api: Api) -> None:
    memo = '"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\' * 50
    assert send(api, api.worker("ingest"), pay("deep", memo=memo)).json()["status"] == "accepted"
    hostile = b'{"a": "' + b'\\"' * 200_000 + b"["
    problem(send(api, api.worker("ingest"), hostile), 400, "malformed_json")


def test_packed_bodies_and_unknown_feeds_are_refused(shared_api: Api) -> None:
    key = shared_api.worker("ingest")
    problem(send(shared_api, key, b"{}", **{"content-encoding": "gzip"}), 415, "unsupported_media_type")
    for feed in ("nowhere", "../../etc/passwd", ""):
        problem(
            shared_api.post("/v1/events", key, params={"feed": feed}, content=b"{}", headers=JSON),
            422,
            "unknown_feed",
        )
    problem(
        shared_api.post("/v1/events?feed=native&more=1", key, content=b"{}", headers=JSON), 400, "bad_request"
    )


def test_another_feed_reads_its_own_form(api: Api) -> None:
    sample = Path(__file__).parents[2] / "streams" / "samples"
    document = next(sample.glob("pacs008*.xml")).read_bytes()
    answer = api.post(
        "/v1/events?feed=pacs008",
        api.worker("ingest"),
        content=document,
        headers={"content-type": "application/xml"},
    )
    assert answer.status_code == 200, answer.text
    found = answer.json()
    rows = found.get("results", [found])
    assert {row["status"] for row in rows} == {"accepted"}


def test_too_much_waiting_and_stopping_are_told_with_a_time(api: Api) -> None:
    from txmon.errors import Busy, Stopping

    key, real = api.worker("ingest"), api.service.submit
    for error, status, code in ((Busy("full", 3), 429, "busy"), (Stopping("bye"), 503, "unavailable")):

        def submit(*_: Any, error: Exception = error) -> None:
            raise error

        api.service.submit = submit  # type: ignore[method-assign]
        answer = send(api, key, pay("w-1"), **{"idempotency-key": "waits"})
        assert int(answer.headers["retry-after"]) >= 1
        problem(answer, status, code)
    api.service.submit = real  # type: ignore[method-assign]
    assert send(api, key, pay("w-1"), **{"idempotency-key": "waits"}).status_code == 200


def test_a_decision_that_comes_too_late_is_told_and_counts_once(tmp_path: Path) -> None:
    with opened(tmp_path, decision_timeout_ms=20) as api:
        key, real, held = api.worker("ingest"), api.service.submit, []

        def submit(work: Any, done: Any) -> None:
            held.append((work, done))

        api.service.submit = submit  # type: ignore[method-assign]
        answer = send(api, key, pay("t-1"))
        problem(answer, 503, "decision_timeout")
        api.service.submit = real  # type: ignore[method-assign]
        for work, done in held:
            real(work, done)
        for _ in range(200):
            answer = send(api, key, pay("t-1"))
            if answer.status_code == 200:
                break
        assert answer.json()["decision_id"].startswith("d_")
        assert len(events_stored(api.service)) == 1


def test_no_card_number_comes_back(api: Api) -> None:
    card = "4111 1111 1111 1111"
    row = {
        "event_id": card,
        "event_time": "2026-01-05T12:00:00Z",
        "amount": "x" + card,
        "currency": card,
        "memo": card,
    }
    key = api.worker("ingest", scopes=("ingest", "explain"))
    bodies = [
        json.dumps(row).encode(),
        json.dumps(row | {"amount": "1.00", "currency": "EUR"}).encode(),
        card.encode(),
    ]
    for body in bodies:
        for answer in (send(api, key, body), send(api, key, body, "application/x-ndjson")):
            assert "1111" not in answer.text, answer.text
