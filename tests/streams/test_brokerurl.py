"""Addresses of JetStream and Redis streams: what is accepted, and what is told of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from txmon.errors import ConfigError
from txmon.streams.connect import open_consumer, source_kind
from txmon.streams.natsurl import covers, nats_address
from txmon.streams.pullsize import FETCH_BYTES, PullSize
from txmon.streams.redisid import EntryId, id_of, position_of
from txmon.streams.redisurl import redis_address


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nats://localhost/s", "not host:port"),
        ("nats://u:p@h:1/s", "no user and no password"),
        ("nats://h:1/", "not a stream's name"),
        ("nats://h:1/a.b", "not a stream's name"),
        ("nats://h:1/s?subject=a..b", "subject 'a..b'"),
        ("nats://h:1/s?subject=a.>.b", "subject"),
        ("nats://h:1/s?dead_letter=a.*", "dead_letter"),
        ("nats://h:1/s?subject=a.>&dead_letter=a.dead", "is among subject"),
        ("nats://h:1/s?group=g", "parameter group"),
        ("nats://h:1/s?start=now", "start 'now'"),
        ("nats://h:1/s?gap=yes", "gap 'yes'"),
        ("nats://h:1/s?config=/nowhere/x", "cannot be read"),
        ("redis://localhost/s", "not host:port"),
        ("redis://:p@h:1/s", "no user and no password"),
        ("redis://h:1,h:2/s", "names one server"),
        ("redis://h:1/", "not a stream's name"),
        ("redis://h:1/s?db=x", "db 'x'"),
        ("redis://h:1/s?dead_letter=s", "another stream"),
        ("redis://h:1/s?field=a&field=b", "given twice"),
    ],
)
def test_wrong_addresses(url: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_consumer(url)
    assert says in str(caught.value)


def test_what_addresses_say() -> None:
    nats = nats_address("nats://a:1,[::1]:2/pay?subject=pay.*&dead_letter=dead.pay&start=latest&gap=accept")
    assert nats.connection() == {"servers": ["nats://a:1", "nats://[::1]:2"]}
    assert (nats.stream, nats.name, nats.from_end, nats.accept_gap) == ("pay", "nats:pay:pay.*", True, True)
    redis = redis_address("redis://[::1]:6379/shop:pay?db=2&field=body&name=other")
    assert redis.connection() == {"host": "::1", "port": 6379, "db": 2}
    assert (redis.stream, redis.payload_field, redis.name) == ("shop:pay", "body", "other")
    assert [source_kind(u) for u in ("nats://h:1/s", "redis://h:1/s", "kafka://h:1/t", "file:///x", "/x")] == [
        "nats", "redis", "kafka", "file", "file",
    ]  # fmt: skip


def test_settings_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rail.conf"
    path.write_text("user = tx\npassword=a=b\ntls=yes\n")
    path.chmod(0o600)
    redis = redis_address(f"redis://h:1/s?config={path}").connection()
    assert (redis["username"], redis["password"], redis["ssl"]) == ("tx", "a=b", True)
    nats = nats_address(f"nats://h:1/s?config={path}").connection()
    assert (nats["user"], nats["password"], type(nats["tls"]).__name__) == ("tx", "a=b", "SSLContext")
    for text, says in (
        ("timeout=5\n", ":1: timeout is none of"),
        ("tls=perhaps\n", "not yes or no"),
        ("tls=yes\ntls_ca_file=/nowhere\n", "cannot be read"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=says):
            nats_address(f"nats://h:1/s?config={path}").connection()
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="everybody"):
        redis_address(f"redis://h:1/s?config={path}")


@pytest.mark.parametrize(
    ("pattern", "subject", "taken"),
    [
        ("a", "a", True), ("a", "b", False), ("a", "a.b", False), ("*", "a", True), ("*", "a.b", False),
        ("a.*", "a.b", True), ("a.>", "a", False), ("a.>", "a.b.c", True), (">", "a", True), ("*.b", "a.b", True),
    ],
)  # fmt: skip
def test_subjects(pattern: str, subject: str, taken: bool) -> None:
    assert covers(pattern, subject) is taken


def test_ids_of_redis_are_positions_and_back() -> None:
    for entry in (
        EntryId(0, 1),
        EntryId(1_767_614_400_000, 0),
        EntryId(1_767_614_400_000, 2**21 - 1),
        EntryId(2**42 - 1, 5),
    ):
        assert id_of(position_of(entry)) == entry
    order = [
        EntryId(5, 0),
        EntryId(5, 9),
        EntryId(5, 2**21),
        EntryId(5, 2**64 - 1),
        EntryId(6, 0),
        EntryId(2**60, 0),
    ]
    positions = [position_of(e) for e in order]
    assert positions == sorted(positions)
    assert positions[-1] < 2**63
    for entry in order:
        assert id_of(position_of(entry)) <= entry  # reading on behind it passes nothing over


def test_pulls_shrink_at_once_and_grow_by_and_by() -> None:
    size = PullSize()
    assert size.ask(10_000) == 64
    size.note(64, 64 * 100)
    assert 64 < size.ask(10_000) < 10_000
    for _ in range(60):
        size.note(100, 100 * 100)
    assert size.ask(10_000) == 10_000
    size.note(1, FETCH_BYTES * 2)
    assert size.ask(10_000) == 1
    size.note(0, 0)
    assert size.ask(10_000) == 1
