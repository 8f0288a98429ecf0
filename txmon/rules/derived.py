"""Derived columns: ``derived.yaml``, names that every rule may use like a column.

An entry is a text, or ``{expr|events|legs, doc}``. Entries may use each other; a cycle is an error.
Owns their order and types; evaluating them is for the engine and the SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from txmon.errors import RuleError
from txmon.rules.columns import HIDDEN, columns
from txmon.rules.fields import NAME, Fields, check_expression, content_hash
from txmon.rules.ir import Column, Derived, Expr, On, Unit, walk
from txmon.rules.parse import parse
from txmon.rules.scope import Names, Scope
from txmon.rules.syntax import Node as SyntaxNode
from txmon.rules.tokens import ExpressionError
from txmon.rules.yamlnode import YamlNode, read_yaml

KEYS = frozenset({"expr", "events", "legs", "doc"})
TABLES: tuple[On, On] = ("events", "legs")


@dataclass
class _Entry:
    name: str
    key: YamlNode
    texts: Mapping[On, YamlNode]
    doc: str
    uses: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class DerivedColumns:
    """The derived columns of a pack in dependency order, their docs, and a hash of their texts."""

    columns: tuple[Derived, ...] = ()
    docs: Mapping[str, str] = field(default_factory=dict)
    content_hash: str = ""

    def units(self, on: On) -> dict[str, Unit]:
        """Names and units of the columns that exist on a table."""
        return {d.name: d.unit for d in self.columns if (d.events if on == "events" else d.legs) is not None}


def read_derived(
    files: Sequence[tuple[Path, str]], names: Names, money_scale: int, errors: list[RuleError]
) -> DerivedColumns:
    """Read derived columns; an entry of a later file replaces one of an earlier file."""
    entries: dict[str, _Entry] = {}
    plain: dict[str, object] = {}
    for path, shown in files:
        root, problems = read_yaml(path, shown)
        errors.extend(problems)
        if root is None:
            continue
        fields = Fields(root, errors, None)
        for key, value in fields.node.entries:
            entry = _entry(key, value, errors)
            if entry is not None:
                entries[entry.name] = entry
                plain[entry.name] = {on: node.text for on, node in entry.texts.items()}
    ordered = _order(entries, errors)
    found: list[Derived] = []
    failed: set[str] = set()
    for entry in ordered:
        # what uses a refused column would only repeat its error
        derived = None if entry.uses & failed else _typed(entry, found, names, money_scale, errors)
        if derived is None:
            failed.add(entry.name)
        else:
            found.append(derived)
    docs = {entry.name: entry.doc for entry in ordered}
    return DerivedColumns(tuple(found), docs, content_hash(plain))


def _entry(key: YamlNode, value: YamlNode, errors: list[RuleError]) -> _Entry | None:
    name = key.text
    if not NAME.fullmatch(name):
        errors.append(key.error(f"column `{name[:80]}` must be lower-case letters, digits and _"))
        return None
    if name in columns("legs") or name in HIDDEN:
        errors.append(key.error(f"column `{name}` exists already; choose another name"))
        return None
    if value.kind == "scalar":
        return _Entry(name, key, dict.fromkeys(TABLES, value), "")
    fields = Fields(value, errors, KEYS)
    shared = fields.get("expr")
    texts: dict[On, YamlNode] = {} if shared is None else dict.fromkeys(TABLES, shared)
    for on in TABLES:
        node = fields.get(on)
        if node is not None and shared is not None:
            fields.refuse(node, "write either `expr` or `events` and `legs`, not both")
        elif node is not None:
            texts[on] = node
    if not texts:
        fields.refuse(key, f"column `{name}` has no expression; write `expr`, or `events` and `legs`")
        return None
    return _Entry(name, key, texts, fields.text("doc"))


def _names(node: SyntaxNode) -> set[str]:
    found = {str(node.value)} if node.kind == "name" else set()
    for kid in node.kids:
        found |= _names(kid)
    return found


def _order(entries: Mapping[str, _Entry], errors: list[RuleError]) -> list[_Entry]:
    """Sort by dependency; entries of a cycle are reported and left out."""
    for entry in entries.values():
        for node in entry.texts.values():
            try:
                entry.uses |= _names(parse(node.text)) & set(entries)
            except ExpressionError:
                continue  # reported with its place when the entry is typed
    done: dict[str, _Entry] = {}
    waiting = dict(entries)
    while waiting:
        ready = [entry for entry in waiting.values() if entry.uses <= set(done)]
        if not ready:
            stuck = [e for e in waiting.values() if _reaches(e.name, e.name, waiting)]
            circle = ", ".join(sorted(e.name for e in stuck))
            for entry in stuck:
                errors.append(
                    entry.key.error(f"derived column `{entry.name}` depends on itself (cycle: {circle})")
                )
            return list(done.values())
        for entry in ready:
            done[entry.name] = waiting.pop(entry.name)
    return list(done.values())


def _reaches(start: str, target: str, entries: Mapping[str, _Entry]) -> bool:
    seen: set[str] = set()
    stack = [start]
    while stack:
        for used in entries[stack.pop()].uses & set(entries):
            if used == target:
                return True
            if used not in seen:
                seen.add(used)
                stack.append(used)
    return False


def _typed(
    entry: _Entry, before: Sequence[Derived], names: Names, money_scale: int, errors: list[RuleError]
) -> Derived | None:
    known = DerivedColumns(tuple(before))
    exprs: dict[On, Expr] = {}
    for on, node in entry.texts.items():
        seen = replace(names, columns={t: {**names.columns[t], **known.units(t)} for t in TABLES})
        scope = Scope(seen, on, money_scale, f"derived column `{entry.name}`")
        found: list[RuleError] = []
        expr, _ = check_expression(node, scope, found)
        errors.extend(e for e in found if e not in errors)
        if expr is not None:
            exprs[on] = expr
    if len(exprs) < len(entry.texts):
        return None
    if len({e.unit for e in exprs.values()}) > 1:
        errors.append(entry.key.error(f"column `{entry.name}` has different units on events and legs"))
        return None
    unit = next(iter(exprs.values())).unit
    return Derived(entry.name, unit, exprs.get("events"), exprs.get("legs"))


def kind_columns(derived: Sequence[Derived]) -> frozenset[str]:
    """Columns that say which kinds of event are meant: `kind` and whatever is derived from it."""
    found = {"kind"}
    for column in derived:
        parts = [e for e in (column.events, column.legs) if e is not None]
        if any(isinstance(e, Column) and e.name in found for part in parts for e in walk(part)):
            found.add(column.name)
    return frozenset(found)
