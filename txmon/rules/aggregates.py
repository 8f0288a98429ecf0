"""Window aggregates: ``agg(x) filter (where ...) over window`` to a typed `Feature`.

Owns which aggregate takes which unit and what a window may be; never computes one.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from txmon.rules import ops, units
from txmon.rules.functions import unknown_function
from txmon.rules.ir import Column, Expr, Feature, FeatureRef, Literal_, Unit, Window, walk
from txmon.rules.syntax import Node
from txmon.rules.units import POISON, is_null, is_number
from txmon.rules.windows import WindowError, parse_window

if TYPE_CHECKING:
    from txmon.rules.types import Checker

_INTEGERS = frozenset({Unit.MONEY, Unit.COUNT})
_DOUBLE = {
    Unit.MONEY: Unit.MONEY_F,
    Unit.MONEY_F: Unit.MONEY_F,
    Unit.COUNT: Unit.NUMBER,
    Unit.NUMBER: Unit.NUMBER,
}
_EXTREMES = frozenset({Unit.MONEY, Unit.COUNT, Unit.NUMBER, Unit.TIME})
_QUANTILES = frozenset({Unit.MONEY, Unit.COUNT, Unit.NUMBER})


class AggregateChecker:
    """Types the windows of one text on behalf of its `Checker`."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker

    def bare(self, node: Node) -> str:
        """Say what is wrong with an aggregate that has no window."""
        quoted = self._checker.quote(node)
        if not self._checker.scope.aggregates:
            return self._misplaced(quoted)
        return f"aggregate {quoted} needs a window: {quoted.strip('`')} over payer_7d"

    def _misplaced(self, quoted: str) -> str:
        place = self._checker.scope.place
        if place == "when":
            return (
                f"aggregate {quoted} is not accepted in `when`; give it a name under `let` and use that name"
            )
        return f"aggregate {quoted} is not accepted in {place}"

    def window(self, node: Node) -> Expr:
        """Type ``call [filter] over name``."""
        checker = self._checker
        call, label = node.kids[0], node.kids[-1]
        condition = node.kids[1] if len(node.kids) == 3 else None
        if not checker.scope.aggregates:
            return checker.refuse(node, self._misplaced(checker.quote(node)))
        try:
            window: Window | None = parse_window(str(node.value), checker.scope.on)
        except WindowError as error:
            checker.refuse(label, str(error))
            window = None
        if call.value == "hits":
            return self._hits(call, condition, window)
        if call.value not in ops.AGGREGATE_NAMES:
            name = str(call.value)
            known = name in ops.FUNCTIONS or name in ops.VARIADIC or name == "anomaly"
            text = (
                f"function `{name}` is not an aggregate; remove `over`" if known else unknown_function(name)
            )
            return checker.refuse(call, text)
        return self._aggregate(call, condition, window)

    def _hits(self, call: Node, condition: Node | None, window: Window | None) -> Expr:
        checker, names = self._checker, self._checker.scope.names
        if call.kind != "call" or len(call.kids) != 1 or call.kids[0].kind != "string":
            return checker.refuse(call, "write hits('rule-id') over payer_30d, with the rule's id as text")
        if condition is not None:
            return checker.refuse(condition, "hits(...) takes no filter")
        rule_id = str(call.kids[0].value)
        if rule_id in names.unusable_rules:
            status = names.unusable_rules[rule_id]
            return checker.refuse(
                call.kids[0], f"rule '{rule_id}' is {status} and never hits; make it live or shadow"
            )
        if rule_id not in names.rules:
            close = difflib.get_close_matches(rule_id, sorted(names.rules), 1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            return checker.refuse(call.kids[0], f"unknown rule '{rule_id}' in hits(){hint}")
        if window is None:
            return POISON
        return FeatureRef(Feature("count", window, hits_rule=rule_id), Unit.COUNT)

    def _aggregate(self, call: Node, condition: Node | None, window: Window | None) -> Expr:
        checker = self._checker
        outer = checker.scope
        checker.scope = outer.inside_window(window.on if window else outer.on)
        try:
            where = None if condition is None else checker.condition(condition, "`filter (where ...)`")
            arg = self._argument(call)
        finally:
            checker.scope = outer
        if arg is POISON or where is POISON or window is None:
            return POISON
        quantile = self._quantile(call) if call.value == "quantile_cont" else None
        if call.value == "quantile_cont" and quantile is None:
            return POISON
        name = "count_distinct" if call.kind == "distinct" else str(call.value)
        unit = self._unit(call, name, arg)
        if unit is None:
            return POISON
        feature = Feature(name, window, arg, where, quantile, None, unit)
        return FeatureRef(feature, unit)

    def _argument(self, call: Node) -> Expr | None:
        """Type the argument; None for count(*)."""
        checker, name = self._checker, str(call.value)
        if call.kind == "distinct" and name != "count":
            return checker.refuse(call, f"`distinct` stands only in count(distinct x), not in {name}")
        if call.kids and call.kids[0].kind == "star":
            return (
                None
                if name == "count"
                else checker.refuse(call, f"`*` stands only in count(*), not in {name}")
            )
        wanted = 2 if name == "quantile_cont" else 1
        if len(call.kids) != wanted:
            usage = (
                "quantile_cont(x, 0.9)" if wanted == 2 else f"{name}({'* or x' if name == 'count' else 'x'})"
            )
            return checker.refuse(call, f"{name} has {len(call.kids)} arguments: {usage}")
        expr = checker.check(call.kids[0])
        if expr is POISON:
            return POISON
        if is_null(expr):
            return checker.refuse(call.kids[0], f"{name} of null is always empty")
        if isinstance(expr, Literal_):
            if name == "count" and call.kind == "call":
                return None
            return checker.refuse(call.kids[0], f"{name} of the constant {checker.quote(call.kids[0])}")
        return expr

    def _quantile(self, call: Node) -> float | None:
        checker = self._checker
        level = checker.check(call.kids[1])
        if level is POISON:
            return None
        if not isinstance(level, Literal_) or not is_number(level) or not 0 <= float(str(level.value)) <= 1:
            checker.refuse(call.kids[1], "the level of quantile_cont is a constant from 0 to 1")
            return None
        return float(str(level.value))

    def _unit(self, call: Node, name: str, arg: Expr | None) -> Unit | None:
        """Unit of the aggregate; None (and an error) where it does not take that argument."""
        checker = self._checker
        if name in ("count", "count_distinct"):
            return Unit.COUNT
        arg = units.settle(arg) if arg is not None else Literal_(None, Unit.TEXT)
        shown = checker.say(call.kids[0], arg)
        if name in ("sum", "avg", "stddev_pop", "stddev_samp"):
            if arg.unit in _INTEGERS:
                return arg.unit if name == "sum" else _DOUBLE[arg.unit]
            checker.refuse(call.kids[0], f"{name} takes money or a count, not {shown}{_remedy(arg)}")
            return None
        allowed = (
            _EXTREMES
            if name in ("min", "max")
            else _QUANTILES
            if name in ("median", "quantile_cont")
            else None
        )
        if allowed is not None and arg.unit not in allowed:
            kinds = ", ".join(dict.fromkeys(ops.article(u) for u in sorted(allowed)))
            checker.refuse(call.kids[0], f"{name} takes {kinds}, not {shown}{_remedy(arg)}")
            return None
        return _DOUBLE[arg.unit] if name in ("median", "quantile_cont") else arg.unit


def _remedy(arg: Expr) -> str:
    if any(isinstance(e, Column) and e.name == "amount_original" for e in walk(arg)):
        return "; amounts of several currencies do not add up: use amount"
    if arg.unit is Unit.MONEY_F:
        return "; use exact money, and scale in `when`"
    if arg.unit is Unit.NUMBER:
        return "; sums are exact, of whole numbers only: cast(x as bigint)"
    if arg.unit is Unit.BOOL:
        return "; write count(*) filter (where ...)"
    if arg.unit is Unit.TEXT:
        return "; write count(distinct x), first(x) or last(x)"
    return ""


def restricts_kind(feature: Feature, kind_columns: frozenset[str]) -> bool:
    """Tell whether an aggregate says which kinds of event it counts; hits() need not."""
    if feature.hits_rule is not None:
        return True
    parts = [e for e in (feature.where, feature.arg) if e is not None]
    return any(isinstance(e, Column) and e.name in kind_columns for part in parts for e in walk(part))
