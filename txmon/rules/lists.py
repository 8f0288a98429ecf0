"""Lists: ``lists/<name>.yaml`` with a version, provenance and entries that may have validity dates.

Owns reading them; looking a value up on a date is done by the engine and by the SQL.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from txmon.errors import RuleError
from txmon.rules.fields import MAX_VERSION, NAME, Fields, content_hash
from txmon.rules.ir import ListEntry, RuleList
from txmon.rules.yamlnode import YamlNode, read_yaml

KEYS = frozenset({"name", "version", "doc", "provenance", "entries", "title", "licence", "source"})
ENTRY_KEYS = frozenset({"value", "from", "to", "note", "source", "reason"})
MAX_ENTRIES = 200_000


def read_list(path: Path, shown: str, errors: list[RuleError]) -> RuleList | None:
    """Read one list file; None where it cannot be used."""
    root, problems = read_yaml(path, shown)
    errors.extend(problems)
    if root is None:
        return None
    fields = Fields(root, errors, KEYS)
    fields.require("version", "entries")
    name_node = fields.get("name")
    if not NAME.fullmatch(path.stem):
        fields.refuse(root, f"list file '{path.stem}' must be named in lower-case letters, digits and _")
    elif name_node is not None and fields.text("name") != path.stem:
        fields.refuse(name_node, f"`name` is '{name_node.text[:80]}' but the file is named '{path.stem}'")
    entries: list[ListEntry] = []
    node = fields.get("entries")
    if node is not None and node.kind != "seq":
        fields.refuse(node, "`entries` must be a list; [] for none")
    elif node is not None and len(node.items) > MAX_ENTRIES:
        fields.refuse(node, f"more than {MAX_ENTRIES:,} entries")
    elif node is not None:
        entries = [entry for item in node.items if (entry := _entry(item, errors)) is not None]
    version = fields.whole("version", 1, MAX_VERSION, 1)
    return RuleList(path.stem, version, shown, tuple(entries), content_hash(root.plain()))


def _entry(node: YamlNode, errors: list[RuleError]) -> ListEntry | None:
    if node.kind == "scalar":
        return _valued(node, node, errors)
    fields = Fields(node, errors, ENTRY_KEYS)
    fields.require("value")
    value = fields.get("value")
    if value is None:
        return None
    entry = _valued(value, node, errors)
    first, last = _date(fields, "from"), _date(fields, "to")
    if first is not None and last is not None and first > last:
        fields.refuse(node, "`from` is later than `to`")
    return None if entry is None else ListEntry(entry.value, first, last)


def _valued(value: YamlNode, node: YamlNode, errors: list[RuleError]) -> ListEntry | None:
    # numbers such as account ids are kept as they are written
    if value.kind != "scalar" or value.value is None or isinstance(value.value, bool):
        errors.append(node.error("an entry must be text; put it in quotes"))
        return None
    return ListEntry(value.text)


def _date(fields: Fields, key: str) -> int | None:
    node = fields.get(key)
    if node is None or node.value is None:
        return None
    try:
        return (dt.date.fromisoformat(node.text) - dt.date(1970, 1, 1)).days
    except ValueError:
        fields.refuse(node, f"`{key}` must be a date such as 2026-01-31")
        return None
