"""An `Expr` as a function over a frame, with SQL's null logic; never raises on data.

Equal sub-expressions are evaluated once per frame (`Frame.memo`). Owns the walk and the memo; the
operations are in `txmon.rules.arrow_ops` and `txmon.rules.arrow_text`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pyarrow as pa

from txmon.rules import arrow_ops, arrow_text
from txmon.rules.frame import Frame
from txmon.rules.ir import AnomalyRef, Call, Column, Expr, FeatureRef, LetRef, Literal_, Unit
from txmon.rules.vec import Vec, from_arrow, literal, to_arrow

Evaluate = Callable[[Frame], Vec]
_numbers = itertools.count()


@lru_cache(maxsize=65_536)
def compile_expr(expr: Expr) -> Callable[[Frame], pa.Array]:
    """Return a function from a frame to an Arrow array in the physical form of the expression's unit."""
    evaluate, unit = _compiled(expr), expr.unit

    def run(frame: Frame) -> pa.Array:
        with np.errstate(all="ignore"):
            return to_arrow(evaluate(frame), unit, frame.length)

    return run


@lru_cache(maxsize=65_536)
def compile_mask(expr: Expr) -> Callable[[Frame], np.ndarray]:
    """Return a function from a frame to a boolean array: true where a condition is true, not null.

    The parts of an `and` are taken in turn and the rest is left out once no row can be true.
    """
    parts = expr.args if isinstance(expr, Call) and expr.op == "and" else (expr,)
    evaluates = [_compiled(part) for part in parts]

    def run(frame: Frame) -> np.ndarray:
        found: np.ndarray | None = None
        with np.errstate(all="ignore"):
            for evaluate in evaluates:
                true = arrow_ops.truth(evaluate(frame))
                if not isinstance(true, np.ndarray):
                    true = np.full(frame.length, bool(true))
                found = true if found is None else found & true
                if not found.any():
                    break
        return np.zeros(frame.length, np.bool_) if found is None else found

    return run


@lru_cache(maxsize=65_536)
def _compiled(expr: Expr) -> Evaluate:
    """Compile once per distinct expression, so that its number names it in every frame's memo."""
    if isinstance(expr, Literal_):
        constant = literal(expr.value, expr.unit)
        return lambda _: constant
    if isinstance(expr, LetRef):  # a let's name means another thing in another rule: no memo
        return _let(expr)
    evaluate = _call(expr) if isinstance(expr, Call) else _leaf(expr)
    if _reads_let(expr):
        return evaluate
    number = next(_numbers)

    def remembered(frame: Frame) -> Vec:
        found: Vec | None = frame.memo.get(number)
        if found is None:
            found = frame.memo[number] = evaluate(frame)
        return found

    return remembered


def _reads_let(expr: Expr) -> bool:
    if isinstance(expr, Call):
        return any(_reads_let(arg) for arg in expr.args)
    return isinstance(expr, LetRef)


def _let(expr: LetRef) -> Evaluate:
    return lambda frame: from_arrow(frame.let(expr.name), expr.unit)


def _leaf(expr: Column | FeatureRef | AnomalyRef | LetRef | Literal_) -> Evaluate:
    match expr:
        case Column(name, unit):
            return lambda frame: from_arrow(frame.column(name), unit)
        case FeatureRef(feature, unit):
            return lambda frame: from_arrow(frame.feature(feature), unit)
        case AnomalyRef(detector, unit):
            return lambda frame: from_arrow(frame.anomaly(detector), unit)
    raise AssertionError(f"{expr} is not a leaf that is read from a frame")


def _call(expr: Call) -> Evaluate:
    args = tuple(_compiled(arg) for arg in expr.args)
    if expr.op in ("attribute", "in_list", "fx"):
        return _outside(expr, args)
    function = arrow_ops.OPERATIONS.get(expr.op) or arrow_text.OPERATIONS[expr.op]
    return lambda frame: function(expr, [arg(frame) for arg in args])


def _outside(expr: Call, args: tuple[Evaluate, ...]) -> Evaluate:
    """Operations that the frame itself answers."""
    constants = [arg.value if isinstance(arg, Literal_) else None for arg in expr.args]
    if expr.op == "attribute":
        key = str(constants[0])
        return lambda frame: from_arrow(frame.attribute(key), Unit.TEXT)
    if expr.op == "fx":
        currency, minor = str(constants[0]), int(str(constants[1]))
        return lambda frame: from_arrow(frame.fx_minor(currency, minor), Unit.MONEY)
    name, value = str(constants[1]), args[0]

    def contains(frame: Frame) -> Vec:
        values = to_arrow(value(frame), Unit.TEXT, frame.length)
        return from_arrow(frame.list_contains(name, values), Unit.BOOL)

    return contains
