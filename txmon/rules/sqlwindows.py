"""Window aggregates in SQL: the named window where nothing was overtaken, the as-of join where it was.

`t = event_time * 2^32 + o` orders rows by time and, within one instant, by arrival, so that a range frame
is exactly "same key, not arrived later, newer than time - w". A row that a late one overtook (a row of
its window arrived after it) is computed by the join, as are all evaluations at another time. Owns the
formulas of the aggregates; see DESIGN of windows for their meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from txmon.rules.ir import Expr, Feature, Unit, Window
from txmon.rules.sqltext import name, select, text

ORDER_BITS = 4294967296
_MAX, _MIN = 2**63 - 1, -(2**63)


@dataclass(frozen=True)
class Slots:
    """Names of the columns that hold arguments and filters in a table of rows."""

    args: dict[Expr, str]
    filters: dict[Expr, str]
    hits: dict[str, str]

    def arg(self, feature: Feature) -> str:
        """Column of the argument."""
        return self.args[feature.arg] if feature.arg is not None else ""

    def condition(self, feature: Feature, *more: str) -> str:
        """Filter clause of an aggregate."""
        parts = [self.filters[feature.where]] if feature.where is not None else []
        parts += [self.hits[feature.hits_rule]] if feature.hits_rule is not None else []
        shown = " and ".join(f"x.{p}" for p in parts)
        extra = " and ".join(more)
        both = " and ".join(p for p in (shown, extra) if p)
        return f" filter (where {both})" if both else ""


def parts(feature: Feature, slots: Slots, money_scale: int) -> list[tuple[str, str]]:
    """(suffix, aggregate) pairs that a feature is made of; the same text serves window and join."""
    arg = f"x.{slots.arg(feature)}"
    plain = slots.condition(feature)
    match feature.agg:
        case "count":
            return [("", f"count({'x._ord' if feature.arg is None else arg}){plain}")]
        case "count_distinct":
            return [("", f"count(distinct {arg}){plain}")]
        case "sum" | "min" | "max":
            return [("", f"{feature.agg}({arg}){plain}")]
        case "avg":
            return [("_s", f"sum({arg}){plain}"), ("_n", f"count({arg}){plain}")]
        case "stddev_pop" | "stddev_samp":
            square = f"sum({arg}::hugeint * {arg}){plain}"
            return [("_s", f"sum({arg}){plain}"), ("_n", f"count({arg}){plain}"), ("_q", square)]
        case "first" | "last":
            function = "arg_min" if feature.agg == "first" else "arg_max"
            return [("", f"{function}({arg}, x._t){slots.condition(feature, f'{arg} is not null')}")]
        case "lag":
            return [("", f"arg_max({{'v': {arg}}}, x._t){slots.condition(feature, 'x._ord is not null')}")]
        case _:
            major = f"{arg}::double / {10**money_scale}" if _is_money(feature) else f"{arg}::double"
            level = 0.5 if feature.quantile is None else feature.quantile
            return [
                ("", f"quantile_cont({major}, {level!r}){slots.condition(feature, f'{arg} is not null')}")
            ]


def _is_money(feature: Feature) -> bool:
    return feature.arg is not None and feature.arg.unit is Unit.MONEY


def value(feature: Feature, column: str, money_scale: int) -> str:
    """The feature from its parts."""
    scale = 10**money_scale if _is_money(feature) else 1
    s, n, q = (f"{column}_{part}" for part in "snq")
    match feature.agg:
        case "sum":
            # greatest and least skip nulls
            clamped = f"greatest(least({column}, {_MAX}), {_MIN})::bigint"
            return f"case when {column} is not null then {clamped} end"
        case "avg":
            return f"{s}::double / ({scale}.0::double * nullif({n}, 0))"
        case "stddev_pop" | "stddev_samp":
            other = n if feature.agg == "stddev_pop" else f"({n} - 1)"
            spread = f"try({n}::hugeint * {q} - {s}::hugeint * {s})::double"
            return f"case when {other} > 0 then sqrt({spread} / {n} / {other}) / {scale} end"
        case "lag":
            return f"({column}).v"
    return column


def bounds(window: Window, at: str, zone: str) -> tuple[str, str]:
    """First instant outside the window below, and the last inside it, for an evaluation at `at`."""
    if not window.calendar:
        return f"{at} - {window.span_us}", at
    local = f"date_trunc('month', timezone({text(zone)}, make_timestamptz({at})))"
    start = f"epoch_us(timezone({text(zone)}, {local}))"
    if window.calendar == "month":
        return f"{start} - 1", at
    return f"epoch_us(timezone({text(zone)}, {local} - interval 1 month)) - 1", f"{start} - 1"


def frame(window: Window, zone: str) -> str:
    """Range frame of a named window over `t`."""
    exclude = " exclude current row" if window.prior else ""
    if not window.calendar:
        low = f"({window.span_us} - 1)::hugeint * {ORDER_BITS} + x._o preceding"
        return f"range between {low} and current row{exclude}"
    first, last = bounds(window, "x.event_time", zone)
    low = f"x._t - (({first}) + 1)::hugeint * {ORDER_BITS} preceding"
    if window.calendar == "month":
        return f"range between {low} and current row{exclude}"
    high = f"x._t - (({last}) + 1)::hugeint * {ORDER_BITS} preceding"
    return f"range between {low} and {high}{exclude}"


@dataclass(frozen=True)
class Block:
    """The features of one window (one with `_prior` or lag apart) over one table of rows."""

    window: Window
    features: tuple[Feature, ...]
    rows: str
    slots: Slots
    columns: dict[Feature, str]
    money_scale: int
    zone: str

    def _aggregates(self, over: str) -> list[str]:
        shown = []
        for feature in self.features:
            for suffix, aggregate in parts(feature, self.slots, self.money_scale):
                shown.append(f"{aggregate}{over} as {self.columns[feature]}{suffix}")
        return shown

    @property
    def _values(self) -> list[str]:
        return [f"{value(f, self.columns[f], self.money_scale)} as {self.columns[f]}" for f in self.features]

    def _key_known(self, alias: str) -> str:
        return " and ".join(f"{alias}.{name(k)} is not null" for k in self.window.key)

    def in_order(self) -> str:
        """Parts for every row with a key, and the _newest arrival in its window."""
        key = ", ".join(["x.entity", "x.mode", *(f"x.{name(k)}" for k in self.window.key)])
        shown = ["x._ord", *self._aggregates(" over w"), "max(x._ord) over w as _newest"]
        over = f"window w as (partition by {key} order by x._t {frame(self.window, self.zone)})"
        return select(", ".join(shown), f"{self.rows} x", self._key_known("x"), over)

    def joined(self, requests: str) -> str:
        """Parts for requests (_ord, at, upto, self) of rows `r`: what had arrived by `upto`, seen at `at`."""
        low, high = bounds(self.window, "q._at", self.zone)
        same = " and ".join(f"x.{k} = q.{k}" for k in ("entity", "mode", *map(name, self.window.key)))
        without = " and x._ord <> q._self" if self.window.prior else ""
        on = f"{same} and x._ord <= q._upto and x.event_time > {low} and x.event_time <= {high}{without}"
        return select(
            ", ".join(["q._ord", "q._at", *self._aggregates("")]),
            f"{requests} q left join {self.rows} x on {on}",
            self._key_known("q"),
            "group by q._ord, q._at",
        )

    def finished(self, table: str, where: str = "", *keys: str) -> str:
        """Values from parts."""
        return select(", ".join([*keys, *self._values]), table, where)


def blocks_of(features: Sequence[Feature]) -> list[tuple[Window, tuple[Feature, ...]]]:
    """Group features by window; lag looks at the rows before the current one, as `_prior` does."""
    found: dict[Window, list[Feature]] = {}
    for feature in features:
        w = feature.window
        prior = w.prior or feature.agg == "lag"
        base = Window(w.name.removesuffix("_prior"), w.on, w.key, w.span_us, w.calendar, prior)
        found.setdefault(base, []).append(feature)
    return [(window, tuple(members)) for window, members in found.items()]
