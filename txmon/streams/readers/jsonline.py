"""Reads one JSON text as a row: numbers keep their digits, depth is bounded, nothing is quoted in errors.

Owns the checks of a single text; blocks of lines are `jsonrows`'.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from txmon.streams.jsontext import Number, write_json

MAX_DEPTH = 64
_MARKS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


class _Object(dict[str, object]):
    """A JSON object that remembers which keys came twice."""

    twice: frozenset[str] = frozenset()


def read_object(text: bytes, wanted: Sequence[str]) -> Mapping[str, object]:
    """Read one line as an object whose numbers keep their digits.

    Raises:
        UnicodeDecodeError: not UTF-8.
        ValueError: not one JSON object, nested too deeply, a wanted key twice, or a number such as NaN;
            never quotes the line.
    """
    decoded = text.decode("utf-8")
    if _depth(decoded) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    try:
        value = json.loads(
            decoded,
            parse_float=Number,
            parse_int=Number,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON at character {error.pos + 1}: {error.msg}") from None
    if not isinstance(value, _Object):
        raise ValueError("the line is JSON, but not an object")
    if value.twice.intersection(wanted):
        raise ValueError(f"key {min(value.twice.intersection(wanted))} appears twice")
    if "\\ud" in decoded or "\\uD" in decoded:  # only an escape can write half of a pair
        try:
            write_json(value).encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError("holds half of a surrogate pair") from None
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def _object(pairs: list[tuple[str, object]]) -> _Object:
    out = _Object(pairs)
    if len(out) != len(pairs):
        names = [name for name, _ in pairs]
        out.twice = frozenset(n for n in out if names.count(n) > 1)
    return out


def _depth(text: str) -> int:
    """Return how deep brackets nest outside of strings; quick for a text with few brackets."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for mark in _MARKS.findall(text):
        depth += 1 if mark in "[{" else -1 if mark in "]}" else 0
        deepest = max(deepest, depth)
    return deepest


def cell_text(value: object) -> str | None:
    """Return a value of a row as the text of its cell; objects and lists as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return write_json(value)
