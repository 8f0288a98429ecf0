"""Helpers of the rule tests: packs of text, frames of plain values, typed texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from txmon.rules.columns import columns
from txmon.rules.ir import Expr, Feature, Unit
from txmon.rules.scope import Names, Param, Scope
from txmon.rules.types import check_text
from txmon.rules.vec import Vec, each_word, from_arrow, literal
from txmon.rules.words import WordBook

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
        self.book: WordBook | None = WordBook()
        self._units = {**columns("events"), "amount_minor": Unit.COUNT, **(units or {})}
        self.arrays = {k: pa.array(v, _TYPES.get(self._units[k], pa.int64())) for k, v in values.items()}

    def vec(self, name: str, unit: Unit) -> Vec:
        self.reads += 1
        return from_arrow(self.arrays[name], unit)

    def let(self, name: str) -> Vec:
        return from_arrow(self.arrays[name], self._units[name])

    def feature(self, feature: Feature) -> Vec:
        return from_arrow(self.arrays[feature.window.name], feature.unit)

    def anomaly(self, detector: str) -> Vec:
        return literal(0.5, Unit.NUMBER)

    def attribute(self, key: str) -> Vec:
        return literal(key, Unit.TEXT)

    def list_contains(self, name: str, values: Vec) -> Vec:
        return Vec(each_word(values, "a".__eq__, np.bool_), values.ok)

    def fx_minor(self, currency: str, minor: int) -> Vec:
        return literal(minor * 9 // 10, Unit.MONEY)
