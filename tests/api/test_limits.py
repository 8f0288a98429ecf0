"""How often one may ask, and what refused keys lead to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from apikit import Api, opened, problem

from txmon.api.bodies import too_deep
from txmon.api.limits import Addresses, Buckets, Failures


def test_a_bucket_fills_by_its_rate_and_holds_a_burst() -> None:
    buckets = Buckets(10.0, 3)
    assert [buckets.take("k", 0.0) for _ in range(3)] == [0.0] * 3
    assert buckets.take("k", 0.0) == 0.1
    assert buckets.take("other", 0.0) == 0.0
    assert buckets.take("k", 0.1) == 0.0
    assert [buckets.take("k", 60.0) for _ in range(3)] == [0.0] * 3
    assert buckets.take("k", 60.0) > 0
    assert Buckets(0.0, 1).take("k", 0.0) == 0.0


def test_refused_keys_of_an_address_are_counted_by_the_minute() -> None:
    failures = Failures(2)
    assert [failures.note("a", 1.0), failures.note("a", 2.0)] == [0.0, 0.0]
    assert failures.note("a", 3.0) == 58.0
    assert failures.note("b", 3.0) == 0.0
    assert failures.note("a", 61.0) == 0.0


def test_forwarded_addresses_are_believed_of_trusted_proxies_only() -> None:
    addresses = Addresses(("10.0.0.0/8", "::1/128"))

    def of(peer: str | None, forwarded: str = "") -> str:
        headers = {b"x-forwarded-for": forwarded.encode()} if forwarded else {}
        return addresses.of({"client": None if peer is None else (peer, 1)}, headers)

    assert of("198.51.100.7", "203.0.113.9") == "198.51.100.7"
    assert of("10.0.0.1", "203.0.113.9") == "203.0.113.9"
    assert of("10.0.0.1", "1.2.3.4, 203.0.113.9, 10.2.2.2") == "203.0.113.9"
    assert of("10.0.0.1", "garbage") == "10.0.0.1"
    assert of("10.0.0.1") == "10.0.0.1"
    assert of("::1", "::ffff:203.0.113.9") == "203.0.113.9"
    assert of("2001:db8:1:2:3:4:5:6") == of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert of(None) == "unknown"


def test_a_key_that_asks_too_often_must_wait(tmp_path: Path) -> None:
    with opened(tmp_path, rate_limit=0.01, rate_burst=2) as api:
        key = api.person("analyst")
        assert [api.get("/v1/alerts", key).status_code for _ in range(2)] == [200, 200]
        answer = api.get("/v1/alerts", key)
        problem(answer, 429, "rate_limited")
        assert int(answer.headers["retry-after"]) > 1
        assert api.get("/v1/alerts", api.person("analyst")).status_code == 200
        assert api.get("/livez").status_code == 200


def test_refused_keys_say_why_and_then_must_wait(tmp_path: Path) -> None:
    with opened(tmp_path, auth_failures=4) as api:
        reasons = {
            None: "missing",
            "nonsense": "malformed",
            "txm_live_aaaaaaaa_" + "x" * 43: "unknown",
        }
        for key, reason in reasons.items():
            answer = api.get("/v1/alerts", key)
            assert problem(answer, 401, "unauthenticated")["reason"] == reason
            assert answer.headers["www-authenticate"].startswith("Bearer")
        basic = api.get("/v1/alerts", headers={"authorization": "Basic dXNlcjpwYXNz"})
        assert problem(basic, 401, "unauthenticated")["reason"] == "malformed"
        answer = api.get("/v1/alerts", "nonsense")
        problem(answer, 429, "too_many_failures")
        assert int(answer.headers["retry-after"]) >= 1
        assert api.get("/v1/alerts", api.person("analyst")).status_code == 200  # a valid key passes
        value = api.service.metrics.registry.get_sample_value
        assert value("txmon_auth_failures_total", {"reason": "malformed"}) == 3
        assert value("txmon_auth_failures_total", {"reason": "blocked"}) == 1


def test_metrics_may_be_closed(tmp_path: Path) -> None:
    with opened(tmp_path, metrics_open=False) as api:
        problem(api.get("/metrics"), 401, "unauthenticated")
        problem(api.get("/metrics", api.worker("ingest")), 403, "forbidden")
        answer = api.get(
            "/metrics",
            api.worker("analyst", scopes=("read",)),
            headers={"accept": "application/openmetrics-text"},
        )
        assert answer.status_code == 200
        assert answer.text.endswith("# EOF\n")
        labels = {"route": "/metrics", "method": "GET", "status_class": "4xx"}
        assert api.service.metrics.registry.get_sample_value("txmon_request_seconds_count", labels) == 2


def test_depth_is_found_without_parsing() -> None:
    cases: list[tuple[bytes, bool]] = [
        (b"[" * 21, True),
        (b"[" * 20, False),
        (b'"' + b"[" * 50 + b'"', False),
        (b'{"a\\"[[[[[[[[[[[[[[[[[[[[[[[[[": 1}', False),
        (b"[]" * 100, False),
        (b'"\\\\"' + b"[" * 21, True),
        (b'"' + b"\\" * 99, False),
        (b"", False),
    ]
    for body, deep in cases:
        assert too_deep(body, 20) is deep, body[:60]


def test_a_body_longer_than_it_says_is_cut_off(shared_api: Api) -> None:
    async def ask() -> Any:
        async def chunks() -> Any:
            for _ in range(40):
                yield b" " * 65_536

        return await shared_api.acall(
            "POST",
            "/v1/events",
            shared_api.worker("ingest"),
            content=chunks(),
            headers={"content-type": "application/json"},
        )

    found: httpx.Response = shared_api.run(ask())
    problem(found, 413, "too_large")
