"""The Kafka consumer against a real broker: positions, pauses, rebalances, dead letters, outages."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from brokerkit import Broker, drain, running_broker
from confluent_kafka import Producer
from feedkit import KEY, event

from txmon.errors import SourceError
from txmon.model.rates import Rates
from txmon.store.cloudevents import cloud_event
from txmon.streams import load_feed
from txmon.streams.consumer import Message
from txmon.streams.decode import Decoder
from txmon.streams.kafka import KafkaConsumer
from txmon.streams.kafkaurl import kafka_address
from txmon.streams.publish import KafkaPublisher, Outgoing


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker")) as found:
        yield found


def payloads(count: int, prefix: str = "e") -> list[bytes]:
    return [json.dumps(event(event_id=f"{prefix}{i}")).encode() for i in range(count)]


def consumer(broker: Broker, topic: str, stored: dict[str, int] | None = None, **query: str) -> KafkaConsumer:
    return KafkaConsumer(kafka_address(broker.url(topic, **query)), stored=lambda: stored or {})


def take(c: KafkaConsumer, want: int, limit: int = 500) -> list[Message]:
    found = drain(lambda: c.poll(limit, 0.2), want)
    assert len(found) == want
    return found  # type: ignore[return-value]


def test_every_message_of_every_partition_in_order(broker: Broker) -> None:
    topic = broker.topic("all", 3)
    for p in range(3):
        broker.send(topic, payloads(700, f"p{p}-"), p)
    c = consumer(broker, topic)
    assert c.problem == "not connected yet"
    found = take(c, 2100, limit=100)
    assert c.problem is None
    assert c.partitions == ("0", "1", "2")
    for p in "012":
        own = [m for m in found if m.partition == p]
        assert [m.position for m in own] == list(range(700))
        assert [m.payload for m in own] == payloads(700, f"p{p}-")
    assert c.poll(10, 0.1) == []
    assert c.lag() == {"0": 0, "1": 0, "2": 0}
    assert not c.ended
    c.close()


def test_begins_behind_stored_positions_and_seeks_back(broker: Broker) -> None:
    topic = broker.topic("stored", 2)
    broker.send(topic, payloads(10), 0)
    broker.send(topic, payloads(10), 1)
    c = consumer(broker, topic, {"0": 6, "1": 9})
    assert [(m.partition, m.position) for m in take(c, 3)] == [("0", 7), ("0", 8), ("0", 9)]
    broker.send(topic, payloads(1, "new"), 1)
    assert [(m.partition, m.position) for m in take(c, 1)] == [("1", 10)]
    c.seek({"0": 7, "1": 9})
    assert sorted((m.partition, m.position) for m in take(c, 3)) == [("0", 8), ("0", 9), ("1", 10)]
    c.seek({"0": 9})  # partition 1 was first begun at 10
    assert [(m.partition, m.position) for m in take(c, 1)] == [("1", 10)]
    c.close()


def test_waits_for_no_full_batch_and_never_exceeds_the_limit(broker: Broker) -> None:
    topic = broker.topic("limit")
    c = consumer(broker, topic)
    assert c.poll(1000, 0.01) == []
    broker.send(topic, payloads(3))
    assert len(take(c, 3, limit=1)) == 3
    c.close()


def test_pause_holds_and_resume_goes_on(broker: Broker) -> None:
    topic = broker.topic("pause")
    broker.send(topic, payloads(5))
    c = consumer(broker, topic)
    assert len(take(c, 2, limit=2)) == 2
    c.pause()
    broker.send(topic, payloads(5, "late"))
    assert [c.poll(10, 0.05) for _ in range(5)] == [[]] * 5
    c.resume()
    assert [m.position for m in take(c, 8)] == list(range(2, 10))
    c.close()


def test_paused_before_the_first_partition(broker: Broker) -> None:
    topic = broker.topic("paused-first")
    broker.send(topic, payloads(2))
    c = consumer(broker, topic)
    c.pause()
    assert [c.poll(10, 0.1) for _ in range(4)] == [[]] * 4
    c.resume()
    assert len(take(c, 2)) == 2
    c.close()


def test_latest_skips_what_is_there(broker: Broker) -> None:
    topic = broker.topic("latest")
    broker.send(topic, payloads(1, "old"))
    c = consumer(broker, topic, start="latest")
    for _ in range(5):
        assert c.poll(10, 0.1) == []
    broker.send(topic, payloads(2, "new"))
    assert [m.payload for m in take(c, 2)] == payloads(2, "new")
    c.close()


def test_aborted_transactions_are_not_read(broker: Broker) -> None:
    topic = broker.topic("transactions")
    producer = Producer({"bootstrap.servers": broker.servers, "transactional.id": "t1"})
    producer.init_transactions(10)
    for commit, text in ((False, b'{"event_id":"aborted"}'), (True, b'{"event_id":"kept"}')):
        producer.begin_transaction()
        producer.produce(topic, text)
        (producer.commit_transaction if commit else producer.abort_transaction)(10)
    c = consumer(broker, topic)
    assert b"kept" in take(c, 1)[-1].payload
    assert c.poll(10, 0.2) == []
    c.close()


def test_rebalance_shares_partitions_and_keeps_positions(broker: Broker, tmp_path: Path) -> None:
    topic = broker.topic("shared", 2)
    options = tmp_path / "kafka.conf"
    options.write_text("session.timeout.ms=6000\nheartbeat.interval.ms=300\n")
    options.chmod(0o600)
    stored: dict[str, int] = {}
    query = {"group": "g1", "config": str(options)}
    a, b = consumer(broker, topic, stored, **query), None
    for p in range(2):
        broker.send(topic, payloads(50, f"{p}-"), p)
    for m in take(a, 100):
        stored[m.partition] = m.position
    seen: list[Message] = []
    b = KafkaConsumer(kafka_address(broker.url(topic, **query)), stored=lambda: stored)

    def both() -> None:
        for c in (a, b):
            for m in c.poll(100, 0.05):
                seen.append(m)
                stored[m.partition] = m.position

    until = time.monotonic() + 30
    while time.monotonic() < until and not (len(a.partitions) == len(b.partitions) == 1):
        both()
    assert sorted([*a.partitions, *b.partitions]) == ["0", "1"]
    for p in range(2):
        broker.send(topic, payloads(20, f"more{p}-"), p)
    until = time.monotonic() + 20
    while time.monotonic() < until and len(seen) < 40:
        both()
    a.close()  # its partition goes to the other
    broker.send(topic, payloads(5, "last0-"), 0)
    broker.send(topic, payloads(5, "last1-"), 1)
    until = time.monotonic() + 30
    while time.monotonic() < until and len(seen) < 50:
        for m in b.poll(100, 0.1):
            seen.append(m)
            stored[m.partition] = m.position
    b.close()
    assert sorted((m.partition, m.position) for m in seen) == [(p, i) for p in "01" for i in range(50, 75)]


def test_dead_letters_say_why_and_hold_no_card_number(broker: Broker) -> None:
    topic, dead = broker.topic("work"), broker.topic("work.dead")
    bad = event(event_id="x1", amount="much", memo="card 4111 1111 1111 1111")
    broker.send(topic, [payloads(1)[0], json.dumps(bad).encode(), b"no json"])
    c = consumer(broker, topic, dead_letter=dead)
    messages = take(c, 3)
    batch = Decoder(load_feed("native"), KEY, Rates("EUR")).decode(messages)
    assert batch.events.column("event_id").to_pylist() == ["e0"]
    for index, reason, body in batch.dead_letters():
        c.dead_letter(messages[index], reason, body)
    c.flush(10)
    c.close()
    reader = consumer(broker, dead)
    letters = take(reader, 2)
    reader.close()
    headers = [dict(m.headers) for m in letters]
    assert [h["txmon-reason"] for h in headers] == [b"bad_type", b"bad_json"]
    assert [h["txmon-offset"] for h in headers] == [b"1", b"2"]
    assert {h["txmon-topic"] for h in headers} == {b"work"}
    assert b"4111" not in letters[0].payload
    assert b"pan_0123abcd_" in letters[0].payload
    assert letters[1].payload == b"no json"


def test_a_topic_shorter_than_what_was_read_is_refused(broker: Broker) -> None:
    topic = broker.topic("short")
    broker.send(topic, payloads(3))
    c = consumer(broker, topic, {"0": 500})
    with pytest.raises(SourceError, match="500 was read before"):
        drain(lambda: c.poll(10, 0.2), 1, seconds=15)
    c.close()


def test_unknown_topic_is_a_problem_until_it_exists(broker: Broker) -> None:
    c = consumer(broker, "not-yet")
    for _ in range(3):
        assert c.poll(10, 0.1) == []
    assert "nknown topic" in (c.problem or "")
    broker.topic("not-yet")
    broker.send("not-yet", payloads(2))
    assert len(take(c, 2)) == 2
    c.close()


def test_no_broker_is_a_problem_and_not_an_error(tmp_path: Path) -> None:
    with running_broker(tmp_path) as own:
        topic = own.topic("t")
        own.send(topic, payloads(4))
        c = consumer(own, topic)
        assert len(take(c, 4)) == 4
        own.stop()
        until = time.monotonic() + 20
        while time.monotonic() < until and c.problem is None:
            assert c.poll(10, 0.2) == []
        assert c.problem is not None
        own.start()
        own.topic("t")
        own.send(topic, payloads(9, "again"))  # a broker that forgot: offsets 0 to 8
        found = drain(lambda: c.poll(10, 0.2), 5, seconds=40)
        assert [m.position for m in found] == [4, 5, 6, 7, 8]  # type: ignore[attr-defined]
        c.close()


def test_alerts_are_published_as_cloud_events(broker: Broker) -> None:
    topic = broker.topic("alerts")
    publisher = KafkaPublisher(kafka_address(broker.url(topic)))
    items = [
        Outgoing(
            f"a{i}",
            "subject-1",
            cloud_event(
                id=f"a{i}",
                source="/txmon/default",
                type="txmon.alert.opened",
                time_us=1_767_614_400_000_000 + i,
                subject=f"alert-{i}",
                data={"state": "open"},
            ),
        )
        for i in range(5)
    ]
    assert publisher.publish(items, 10) == {f"a{i}" for i in range(5)}
    publisher.close()
    reader = consumer(broker, topic)
    found = take(reader, 5)
    reader.close()
    assert {dict(m.headers)["content-type"] for m in found} == {b"application/cloudevents+json"}
    assert {m.key for m in found} == {b"subject-1"}
    first = json.loads(found[0].payload)
    assert first["specversion"] == "1.0"
    assert first["time"] == "2026-01-05T12:00:00.000000Z"
    assert first["data"] == {"state": "open"}


def test_publishing_without_a_broker_loses_and_repeats_nothing(tmp_path: Path) -> None:
    with running_broker(tmp_path) as own:
        topic = own.topic("t")
        publisher = KafkaPublisher(kafka_address(own.url(topic)))
        own.stop()
        items = [Outgoing(f"a{i}", "k", b"{}") for i in range(3)]
        assert publisher.publish(items, 0.5) == set()
        own.start()
        own.topic("t")
        done: set[str] = set()
        until = time.monotonic() + 30
        while len(done) < 3 and time.monotonic() < until:
            done |= publisher.publish([i for i in items if i.id not in done], 1)
        publisher.close()
        reader = consumer(own, topic)
        assert len(take(reader, 3)) == 3
        assert reader.poll(10, 0.3) == []
        reader.close()
