"""Requests of case work, for both clients.

Owns their addresses and bodies; what an answer means is the part of `txmon.client.types`. Never sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import orjson

from txmon.client.wire import Call, query
from txmon.errors import InputError

CASES, QUEUE, WORK = "/v1/cases", "/v1/queue", "/v1/queue:work"


def case_call(case_id: str, part: str | None, purpose: str | None) -> Call:
    """Return the request for a case, or a part of it: ``timeline``, ``network``, ``files/ID``.

    Raises:
        InputError: the purpose is no line of text.
    """
    return query(_path(case_id, part), {}, purpose)


def opening(alerts: Iterable[Mapping[str, Any]], values: Mapping[str, Any], key: str) -> Call:
    """Return the request that makes a case of alerts, as they were listed."""
    return Call("POST", CASES, body({"alerts": seen(alerts)} | _given(values)), key=key)


def changing(case_id: str, version: int, values: Mapping[str, Any]) -> Call:
    """Return the request that changes one thing about a case; None takes a value away."""
    return Call("PATCH", _path(case_id, None), body(values), version=version)


def doing(case_id: str, part: str, version: int | None, values: Mapping[str, Any], key: str) -> Call:
    """Return the request that does something in a case: ``comments``, ``parties``, ``merge`` ..."""
    return Call("POST", _path(case_id, part), body(values), key=key, version=version)


def working(alerts: Iterable[Mapping[str, Any]], values: Mapping[str, Any], key: str) -> Call:
    """Return the request that does one thing with many alerts, as they were listed."""
    return Call("POST", WORK, body({"alerts": seen(alerts)} | dict(values)), key=key)


def seen(alerts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return alerts in the versions that were read.

    Raises:
        InputError: one has no id or version.
    """
    try:
        return [{"alert_id": each["alert_id"], "version": each["version"]} for each in alerts]
    except KeyError as error:
        raise InputError(f"an alert has no {error.args[0]}; give alerts as they were listed") from None


def _path(case_id: str, part: str | None) -> str:
    own = f"{CASES}/{quote(case_id, safe='')}"
    return own if part is None else f"{own}/{quote(part, safe='/:')}"


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def body(values: Mapping[str, Any]) -> bytes:
    """Return values as JSON.

    Raises:
        InputError: one is none.
    """
    try:
        return orjson.dumps(values)
    except orjson.JSONEncodeError:
        raise InputError("a value is no JSON; give texts, numbers, lists and aware datetimes") from None
