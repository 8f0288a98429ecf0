"""Values of source rows as text and as JSON that loses no digit. Knows no columns and hides nothing."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
from collections.abc import Mapping
from decimal import Decimal


class Number(str):
    """A number of the source by its own digits, so that writing it again changes nothing."""


def write_json(value: object) -> str:
    """Write a row as one line of JSON; decimals, times and big integers lose no digit."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_quote(str(k))}:{write_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(v, tuple) and len(v) == 2 for v in value):
            return write_json(dict(value))  # how Arrow shows a map
        return "[" + ",".join(write_json(v) for v in value) + "]"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, (int, Decimal)):
        return str(value) if not isinstance(value, Decimal) or value.is_finite() else _quote(str(value))
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else _quote(repr(value))
    return _quote(plain_text(value))


def plain_text(value: object) -> str:
    """Return a value of a row as text: times in RFC 3339, bytes as UTF-8 or base64."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        zoned = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return zoned.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return "base64:" + base64.b64encode(value).decode("ascii")
    if isinstance(value, (Mapping, list, tuple)):
        return write_json(value)
    return str(value)


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
