"""How large the numbers of an expression can be, so that SQL guards only what can go wrong.

Owns bounds of magnitudes, from what columns, counts and constants can be; renders nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from txmon.rules.ir import Call, Column, Expr, Feature, FeatureRef, LetRef, Literal_, Unit
from txmon.rules.ops import DOUBLES

INT64_MAX = 2**63 - 1
AMOUNT_MAX = 1e15
COUNT_MAX = 1e15
TIME_MAX = 2e17


@dataclass(frozen=True)
class Size:
    """Bounds of a magnitude: at most `most`, and at least `least` unless zero or, with `sure`, always."""

    most: float
    least: float = 0.0
    sure: bool = False


_FREE = Size(math.inf)
_COLUMNS = {
    "amount": Size(AMOUNT_MAX, 1.0),
    "amount_minor": Size(AMOUNT_MAX, 1.0),
    "event_time": Size(TIME_MAX, 1.0),
    "amount_original": Size(AMOUNT_MAX, 1e-4),
}


class Sizes:
    """Bounds of expressions, given those of the lets they may name."""

    def __init__(self, lets: Mapping[str, Size]) -> None:
        self._lets = lets

    def __call__(self, expr: Expr) -> Size:
        match expr:
            case Literal_(None, _):
                return Size(0.0, math.inf)
            case Literal_(value, _) if isinstance(value, int | float) and not isinstance(value, bool):
                return Size(abs(float(value)), abs(float(value)), value != 0)
            case Column(column, unit):
                return _COLUMNS.get(column, Size(TIME_MAX) if unit is Unit.TIME else _FREE)
            case FeatureRef(feature, unit):
                return _feature(feature, unit)
            case LetRef(name, _):
                return self._lets.get(name, _FREE)
            case Call():
                return self._call(expr)
        return _FREE

    def nonzero(self, expr: Expr) -> bool:
        """Tell whether an expression is never zero (null aside)."""
        return self(expr).sure

    def _call(self, expr: Call) -> Size:
        args = [self(arg) for arg in expr.args if arg.unit not in (Unit.TEXT, Unit.BOOL)]
        match expr.op:
            case "+" | "-":
                return Size(args[0].most + args[1].most)
            case "*":
                most = args[0].most * args[1].most
                return Size(math.inf if math.isnan(most) else most, _product(args[0].least, args[1].least))
            case "/":
                return Size(args[0].most / args[1].least if args[1].least else math.inf)
            case "neg" | "abs" | "to_number":
                return args[0]
            case "sqrt":
                return Size(max(args[0].most, 1.0), min(args[0].least, 1.0), args[0].sure)
            case "to_money_f" | "money_number":
                scale = args[1].most if len(args) > 1 else 1.0
                return Size(args[0].most / scale, args[0].least / scale, args[0].sure)
            case "greatest":
                return _greatest(expr, args)
            case "coalesce" | "least" | "case":
                sure = all(a.sure for a in args)
                return Size(max(a.most for a in args), min(a.least for a in args), sure)
            case "length" | "day" | "date_diff_days" | "local_hour" | "bool_count" | "text_count":
                return Size(1e18)
        return _FREE


def _product(left: float, right: float) -> float:
    product = left * right
    return 0.0 if math.isnan(product) else product


def _greatest(expr: Call, args: list[Size]) -> Size:
    """The greatest of several is at least a positive constant among them, and so never zero."""
    most = max(a.most for a in args)
    floors = [
        float(arg.value)
        for arg in expr.args
        if isinstance(arg, Literal_) and isinstance(arg.value, int | float) and arg.value > 0
    ]
    return Size(most, max(floors), True) if floors else Size(most)


def _feature(feature: Feature, unit: Unit) -> Size:
    if feature.agg in ("count", "count_distinct"):
        return Size(COUNT_MAX, 1.0)
    if unit is Unit.TIME:
        return Size(TIME_MAX, 1.0)
    if unit is Unit.MONEY and feature.agg in ("min", "max", "first", "last", "lag"):
        return Size(AMOUNT_MAX, 1.0)
    if unit in DOUBLES and feature.agg in ("avg", "stddev_pop", "stddev_samp"):
        return Size(1e19)
    # sums are clamped to 64 bits
    return Size(2.0**63, 1.0) if feature.agg == "sum" else _FREE
