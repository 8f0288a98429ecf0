"""An `Expr` as a function over a frame, with SQL's null logic; never raises on data.

Equal sub-expressions are evaluated once per frame (`Frame.memo`). Owns the walk and the memo; the
operations are in `txmon.rules.arrow_ops` and `txmon.rules.arrow_text`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from txmon.rules import arrow_ops, arrow_text
from txmon.rules.frame import Frame
from txmon.rules.ir import AnomalyRef, Call, Column, Expr, FeatureRef, LetRef, Literal_, Unit, walk
from txmon.rules.vec import Vec, literal

Evaluate = Callable[[Frame], Vec]
Mask = Callable[[Frame], np.ndarray]
_numbers = itertools.count()
_OUTSIDE = frozenset({"attribute", "in_list", "fx"})  # the frame itself answers
_UNSEEN = object()


@lru_cache(maxsize=65_536)
def compile_vec(expr: Expr) -> Evaluate:
    """Return a function from a frame to a vector, which may be a scalar for all rows.

    The caller has numpy's warnings off (`np.errstate`): overflow and x/0 are null here.
    """
    return _compiled(expr)


def compile_mask(*conditions: Expr) -> Mask:
    """Return a function from a frame to a boolean array: true where all conditions are true, not null.

    Conditions and the parts of an `and` are taken in turn; the rest is left out once no row can be true.
    What conditions begin with in common is evaluated once per frame, so the array must not be written to.
    As with `compile_vec`, the caller has numpy's warnings off.
    """
    step = _mask(tuple(part for condition in conditions for part in conjuncts(condition)))
    return lambda frame: step(frame)[0]


@lru_cache(maxsize=65_536)
def _mask(parts: tuple[Expr, ...]) -> Callable[[Frame], tuple[np.ndarray, bool]]:
    """Rows on which all parts are true, and whether there are any."""
    number = next(_numbers)
    if not parts:

        def run(frame: Frame) -> tuple[np.ndarray, bool]:
            return np.ones(frame.length, np.bool_), frame.length > 0

    else:
        before, evaluate = _mask(parts[:-1]), _compiled(parts[-1])

        def run(frame: Frame) -> tuple[np.ndarray, bool]:
            found = before(frame)
            if not found[1]:
                return found
            true = arrow_ops.truth(evaluate(frame))
            rows = found[0] & true
            return rows, bool(rows.any())

    if any(_reads_let(part) for part in parts):
        return run

    def remembered(frame: Frame) -> tuple[np.ndarray, bool]:
        found: tuple[np.ndarray, bool] | None = frame.memo.get(number)
        if found is None:
            found = frame.memo[number] = run(frame)
        return found

    return remembered


def conjuncts(expr: Expr) -> list[Expr]:
    """Return the conditions that a conjunction joins; a condition by itself is its only one."""
    if isinstance(expr, Call) and expr.op == "and":
        return [c for arg in expr.args for c in conjuncts(arg)]
    return [expr]


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
    column = only_text(expr)
    if column is not None:
        evaluate = _by_word(column, expr.unit, evaluate, number)

    def remembered(frame: Frame) -> Vec:
        found: Vec | None = frame.memo.get(number)
        if found is None:
            found = frame.memo[number] = evaluate(frame)
        return found

    return remembered


def only_text(expr: Expr) -> str | None:
    """Name of the text column that alone decides an operation's value, if it is so."""
    if not isinstance(expr, Call):
        return None
    nodes = walk(expr)
    if any(isinstance(node, Call) and node.op in _OUTSIDE for node in nodes):
        return None
    leaves = {node for node in nodes if not isinstance(node, (Call, Literal_))}
    if len(leaves) != 1:
        return None
    (leaf,) = leaves
    return leaf.name if isinstance(leaf, Column) and leaf.unit is Unit.TEXT else None


def _by_word(column: str, unit: Unit, evaluate: Evaluate, number: int) -> Evaluate:
    memo = ("words", column)

    def run(frame: Frame) -> Vec:
        book = frame.book
        if book is None:
            return evaluate(frame)
        numbers = frame.memo.get(memo, _UNSEEN)
        if numbers is _UNSEEN:
            numbers = frame.memo[memo] = book.numbers(column, frame.vec(column, Unit.TEXT))
        if numbers is None:
            return evaluate(frame)
        values = book.values(number, column, unit, evaluate)
        if values.ok is True or values.ok is False:
            return Vec(values.data[numbers], values.ok, values.words)
        ok = values.ok[numbers]
        return Vec(values.data[numbers], True if ok.all() else ok, values.words)

    return run


def _reads_let(expr: Expr) -> bool:
    if isinstance(expr, Call):
        return any(_reads_let(arg) for arg in expr.args)
    return isinstance(expr, LetRef)


def _let(expr: LetRef) -> Evaluate:
    name = expr.name
    return lambda frame: frame.let(name)


def _leaf(expr: Column | FeatureRef | AnomalyRef | LetRef | Literal_) -> Evaluate:
    match expr:
        case Column(name, unit):
            return lambda frame: frame.vec(name, unit)
        case FeatureRef(feature, _):
            return lambda frame: frame.feature(feature)
        case AnomalyRef(detector, _):
            return lambda frame: frame.anomaly(detector)
    raise AssertionError(f"{expr} is not a leaf that is read from a frame")


def _call(expr: Call) -> Evaluate:
    args = tuple(_compiled(arg) for arg in expr.args)
    if expr.op in _OUTSIDE:
        return _outside(expr, args)
    function = arrow_ops.OPERATIONS.get(expr.op) or arrow_text.OPERATIONS[expr.op]
    return lambda frame: function(expr, [arg(frame) for arg in args])


def _outside(expr: Call, args: tuple[Evaluate, ...]) -> Evaluate:
    """Operations that the frame itself answers."""
    constants = [arg.value if isinstance(arg, Literal_) else None for arg in expr.args]
    if expr.op == "attribute":
        key = str(constants[0])
        return lambda frame: frame.attribute(key)
    if expr.op == "fx":
        currency, minor = str(constants[0]), int(str(constants[1]))
        return lambda frame: frame.fx_minor(currency, minor)
    name, value = str(constants[1]), args[0]
    return lambda frame: frame.list_contains(name, value(frame))
