"""Reads what a feed file puts into columns and attributes: expressions, constants, maps, each checked.

Owns the forms of a target and which values and types a column takes; the rest of the file is `feedfile`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Protocol

import duckdb

from txmon.model.currencies import EXPONENTS
from txmon.model.schema import KINDS, MODES, RESOLUTIONS, STATUSES
from txmon.rules.tokens import ExpressionError
from txmon.rules.yamlnode import YamlNode
from txmon.streams.expressions import check_expression
from txmon.streams.feed import Const, Rename, SourceField, Sql, Target, ValueMap
from txmon.streams.mapping import NATIVE_COLUMNS, connect

_CHOICES: dict[str, frozenset[str]] = {
    "kind": frozenset(KINDS),
    "status": frozenset(STATUSES),
    "mode": frozenset(MODES),
    "time_resolution": frozenset(RESOLUTIONS),
    "currency": frozenset(EXPONENTS),
}
_TYPES = {  # canonical column -> beginnings of the DuckDB types it takes
    "event_time": ("TIMESTAMP", "DATE", "VARCHAR"),
    "amount": (
        "DECIMAL",
        "DOUBLE",
        "FLOAT",
        "BIGINT",
        "INTEGER",
        "SMALLINT",
        "TINYINT",
        "HUGEINT",
        "VARCHAR",
    ),
    "amount_minor": ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "DECIMAL", "VARCHAR"),
}


class Report(Protocol):
    """Notes an error at a place of the file; offset: characters into the node's text."""

    def __call__(self, node: YamlNode, detail: str, offset: int | None = None) -> None: ...


class Targets:
    """Reads targets over the fields of one feed."""

    def __init__(self, fields: dict[str, SourceField], error: Report) -> None:
        self._fields, self._error = fields, error

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return connect()

    def columns(self, node: YamlNode | None) -> dict[str, Target]:
        """Read `columns`: canonical columns and what is in them."""
        return self._read("columns", node, _canonical_column)

    def attributes(self, node: YamlNode | None) -> dict[str, Target]:
        """Read `attributes`: names of the feed's own."""
        return self._read("attributes", node, lambda name: None if name else "an empty name")

    def _read(self, key: str, node: YamlNode | None, check: Callable[[str], str | None]) -> dict[str, Target]:
        if node is None:
            return {}
        if node.kind != "map":
            self._error(node, f"{key} must be a mapping of names to expressions")
        targets: dict[str, Target] = {}
        for name, value in node.entries:
            wrong = check(name.text)
            if wrong:
                self._error(name, wrong)
                continue
            target = self._target(name.text if key == "columns" else "", value)
            if target is not None:
                targets[name.text] = target
        return targets

    def _target(self, column: str, node: YamlNode) -> Target | None:
        if node.kind == "scalar":
            return self._expression(column, node)
        if node.kind == "map" and set(node.index) == {"const"}:
            return self._const(column, node.index["const"])
        if node.kind == "map" and {"map", "of"} <= set(node.index) <= {"map", "of", "default"}:
            return self._map(column, node)
        self._error(node, "write an expression, {const: value} or {map: {...}, of: expression, default: ...}")
        return None

    def _expression(self, column: str, node: YamlNode) -> Rename | Sql | None:
        text = node.text.strip()
        lead = len(node.text) - len(node.text.lstrip())
        try:
            checked = check_expression(text, self._fields, self._connection)
        except ExpressionError as error:
            self._error(node, error.detail, lead + error.offset)
            return None
        wanted = _TYPES.get(column)
        if wanted and not checked.type.startswith(wanted):
            message = f"{column} cannot be a {checked.type}; it takes {', '.join(wanted)}"
            self._error(node, message, lead + checked.tree.start)
        if checked.tree.kind == "name":
            return Rename(checked.fields[0])
        return Sql(text, checked.query, checked.fields)

    def _const(self, column: str, node: YamlNode) -> Const | None:
        value = node.value
        if node.kind != "scalar" or value is None:
            self._error(node, "const must be a text, number, true or false")
            return None
        self._choice(column, node)
        return Const(value)

    def _map(self, column: str, node: YamlNode) -> ValueMap | None:
        table, of, default = node.index["map"], node.index["of"], node.index.get("default")
        if table.kind != "map" or not table.entries:
            self._error(table, "map must be a mapping of source values to canonical values")
            return None
        for _, value in table.entries:
            if value.kind != "scalar":
                self._error(value, "a map's value must be a text")
            elif value.value is not None:
                self._choice(column, value)
        refuse = default is None or default.text == "refuse"
        if default is not None and not refuse and default.value is not None:
            self._choice(column, default)
        source = self._expression("", of)
        if source is None:
            return None
        found = {k.text: None if v.value is None else v.text for k, v in table.entries}
        return ValueMap(
            source,
            found,
            None if refuse or default is None or default.value is None else default.text,
            refuse,
        )

    def _choice(self, column: str, node: YamlNode) -> None:
        allowed = _CHOICES.get(column)
        if allowed is not None and node.text not in allowed:
            shown = ", ".join(sorted(allowed)) if len(allowed) < 40 else "the codes of ISO 4217"
            self._error(node, f"{column} '{node.text}' is none of {shown}")


def _canonical_column(name: str) -> str | None:
    if name in NATIVE_COLUMNS:
        return None
    return f"{name} is not a canonical column; there are {', '.join(sorted(NATIVE_COLUMNS))}"
