"""Syntax tree to typed `Expr`: names, units and the allow-list of functions, all errors of a text at once.

Money, counts, times and ratios never mix unnoticed: each error names both units and the construct.
Owns scalar expressions; windows are in `txmon.rules.aggregates`, functions in `txmon.rules.functions`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal

from txmon.rules import functions, units
from txmon.rules.aggregates import AggregateChecker
from txmon.rules.columns import HIDDEN, columns
from txmon.rules.ir import AnomalyRef, Call, Column, Expr, LetRef, Literal_, Unit
from txmon.rules.ops import COMPARISONS, ORDERED, article
from txmon.rules.parse import parse
from txmon.rules.scope import Param, Scope
from txmon.rules.syntax import Node
from txmon.rules.tokens import ExpressionError
from txmon.rules.units import POISON, flexible, is_null, is_number

SHOWN = 60  # characters of a construct that an error quotes
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check_text(text: str, scope: Scope) -> tuple[Expr | None, list[ExpressionError], frozenset[str]]:
    """Parse and type one expression.

    Returns the typed expression (None if refused), its errors, and the parameters it uses.
    """
    try:
        node = parse(text)
    except ExpressionError as error:
        return None, [error], frozenset()
    checker = Checker(text, scope)
    expr = units.settle(checker.check(node))
    used = frozenset(checker.used_params)
    return (None if checker.errors else expr), checker.errors, used


class Checker:
    """Types the nodes of one text; refused parts become `POISON` so that the rest is still checked."""

    def __init__(self, text: str, scope: Scope, errors: list[ExpressionError] | None = None) -> None:
        self.text = text
        self.scope = scope
        self.errors: list[ExpressionError] = [] if errors is None else errors
        self.used_params: set[str] = set()
        self.aggregates = AggregateChecker(self)

    def refuse(self, node: Node, detail: str) -> Expr:
        """Record an error at `node`."""
        self.errors.append(ExpressionError(detail, node.start))
        return POISON

    def quote(self, node: Node) -> str:
        """Text of a construct, for an error."""
        shown = " ".join(self.text[node.start : node.end].split())
        return f"`{shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + '…'}`"

    def say(self, node: Node, expr: Expr) -> str:
        """Unit and text of a construct, for an error."""
        what = "a plain number" if is_number(expr) else "null" if is_null(expr) else article(expr.unit)
        return f"{what} ({self.quote(node)})"

    def check_all(self, nodes: Iterable[Node]) -> list[Expr] | None:
        """Type several nodes; None if any is refused."""
        found = [self.check(node) for node in nodes]
        return None if any(e is POISON for e in found) else found

    def check(self, node: Node) -> Expr:
        """Type one node; numbers and null keep an open unit."""
        match node.kind:
            case "number" | "string" | "bool" | "null" | "interval" | "typed":
                return self._constant(node)
            case "name":
                return self._name(node)
            case "param":
                return self._param(node)
            case "neg" | "plus":
                return self._sign(node)
            case "not" | "and" | "or":
                return self._logic(node)
            case "is_null":
                return self._is_null(node)
            case "binary":
                return self._binary(node)
            case "is_not_distinct":
                return self._comparison("is_not_distinct", node.kids[0], node.kids[1])
            case "between":
                return self._between(node)
            case "in" | "in_param" | "in_list":
                return self._in(node)
            case "like":
                return functions.like(self, node)
            case "case":
                return self._case(node)
            case "cast":
                return functions.cast(self, node)
            case "call" | "distinct":
                return self._call(node)
            case "window":
                return self.aggregates.window(node)
        return self.refuse(node, f"{self.quote(node)} is not part of a rule")

    def _constant(self, node: Node) -> Expr:
        value = node.value
        if node.kind == "number" and isinstance(value, Decimal):
            return units.number(value)
        if node.kind == "null":
            return Literal_(None, Unit.TEXT)
        if node.kind == "bool":
            return Literal_(bool(value), Unit.BOOL)
        if node.kind == "interval" and isinstance(value, int):
            return Literal_(value, Unit.SPAN)
        if node.kind == "typed":
            return self._typed(node)
        return Literal_(str(value), Unit.TEXT)

    def _typed(self, node: Node) -> Expr:
        kind, _, text = str(node.value).partition(" ")
        try:
            if kind == "date":
                return Literal_((date.fromisoformat(text) - date(1970, 1, 1)).days, Unit.DATE)
            moment = datetime.fromisoformat(text)
        except ValueError:
            return self.refuse(node, f"{self.quote(node)} is not an ISO 8601 {kind}")
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        delta = moment - _EPOCH
        micros = (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
        return Literal_(micros, Unit.TIME)

    def _name(self, node: Node) -> Expr:
        name, scope = str(node.value), self.scope
        if scope.lets is not None and name in scope.lets:
            return LetRef(name, scope.lets[name])
        unit = scope.names.columns[scope.on].get(name)
        if unit is not None:
            if scope.tick and name != "event_time":
                return self.refuse(
                    node,
                    f"column `{name}` in {scope.place} of a tick rule: a tick has no event of its own; "
                    "use aggregates, parameters and event_time",
                )
            return Column(name, unit)
        return self.refuse(node, self._unknown(name))

    def _unknown(self, name: str) -> str:
        scope = self.scope
        if name in HIDDEN:
            return f"column `{name}` cannot be used in a rule: {HIDDEN[name]}"
        if name in scope.let_names:
            return f"`{name}` is a let; a let does not use another let and an aggregate does not see lets"
        if name in scope.params:
            return f"`{name}` is a parameter: write :{name}"
        other = "legs" if scope.on == "events" else "events"
        if name in columns("legs") and other == "legs":
            return (
                f"column `{name}` exists on legs only (rules with `subject: account`, windows of account); "
                f"{scope.place} runs on events"
            )
        known = [*scope.names.columns[scope.on], *(scope.lets or ())]
        close = difflib.get_close_matches(name, known, 1, 0.7)
        hint = f"; did you mean `{close[0]}`?" if close else "; text constants are written in '...'"
        return f"unknown column `{name}` in {scope.place}{hint}"

    def param(self, node: Node) -> Param | None:
        """Look a parameter up and mark it as used."""
        name = str(node.value)
        found = self.scope.params.get(name)
        if found is None:
            close = difflib.get_close_matches(name, list(self.scope.params), 1)
            hint = f"; did you mean `:{close[0]}`?" if close else "; add it under `params`"
            self.refuse(node, f"unknown parameter `:{name}`{hint}")
            return None
        self.used_params.add(name)
        return found

    def _param(self, node: Node) -> Expr:
        found = self.param(node)
        if found is None:
            return POISON
        if isinstance(found.value, tuple):
            return self.refuse(node, f"parameter `:{found.name}` is a list; write `x in :{found.name}`")
        if found.currency is not None and isinstance(found.value, Decimal):
            minor = units.minor_units(found.value, found.currency_scale)
            args = (Literal_(found.currency, Unit.TEXT), Literal_(minor, Unit.COUNT))
            return Call("fx", args, Unit.MONEY)
        return constant(found.value)

    def _sign(self, node: Node) -> Expr:
        kid = self.check(node.kids[0])
        if kid is POISON or is_null(kid):
            return kid
        if isinstance(kid, Literal_) and isinstance(kid.value, Decimal):
            return units.number(-kid.value if node.kind == "neg" else kid.value)
        if kid.unit not in ORDERED - {Unit.TIME, Unit.DATE}:
            sign = "-" if node.kind == "neg" else "+"
            return self.refuse(node, f"`{sign}` cannot stand before {self.say(node.kids[0], kid)}")
        return Call("neg", (kid,), kid.unit) if node.kind == "neg" else kid

    def condition(self, node: Node, where: str) -> Expr:
        """Type a node that must be a truth value."""
        expr = self.check(node)
        if expr is POISON:
            return POISON
        if is_null(expr):
            return Literal_(None, Unit.BOOL)
        if expr.unit is not Unit.BOOL:
            return self.refuse(node, f"{where} needs a truth value, not {self.say(node, expr)}")
        return expr

    def _logic(self, node: Node) -> Expr:
        kids = [self.condition(kid, f"`{node.kind}`") for kid in node.kids]
        if any(kid is POISON for kid in kids):
            return POISON
        return Call(node.kind, tuple(kids), Unit.BOOL)

    def _is_null(self, node: Node) -> Expr:
        kid = self.check(node.kids[0])
        if kid is POISON:
            return POISON
        return Call("is_null", (units.settle(kid),), Unit.BOOL)

    def _binary(self, node: Node) -> Expr:
        op, (left, right) = str(node.value), node.kids
        if op in COMPARISONS:
            return self._comparison(op, left, right)
        return functions.arithmetic(self, node, op)

    def _comparison(self, op: str, left: Node, right: Node) -> Expr:
        pair = self.check_all((left, right))
        if pair is None:
            return POISON
        return self.compare(op, (left, right), (pair[0], pair[1]))

    def compare(self, op: str, nodes: tuple[Node, Node], pair: tuple[Expr, Expr]) -> Expr:
        """Type a comparison of two typed nodes."""
        found = units.unify(pair, self.scope.money_scale)
        if found is None:
            return self.refuse(nodes[0], self._cannot_compare(op, nodes, pair))
        unit, sides = found
        if unit is Unit.BOOL and op not in ("=", "<>", "is_not_distinct"):
            return self.refuse(nodes[0], f"`{op}` does not order {self.say(nodes[0], sides[0])}")
        return functions.fx_comparison(op, sides) or Call(op, tuple(sides), Unit.BOOL)

    def _cannot_compare(self, op: str, nodes: tuple[Node, Node], pair: tuple[Expr, Expr]) -> str:
        sign = "is distinct from" if op == "is_not_distinct" else op
        text = f"cannot compare {self.say(nodes[0], pair[0])} with {self.say(nodes[1], pair[1])} by `{sign}`"
        kinds = {e.unit for e in pair if not flexible(e)}
        if Unit.TEXT in kinds and any(is_number(e) for e in pair):
            return f"{text}; write the constant in '...'"
        if Unit.SPAN in kinds:
            return f"{text}; write interval '2 days'"
        if kinds & {Unit.TIME, Unit.DATE} and Unit.TEXT in kinds:
            return f"{text}; write date '2026-01-31' or timestamp '2026-01-31 12:00:00'"
        if kinds == {Unit.TIME, Unit.DATE}:
            return f"{text}; compare local_date(event_time, tz) or a timestamp"
        return text

    def _between(self, node: Node) -> Expr:
        value, low, high = node.kids
        found = self.check_all(node.kids)
        if found is None:
            return POISON
        parts = (
            self.compare(">=", (value, low), (found[0], found[1])),
            self.compare("<=", (value, high), (found[0], found[2])),
        )
        return POISON if POISON in parts else Call("and", parts, Unit.BOOL)

    def _in(self, node: Node) -> Expr:
        value = self.check(node.kids[0])
        if node.kind == "in_list":
            return self._in_list(node, value)
        items: list[tuple[Node, Expr]] = []
        for kid in node.kids[1:] if node.kind == "in" else (node,):
            items += self._items(kid)
        if value is POISON or any(item is POISON for _, item in items):
            return POISON
        for kid, item in items:
            if not isinstance(item, Literal_):
                return self.refuse(kid, f"`in` takes constants and parameters, not {self.quote(kid)}")
            if is_null(item):
                return self.refuse(kid, "null inside `in (...)` makes the test never false; remove it")
            if units.unify((value, item), self.scope.money_scale) is None:
                return self.refuse(kid, self._cannot_compare("in", (node.kids[0], kid), (value, item)))
        unified = units.unify((value, *(item for _, item in items)), self.scope.money_scale)
        if unified is None:
            return self.refuse(node, f"the values of {self.quote(node)} have no common unit")
        return Call("in", tuple(unified[1]), Unit.BOOL)

    def _items(self, node: Node) -> list[tuple[Node, Expr]]:
        if node.kind not in ("param", "in_param"):
            return [(node, self.check(node))]
        found = self.param(node)
        if found is None:
            return [(node, POISON)]
        if found.currency is not None:
            return [
                (node, self.refuse(node, f"parameter `:{found.name}` has a currency; `in` takes constants"))
            ]
        values = found.value if isinstance(found.value, tuple) else (found.value,)
        return [(node, constant(value)) for value in values]

    def _in_list(self, node: Node, value: Expr) -> Expr:
        name = str(node.value)
        if value is not POISON and value.unit is not Unit.TEXT:
            self.refuse(node.kids[0], f"a list holds text; {self.say(node.kids[0], value)} is not")
        if name not in self.scope.names.lists:
            close = difflib.get_close_matches(name, sorted(self.scope.names.lists), 1)
            hint = f"; did you mean '{close[0]}'?" if close else f"; add lists/{name}.yaml"
            return self.refuse(node, f"unknown list '{name}'{hint}")
        return POISON if value is POISON else Call("in_list", (value, Literal_(name, Unit.TEXT)), Unit.BOOL)

    def _case(self, node: Node) -> Expr:
        count = len(node.kids) // 2
        conditions = [self.condition(node.kids[2 * i], "`when`") for i in range(count)]
        values = [node.kids[2 * i + 1] for i in range(count)] + ([node.kids[-1]] if node.value else [])
        typed = self.check_all(values)
        if typed is None or any(c is POISON for c in conditions):
            return POISON
        if not node.value:
            typed.append(Literal_(None, Unit.TEXT))
        found = units.unify(typed, self.scope.money_scale)
        if found is None:
            return self.refuse(node, self._mixed("the results of `case`", values, typed))
        args = [part for pair in zip(conditions, found[1][:count], strict=True) for part in pair]
        return Call("case", (*args, found[1][-1]), found[0])

    def _mixed(self, what: str, nodes: list[Node], typed: list[Expr]) -> str:
        first, other = 0, 0
        for index, expr in enumerate(typed[: len(nodes)]):
            if units.unify((typed[first], expr), self.scope.money_scale) is None:
                other = index
                break
        return (
            f"{what} mix {self.say(nodes[first], typed[first])} with {self.say(nodes[other], typed[other])}"
        )

    def same_unit(self, what: str, nodes: list[Node]) -> tuple[Unit, list[Expr]] | None:
        """Type nodes that must share a unit, such as the arguments of coalesce."""
        typed = self.check_all(nodes)
        if typed is None:
            return None
        found = units.unify(typed, self.scope.money_scale)
        if found is None:
            self.refuse(nodes[0], self._mixed(what, nodes, typed))
        return found

    def _call(self, node: Node) -> Expr:
        if node.value == "anomaly" and node.kind == "call":
            return self._anomaly(node)
        return functions.call(self, node)

    def _anomaly(self, node: Node) -> Expr:
        if not self.scope.anomaly:
            return self.refuse(node, f"{self.quote(node)} cannot stand in {self.scope.place}")
        if len(node.kids) != 1 or node.kids[0].kind != "string":
            return self.refuse(node, "write anomaly('detector'), with the detector's id as text")
        name, known = str(node.kids[0].value), self.scope.names.detectors
        if name not in known:
            close = difflib.get_close_matches(name, sorted(known), 1)
            hint = f"; did you mean '{close[0]}'?" if close else f"; add detectors/{name}.yaml"
            return self.refuse(node.kids[0], f"unknown detector '{name}'{hint}")
        return AnomalyRef(name)


def constant(value: str | bool | Decimal) -> Literal_:
    """Literal of a parameter's value; numbers keep an open unit."""
    if isinstance(value, bool):
        return Literal_(value, Unit.BOOL)
    return Literal_(value, Unit.NUMBER if isinstance(value, Decimal) else Unit.TEXT)
