"""Pages of lists, and answers that need not be sent again.

A cursor names the last row of a page by its sort key, so that rows which come or go meanwhile neither repeat
nor skip others. Owns cursors, ETags and the shape of a page.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import orjson
from fastapi import Response

from txmon.api.context import Exchange
from txmon.api.problems import Problem

Key = tuple[int | str, ...]


def cursor_of(key: Key) -> str:
    """Return the cursor behind a row."""
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


def key_of(cursor: str | None, *types: type) -> Key | None:
    """Return the sort key that a cursor names.

    Raises:
        Problem: invalid_cursor.
    """
    if cursor is None:
        return None
    try:
        found = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        found = None
    if not isinstance(found, list) or [type(part) for part in found] != list(types):
        raise Problem("invalid_cursor", "use the `next_cursor` of a page of this very list")
    if any(isinstance(part, int) and not -(2**62) < part < 2**62 for part in found):
        raise Problem("invalid_cursor", "use the `next_cursor` of a page of this very list")
    return tuple(found)


def page(
    exchange: Exchange, items: Sequence[Mapping[str, Any]], next_key: Key | None, **more: Any
) -> Response:
    """Return a page as an answer, or 304 if the caller has it."""
    cursor = None if next_key is None else cursor_of(next_key)
    return cached(exchange, {"items": items, "next_cursor": cursor} | more)


def cached(exchange: Exchange, value: Any) -> Response:
    """Return a value with an ETag of its bytes, or 304 if the caller has them."""
    body = orjson.dumps(value)
    return tagged(exchange, body, f'W/"{sha256(body).hexdigest()[:24]}"')


def tagged(exchange: Exchange, body: bytes, tag: str) -> Response:
    """Return bytes with an ETag, or 304 if the caller has them."""
    given = exchange.headers.get(b"if-none-match", b"").decode("latin-1")
    headers = {"etag": tag, "vary": "Authorization, Cookie, X-Purpose"}
    if tag.removeprefix("W/") in [each.strip().removeprefix("W/") for each in given.split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def plain(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a value as JSON."""
    return Response(
        orjson.dumps(value), status_code=status, media_type="application/json", headers=dict(headers or {})
    )
