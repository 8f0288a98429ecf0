"""The contract of the channels: streams/asyncapi.yaml, made from the feeds, brokers and messages of the code.

Owns the AsyncAPI document; `python -m txmon.api` writes it and a test compares. Opens no connection.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import yaml

from txmon.api.schemas import SCHEMAS, Schema
from txmon.notify.message import FULL, NEUTRAL
from txmon.pipeline.messages import OPENED, UPDATED, bodies
from txmon.store.cloudevents import CONTENT_TYPE
from txmon.streams.connect import BROKERS
from txmon.streams.feed import Feed
from txmon.streams.feedfile import load_feed, shipped_feeds

VERSION = "3.1.0"
_TEXT: Schema = {"type": "string"}
_PLACES = {  # broker -> what its channels are called, its default port, headers of a dead letter
    "kafka": ("topic", 9092, ("txmon-topic", "txmon-partition", "txmon-offset")),
    "nats": ("subject", 4222, ("txmon-stream", "txmon-sequence", "txmon-subject")),
    "redis": ("stream", 6379, ("txmon-stream", "txmon-id")),
}
_LIVE_FORMATS = ("ndjson", "xml")


def asyncapi() -> dict[str, Any]:
    """Return the document."""
    feeds = [load_feed(path) for path in shipped_feeds()]
    events = {
        _event_name(feed): _event_message(feed) for feed in feeds if set(feed.formats) & set(_LIVE_FORMATS)
    }
    letters = {f"deadLetter{kind.capitalize()}": _letter(kind) for kind in BROKERS}
    alerts = {_camel(kind): _alert_message(kind) for kind in (OPENED, UPDATED)}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for kind in BROKERS:
        place = _PLACES[kind][0]
        _channel(channels, f"{kind}Events", kind, place, tuple(events), "Events, as --source names it")
        _operation(operations, f"receive{kind.capitalize()}Events", "receive", f"{kind}Events")
        name = f"{kind}DeadLetters"
        _channel(
            channels, name, kind, place, (f"deadLetter{kind.capitalize()}",),
            "What is no event, as ?dead_letter= names it",
        )  # fmt: skip
        _operation(operations, f"send{kind.capitalize()}DeadLetters", "send", name)
    _channel(channels, "alerts", "kafka", "topic", tuple(alerts), "Alerts, as TXMON_ALERTS_URL names it")
    _operation(operations, "sendAlerts", "send", "alerts")
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "txmon: events in, alerts out",
            "version": "1",
            "description": "Channels that `txmon stream` reads and writes. Positions are txmon's to keep; a"
            " message may come twice and counts once.",
        },
        "defaultContentType": "application/json",
        "servers": {kind: _server(kind) for kind in BROKERS},
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": events | letters | alerts,
            "schemas": {"Event": SCHEMAS["Event"], "AlertEnvelope": _envelope()},
        },
    }


def asyncapi_text() -> str:
    """Return the document as it is written."""
    text: str = yaml.dump(asyncapi(), Dumper=_Plain, sort_keys=False, width=110, allow_unicode=True)
    return "# Made by `python -m txmon.api` from the code; do not edit.\n" + text


class _Plain(yaml.SafeDumper):
    """Writes what is there twice twice, instead of referring to the first."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the library's
        return True


def _server(kind: str) -> dict[str, Any]:
    return {
        "host": f"{{host}}:{_PLACES[kind][1]}",
        "protocol": kind,
        "variables": {"host": {"default": "localhost", "description": "the broker's host"}},
    }


def _channel(
    channels: dict[str, Any], name: str, kind: str, place: str, messages: tuple[str, ...], summary: str
) -> None:
    channels[name] = {
        "address": f"{{{place}}}",
        "summary": summary,
        "servers": [{"$ref": f"#/servers/{kind}"}],
        "parameters": {place: {"description": f"name of the {place}"}},
        "messages": {message: {"$ref": f"#/components/messages/{message}"} for message in messages},
    }


def _operation(operations: dict[str, Any], name: str, action: str, channel: str) -> None:
    operations[name] = {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}


def _event_name(feed: Feed) -> str:
    return f"{feed.name}Event"


def _event_message(feed: Feed) -> dict[str, Any]:
    if feed.native:
        payload: Schema = {"$ref": "#/components/schemas/Event"}
        content = "application/json"
    elif feed.iso8583 is not None:
        payload, content = _TEXT | {"format": "binary"}, "application/octet-stream"
    elif "xml" in feed.formats:
        payload, content = dict(_TEXT), "application/xml"
    else:
        payload, content = {"type": "object"}, "application/json"
    return {
        "name": _event_name(feed),
        "title": f"Event of feed {feed.name}",
        "description": " ".join(feed.doc.split()),
        "contentType": content,
        "payload": payload,
    }


def _letter(kind: str) -> dict[str, Any]:
    names = ("txmon-reason", *_PLACES[kind][2])
    made: dict[str, Any] = {
        "name": f"deadLetter{kind.capitalize()}",
        "title": "A message that holds no event",
        "description": "The row as the quarantine keeps it, without card numbers; why, and where it lies.",
        "contentType": "application/octet-stream",
    }
    parts: Schema = {"type": "object", "required": list(names), "properties": {n: dict(_TEXT) for n in names}}
    if kind == "redis":  # an entry has fields and no headers
        parts["required"] = ["data", *names]
        parts["properties"] = {"data": dict(_TEXT), **parts["properties"]}
        return made | {"payload": parts}
    if kind == "nats":
        parts["properties"]["txmon-truncated"] = {"const": "yes", "description": "the body did not fit"}
    return made | {"headers": parts, "payload": _TEXT | {"format": "binary"}}


def _alert_message(kind: str) -> dict[str, Any]:
    return {
        "name": _camel(kind),
        "title": f"An alert was {kind.partition('.')[2]}",
        "contentType": CONTENT_TYPE,
        "headers": {"type": "object", "properties": {"content-type": {"const": CONTENT_TYPE}}},
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/AlertEnvelope"},
                {"properties": {"type": {"const": f"txmon.{kind}"}}},
            ]
        },
    }


def _envelope() -> Schema:
    """The CloudEvents envelope; its data is neutral or full, as TXMON_ALERTS_SCOPE says."""
    forms = bodies(defaultdict(lambda: None))
    known = SCHEMAS["Alert"]["properties"]
    data = {
        form: {
            "type": "object",
            "required": list(forms[form]),
            "properties": {name: known.get(name, _TEXT) for name in forms[form]},
            "additionalProperties": False,
        }
        for form in (NEUTRAL, FULL)
    }
    texts = ("id", "source", "subject")
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "subject", "datacontenttype", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            **{name: dict(_TEXT) for name in texts},
            "type": {"enum": [f"txmon.{OPENED}", f"txmon.{UPDATED}"]},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "data": {"anyOf": [data[NEUTRAL], data[FULL]]},
        },
    }


def _camel(kind: str) -> str:
    first, _, second = kind.partition(".")
    return first + second.capitalize()
