"""Helpers of the rule tests: packs of text, frames of plain values, typed texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from txmon.rules.columns import columns
from txmon.rules.ir import Expr, Feature, Unit
from txmon.rules.scope import Names, Param, Scope
from txmon.rules.types import check_text

NAMES = Names({on: columns(on) for on in ("events", "legs")}, frozenset({"listed"}), frozenset({"det"}))
RULE = "id: {id}\nversion: 1\ntitle: a rule\nsubject: payer\nwhen: amount > 1\n"
_TYPES = {
    Unit.TEXT: pa.string(),
    Unit.BOOL: pa.bool_(),
    Unit.NUMBER: pa.float64(),
    Unit.MONEY_F: pa.float64(),
    Unit.DATE: pa.int32(),
}


def pack(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below a directory."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def typed(text: str, params: Mapping[str, Param] | None = None, **changes: Any) -> Expr:
    """Type a text that must be right."""
    scope = Scope(NAMES, "events", 2, "when", params or {}, anomaly=True)
    scope = Scope(**{**vars(scope), **changes})
    expr, errors, _ = check_text(text, scope)
    assert expr is not None, [e.detail for e in errors]
    return expr


class ListFrame:
    """A frame over Python lists; `listed` holds 'a', a dollar is worth 0.90."""

    def __init__(self, values: Mapping[str, list[Any]], units: Mapping[str, Unit] | None = None) -> None:
        self.length = len(next(iter(values.values())))
        self.memo: dict[Any, Any] = {}
        self.reads = 0
        known = {**columns("events"), "amount_minor": Unit.COUNT, **(units or {})}
        self._arrays = {k: pa.array(v, _TYPES.get(known[k], pa.int64())) for k, v in values.items()}

    def column(self, name: str) -> pa.Array:
        self.reads += 1
        return self._arrays[name]

    def let(self, name: str) -> pa.Array:
        return self._arrays[name]

    def feature(self, feature: Feature) -> pa.Array:
        return self._arrays[feature.window.name]

    def anomaly(self, detector: str) -> pa.Array:
        return pa.array([0.5] * self.length)

    def attribute(self, key: str) -> pa.Array:
        return pa.array([key] * self.length)

    def list_contains(self, name: str, values: pa.Array) -> pa.Array:
        return pa.array([None if v is None else v == "a" for v in values.to_pylist()], pa.bool_())

    def fx_minor(self, currency: str, minor: int) -> pa.Array:
        return pa.array([minor * 9 // 10] * self.length, pa.int64())
