"""GET /v1/alerts/stream: alerts as they come, from where the caller left off."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from apikit import Api, large, pay, problem
from servicekit import rows_of

from txmon.client.sse import Message, Parser
from txmon.store.identity import SCOPES
from txmon.store.schema import outbox


class Listener:
    """A caller of the stream, in the API's loop."""

    def __init__(self, api: Api, key: str, **headers: str) -> None:
        self.messages: list[Message] = []
        self.status = 0
        self._parser = Parser()
        self._changed = threading.Condition()
        self._hang_up = asyncio.Event()
        given = {"authorization": f"Bearer {key}"} | headers
        scope = {
            "type": "http", "method": "GET", "path": "/v1/alerts/stream", "query_string": b"", "client": ("127.0.0.1", 1),
            "headers": [(k.encode(), v.encode()) for k, v in given.items()],
        }  # fmt: skip
        self._api = api
        self._task = asyncio.run_coroutine_threadsafe(api.app(scope, self._receive, self._send), api._loop)

    async def _receive(self) -> dict[str, Any]:
        await self._hang_up.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        with self._changed:
            if message["type"] == "http.response.start":
                self.status = message["status"]
            else:
                self.messages += self._parser.feed(message["body"])
            self._changed.notify_all()

    def wait(self, count: int) -> list[Message]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.messages) >= count, 60), self.messages
        return self.messages

    def begun(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.status > 0, 60)

    def end(self) -> None:
        self._api._loop.call_soon_threadsafe(self._hang_up.set)
        self._task.result(60)

    def ended(self) -> None:
        self._task.result(60)


def test_alerts_come_as_they_open_and_go_on_where_one_left(api: Api) -> None:
    api.send(large("before"))
    listener = Listener(api, api.person("analyst"), **{"x-purpose": "a wall screen"})
    listener.begun()
    api.send(large("s-1", payer="one"))
    api.send(large("s-2", payer="two"))
    first, second = listener.wait(2)
    assert first.kind == second.kind == "alert.opened"
    assert '"subject_id":"one"' in first.data
    assert '"rule_ids":["grave"]' in first.data
    listener.end()
    again = Listener(api, api.person("analyst"), **{"last-event-id": str(first.id)})
    (missed,) = again.wait(1)
    assert missed.id == second.id
    assert "subject_id" not in missed.data  # this caller said no purpose
    again.end()
    assert len(rows_of(api.service, outbox)) == 3


def test_a_neutral_listener_hears_no_reason_and_nobody_hears_others(api: Api) -> None:
    neutral = Listener(api, api.person("analyst", scopes=SCOPES - {"explain"}), **{"x-purpose": "x"})
    south = Listener(api, api.person("analyst", entities=frozenset(("south",))))
    neutral.begun()
    south.begun()
    api.send(large("n-1", payer="one", entity="north"))
    api.send(large("n-2", payer="two", entity="south"))
    first, _ = neutral.wait(2)
    for word in ("grave", "mule", "critical", "one", "explanation", "score"):
        assert word not in first.data
    (mine,) = south.wait(1)
    assert '"entity":"south"' in mine.data
    neutral.end()
    south.end()


def test_a_stream_ends_with_its_key_or_its_service(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("txmon.api.live._CHECK_S", 0.1)
    key = api.person("analyst")
    listener = Listener(api, key)
    listener.begun()
    del api.access.known[key]
    listener.ended()
    other = Listener(api, api.person("analyst"))
    other.begun()
    api.app.close()
    other.ended()
    problem(api.get("/v1/alerts/stream", api.person("analyst")), 429, "busy")


def test_a_position_that_is_none_is_refused(shared_api: Api) -> None:
    for bad in ("x", "-1", "9" * 19):
        answer = shared_api.get(
            "/v1/alerts/stream", shared_api.person("analyst"), headers={"last-event-id": bad}
        )
        problem(answer, 400, "bad_request")


def test_growing_alerts_are_told_too(api: Api) -> None:
    listener = Listener(api, api.person("analyst"))
    listener.begun()
    for i in range(3):
        api.send(pay(f"g-{i}", i, payer="grows"))
    api.send(large("g-3", 4, payer="grows"))
    kinds = [message.kind for message in listener.wait(2)]
    assert kinds == ["alert.opened", "alert.updated"]
    listener.end()
