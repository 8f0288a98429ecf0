"""The client against the service itself, over a socket: what one says, the other understands."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import uvicorn

sys.path.append(str(Path(__file__).parents[1] / "api"))

from apikit import Api, opened

from txmon.client import AsyncClient, Client, Options, Refused, Retry

FIRST = datetime(2026, 1, 5, 12, tzinfo=UTC)


def event(number: int, **more: Any) -> dict[str, Any]:
    return {"event_id": f"c{number}", "event_time": FIRST + timedelta(minutes=number), "kind": "payment", "amount": Decimal("70.10"), "currency": "EUR",
            "payer": "acc-1", "payee": "acc-2"} | more  # fmt: skip


@contextmanager
def served(api: Api) -> Iterator[str]:
    """The app on a real port."""
    server = uvicorn.Server(
        uvicorn.Config(api.app, port=0, log_config=None, lifespan="off", ws="none", loop="asyncio")
    )  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        api.app.close()
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, str]]:
    with opened(tmp_path_factory.mktemp("client")) as api, served(api) as url:
        yield api, url


def client(url: str, key: str, **options: Any) -> Client:
    return Client(
        url, key, Options(**({"timeout_s": 30.0, "on_failure": "closed", "background": False} | options))
    )


def test_events_alerts_and_status(here: tuple[Api, str]) -> None:
    api, url = here
    with client(url, api.worker("ingest")) as c:
        first = c.decide(event(0))
        assert (first.recommendation, first.reason_code, first.status, first.queued) == (
            "allow",
            "none",
            "accepted",
            False,
        )
        assert first.decision_id
        assert c.decide(event(0)).duplicate
        rows = c.send([event(1), event(2), event(3, amount="much"), event(0)])
        assert [d.status for d in rows] == ["accepted", "accepted", "quarantined", "duplicate"]
        assert [d.recommendation for d in rows[:2]] == ["allow", "review"]
        assert (rows[1].hits, rows[1].alerts) == ((), ())
        assert rows[2].reason
        again = c.decide(event(9), idempotency_key="key-of-mine-7")
        assert c.decide(event(9), idempotency_key="key-of-mine-7") == again
        with pytest.raises(Refused) as caught:
            c.decide(event(10), idempotency_key="key-of-mine-7")
        assert caught.value.reason == "idempotency_mismatch"
        with pytest.raises(Refused):
            c.decide(event(11), feed="no-such-feed")
    with client(url, api.person("ingest", "analyst")) as c:
        found = c.decide(event(20, payer="acc-9", amount=Decimal("950.00")))
        assert [hit["rule_id"] for hit in found.hits] == ["grave"]
        assert len(found.alerts) == 1
        alerts = list(c.iter_alerts(limit=1, state=["open"]))
        assert len(alerts) == 2
        assert {a["severity"] for a in alerts} > {"critical"}
        assert "subject_id" not in alerts[0]
        one = c.alert(found.alerts[0], purpose="a look in a test")
        assert one["subject_id"] == "acc-9"
        assert [hit["rule_id"] for hit in one["hits"]] == ["grave"]
        with pytest.raises(Refused) as caught:
            c.alert("al-" + "0" * 24)
        assert caught.value.reason == "not_found"
        assert c.status()


def test_bulk_and_the_stream(here: tuple[Api, str]) -> None:
    import pyarrow as pa

    api, url = here
    key = api.person("ingest", "analyst")
    rows = [event(100 + i, payer=f"b{i % 5}") for i in range(50)]
    with client(url, key, bulk_rows=20) as c:
        table = pa.Table.from_pylist(rows[:30])
        assert (c.bulk(table).accepted, c.bulk(rows).accepted) == (30, 20)
        seen: list[tuple[str, str]] = []

        def listen() -> None:
            for live in c.stream_alerts(last_id="0", purpose="a look in a test"):
                seen.append((live.kind, live.alert["subject_id"]))
                if len(seen) >= 5:
                    return

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        thread.join(60)
        assert not thread.is_alive()
    assert {kind for kind, _ in seen} <= {"alert.opened", "alert.updated"}


def test_a_lost_answer_is_asked_for_again_and_the_event_is_there_once(here: tuple[Api, str]) -> None:
    """A proxy in between that loses every answer the first time."""
    api, url = here
    import http.server
    import urllib.request

    seen: set[str] = set()

    class Losing(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Quiet."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            passed = {
                k: v
                for k, v in self.headers.items()
                if k.lower() not in ("host", "content-length", "connection")
            }
            with urllib.request.urlopen(urllib.request.Request(url + self.path, body, passed)) as answer:
                found = answer.read()
            key = self.headers["idempotency-key"]
            if key not in seen:
                seen.add(key)
                self.close_connection = True
                return
            self.send_response(200)
            self.send_header("content-length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Losing)
    thread = threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        with client(
            f"http://127.0.0.1:{proxy.server_address[1]}", api.worker("ingest"), retry=Retry(first_s=0.01)
        ) as c:
            decisions = [c.decide(event(300 + i, payer=f"p{i}")) for i in range(10)]
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
    assert [d.status for d in decisions] == ["accepted"] * 10  # the first answer itself, not "duplicate"
    assert len(seen) == 10
    assert json.loads(api.get("/v1/status", api.person("admin", "auditor", "analyst")).text)


def test_a_case_from_the_queue_to_a_decision(here: tuple[Api, str]) -> None:
    api, url = here
    with client(url, api.person("ingest", "analyst")) as c:
        c.send([event(7000 + i, payer=f"case-{i}", amount=Decimal("950.00")) for i in range(2)])
        waiting = c.queue(purpose="a test", severity="critical")
        mine = [each for each in waiting.items if each["subject_id"].startswith("case-")]
        done = c.work_on(mine, "take_up", "both pay one account")
        assert [each["result"] for each in done] == ["done", "done"]
        case_id = c.open_case(done, "Two payers", "both pay one account")
        assert c.cases(assignee="none").items[0]["case_id"] == case_id
        version = c.case(case_id)["version"]
        changed = c.change_case(case_id, version, "looked at", state="investigating")
        assert changed["version"] == version + 1
        with pytest.raises(Refused) as caught:
            c.change_case(case_id, version, "looked at", title="x")
        assert caught.value.reason == "conflict"
        assert c.do_in_case(case_id, "comments", text="asked the branch")["journal_seq"]
        party = {
            "kind": "account",
            "ref": "acc-2",
            "role": "facilitator",
            "confidence": "low",
            "basis": "paid by both",
        }
        assert c.do_in_case(case_id, "parties", changed["version"], **party)["version"] == version + 2
        entries = c.case(case_id, "timeline", purpose="a test")["items"]
        assert {each["what"] for each in entries} == {"event", "alert", "decision"}
        with pytest.raises(Refused) as caught:
            c.do_in_case("cas_none", "comments", text="x")
        assert caught.value.reason == "not_found"


def test_the_same_names_await(here: tuple[Api, str]) -> None:
    api, url = here

    async def go() -> None:
        options = Options(timeout_s=30.0, on_failure="closed", background=False)
        async with AsyncClient(url, api.person("ingest", "analyst"), options) as c:
            await c.decide(event(7100, payer="case-9", amount=Decimal("950.00")))
            page = await c.queue(purpose="a test")
            mine = [each for each in page.items if each["subject_id"] == "case-9"]
            done = await c.work_on(mine, "take_up", "alone")
            case_id = await c.open_case(done, "One payer", "alone")
            await c.do_in_case(case_id, "comments", text="x")
            assert (await c.change_case(case_id, 1, "y", title="z"))["version"] == 2
            assert (await c.case(case_id, purpose="a test"))["title"] == "z"
            assert case_id in {each["case_id"] for each in (await c.cases()).items}

    asyncio.run(go())
