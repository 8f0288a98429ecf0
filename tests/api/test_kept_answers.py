"""Idempotency-Key: the same request gets the same bytes, whatever happened between, and is done once."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from apikit import Api, large, opened, pay, problem
from servicekit import events_stored, failing_commits, rows_of, store_away, until

from txmon.store.schema import answers

JSON = {"content-type": "application/json"}


def send(api: Api, key: str, body: bytes, again: str | bytes) -> Any:
    return api.post("/v1/events", key, content=body, headers=JSON | {"idempotency-key": again})


def test_the_same_key_gives_the_same_bytes_and_another_body_is_refused(api: Api) -> None:
    key, again = api.worker("ingest"), "once-1"
    first = send(api, key, pay("i-1"), again)
    second = send(api, key, pay("i-1"), again)
    assert first.content == second.content
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    problem(send(api, key, pay("i-2"), again), 422, "idempotency_mismatch")
    assert send(api, api.worker("ingest"), pay("i-2"), again).status_code == 200  # another caller's key
    for bad in ("", "x" * 256, "a b", b"\xf6"):
        problem(send(api, key, pay("i-3"), bad), 400, "bad_request")


def test_an_answer_outlives_the_process(tmp_path: Path) -> None:
    again = "once-2"
    with opened(tmp_path) as api:
        key = api.worker("ingest")
        who = api.access.known[key]
        first = send(api, key, pay("o-1"), again)
    with opened(tmp_path) as api:
        api.access.known[key] = who
        assert send(api, key, pay("o-1"), again).content == first.content
        problem(send(api, key, pay("o-2"), again), 422, "idempotency_mismatch")
        assert len(events_stored(api.service)) == 1


def test_a_store_that_was_away_at_the_first_key_is_asked_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = store_away(monkeypatch)
    refused = send(api, api.worker("ingest"), pay("a-1"), "away")
    back.set()
    assert refused.status_code == 503, refused.text
    assert send(api, api.worker("ingest"), pay("a-1"), "away").status_code == 200


def test_fifty_at_once_with_one_key_are_one_event(api: Api) -> None:
    key = api.worker("ingest")

    async def all_at_once() -> list[Any]:
        headers = JSON | {"idempotency-key": "fifty"}
        return await asyncio.gather(
            *(api.acall("POST", "/v1/events", key, content=pay("f-1"), headers=headers) for _ in range(50))
        )

    answers = api.run(all_at_once())
    bodies = {a.content for a in answers if a.status_code == 200}
    assert len(bodies) == 1
    for answer in answers:
        if answer.status_code != 200:
            problem(answer, 409, "idempotency_in_flight")
    assert len(events_stored(api.service)) == 1


def test_an_answer_to_events_is_stored_with_them(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    key = api.worker("ingest")
    given = send(api, key, pay("s-1"), "one")
    assert [row["body"] for row in rows_of(api.service, answers)] == [given.content]
    left = failing_commits(monkeypatch, "lost", "full", "unheard")
    given = send(api, key, b"[" + pay("s-2") + b"," + pay("s-1") + b"]", "two")
    assert not left
    assert [row["duplicate"] for row in given.json()["results"]] == [False, True]
    assert given.content in [row["body"] for row in rows_of(api.service, answers)]
    assert len(events_stored(api.service)) == 2


def test_who_gave_up_waiting_gets_the_answer_that_was_stored(tmp_path: Path) -> None:
    with opened(tmp_path, decision_timeout_ms=20) as api:
        key, real, held = api.worker("ingest"), api.service.submit, []
        api.service.submit = lambda work, done: held.append((work, done))  # type: ignore[method-assign]
        problem(send(api, key, pay("g-1"), "late"), 503, "decision_timeout")
        for work, done in held:
            real(work, done)
        until(lambda: len(rows_of(api.service, answers)) == 1)
        given = send(api, key, pay("g-1"), "late")
        assert (given.status_code, given.json()["duplicate"]) == (200, False)
        assert given.headers["idempotent-replayed"] == "true"


def test_two_keys_for_one_event_have_an_answer_each(api: Api) -> None:
    key = api.worker("ingest")

    async def both() -> list[Any]:
        return await asyncio.gather(
            *(
                api.acall(
                    "POST", "/v1/events", key, content=large("b-1"), headers=JSON | {"idempotency-key": name}
                )
                for name in ("left", "right")
            )
        )

    found = sorted((a.json() for a in api.run(both())), key=lambda each: each["duplicate"])
    assert [each["duplicate"] for each in found] == [False, True]
    assert [each["recommendation"] for each in found] == ["review", "review"]
    assert len(rows_of(api.service, answers)) == 2


def test_what_was_refused_is_not_kept(api: Api) -> None:
    key = api.worker("ingest", mode="test")
    for _ in range(2):
        problem(send(api, key, pay("p-1", mode="live"), "refused"), 403, "not_permitted")
    assert rows_of(api.service, answers) == []


def bulk(api: Api, key: str, again: str) -> Any:
    """A request whose answer is stored by itself."""
    headers = {"content-type": "application/x-ndjson", "idempotency-key": again}
    return api.post("/v1/events:bulk", key, content=pay("k-1") + b"\n", headers=headers)


@pytest.mark.parametrize("fault", ["full", "unheard", "lost"])
def test_an_answer_that_the_store_does_not_take_is_given_when_it_does(
    api: Api, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    key = api.worker("ingest")
    left = failing_commits(monkeypatch, "pass", fault)
    refused = bulk(api, key, "again")
    assert not left
    assert refused.status_code in (503, 507), refused.text
    assert "retry-after" in refused.headers
    given = bulk(api, key, "again")
    assert (given.status_code, given.json()["accepted"]) == (200, 1)
    assert [row["body"] for row in rows_of(api.service, answers)] == [given.content]
    assert bulk(api, key, "again").content == given.content
    assert len(events_stored(api.service)) == 1


def test_no_answer_leaves_while_the_writer_does_not_come_to_storing_it(tmp_path: Path) -> None:
    with opened(tmp_path, decision_timeout_ms=2_000) as api:
        key, real, asked = api.worker("ingest"), api.service.change, []

        def change(make: Any) -> Future[Any]:
            asked.append((make, Future[Any]()))
            return asked[-1][1]

        api.service.change = change  # type: ignore[method-assign]
        for _ in range(2):
            answer = bulk(api, key, "held")
            assert "retry-after" in answer.headers
            problem(answer, 503, "unavailable")
        ((make, future),) = asked  # the second waited for what the first had asked for
        future.set_result(real(make).result(60))
        given = bulk(api, key, "held")
        assert (given.status_code, given.json()["accepted"]) == (200, 1)
        assert given.headers["idempotent-replayed"] == "true"
        assert len(events_stored(api.service)) == 1
        api.service.change = real  # type: ignore[method-assign]
