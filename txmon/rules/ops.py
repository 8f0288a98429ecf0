"""The operations and functions a rule may use: names, units of arguments and of the result.

`txmon.rules.arrow` and `txmon.rules.sql` implement each of them once; a test keeps the three in step.
Owns the tables; never evaluates.

Operations of `Call` (arguments after the colon):

    and or: 2+ BOOL                     not is_null: x               = <> < <= > >=: x y of one unit
    is_not_distinct: x y                in: x, constants...          in_list: x, list name
    + -: x y of one unit (TIME - TIME is a SPAN, TIME +- SPAN a TIME)    neg abs: x
    floor ceil round: x, and for MONEY one major unit in minor units
    *: COUNT COUNT -> COUNT, else doubles    /: doubles, null for x/0    %: x y of one unit, null for x%0
    to_number: COUNT -> NUMBER          to_money_f: MONEY, one major unit -> MONEY_F (double)
    money_number: MONEY_F, or MONEY and one major unit -> NUMBER (cast(amount as double))
    case: condition, value, ..., else   coalesce least greatest nullif: values of one unit
    text_number text_count number_count bool_count to_text: the casts
    fx: currency, minor units -> MONEY at the row's date's rate
    fx_compare: operator, amount, currency column, amount_minor column, currency, minor units, fx -> BOOL
    like: x, pattern                    and the functions of `FUNCTIONS` by name
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from txmon.rules.ir import Unit

COMPARISONS: tuple[str, ...] = ("=", "<>", "<", "<=", ">", ">=")
ORDERED: frozenset[Unit] = frozenset(
    {Unit.COUNT, Unit.NUMBER, Unit.MONEY, Unit.MONEY_F, Unit.TIME, Unit.SPAN, Unit.DATE}
)
NUMERIC: frozenset[Unit] = frozenset({Unit.COUNT, Unit.NUMBER, Unit.MONEY, Unit.MONEY_F})
DOUBLES: frozenset[Unit] = frozenset({Unit.NUMBER, Unit.MONEY_F})
_TEXT = frozenset({Unit.TEXT})
_COUNT = frozenset({Unit.COUNT})
_PLAIN = frozenset({Unit.NUMBER})


@dataclass(frozen=True)
class Function:
    """A scalar function: units of each argument, unit of the result ('same' as the first argument)."""

    args: tuple[frozenset[Unit], ...]
    result: Unit | Literal["same"]
    usage: str
    constant: frozenset[int] = frozenset()  # arguments that must be constants
    optional: int = 0  # how many of the last arguments may be left out


FUNCTIONS: dict[str, Function] = {
    "lower": Function((_TEXT,), Unit.TEXT, "lower(text)"),
    "upper": Function((_TEXT,), Unit.TEXT, "upper(text)"),
    "trim": Function((_TEXT,), Unit.TEXT, "trim(text)"),
    "length": Function((_TEXT,), Unit.COUNT, "length(text)"),
    "contains": Function((_TEXT, _TEXT), Unit.BOOL, "contains(text, 'part')"),
    "starts_with": Function((_TEXT, _TEXT), Unit.BOOL, "starts_with(text, 'part')"),
    "ends_with": Function((_TEXT, _TEXT), Unit.BOOL, "ends_with(text, 'part')"),
    "substr": Function(
        (_TEXT, _COUNT, _COUNT), Unit.TEXT, "substr(text, from 1, length)", frozenset({1, 2}), 1
    ),
    "abs": Function((NUMERIC | {Unit.SPAN},), "same", "abs(x)"),
    "floor": Function((NUMERIC,), "same", "floor(x)"),
    "ceil": Function((NUMERIC,), "same", "ceil(x)"),
    "round": Function((NUMERIC,), "same", "round(x)"),
    "sqrt": Function((_PLAIN,), Unit.NUMBER, "sqrt(number)"),
    "ln": Function((_PLAIN,), Unit.NUMBER, "ln(number)"),
    "exp": Function((_PLAIN,), Unit.NUMBER, "exp(number)"),
    "local_hour": Function((frozenset({Unit.TIME}), _TEXT), Unit.COUNT, "local_hour(event_time, time zone)"),
    "local_date": Function((frozenset({Unit.TIME}), _TEXT), Unit.DATE, "local_date(event_time, time zone)"),
    "day": Function((frozenset({Unit.DATE}),), Unit.COUNT, "day(date)"),
    "month": Function((frozenset({Unit.DATE}),), Unit.COUNT, "month(date)"),
    "year": Function((frozenset({Unit.DATE}),), Unit.COUNT, "year(date)"),
    "isodow": Function((frozenset({Unit.DATE}),), Unit.COUNT, "isodow(date), Monday is 1"),
    "date_diff_days": Function(
        (frozenset({Unit.TIME, Unit.DATE}),) * 2, Unit.COUNT, "date_diff_days(from, to), whole days"
    ),
    "distance_km": Function((_PLAIN,) * 4, Unit.NUMBER, "distance_km(lat1, lon1, lat2, lon2)"),
    "attribute": Function((_TEXT,), Unit.TEXT, "attribute('key')", frozenset({0})),
}
VARIADIC: dict[str, str] = {
    "coalesce": "coalesce(x, y, ...)",
    "nullif": "nullif(x, y)",
    "least": "least(x, y, ...)",
    "greatest": "greatest(x, y, ...)",
}
ALIASES: dict[str, str] = {
    "ceiling": "ceil",
    "substring": "substr",
    "len": "length",
    "strlen": "length",
    "prefix": "starts_with",
    "suffix": "ends_with",
    "lcase": "lower",
    "ucase": "upper",
    "ifnull": "coalesce",
    "nvl": "coalesce",
    "dayofmonth": "day",
}
AGGREGATE_NAMES: frozenset[str] = frozenset(
    {
        "count", "sum", "avg", "min", "max", "stddev_pop", "stddev_samp", "first", "last", "lag", "median",
        "quantile_cont",
    }
)  # fmt: skip
AGGREGATE_ALIASES: dict[str, str] = {
    "mean": "avg",
    "stddev": "stddev_samp",
    "std": "stddev_samp",
    "any_value": "first",
    "first_value": "first",
    "last_value": "last",
    "percentile_cont": "quantile_cont",
    "quantile": "quantile_cont",
    "approx_count_distinct": "count(distinct x)",
    "count_if": "count(*) filter (where ...)",
    "countif": "count(*) filter (where ...)",
}
NOT_DETERMINISTIC: frozenset[str] = frozenset(
    [
        "random",
        "setseed",
        "uuid",
        "gen_random_uuid",
        "uuidv4",
        "uuidv7",
        "now",
        "today",
        "get_current_timestamp",
        "get_current_time",
        "transaction_timestamp",
        "nextval",
        "currval",
        "txid_current",
        "age",
        "current_date",
        "current_timestamp",
        "current_localtimestamp",
        "current_localtime",
    ]
)
OUTSIDE: frozenset[str] = frozenset(
    [
        "glob",
        "getenv",
        "getvariable",
        "current_setting",
        "sniff_csv",
        "parquet_scan",
        "parquet_metadata",
        "parquet_schema",
        "query",
        "query_table",
        "sqlite_scan",
        "postgres_scan",
        "mysql_scan",
        "iceberg_scan",
        "delta_scan",
        "st_read",
        "which_secret",
        "load_extension",
        "system",
        "shell",
        "version",
        "in_search_path",
    ]
)


def article(unit: Unit) -> str:
    """Name a unit in a sentence."""
    return {
        Unit.TEXT: "text",
        Unit.BOOL: "a truth value",
        Unit.COUNT: "a count",
        Unit.NUMBER: "a number",
        Unit.MONEY: "money",
        Unit.MONEY_F: "money",
        Unit.TIME: "a time",
        Unit.SPAN: "a span of time",
        Unit.DATE: "a date",
    }[unit]
