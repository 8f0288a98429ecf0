"""Constants and units: how a number takes the unit of what it meets, and how values are made comparable.

A number in a text is `Decimal` until it meets something with a unit: next to money it is money (minor
units where it fits them exactly), next to a count a count, next to a ratio a double. Owns that
conversion; never reports errors itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from txmon.rules.ir import Call, Expr, Literal_, Unit

INT64_MAX = 2**63 - 1
POISON = Literal_("<refused>", Unit.TEXT)  # stands for an expression whose error is already reported


def is_number(expr: Expr) -> bool:
    """Tell whether `expr` is a number that has no unit yet."""
    return isinstance(expr, Literal_) and isinstance(expr.value, Decimal)


def is_null(expr: Expr) -> bool:
    """Tell whether `expr` is the constant null, which takes any unit."""
    return isinstance(expr, Literal_) and expr.value is None


def flexible(expr: Expr) -> bool:
    """Tell whether the unit of `expr` is still open."""
    return is_number(expr) or is_null(expr)


def number(value: Decimal) -> Literal_:
    """Make a constant whose unit is open."""
    return Literal_(value, Unit.NUMBER)


def whole(value: Decimal) -> int | None:
    """Return a whole number that fits 64 bits, else None."""
    if value != value.to_integral_value():
        return None
    result = int(value)
    return result if abs(result) <= INT64_MAX else None


def minor_units(value: Decimal, scale: int) -> int | None:
    """Return `value` major units in minor units, None where it does not fit them exactly."""
    return whole(value.scaleb(scale))


def one_major(scale: int) -> Literal_:
    """One major unit in minor units."""
    return Literal_(10**scale, Unit.COUNT)


def settle(expr: Expr) -> Expr:
    """Give an open constant the unit it has by itself: whole numbers count, others are doubles."""
    if is_null(expr):
        return Literal_(None, Unit.TEXT)
    if isinstance(expr, Literal_) and isinstance(expr.value, Decimal):
        count = whole(expr.value)
        return Literal_(float(expr.value), Unit.NUMBER) if count is None else Literal_(count, Unit.COUNT)
    return expr


def convert(expr: Expr, unit: Unit, scale: int) -> Expr | None:
    """Return `expr` in `unit`, None where that is not possible without a change of meaning."""
    if is_null(expr):
        return Literal_(None, unit)
    if isinstance(expr, Literal_) and isinstance(expr.value, Decimal):
        return _constant(expr.value, unit, scale)
    if expr.unit is unit:
        return expr
    if expr.unit is Unit.COUNT and unit is Unit.NUMBER:
        return Call("to_number", (expr,), Unit.NUMBER)
    if expr.unit is Unit.MONEY and unit is Unit.MONEY_F:
        return Call("to_money_f", (expr, one_major(scale)), Unit.MONEY_F)
    return None


def _constant(value: Decimal, unit: Unit, scale: int) -> Expr | None:
    if unit in (Unit.NUMBER, Unit.MONEY_F):
        return Literal_(float(value), unit)
    whole_value = {Unit.COUNT: whole(value), Unit.MONEY: minor_units(value, scale)}.get(unit)
    return None if whole_value is None else Literal_(whole_value, unit)


_WIDER = {
    frozenset({Unit.MONEY, Unit.MONEY_F}): Unit.MONEY_F,
    frozenset({Unit.COUNT, Unit.NUMBER}): Unit.NUMBER,
}
_DOUBLE_OF = {Unit.MONEY: Unit.MONEY_F, Unit.COUNT: Unit.NUMBER}


def common_unit(exprs: Sequence[Expr], scale: int) -> Unit | None:
    """Unit in which all of `exprs` can be compared; None if there is none."""
    units = {e.unit for e in exprs if not flexible(e)}
    numbers = [e for e in exprs if is_number(e)]
    if not units:
        if not numbers:
            return Unit.TEXT
        fits = all(convert(e, Unit.COUNT, scale) is not None for e in numbers)
        return Unit.COUNT if fits else Unit.NUMBER
    unit = next(iter(units)) if len(units) == 1 else _WIDER.get(frozenset(units))
    if unit is None or all(convert(e, unit, scale) is not None for e in numbers):
        return unit
    return _DOUBLE_OF.get(unit)


def unify(exprs: Sequence[Expr], scale: int) -> tuple[Unit, list[Expr]] | None:
    """Bring `exprs` to their common unit; None if they have none."""
    unit = common_unit(exprs, scale)
    if unit is None:
        return None
    converted = [convert(e, unit, scale) for e in exprs]
    found = [e for e in converted if e is not None]
    return (unit, found) if len(found) == len(exprs) else None
