"""Bodies of requests: read once within a bound, looked at as bytes before anything parses them.

Owns size, depth and the cut into rows; what a row says is the feed's part.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import numpy as np
import orjson

from txmon.api.problems import Problem
from txmon.model.pictures import DUTY, found_in
from txmon.streams.payloads import cut_rows

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
JSON, NDJSON = "application/json", "application/x-ndjson"
XML = ("application/xml", "text/xml")
BODY_MAX_S = 30  # seconds for a whole body that is not bulk, and between two chunks of one that is
_PICTURES = ("image/", "video/", "audio/", "multipart/")
_SPACE = b" \t\r\n"
_TEXTS = re.compile(rb'"(?>[^"\\]+|\\.?)*+"?', re.DOTALL)  # an unfinished text ends with the body
_STEP = np.zeros(256, np.int32)
_STEP[[ord("{"), ord("[")]] = 1
_STEP[[ord("}"), ord("]")]] = -1
_BINARY = (b"\xff\xff\xff\xff", b"ARROW1")


class Gone(Exception):
    """The caller hung up before its request was whole."""


async def read_body(receive: Receive, declared: bytes | None, limit: int) -> bytes:
    """Return the whole body.

    Args:
        declared: the Content-Length, if there is one.

    Raises:
        Problem: too_large, request_timeout. Gone: the caller hung up.
    """
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(BODY_MAX_S):
            return await _read(receive, limit)
    except TimeoutError:
        raise Problem(
            "request_timeout", f"a body must come within {BODY_MAX_S} seconds; send it again"
        ) from None


async def _read(receive: Receive, limit: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body"):
        if len(body) > limit:
            raise _too_large(limit)
        return body
    parts, size = [body], len(body)
    while True:
        if message["type"] == "http.disconnect":
            raise Gone
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])


def _too_large(limit: int) -> Problem:
    return Problem("too_large", f"at most {limit:,} bytes are read here; send less, or use the bulk route")


def too_deep(body: bytes, limit: int) -> bool:
    """Say whether brackets nest deeper than `limit`, without parsing; brackets in texts do not count."""
    if body.count(b"{") + body.count(b"[") <= limit:
        return False
    bare = np.frombuffer(_TEXTS.sub(b"", body), np.uint8)
    return bool(len(bare)) and int(np.cumsum(_STEP[bare]).max()) > limit


def check_depth(body: bytes, limit: int) -> None:
    """Raises: Problem: too_deep."""
    if too_deep(body, limit):
        raise Problem("too_deep", f"at most {limit} levels of brackets are read; flatten the body")


_AT_ONCE = 1 << 16  # bytes that are looked through without a thread


def unread_type(kind: str, wanted: str) -> Problem:
    """Return the problem of a body of a type that is not read; of a picture, with the duty to report."""
    told = f" {DUTY}" if kind.startswith(_PICTURES) else ""
    return Problem("unsupported_media_type", f"send {wanted}{'.' if told else ''}{told}")


async def check_pictures(body: bytes) -> None:
    """Raises: Problem: input, if a text of the body holds bytes of a picture or film."""
    if len(body) <= _AT_ONCE:
        found = found_in(body)
    else:
        found = await asyncio.to_thread(found_in, body)
    if found is not None:
        raise Problem("input", f"the body holds {found.kind}; {DUTY}")


def media_type(header: bytes | None) -> str:
    """Return the type of a body without parameters, in lower case; empty if it is not said."""
    return "" if header is None else header.partition(b";")[0].strip().lower().decode("latin-1")


def json_rows(body: bytes, depth: int, most: int) -> tuple[list[bytes], bool]:
    """Return the rows of a JSON body, and whether it is a single object.

    Raises:
        Problem: malformed_json, too_deep, too_many_items.
    """
    text = body.strip(_SPACE)
    check_depth(text, depth)
    if text[:1] not in (b"{", b"["):
        raise Problem("malformed_json", "the body is neither a JSON object nor an array of them")
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Problem(
            "malformed_json", f"the body is not JSON from byte {error.pos} on; correct it"
        ) from None
    if text[:1] == b"{":
        return [text], True
    if text[1:-1].strip(_SPACE) == b"":
        return [], False
    (rows, _), refused = cut_rows([text])
    if refused or len(rows) > most:
        raise _too_many(most)
    for row in rows:
        _require_object(row)
    return rows, False


def line_rows(body: bytes, depth: int, most: int) -> list[bytes]:
    """Return the lines of an NDJSON body that are not blank; what is in them is judged a line at a time.

    Raises:
        Problem: too_deep, too_many_items, malformed_json.
    """
    rows = [line for line in (part.strip(_SPACE) for part in body.split(b"\n")) if line]
    if len(rows) > most:
        raise _too_many(most)
    for row in rows:
        check_depth(row, depth)
        _require_object(row)
    return rows


def _require_object(row: bytes) -> None:
    """A row that opens like anything but an object might be taken for several rows, or for binary data."""
    if row[:1] != b"{":
        raise Problem("malformed_json", "every row must be a JSON object; correct the one that is not")


def _too_many(most: int) -> Problem:
    return Problem(
        "too_many_items", f"at most {most:,} events a request; send several, or use the bulk route"
    )
