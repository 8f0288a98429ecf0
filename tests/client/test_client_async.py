"""The async client promises what the sync one does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from badserver import KEY, Server, running

from txmon.client import AccessDenied, AsyncClient, Options, Refused, Retry, Unavailable


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as made:
        yield made


def event(number: int = 0) -> dict[str, Any]:
    return {"event_id": f"e{number}", "amount_minor": 70, "currency": "EUR"}


def alert(number: int) -> dict[str, Any]:
    return {
        "alert_id": f"a{number}",
        "entity": "default",
        "mode": "live",
        "opened_time": "2026-01-05T00:00:00Z",
        "recommendation": "review",
    }


def client(server: Server, **options: Any) -> AsyncClient:
    usual: dict[str, Any] = {"timeout_s": 2.0, "attempt_s": 0.5, "retry": Retry(first_s=0.01)}
    return AsyncClient(server.url, KEY, Options(**(usual | options)))


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


FAULTS = ["drop", "store_and_drop", "cut", ("status", 503, {"Retry-After": "0"}), ("status", 429), ("status", 502), ("slow", 0.8), "drip",
          "garbage", "shape"]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_one_event_is_stored_once(server: Server, fault: Any) -> None:
    async def work() -> None:
        server.state.script.append(fault)
        async with client(server) as c:
            assert (await c.decide(event())).decision_id == "d_e0"
            assert c.waiting == 0
        assert server.state.raw == {"e0": 1}
        assert len({h["idempotency-key"] for _, _, h in server.state.requests}) == 1

    run(work())


@pytest.mark.parametrize("fault", [("slow", 3.0), "drip", ("status", 500), ("status", 401)], ids=str)
def test_fail_open_and_fail_closed(server: Server, fault: Any, tmp_path: Path) -> None:
    async def work() -> None:
        server.state.always = fault
        fast = {"timeout_s": 0.6, "attempt_s": 0.3}
        async with client(server, on_failure="closed", **fast) as c:
            with pytest.raises((Unavailable, AccessDenied)):
                await c.decide(event(9))
            assert c.waiting == 0
        async with client(server, spool=tmp_path / "spool", **fast) as c:
            decisions = await c.send([event(0), event(1)])
            assert [(d.recommendation, d.status) for d in decisions] == [("allow", "queued")] * 2
            assert (await c.decide(event(2))).queued
            assert (await c.flush(0.2)).left == 2
        server.state.always = None
        async with client(server, spool=tmp_path / "spool", **fast) as c:
            sender = asyncio.create_task(c.sender())
            async with asyncio.timeout(20):
                while c.waiting:
                    await asyncio.sleep(0.01)
            sender.cancel()
        assert [e for e in server.state.order if e != "e9"] == ["e0", "e1", "e2"]
        assert server.state.raw.most_common(1)[0][1] == 1

    run(work())


def test_many_calls_at_once(server: Server) -> None:
    async def work() -> None:
        server.state.script.extend(["ok", "store_and_drop", ("status", 503), "garbage"] * 10)
        async with client(server, timeout_s=20, attempt_s=10, retry=Retry(attempts=50, first_s=0.01)) as c:
            found = await asyncio.gather(*(c.decide(event(i)) for i in range(100)))
        assert [d.decision_id for d in found] == [f"d_e{i}" for i in range(100)]
        assert set(server.state.raw.values()) == {1}

    run(work())


def test_bulk_alerts_and_status(server: Server) -> None:
    async def work() -> None:
        server.state.alerts = [alert(i) for i in range(13)]
        server.state.script.extend(["ok", "store_and_drop", "ok", "ok", ("status", 500)])
        async with client(server, bulk_rows=10) as c:
            assert (await c.bulk([event(i) for i in range(25)])).accepted == 25
            with pytest.raises(Unavailable) as caught:
                await c.bulk([event(i) for i in range(25)])
            assert caught.value.done is not None
            assert [a["alert_id"] async for a in c.iter_alerts(limit=5)] == [f"a{i}" for i in range(13)]
            assert (await c.alert("a3"))["alert_id"] == "a3"
            with pytest.raises(Refused):
                await c.alert("a99")
            assert "seq" in await c.status()
        assert set(server.state.raw.values()) == {1}

    run(work())


def test_the_stream_goes_on_where_it_broke(server: Server) -> None:
    async def work() -> None:
        messages = [
            f"id: {i}\nevent: alert.opened\ndata: {json.dumps(alert(i))}\n\n".encode() for i in range(3)
        ]
        server.state.streams.extend([messages[0] + messages[1][:30], messages[1], messages[2]])
        async with client(server) as c:
            found = []
            async for live in c.stream_alerts():
                found.append(live.alert["alert_id"])
                if len(found) == 3:
                    break
        assert found == ["a0", "a1", "a2"]
        asked = [h.get("last-event-id") for _, _, h in server.state.requests]
        assert asked == [None, "0", "1"]

    run(work())
