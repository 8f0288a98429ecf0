"""An `Expr` as DuckDB SQL over columns in the physical form of their unit (`txmon.rules.ir`).

Same meaning as `txmon.rules.arrow`: x/0, x%0, integers that overflow and doubles that are not finite are
null. Such a guard is written only where the sizes of the operands allow the case, so that ordinary rules
read as ordinary SQL. Owns operations; windows are in `txmon.rules.sqlwindows`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from txmon.model.currencies import EXPONENTS
from txmon.rules.arrow_ops import EARTH_RADIUS_KM
from txmon.rules.arrow_text import COUNT_TEXT, NUMBER_TEXT
from txmon.rules.ir import (
    AnomalyRef,
    Call,
    Column,
    Expr,
    Feature,
    FeatureRef,
    LetRef,
    Literal_,
    RuleList,
    Unit,
)
from txmon.rules.ops import COMPARISONS, DOUBLES
from txmon.rules.sqlsizes import INT64_MAX, Size, Sizes
from txmon.rules.sqltext import name, select, text

DAY_US = 86_400_000_000
_TYPES = {
    Unit.TEXT: "varchar",
    Unit.BOOL: "boolean",
    Unit.COUNT: "bigint",
    Unit.NUMBER: "double",
    Unit.MONEY: "bigint",
    Unit.MONEY_F: "double",
    Unit.TIME: "bigint",
    Unit.SPAN: "bigint",
    Unit.DATE: "integer",
}


@dataclass(frozen=True)
class Tables:
    """Where an expression finds what is not a column of its row."""

    features: Mapping[Feature, str] = field(default_factory=dict)
    lists: Mapping[str, RuleList] = field(default_factory=dict)
    base_currency: str = "EUR"
    money_scale: int = 2
    rates: str = "rates"
    lets: Mapping[str, Size] = field(default_factory=dict)  # bounds of the rule's lets
    scores: str | None = None  # table (ingest_seq, detector, score); None: every score is null


class SqlExpr:
    """Renders expressions; `prefix` qualifies columns."""

    def __init__(self, tables: Tables, prefix: str = "") -> None:
        self._tables = tables
        self._prefix = prefix
        self._size = Sizes(tables.lets)

    def __call__(self, expr: Expr) -> str:
        match expr:
            case Literal_():
                return self._literal(expr)
            case Column(column, unit):
                shown = self._prefix + name(column)
                return _finite(shown) if unit in DOUBLES and column != "amount_original" else shown
            case LetRef(let, _):
                return name(let)
            case FeatureRef(feature, _):
                return name(self._tables.features[feature])
            case AnomalyRef(detector, _):
                return self._anomaly(detector)
            case Call():
                return self._call(expr)

    def _literal(self, expr: Literal_) -> str:
        value, unit = expr.value, expr.unit
        if value is None:
            return f"null::{_TYPES[unit]}"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return text(value)
        if unit in DOUBLES:
            return f"{float(value)!r}::double"
        return f"{value}" if int(value) >= 0 else f"({value})"

    def _anomaly(self, detector: str) -> str:
        if self._tables.scores is None:
            return f"null::double /* anomaly({text(detector)}) is known to the engine only */"
        # renamed: without a prefix, `ingest_seq` must mean the row's own, not the column of the scores
        table = f"({select('ingest_seq as _scored, detector, score', self._tables.scores)}) s"
        where = f"s._scored = {self._prefix}ingest_seq and s.detector = {text(detector)}"
        return f"({select('s.score', table, where)})"

    def _call(self, expr: Call) -> str:
        op, args = expr.op, expr.args
        if op in _SPECIAL:
            return _SPECIAL[op](self, expr)
        shown = [self(arg) for arg in args]
        if op in ("and", "or"):
            return "(" + f" {op} ".join(shown) + ")"
        if op in COMPARISONS:
            return f"({shown[0]} {op} {shown[1]})"
        if op in _TEMPLATES:
            return _TEMPLATES[op].format(*shown)
        return f"{op}({', '.join(shown)})"

    def arithmetic(self, expr: Call) -> str:
        """Sum, difference, product and their guards."""
        left, right = (self(arg) for arg in expr.args)
        plain = f"({left} {expr.op} {right})"
        if expr.unit in DOUBLES:
            return plain if self._size(expr).most < math.inf else _finite(plain)
        return plain if self._size(expr).most <= INT64_MAX else _fits(f"{left}::hugeint {expr.op} {right}")

    def divide(self, expr: Call) -> str:
        """Quotient as a double; null for x/0."""
        right = expr.args[1]
        shown = [self(arg) if arg.unit in DOUBLES else f"{self(arg)}::double" for arg in expr.args]
        divisor = shown[1] if self._size.nonzero(right) else _not_zero(shown[1])
        plain = f"({shown[0]} / {divisor})"
        # a quotient by zero is infinite, so that the guard against infinity covers it
        covered = divisor != shown[1] or self._size.nonzero(right)
        return plain if covered and self._size(expr).most < math.inf else _finite(plain)

    def modulo(self, expr: Call) -> str:
        """Remainder; null for x%0."""
        left, right = (self(arg) for arg in expr.args)
        if isinstance(expr.args[1], Literal_) and expr.args[1].value not in (None, 0, -1):
            return f"({left} % {right})"
        if expr.unit in DOUBLES:
            return _finite(f"({left} % {_not_zero(right)})")
        divisor = _not_zero(right)
        if divisor == right:  # too long to be repeated
            divisor = f"list_filter([{right}], lambda d: d <> 0)[1]"
        return _fits(f"{left}::hugeint % {divisor}")

    def sign(self, expr: Call) -> str:
        """Negation and absolute value."""
        shown = self(expr.args[0])
        form = "(-{0})" if expr.op == "neg" else "abs({0})"
        if expr.unit in DOUBLES or self._size(expr.args[0]).most <= INT64_MAX:
            return form.format(shown)
        return _fits(form.format(f"({shown}::hugeint)"))

    def rounding(self, expr: Call) -> str:
        """Floor, ceil and round; money to whole major units."""
        shown = self(expr.args[0])
        if expr.unit is Unit.COUNT:
            return shown
        if expr.unit in DOUBLES:
            return f"{expr.op}({shown})"
        step = self(expr.args[1])
        if expr.op == "floor":
            return _fits(f"{shown}::hugeint - (({shown} % {step}) + {step}) % {step}")
        if expr.op == "ceil":
            return _fits(f"{shown}::hugeint + ((-({shown} % {step})) + {step}) % {step}")
        rest = f"abs({shown} % {step})"
        up = f"case when 2 * {rest} >= {step} then sign({shown}) * {step} else 0 end"
        return _fits(f"{shown}::hugeint - {shown} % {step} + {up}")

    def in_list(self, expr: Call) -> str:
        """Membership on the row's UTC date, dates inclusive."""
        shown, listed = self(expr.args[0]), self._tables.lists[str(_value(expr.args[1]))]
        by_dates: dict[tuple[int | None, int | None], list[str]] = {}
        for entry in listed.entries:
            by_dates.setdefault((entry.valid_from, entry.valid_to), []).append(text(entry.value))
        day = f"({self._prefix}event_time // {DAY_US})"
        parts = []
        for (first, last), values in by_dates.items():
            dates = [f"{day} >= {first}"] if first is not None else []
            dates += [f"{day} <= {last}"] if last is not None else []
            parts.append(" and ".join([f"{shown} in ({', '.join(dict.fromkeys(values))})", *dates]))
        found = " or ".join(f"({part})" for part in parts) or "false"
        return f"case when {shown} is not null then ({found}) end"

    def case(self, expr: Call) -> str:
        """Case with its else."""
        shown = [self(arg) for arg in expr.args]
        pairs = zip(shown[:-1:2], shown[1:-1:2], strict=True)
        return "case " + " ".join(f"when {c} then {v}" for c, v in pairs) + f" else {shown[-1]} end"

    def local(self, expr: Call) -> str:
        """Local hour or date; null for an unknown zone."""
        moment, zone = (self(arg) for arg in expr.args)
        clock = f"timezone({zone}, make_timestamptz({moment}))"
        value = f"hour({clock})"
        if expr.op == "local_date":
            value = f"(cast({clock} as date) - date '1970-01-01')::integer"
        return f"case when {zone} in ({select('name', 'pg_timezone_names()')}) then {value} end"

    def fx(self, expr: Call) -> str:
        """A sum in a currency at the latest rate of the row's UTC date or the 7 days before, half-even."""
        code, minor = str(_value(expr.args[0])), int(str(_value(expr.args[1])))
        if code == self._tables.base_currency:
            return str(minor)
        shift = 10 + EXPONENTS[code] - self._tables.money_scale
        up, down = 10 ** max(-shift, 0), 10 ** max(shift, 0)
        day = f"({self._prefix}event_time // {DAY_US})"
        rate = "arg_max((r.rate * 10000000000)::hugeint, r.date)"
        table = self._tables.rates
        value = f"({minor}::hugeint * {up} * {rate})"
        half_even = f"2 * ({value} % {down}) + ({value} // {down}) % 2 > {down}"
        worth = f"({value} // {down} + case when {half_even} then 1 else 0 end)::bigint"
        where = (
            f"r.currency = {text(code)} and r.base = {text(self._tables.base_currency)}"
            f" and r.date - date '1970-01-01' between {day} - 7 and {day}"
        )
        return f"({select(worth, f'{table} r', where)})"

    def fx_compare(self, expr: Call) -> str:
        """Own amount in its own currency where that is the limit's, else through the rate."""
        sign = str(_value(expr.args[0]))
        amount, currency, minor, code, limit_minor, limit = (self(arg) for arg in expr.args[1:])
        return (
            f"case when {currency} = {code} then ({minor} {sign} {limit_minor})"
            f" else ({amount} {sign} {limit}) end"
        )

    def distance(self, expr: Call) -> str:
        """Great-circle distance to the metre."""
        lat1, lon1, lat2, lon2 = (f"radians({self(arg)})" for arg in expr.args)
        north, east = f"pow(sin(({lat2} - {lat1}) / 2), 2)", f"pow(sin(({lon2} - {lon1}) / 2), 2)"
        half = f"({north} + cos({lat1}) * cos({lat2}) * {east})"
        arc = f"asin(sqrt(least(greatest({half}, 0.0), 1.0)))"
        metres = f"floor({2 * EARTH_RADIUS_KM} * {arc} * 1000 + 0.5)"
        known = " and ".join(f"{self(arg)} is not null" for arg in expr.args)  # least() skips nulls
        return f"case when {known} then {metres} / 1000 end"

    def date_diff(self, expr: Call) -> str:
        """Whole days between times, or days between dates."""
        first, second = (self(arg) for arg in expr.args)
        if expr.args[0].unit is Unit.TIME:
            return f"(({second} - {first}) // {DAY_US})"
        return f"({second} - {first})::bigint"

    def attribute(self, expr: Call) -> str:
        """Value of an attribute."""
        return f"{self._prefix}attributes[{self(expr.args[0])}]"

    def in_values(self, expr: Call) -> str:
        """Membership in constants."""
        shown = [self(arg) for arg in expr.args]
        return f"({shown[0]} in ({', '.join(shown[1:])}))"


def _value(expr: Expr) -> object:
    return expr.value if isinstance(expr, Literal_) else None


def _not_zero(shown: str) -> str:
    """Null for zero, where the text is short; nullif repeats its operand when it is planned."""
    return f"nullif({shown}, 0)" if len(shown) <= 60 else shown


def _fits(shown: str) -> str:
    """Null where a whole number leaves 64 bits (TRY does not go with subqueries)."""
    return f"try_cast({shown} as bigint)"


def _finite(shown: str) -> str:
    """Null where a double is not finite, with the operand written and planned once."""
    return f"list_filter([{shown}], lambda d: isfinite(d))[1]"


_TEMPLATES = {
    "not": "(not {0})",
    "is_null": "({0} is null)",
    "is_not_distinct": "({0} is not distinct from {1})",
    "||": "({0} || {1})",
    "like": "({0} like {1})",
    "trim": "trim({0}, ' ')",
    "length": "length({0})",
    "to_number": "{0}::double",
    "number_count": "try_cast({0} as bigint)",
    "bool_count": "cast({0} as bigint)",
    "text_count": f"try_cast(regexp_extract({{0}}, '^{COUNT_TEXT}$') as bigint)".replace(
        "{1,18}", "{{1,18}}"
    ),
    "day": "day(date '1970-01-01' + {0})",
    "month": "month(date '1970-01-01' + {0})",
    "year": "year(date '1970-01-01' + {0})",
    "isodow": "isodow(date '1970-01-01' + {0})",
    "ln": _finite("ln({0})"),
    "exp": _finite("exp({0})"),
    "sqrt": _finite("sqrt({0})"),
}


def _text_number(render: SqlExpr, expr: Call) -> str:
    return _finite(f"try_cast(regexp_extract({render(expr.args[0])}, '^{NUMBER_TEXT}$') as double)")


def _to_text(render: SqlExpr, expr: Call) -> str:
    shown = render(expr.args[0])
    if expr.args[0].unit is Unit.DATE:
        return f"cast(date '1970-01-01' + {shown} as varchar)"
    return f"cast({shown} as varchar)"


def _major(render: SqlExpr, expr: Call) -> str:
    shown = render(expr.args[0])
    if expr.args[0].unit is Unit.MONEY_F:
        return shown
    return f"({shown}::double / {render(expr.args[1])})"


_SPECIAL: dict[str, Callable[[SqlExpr, Call], str]] = {
    **dict.fromkeys(("+", "-", "*"), SqlExpr.arithmetic),
    "/": SqlExpr.divide,
    "%": SqlExpr.modulo,
    "neg": SqlExpr.sign,
    "abs": SqlExpr.sign,
    **dict.fromkeys(("floor", "ceil", "round"), SqlExpr.rounding),
    "in_list": SqlExpr.in_list,
    "in": SqlExpr.in_values,
    "case": SqlExpr.case,
    "local_hour": SqlExpr.local,
    "local_date": SqlExpr.local,
    "fx": SqlExpr.fx,
    "fx_compare": SqlExpr.fx_compare,
    "distance_km": SqlExpr.distance,
    "date_diff_days": SqlExpr.date_diff,
    "attribute": SqlExpr.attribute,
    "text_number": _text_number,
    "to_text": _to_text,
    "to_money_f": _major,
    "money_number": _major,
}
