"""Units of arithmetic, casts, like and scalar functions; the other half of `txmon.rules.types`.

Owns the tables of what may be added, multiplied and divided; never evaluates.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from txmon.rules import ops, units
from txmon.rules.ir import Call, Column, Expr, Literal_, Unit
from txmon.rules.ops import article
from txmon.rules.syntax import Node
from txmon.rules.units import POISON, is_null, is_number

if TYPE_CHECKING:
    from txmon.rules.types import Checker

_MONEY = frozenset({Unit.MONEY, Unit.MONEY_F})
_PLAIN = frozenset({Unit.COUNT, Unit.NUMBER})
_FLIPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "=": "=", "<>": "<>"}


def arithmetic(checker: Checker, node: Node, op: str) -> Expr:
    """Type ``+ - * / % ||``."""
    pair = checker.check_all(node.kids)
    if pair is None:
        return POISON
    left, right = pair
    if op == "||":
        return _concat(checker, node, left, right)
    if isinstance(left, Literal_) and isinstance(right, Literal_) and is_number(left) and is_number(right):
        return _fold(checker, node, op, (Decimal(str(left.value)), Decimal(str(right.value))))
    if op in "+-":
        found = _sum(checker, op, left, right)
    elif op == "*":
        found = _product(checker, left, right)
    elif op == "/":
        found = _quotient(checker, left, right)
    else:
        found = _same(checker, "%", left, right, ops.NUMERIC)
    if found is not None:
        return found
    return checker.refuse(node, _cannot(checker, node, op, left, right))


def _cannot(checker: Checker, node: Node, op: str, left: Expr, right: Expr) -> str:
    verb = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "take the remainder of"}[op]
    sides = f"{checker.say(node.kids[0], left)} and {checker.say(node.kids[1], right)}"
    text = f"cannot {verb} {sides} with `{op}`"
    if {left.unit, right.unit} == {Unit.TIME} and op == "+":
        return f"{text}; times are subtracted"
    if Unit.TEXT in (left.unit, right.unit) and op == "+":
        return f"{text}; text is joined with ||"
    if Unit.TIME in (left.unit, right.unit) and op in "+-":
        return f"{text}; write event_time - interval '2 days'"
    return text


def _same(checker: Checker, op: str, left: Expr, right: Expr, allowed: frozenset[Unit]) -> Expr | None:
    found = units.unify((left, right), checker.scope.money_scale)
    if found is None or found[0] not in allowed:
        return None
    return Call(op, tuple(found[1]), found[0])


def _sum(checker: Checker, op: str, left: Expr, right: Expr) -> Expr | None:
    if is_null(left) or is_null(right):
        return None
    match (left.unit, op, right.unit):
        case (Unit.TIME, "-", Unit.TIME):
            return Call("-", (left, right), Unit.SPAN)
        case (Unit.TIME, _, Unit.SPAN):
            return Call(op, (left, right), Unit.TIME)
        case (Unit.SPAN, "+", Unit.TIME):
            return Call("+", (right, left), Unit.TIME)
        case (Unit.DATE, "-", Unit.DATE):
            return Call("-", (left, right), Unit.COUNT)
    return _same(checker, op, left, right, ops.NUMERIC | {Unit.SPAN})


def _double(checker: Checker, expr: Expr) -> Expr | None:
    """Double form of a number, count or money."""
    unit = Unit.MONEY_F if expr.unit in _MONEY and not is_number(expr) else Unit.NUMBER
    return units.convert(expr, unit, checker.scope.money_scale)


def _product(checker: Checker, left: Expr, right: Expr) -> Expr | None:
    if is_null(left) or is_null(right):
        return None
    both = units.unify((left, right), checker.scope.money_scale)
    if both is not None and both[0] in _PLAIN:
        return Call("*", tuple(both[1]), both[0])
    money = [e for e in (left, right) if e.unit in _MONEY and not is_number(e)]
    others = [e for e in (left, right) if is_number(e) or e.unit in _PLAIN]
    if len(money) != 1 or len(others) != 1:
        return None
    sides = (_double(checker, left), _double(checker, right))
    return Call("*", tuple(e for e in sides if e is not None), Unit.MONEY_F)


def _quotient(checker: Checker, left: Expr, right: Expr) -> Expr | None:
    """Divide as doubles; money by money of one kind is a ratio, money by a number is money."""
    if is_null(left) or is_null(right):
        return None
    left_money = left.unit in _MONEY and not is_number(left)
    right_money = right.unit in _MONEY and not is_number(right)
    spans = [e.unit is Unit.SPAN for e in (left, right)]
    if all(spans):
        return Call("/", (left, right), Unit.NUMBER)
    if any(spans) or not {left.unit, right.unit} <= ops.NUMERIC or (right_money and not left_money):
        return None
    sides = (_double(checker, left), _double(checker, right))
    unit = Unit.MONEY_F if left_money and not right_money else Unit.NUMBER
    return Call("/", tuple(e for e in sides if e is not None), unit)


def _fold(checker: Checker, node: Node, op: str, pair: tuple[Decimal, Decimal]) -> Expr:
    """Constant arithmetic, exact, so that a threshold such as ``:limit * 2`` stays exact."""
    left, right = pair
    if op in "/%" and right == 0:
        return checker.refuse(node, f"{checker.quote(node)} divides by zero")
    if op == "/":
        value = left / right
    elif op == "%":
        value = left % right if abs(left) < abs(right) * 10**20 else Decimal(0)
    else:
        value = left + right if op == "+" else left - right if op == "-" else left * right
    if value and not -38 < value.adjusted() < 19:
        return checker.refuse(node, f"{checker.quote(node)} is beyond 10^18 or too small")
    return units.number(value)


def _concat(checker: Checker, node: Node, left: Expr, right: Expr) -> Expr:
    for kid, expr in zip(node.kids, (left, right), strict=True):
        if is_number(expr) or expr.unit is not Unit.TEXT:
            return checker.refuse(
                kid, f"`||` joins text, not {checker.say(kid, expr)}; write cast(x as varchar)"
            )
    return Call("||", (left, right), Unit.TEXT)


def fx_comparison(op: str, sides: Sequence[Expr]) -> Expr | None:
    """Comparison of the event's own amount with an amount in a named currency, else None.

    In the event's own currency where it is the named one, else through the rate.
    """
    for amount, limit, sign in ((sides[0], sides[1], op), (sides[1], sides[0], _FLIPPED.get(op, op))):
        is_limit = isinstance(limit, Call) and limit.op == "fx"
        if (
            isinstance(limit, Call)
            and is_limit
            and amount == Column("amount", Unit.MONEY)
            and sign in _FLIPPED
        ):
            own = (Column("currency", Unit.TEXT), Column("amount_minor", Unit.COUNT))
            return Call(
                "fx_compare", (Literal_(sign, Unit.TEXT), amount, *own, *limit.args, limit), Unit.BOOL
            )
    return None


def like(checker: Checker, node: Node) -> Expr:
    """Type ``x like 'pattern'``; the pattern is a constant."""
    pair = checker.check_all(node.kids)
    if pair is None:
        return POISON
    for kid, expr in zip(node.kids, pair, strict=True):
        if is_number(expr) or expr.unit is not Unit.TEXT:
            return checker.refuse(kid, f"`like` compares text, not {checker.say(kid, expr)}")
    if not isinstance(pair[1], Literal_) or is_null(pair[1]):
        return checker.refuse(node.kids[1], "the pattern of `like` must be a constant text")
    return Call("like", tuple(pair), Unit.BOOL)


_CASTS: dict[tuple[str, Unit], str] = {
    ("double", Unit.COUNT): "to_number",
    ("double", Unit.TEXT): "text_number",
    ("double", Unit.MONEY): "money_number",
    ("double", Unit.MONEY_F): "money_number",
    ("bigint", Unit.NUMBER): "number_count",
    ("bigint", Unit.TEXT): "text_count",
    ("bigint", Unit.BOOL): "bool_count",
    ("varchar", Unit.COUNT): "to_text",
    ("varchar", Unit.BOOL): "to_text",
    ("varchar", Unit.DATE): "to_text",
}
_CAST_UNITS = {"double": Unit.NUMBER, "bigint": Unit.COUNT, "varchar": Unit.TEXT}


def cast(checker: Checker, node: Node) -> Expr:
    """Type ``cast(x as double|bigint|varchar)``; a text that is not a number becomes null."""
    kid, target = checker.check(node.kids[0]), str(node.value)
    if kid is POISON:
        return POISON
    unit = _CAST_UNITS[target]
    if is_null(kid):
        return Literal_(None, unit)
    if target == "double" and is_number(kid):
        return units.convert(kid, Unit.NUMBER, 0) or POISON
    kid = units.settle(kid)
    if kid.unit is unit:
        return kid
    op = _CASTS.get((target, kid.unit))
    if op is None:
        return checker.refuse(node, f"cannot cast {checker.say(node.kids[0], kid)} to {target}")
    extra = (units.one_major(checker.scope.money_scale),) if kid.unit is Unit.MONEY else ()
    return Call(op, (kid, *extra), unit)


def call(checker: Checker, node: Node) -> Expr:
    """Type a call of a scalar function, or say why the name cannot be called here."""
    name = str(node.value)
    if node.kind == "distinct" or name in ops.AGGREGATE_NAMES or name == "hits":
        return checker.refuse(node, checker.aggregates.bare(node))
    if name in ops.VARIADIC:
        return _variadic(checker, node, name)
    function = ops.FUNCTIONS.get(name)
    if function is None:
        return checker.refuse(node, unknown_function(name))
    if any(kid.kind == "star" for kid in node.kids):
        return checker.refuse(node, f"`*` stands only in count(*); write {function.usage}")
    if not len(function.args) - function.optional <= len(node.kids) <= len(function.args):
        return checker.refuse(
            node, f"{name} takes {_count(function)}, not {len(node.kids)}: {function.usage}"
        )
    args = [_argument(checker, node, function, index) for index in range(len(node.kids))]
    if any(arg is POISON for arg in args):
        return POISON
    if name == "date_diff_days" and args[0].unit is not args[1].unit:
        return checker.refuse(node, "date_diff_days takes two times or two dates, not one of each")
    result = args[0].unit if function.result == "same" else function.result
    if name in ("floor", "ceil", "round") and result is Unit.MONEY:
        args.append(units.one_major(checker.scope.money_scale))
    return Call(name, tuple(args), result)


def _count(function: ops.Function) -> str:
    most = len(function.args)
    number = str(most) if not function.optional else f"{most - function.optional} or {most}"
    return f"{number} argument{'s' if most > 1 else ''}"


def _argument(checker: Checker, node: Node, function: ops.Function, index: int) -> Expr:
    kid, wanted = node.kids[index], function.args[index]
    expr = checker.check(kid)
    if expr is POISON:
        return POISON
    if index in function.constant and (not isinstance(expr, Literal_) or is_null(expr)):
        return checker.refuse(kid, f"{node.value} needs a constant here: {function.usage}")
    if is_null(expr):
        return Literal_(None, sorted(wanted)[0])
    options = (
        [unit for unit in (Unit.COUNT, Unit.NUMBER) if unit in wanted] if is_number(expr) else [expr.unit]
    )
    options += [Unit.NUMBER] if expr.unit is Unit.COUNT else []
    for unit in options:
        converted = units.convert(expr, unit, checker.scope.money_scale) if unit in wanted else None
        if converted is not None:
            return _bounded(checker, node, kid, converted) if index in function.constant else converted
    units_wanted = " or ".join(dict.fromkeys(article(u) for u in sorted(wanted)))
    hint = "; write cast(x as double)" if expr.unit in _MONEY and Unit.NUMBER in wanted else ""
    if expr.unit is Unit.TIME and Unit.DATE in wanted:
        hint = f"; a day needs a time zone: {node.value}(local_date)"
    return checker.refuse(kid, f"{node.value} takes {units_wanted}, not {checker.say(kid, expr)}{hint}")


def _bounded(checker: Checker, node: Node, kid: Node, expr: Expr) -> Expr:
    """Constant positions of substr are small and start at 1."""
    if node.value == "substr" and isinstance(expr, Literal_) and isinstance(expr.value, int):
        lowest = 1 if kid is node.kids[1] else 0
        if not lowest <= expr.value <= 10_000:
            return checker.refuse(kid, f"substr counts from {lowest} to 10,000 here, not {expr.value}")
    return expr


def _variadic(checker: Checker, node: Node, name: str) -> Expr:
    if len(node.kids) < 2 or (name == "nullif" and len(node.kids) != 2):
        return checker.refuse(node, f"{name} has {len(node.kids)} arguments: {ops.VARIADIC[name]}")
    found = checker.same_unit(f"the arguments of `{name}`", list(node.kids))
    if found is None:
        return POISON
    unit, args = found
    if name in ("least", "greatest") and unit not in ops.ORDERED:
        return checker.refuse(node, f"{name} orders numbers, money and times, not {article(unit)}")
    return Call(name, tuple(args), unit)


def unknown_function(name: str) -> str:
    """Say why a name cannot be called, with what to write where that is known."""
    if name in ops.NOT_DETERMINISTIC:
        return f"function `{name}` is not deterministic: a replay would differ; use event_time"
    if name in ops.OUTSIDE or name.startswith(("read_", "duckdb_", "pragma_", "write_")):
        return f"function `{name}` reaches outside the event (files, settings or other tables); not accepted"
    if name in ops.ALIASES:
        return f"function `{name}` is written `{ops.ALIASES[name]}`"
    if name in ops.AGGREGATE_ALIASES:
        return f"aggregate `{name}` is written `{ops.AGGREGATE_ALIASES[name]}`"
    if name == "list":
        return "list('name') stands only after `in`: x in list('name')"
    known = [*ops.FUNCTIONS, *ops.VARIADIC, *ops.AGGREGATE_NAMES, "hits", "anomaly"]
    close = difflib.get_close_matches(name, known, 1)
    return f"unknown function `{name}`" + (f"; did you mean `{close[0]}`?" if close else "")
