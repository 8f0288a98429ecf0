"""Reading the fields of a YAML mapping: type, bounds and unknown keys, with every error kept.

Owns the checks that all files of a pack share; knows no rule, list or detector.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from txmon.errors import RuleError
from txmon.rules.ir import Expr, Unit
from txmon.rules.ops import article
from txmon.rules.scope import Scope
from txmon.rules.tokens import MAX_TEXT_BYTES
from txmon.rules.types import check_text
from txmon.rules.units import convert
from txmon.rules.yamlnode import YamlNode

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_DURATION = re.compile(r"([1-9][0-9]{0,6})([mhd])")
_DURATION_US = {"m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
MAX_VERSION = 1_000_000


class Fields:
    """The fields of one mapping; errors are appended to a list that the caller owns."""

    def __init__(self, node: YamlNode, errors: list[RuleError], known: Collection[str] | None) -> None:
        self.node = node
        self.errors = errors
        if node.kind != "map":
            errors.append(node.error("expected `key: value` lines here"))
        if known is not None:
            self._refuse_unknown(known)

    def _refuse_unknown(self, known: Collection[str]) -> None:
        for key, _ in self.node.entries:
            if key.text not in known:
                close = difflib.get_close_matches(key.text, sorted(known), 1)
                hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(sorted(known))}"
                self.errors.append(key.error(f"unknown key `{key.text[:80]}`; {hint}"))

    def get(self, key: str) -> YamlNode | None:
        """Return the node of a field, None where it is absent."""
        return self.node.index.get(key)

    def refuse(self, node: YamlNode, detail: str) -> None:
        """Record an error at `node`."""
        self.errors.append(node.error(detail))

    def require(self, *keys: str) -> None:
        """Record each of `keys` that is absent."""
        for key in keys:
            if key not in self.node.index:
                self.refuse(self.node, f"`{key}` is missing")

    def text(self, key: str, default: str = "") -> str:
        """Return a text field."""
        node = self.get(key)
        if node is None:
            return default
        if node.kind != "scalar" or not isinstance(node.value, str):
            self.refuse(node, f"`{key}` must be text; put it in quotes")
            return default
        return node.value

    def choice(self, key: str, allowed: Collection[str], default: str) -> str:
        """Return a text field that is one of `allowed`."""
        node = self.get(key)
        value = self.text(key, default)
        if node is not None and value not in allowed:
            close = difflib.get_close_matches(value, sorted(allowed), 1)
            hint = f"; did you mean `{close[0]}`?" if close else ""
            self.refuse(node, f"`{key}` is '{value[:80]}', not one of {', '.join(allowed)}{hint}")
            return default
        return value

    def flag(self, key: str, default: bool) -> bool:
        """Return a true/false field."""
        node = self.get(key)
        if node is None:
            return default
        if not isinstance(node.value, bool):
            self.refuse(node, f"`{key}` must be true or false")
            return default
        return node.value

    def whole(self, key: str, low: int, high: int, default: int) -> int:
        """Return a whole-number field within bounds."""
        node = self.get(key)
        if node is None:
            return default
        value = node.value
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.refuse(node, f"`{key}` must be a whole number from {low:,} to {high:,}")
            return default
        return value

    def fraction(self, key: str, default: float) -> float:
        """Return a number from 0 to 1."""
        node = self.get(key)
        if node is None:
            return default
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value <= 1:
            self.refuse(node, f"`{key}` must be a number from 0 to 1")
            return default
        return float(value)

    def identifier(self, key: str, stem: str) -> str:
        """Return an id; it must be lower-case words joined by '-' and equal the file's name."""
        node = self.get(key)
        value = self.text(key, stem)
        if node is not None and not ID.fullmatch(value):
            self.refuse(
                node, f"`{key}` '{value[:80]}' must be lower-case letters, digits and `-`, at most 64"
            )
        elif node is not None and value != stem:
            self.refuse(node, f"`{key}` is '{value}' but the file is named '{stem}'; make them equal")
        return value

    def duration(self, key: str, default_us: int) -> int:
        """Return a duration such as 30d, in microseconds."""
        node = self.get(key)
        if node is None:
            return default_us
        match = _DURATION.fullmatch(node.text) if node.kind == "scalar" else None
        value = int(match[1]) * _DURATION_US[match[2]] if match else 0
        if not 0 < value <= 1100 * _DURATION_US["d"]:
            self.refuse(node, f"`{key}` must be a duration from 1m to 1100d, such as 30d")
            return default_us
        return value

    def names(self, key: str) -> list[YamlNode]:
        """Return the text nodes of a list field."""
        node = self.get(key)
        if node is None:
            return []
        if node.kind == "scalar" and isinstance(node.value, str):
            return [node]
        if node.kind != "seq" or any(not isinstance(item.value, str) for item in node.items):
            self.refuse(node, f"`{key}` must be a list of names")
            return []
        return list(node.items)


def check_expression(
    node: YamlNode, scope: Scope, errors: list[RuleError], unit: Unit | None = None
) -> tuple[Expr | None, frozenset[str]]:
    """Check the expression in a YAML value; return it (None if refused) and the parameters it uses.

    `unit` demands a unit; a whole number may stand for a number.
    """
    if node.kind != "scalar" or node.value is None:
        errors.append(node.error(f"{scope.place} must be an expression (text)"))
        return None, frozenset()
    if len(node.text) > MAX_TEXT_BYTES:
        errors.append(
            node.error(
                f"expression is {len(node.text):,} characters long; at most {MAX_TEXT_BYTES:,} bytes fit"
            )
        )
        return None, frozenset()
    expr, found, used = check_text(node.text, scope)
    errors.extend(node.error_at(error.offset, error.detail) for error in found)
    if expr is None or unit is None:
        return expr, used
    converted = convert(expr, unit, scope.money_scale)
    if converted is None:
        start = len(node.text) - len(node.text.lstrip())
        detail = f"{scope.place} must be {article(unit)}, not {article(expr.unit)}"
        errors.append(node.error_at(start, detail))
    return converted, used


def content_hash(value: Any) -> str:
    """SHA-256 of a plain value in one canonical form."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=_number)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _number(value: object) -> str:
    if isinstance(value, Decimal):
        return f"decimal:{value.normalize()}"
    raise TypeError(f"{type(value).__name__} has no canonical form")


def floats(value: Any) -> Any:
    """Copy a plain value with every `Decimal` as a float (settings of models, never money)."""
    if isinstance(value, Mapping):
        return {key: floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [floats(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value
