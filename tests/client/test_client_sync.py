"""One event is stored once, however the service misbehaves; without an answer the payment goes on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from badserver import KEY, Server, running

from txmon.client import AccessDenied, Bounds, Client, Doors, Options, Refused, Retry, Unavailable
from txmon.errors import ConfigError, InputError

SECRET_NAME = "Anna Example"  # stands for what must never be shown


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as made:
        yield made


def event(number: int = 0, **more: Any) -> dict[str, Any]:
    return {"event_id": f"e{number}", "event_time": datetime(2026, 1, 5, tzinfo=UTC), "amount": Decimal("70.10"), "memo": SECRET_NAME} | more  # fmt: skip


def client(server: Server, **options: Any) -> Client:
    usual: dict[str, Any] = {
        "timeout_s": 2.0,
        "attempt_s": 0.5,
        "retry": Retry(first_s=0.01),
        "background": False,
    }
    return Client(server.url, KEY, Options(**(usual | options)))


FAULTS = ["drop", "store_and_drop", "cut", ("status", 503, {"Retry-After": "0"}), ("status", 429), ("status", 502), ("status", 504),
          ("status", 409, {"Retry-After": "0"}), ("slow", 0.8), "drip", "garbage", "shape"]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_one_event_is_stored_once(server: Server, fault: Any) -> None:
    server.state.script.append(fault)
    with client(server) as c:
        decision = c.decide(event(want="hold"))
    assert (decision.recommendation, decision.decision_id, decision.queued) == ("hold", "d_e0", False)
    assert server.state.raw == {"e0": 1}  # even without identities: the second send had the same key
    posted = [headers["idempotency-key"] for _, _, headers in server.state.requests]
    assert len(posted) == 2
    assert len(set(posted)) == 1


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_many_events_are_stored_once(server: Server, fault: Any) -> None:
    server.state.script.append(fault)
    with client(server) as c:
        decisions = c.send([event(i) for i in range(30)])
    assert [d.decision_id for d in decisions] == [f"d_e{i}" for i in range(30)]
    assert set(server.state.raw.values()) == {1}
    assert len(server.state.raw) == 30


def test_an_event_arrives_as_it_was_given(server: Server) -> None:
    with client(server) as c:
        c.decide(event(amount=Decimal("12345678901234.10")), feed="native")
    (_, path, headers), stored = server.state.requests[0], server.state.events["e0"]
    assert path == "/v1/events?feed=native"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert stored["event_time"] == "2026-01-05T00:00:00+00:00"
    assert stored["amount"] == 12345678901234.10


def test_many_events_are_cut_to_the_service_s_limits(server: Server) -> None:
    with client(server) as c:
        decisions = c.send(event(i) for i in range(2500))
        assert len(decisions) == 2500
        c.send([event(9000 + i, memo="x" * 400_000) for i in range(5)])
    assert len(server.state.requests) == 3 + 3
    assert server.state.order[:2500] == [f"e{i}" for i in range(2500)]


def test_a_retry_after_is_kept_to(server: Server) -> None:
    pauses: list[float] = []
    doors = Doors(sleep=pauses.append)
    options = Options(timeout_s=20, retry=Retry(first_s=0.01), background=False)
    server.state.script.extend(
        [
            ("status", 503, {"Retry-After": "7"}),
            ("status", 429, {"Retry-After": "Thu, 01 Jan 2026 00:00:00 GMT"}),
        ]
    )
    with Client(server.url, KEY, options, doors=doors) as c:
        assert not c.decide(event()).queued
    assert pauses[0] == 7.0
    assert 0 < pauses[1] < 0.03  # a date that is past asks for nothing


def test_a_retry_after_beyond_the_time_out_is_not_waited_for(server: Server) -> None:
    server.state.always = ("status", 503, {"Retry-After": "3600"})
    with client(server) as c:
        decision = c.decide(event())
        assert decision.failure == "code_503"
        assert c.flush().retry_after_s == 3600
    assert len(server.state.requests) == 3  # one for the call, one for each flush


def test_pauses_are_bounded_and_grow() -> None:
    retry = Retry(first_s=0.1, longest_s=5)
    assert [retry.pause(n, None, 0.0) for n in (1, 2, 3, 400)] == [0.05, 0.1, 0.2, 2.5]
    assert retry.pause(1, 9999.0, 0.5) == 5
    assert retry.pause(1, 1.5, 0.5) == 1.5


@pytest.mark.parametrize("fault", [("slow", 3.0), "drip", ("status", 500), ("status", 507), ("status", 401), ("status", 403), ("status", 404),
                                   ("redirect", "http://127.0.0.1:9/"), ("status", 503, {"Retry-After": "60"})], ids=str)  # fmt: skip
def test_fail_open_lets_the_payment_go_on_and_sends_later(server: Server, fault: Any) -> None:
    server.state.always = fault
    with client(server, timeout_s=0.6, attempt_s=0.3) as c:
        decision = c.decide(event())
        assert (decision.recommendation, decision.queued, decision.status) == ("allow", True, "queued")
        assert decision.reason_code == "not_scored"
        assert decision.failure
        assert c.waiting == 1
        server.state.always = None
        report = c.flush()
        assert (report.sent, report.left, report.failure, c.waiting) == (1, 0, None, 0)
    assert server.state.raw == {"e0": 1}
    assert len({h["idempotency-key"] for _, _, h in server.state.requests}) == 1


@pytest.mark.parametrize("fault", [("slow", 3.0), ("status", 500), "garbage"], ids=str)
def test_fail_closed_raises(server: Server, fault: Any) -> None:
    server.state.always = fault
    with client(server, timeout_s=0.6, attempt_s=0.3, on_failure="closed") as c:
        with pytest.raises(Unavailable) as caught:
            c.decide(event())
        assert c.waiting == 0
        assert SECRET_NAME not in f"{caught.value!r} {caught.value.detail}"
        server.state.always = ("status", 401)
        with pytest.raises(AccessDenied):
            c.send([event()])


@pytest.mark.parametrize("on_failure", ["open", "closed"])
@pytest.mark.parametrize("status", [400, 409, 413, 415, 422])
def test_a_wrong_request_is_never_queued(server: Server, status: int, on_failure: str) -> None:
    server.state.always = ("status", status)
    with client(server, on_failure=on_failure) as c:
        with pytest.raises(Refused) as caught:
            c.decide(event())
        assert (caught.value.http_status, caught.value.reason, c.waiting) == (status, f"code_{status}", 0)
    assert len(server.state.requests) == 1


def test_without_a_service_events_wait_in_order(server: Server) -> None:
    server.stop()
    with client(server) as c:
        for i in range(20):
            assert c.decide(event(i)).failure == "no_connection"
        assert [d.queued for d in c.send([event(20), event(21)])] == [True, True]
        assert c.flush().failure == "no_connection"
        server.start()
        assert c.flush().sent == 21
    assert server.state.order == [f"e{i}" for i in range(22)]


def test_a_thread_sends_what_waits(server: Server) -> None:
    server.state.script.extend([("status", 500)] * 3)
    with client(server, background=True) as c:
        assert c.decide(event()).queued
        until = time.monotonic() + 30
        while c.waiting and time.monotonic() < until:
            time.sleep(0.01)
        assert c.waiting == 0
        assert [t.daemon for t in threading.enumerate() if t.name == "txmon-client"] == [True]
    assert not [t for t in threading.enumerate() if t.name == "txmon-client"]
    assert server.state.raw == {"e0": 1}


def test_what_waits_in_a_file_is_sent_by_the_next_process(server: Server, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    server.state.always = ("status", 500)
    with client(server, spool=spool) as c:
        for i in range(5):
            c.decide(event(i))
    keys = {h["idempotency-key"] for _, _, h in server.state.requests}
    server.state.always = None
    with client(server, spool=spool) as c:
        assert c.waiting == 5
        assert c.flush().sent == 5
    assert server.state.order == [f"e{i}" for i in range(5)]
    assert keys == set(server.state.keys)


def test_a_queued_event_that_is_refused_later_does_not_block(server: Server, tmp_path: Path) -> None:
    server.state.always = ("status", 500)
    spool = tmp_path / "spool"
    with client(server, spool=spool) as c:
        for i in range(3):
            c.decide(event(i))
        server.state.always = None
        server.state.script.extend(["ok", ("status", 422), "ok"])
        report = c.flush()
    assert (report.sent, [r.reason for r in report.refused], report.left) == (2, ["code_422"], 0)
    assert server.state.order == ["e0", "e2"]
    kept = Path(f"{spool}.refused").read_text()
    assert '"refused":"code_422"' in kept
    assert "e1" in kept


def test_a_full_spool_says_that_events_are_dropped(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.state.always = ("status", 500)
    with client(server, bounds=Bounds(events=2)) as c:
        found = [c.decide(event(i)) for i in range(3)]
        assert [(d.recommendation, d.status, d.queued) for d in found] == [("allow", "queued", True)] * 2 + [
            ("allow", "dropped", False)
        ]
        assert found[2].failure == "spool_full"
    assert any("dropped" in r.message for r in caplog.records if r.levelno == logging.ERROR)


def test_nothing_shows_the_key_or_a_body(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.state.script.extend(["drop", ("status", 500), ("status", 422), ("status", 401), "garbage"])
    shown: list[str] = []
    with client(server, retry=Retry(attempts=1)) as c:
        shown += [repr(c), repr(vars(c).keys())]
        for i in range(5):
            try:
                shown.append(repr(c.decide(event(i))))
            except (Refused, AccessDenied) as error:
                shown += [repr(error), str(error), error.detail]
        c.flush()
    text = "\n".join([*shown, caplog.text])
    assert KEY not in text
    assert "k" * 10 not in text
    assert SECRET_NAME not in text
    with pytest.raises(ConfigError) as caught:
        Client(server.url, KEY + "\n")
    assert "k" * 10 not in str(caught.value)


def test_addresses_that_would_show_the_key_are_refused() -> None:
    for url in (
        "http://example.org",
        "ftp://example.org",
        "https://user:secret@example.org",
        "example.org",
        "https://",
        "https://h:99999",
        "https://h/?a=b",
    ):
        with pytest.raises(ConfigError) as caught:
            Client(url, KEY)
        assert "secret" not in str(caught.value)
    Client("http://txmon:8080", KEY, Options(allow_http=True)).close()
    for bad in ({"timeout_s": 0}, {"on_failure": "maybe"}, {"bulk_rows": 0}):
        with pytest.raises(ConfigError):
            Options(**bad)
    with pytest.raises(ConfigError):
        Retry(attempts=0)


def test_a_redirect_is_not_followed(server: Server) -> None:
    with running() as other:
        server.state.always = ("redirect", f"{other.url}/v1/events")
        with client(server) as c:
            assert c.decide(event()).failure == "http_307"
        assert other.state.requests == []


def test_events_that_json_cannot_hold_are_refused_without_their_values(server: Server) -> None:
    with client(server) as c:
        for value in (datetime(2026, 1, 5), Decimal("NaN"), object(), "\ud800", {1, 2}, 1 << 80):  # noqa: DTZ001
            with pytest.raises(InputError) as caught:
                c.decide(event(other=value))
            assert SECRET_NAME not in str(caught.value)
        with pytest.raises(InputError):
            c.decide(event(), idempotency_key="a b")
    assert server.state.requests == []


def rows(count: int) -> list[dict[str, Any]]:
    return [{"event_id": f"e{i}", "amount_minor": i, "currency": "EUR"} for i in range(count)]


def forms(folder: Path) -> dict[str, Any]:
    import json

    import pandas as pd

    table = pa.Table.from_pylist(rows(25))
    ndjson = "\n".join(json.dumps(r) for r in rows(25))
    (folder / "f.ndjson").write_text(ndjson)
    pq.write_table(table, folder / "f.parquet")
    with pa.ipc.new_file(str(folder / "f.arrow"), table.schema) as w:
        w.write_table(table)
    with pa.ipc.new_stream(str(folder / "f.arrows"), table.schema) as w:
        w.write_table(table)
    return {
        "table": table,
        "reader": table.to_reader(max_chunksize=7),
        "frame": pd.DataFrame(rows(25)),
        "bytes": ndjson.encode() + b"\n\n",
        "events": iter(rows(25)),
        **{name: folder / f"f.{name}" for name in ("ndjson", "parquet", "arrow", "arrows")},
    }


@pytest.mark.parametrize(
    "form", ["table", "reader", "frame", "bytes", "events", "ndjson", "parquet", "arrow", "arrows"]
)
@pytest.mark.parametrize("fault", ["ok", "store_and_drop", ("status", 503, {"Retry-After": "0"})], ids=str)
def test_bulk_takes_every_form_and_stores_rows_once(
    server: Server, form: str, fault: Any, tmp_path: Path
) -> None:
    server.state.script.extend(["ok", fault])
    with client(server, bulk_rows=10) as c:
        result = c.bulk(forms(tmp_path)[form])
    assert (result.rows, result.accepted, result.duplicates, result.hits) == (25, 25, 0, None)
    assert server.state.order == [f"e{i}" for i in range(25)]
    assert set(server.state.raw.values()) == {1}


def test_bulk_says_what_was_stored_before_it_broke(server: Server) -> None:
    server.state.script.extend(["ok", "ok", *[("status", 500)]])
    with client(server, bulk_rows=10) as c:
        with pytest.raises(Unavailable) as caught:
            c.bulk(rows(25))
        assert caught.value.done is not None
        assert caught.value.done.accepted == 20
        again = c.bulk(rows(25))
        assert (again.accepted, again.duplicates) == (5, 20)
        with pytest.raises(InputError):
            c.bulk("a text")


def alert(number: int) -> dict[str, Any]:
    return {
        "alert_id": f"a{number}",
        "entity": "default",
        "mode": "live",
        "opened_time": "2026-01-05T00:00:00Z",
        "recommendation": "review",
    }


def test_alerts_are_read_page_by_page(server: Server) -> None:
    server.state.alerts = [alert(i) for i in range(23)]
    server.state.script.extend(["ok", "drop", "ok", "cut"])
    with client(server) as c:
        found = list(c.iter_alerts(limit=5, state="open", severity=["high", "critical"]))
        assert [a["alert_id"] for a in found] == [f"a{i}" for i in range(23)]
        assert c.alert("a7")["alert_id"] == "a7"
        with pytest.raises(Refused) as caught:
            c.alert("a/99")
        assert caught.value.reason == "not_found"
        assert c.status() == {"seq": 0}
        assert "x-purpose" not in server.state.requests[-1][2]
        c.alert("a7", purpose="case 7, Größe")
        assert server.state.requests[-1][2]["x-purpose"].encode("latin-1").decode() == "case 7, Größe"
        for bad in ("", "  ", "two\nlines"):
            with pytest.raises(InputError):
                c.alert("a7", purpose=bad)
    assert "severity=high&severity=critical" in server.state.requests[0][1]


def test_the_stream_of_alerts_goes_on_where_it_broke(server: Server) -> None:
    import json

    server.state.streams.extend([
        f": hello\r\nretry: 10\r\nid: 1\r\nevent: alert.opened\r\ndata: {json.dumps(alert(1))}\r\n\r\nevent: heartbeat\ndata: x\n\nid: 2\nevent: alert.updated\ndata: {json.dumps(alert(2))[:20]}".encode(),
        b"",
        f"id: 2\nevent: alert.updated\ndata: {json.dumps(alert(2))}\n\n".encode(),
    ])  # fmt: skip
    server.state.script.extend(["ok", "ok", ("status", 503)])
    with client(server) as c:
        found = []
        for live in c.stream_alerts(last_id="0"):
            found.append((live.id, live.kind, live.alert["alert_id"]))
            if len(found) == 2:
                break
        assert found == [("1", "alert.opened", "a1"), ("2", "alert.updated", "a2")]
        server.state.always = ("status", 403)
        with pytest.raises(AccessDenied):
            next(c.stream_alerts())
    asked = [h.get("last-event-id") for _, path, h in server.state.requests if "stream" in path]
    assert asked[0] == "0"
    assert set(asked[1:4]) <= {"1", "2"}


def test_many_threads_share_a_client(server: Server) -> None:
    server.state.script.extend(["ok", "store_and_drop", ("status", 503), "garbage"] * 10)
    with client(server, timeout_s=20, attempt_s=10, retry=Retry(attempts=50, first_s=0.01)) as c:
        threads = [
            threading.Thread(target=lambda n=n: [c.decide(event(n * 20 + i)) for i in range(20)])
            for n in range(8)
        ]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert c.waiting == 0
    assert len(server.state.order) == 160
    assert set(server.state.raw.values()) == {1}


def test_a_disk_that_fails_does_not_stop_a_payment(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from txmon.client import spool as module

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    server.state.always = ("status", 500)
    with client(server, spool=tmp_path / "spool") as c:
        with monkeypatch.context() as broken:
            broken.setattr(module.os, "pwrite", full)
            decision = c.decide(event())
        assert (decision.recommendation, decision.status, decision.failure) == (
            "allow",
            "dropped",
            "spool_failed",
        )
        assert c.decide(event(1)).status == "queued"
    assert any("No space left" in r.getMessage() for r in caplog.records)


def test_an_event_of_another_mode_is_refused_and_blocks_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from badserver import Handler

    real = Handler._problem
    monkeypatch.setattr(
        Handler,
        "_problem",
        lambda self, status, code, headers=None: real(
            self, status, "not_permitted" if status == 403 else code, headers
        ),
    )
    server.state.always = ("status", 500)
    with client(server) as c:
        c.decide(event(1))
        c.decide(event(2))
        server.state.always = None
        server.state.script.append(("status", 403))
        report = c.flush()
        assert ([r.reason for r in report.refused], report.sent, report.left) == (["not_permitted"], 1, 0)


def test_a_message_of_several_events_gets_the_strictest_decision() -> None:
    from txmon.client.types import strictest_of

    def row(recommendation: str) -> dict[str, Any]:
        return {
            "status": "accepted",
            "recommendation": recommendation,
            "reason_code": "none",
            "decision_id": f"d_{recommendation}",
        }

    assert strictest_of({"results": [row("allow"), row("hold"), row("review")]}).decision_id == "d_hold"
    assert strictest_of(row("review")).recommendation == "review"
    for bad in (
        {},
        [],
        {"results": []},
        {"results": 3},
        {"recommendation": "decline", "reason_code": "none"},
        {"status": "lost"},
        None,
        3,
    ):
        with pytest.raises(ValueError, match=r"an object|results|recommendation|status"):
            strictest_of(bad)
