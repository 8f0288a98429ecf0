"""Reads the `nested` key of a feed file: what is flattened, and where each field is found.

Owns the keys below `nested` and their checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from txmon.rules.yamlnode import YamlNode
from txmon.streams.feed import SourceField
from txmon.streams.paths import Nested, Path, parse_path

_KEYS = ("of", "messages", "rows", "details", "paths")
_MESSAGE = re.compile(r"[a-z]{4}\.[0-9]{3}\.[0-9]{3}\.[0-9]{2}")
_STEP = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
Report = Callable[[YamlNode, str], None]


def read_nested(node: YamlNode, fields: Mapping[str, SourceField], report: Report) -> Nested | None:
    """Return the flattening that `node` describes; errors go to `report`."""
    if node.kind != "map":
        report(node, "nested must be a mapping of " + ", ".join(_KEYS))
        return None
    for key, _ in node.entries:
        if key.text not in _KEYS:
            report(key, f"unknown key {key.text}; nested has {', '.join(_KEYS)}")
    kind = node.index.get("of")
    if kind is None or kind.text not in ("xml", "json"):
        report(kind or node, "nested needs of: xml or of: json")
        return None
    messages = _messages(node, kind.text, report)
    rows = _rows(node, kind.text, report)
    paths = _paths(node, fields, report)
    return Nested(kind.text, messages, rows, paths, _details(node, kind.text, report))


def _messages(node: YamlNode, kind: str, report: Report) -> frozenset[str]:
    found = node.index.get("messages")
    if kind == "json":
        if found is not None:
            report(found, "messages are named for xml only")
        return frozenset()
    if found is None or found.kind != "seq" or not found.items:
        report(found or node, "nested xml needs messages, a list of definitions such as pacs.008.001.08")
        return frozenset()
    for item in found.items:
        if not _MESSAGE.fullmatch(item.text):
            report(item, f"'{item.text}' is no definition of a message, such as pacs.008.001.08")
    return frozenset(item.text for item in found.items)


def _rows(node: YamlNode, kind: str, report: Report) -> tuple[tuple[str, ...], ...]:
    found = node.index.get("rows")
    if found is None:
        if kind == "xml":
            report(node, "nested xml needs rows, the names from the message's element to a row's")
        return ()
    ways = tuple(tuple(way.strip().split("/")) for way in found.text.split("|"))
    if kind == "json":
        report(found, "rows are named for xml only; a JSON object is one row")
    elif any(len(steps) < 2 or not all(_STEP.fullmatch(s) for s in steps) for steps in ways):
        report(found, "rows must be names parted by /, the message's element first")
    elif len({steps[0] for steps in ways}) < len(ways):
        report(found, "each of the rows between | must begin with another message's element")
    return ways


def _details(node: YamlNode, kind: str, report: Report) -> tuple[str, ...]:
    found = node.index.get("details")
    if found is None:
        return ()
    steps = tuple(found.text.split("/"))
    if kind == "json" or not all(_STEP.fullmatch(s) for s in steps):
        report(found, "details are for xml only, names parted by / below a row")
    return steps


def _paths(node: YamlNode, fields: Mapping[str, SourceField], report: Report) -> dict[str, tuple[Path, ...]]:
    found = node.index.get("paths")
    if found is None or found.kind != "map":
        report(found or node, "nested needs paths, a mapping of fields to paths")
        return {}
    out: dict[str, tuple[Path, ...]] = {}
    for key, value in found.entries:
        if key.text not in fields:
            report(key, f"path of {key.text}, which is not among the fields")
            continue
        try:
            out[key.text] = parse_path(value.text)
        except ValueError as error:
            report(value, str(error))
    missing = [name for name in fields if name not in found.index]
    if missing:
        report(found, f"field {', '.join(missing)} has no path")
    return out
