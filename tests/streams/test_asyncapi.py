"""streams/asyncapi.yaml is what the code reads and writes, and valid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from feedkit import event

from txmon.alerts import NEUTRAL
from txmon.api.channels import VERSION, asyncapi, asyncapi_text
from txmon.pipeline.messages import OPENED, bodies
from txmon.store.cloudevents import cloud_event
from txmon.streams import deadletter
from txmon.streams.connect import BROKERS, open_consumer
from txmon.streams.consumer import Message
from txmon.streams.deadletter import DeadLetters
from txmon.streams.feedfile import shipped_directory, shipped_feeds
from txmon.streams.kafkaurl import kafka_address

SCHEMA = Path(__file__).parents[3] / "shared" / "formats" / "asyncapi" / f"asyncapi-{VERSION}.schema.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return yaml.safe_load((shipped_directory() / "asyncapi.yaml").read_text())  # type: ignore[no-any-return]


def test_the_file_is_what_the_code_says(document: dict[str, Any]) -> None:
    assert (shipped_directory() / "asyncapi.yaml").read_text() == asyncapi_text(), "run `python -m txmon.api`"
    assert document == json.loads(json.dumps(asyncapi()))


@pytest.mark.shared
def test_it_is_valid_asyncapi(document: dict[str, Any]) -> None:
    if not SCHEMA.is_file():
        pytest.skip("the AsyncAPI schema is not beside the repository")
    validator = jsonschema_rs.Draft7Validator(json.loads(SCHEMA.read_text()))
    assert [str(e) for e in validator.iter_errors(document)] == []
    assert not validator.is_valid(document | {"channels": {"x": {"address": 5}}})


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            target = node.get("$ref")
            if isinstance(target, str):
                here: Any = document
                for step in target.removeprefix("#/").split("/"):
                    here = here[step]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    used = {m for c in document["channels"].values() for m in c["messages"]}
    assert used == set(document["components"]["messages"])
    assert {o["channel"]["$ref"].rpartition("/")[2] for o in document["operations"].values()} == set(
        document["channels"]
    )


def test_servers_are_the_brokers_that_can_be_opened(document: dict[str, Any]) -> None:
    assert tuple(document["servers"]) == BROKERS
    for kind, server in document["servers"].items():
        assert server["protocol"] == kind
        url = f"{kind}://{server['host'].format(host='localhost')}/name"
        if kind != "kafka":  # whose client connects at once
            open_consumer(url).close()


def test_every_feed_of_messages_is_there(document: dict[str, Any]) -> None:
    wanted = {
        f"{p.stem}Event"
        for p in shipped_feeds()
        if {"ndjson", "xml"} & set(yaml.safe_load(p.read_text())["formats"])
    }
    for kind in BROKERS:
        assert set(document["channels"][f"{kind}Events"]["messages"]) == wanted


def _valid(document: dict[str, Any], part: dict[str, Any], value: object) -> bool:
    schema = {**part, "components": document["components"]}
    return bool(jsonschema_rs.Draft7Validator(schema).is_valid(value))


def test_an_event_fits_its_message(document: dict[str, Any]) -> None:
    payload = document["components"]["messages"]["nativeEvent"]["payload"]
    assert _valid(document, payload, event())
    assert not _valid(document, payload, event(event_id=None))


def test_dead_letters_have_the_headers_that_are_described(
    document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, str]] = []

    class Producer:
        def __init__(self, *_: object, **__: object) -> None: ...

        def produce(self, topic: str, body: bytes, headers: list[tuple[str, str]], **_: object) -> None:
            sent.append(dict(headers))

    monkeypatch.setattr(deadletter, "Producer", Producer)
    message = Message(b"x", "0", 5, b"1-0")
    DeadLetters(kafka_address("kafka://h:1/t?dead_letter=d")).put(message, "bad_json", b"x")
    messages = document["components"]["messages"]
    assert set(sent[0]) == set(messages["deadLetterKafka"]["headers"]["required"])

    nats: Any = open_consumer("nats://h:1/s?dead_letter=d")
    nats.dead_letter(message, "bad_json", b"x")
    own = set(nats._letters[0].headers) - {"Nats-Msg-Id"}
    assert own == set(messages["deadLetterNats"]["headers"]["required"])

    redis: Any = open_consumer("redis://h:1/s?dead_letter=d")
    redis.dead_letter(message, "bad_json", b"x")
    assert {k.decode() for k in redis._letters[0]} == set(messages["deadLetterRedis"]["payload"]["required"])


def test_alerts_fit_their_message(document: dict[str, Any]) -> None:
    row = {name: "2026-01-05T12:00:00Z" if name.endswith("_time") else "x" for name in bodies(_Any())["full"]}
    row |= {
        "revision": 1,
        "score": 0.5,
        "protect": False,
        "hit_count": 1,
        "typologies": ["a"],
        "rule_ids": ["b"],
    }
    forms = bodies(row)
    assert set(forms["neutral"]) == set(NEUTRAL)
    payload = document["components"]["messages"]["alertOpened"]["payload"]
    for form in ("neutral", "full"):
        body = cloud_event(
            id="m", source="/txmon/x", type=f"txmon.{OPENED}", time_us=0, subject="a", data=forms[form]
        )
        assert _valid(document, payload, json.loads(body))
        assert not _valid(
            document, document["components"]["messages"]["alertUpdated"]["payload"], json.loads(body)
        )


class _Any(dict[str, Any]):
    def __missing__(self, key: str) -> None:
        return None
