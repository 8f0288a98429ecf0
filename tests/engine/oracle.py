"""The meaning of windows, written down a second time and as plainly as possible.

DuckDB evaluates arguments and filters on single rows; everything about windows (who is inside, in which
order, late evaluations) is done here in Python over exact integers, straight from the definition:

    x counts for e at time T if  order(x) <= order(e)  and  T - w < x.event_time <= T  (same key).

Nothing is imported from the product. Slow: every row is compared with every other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

SIZES = {"m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VALUE_KINDS = (
    "payment", "transfer", "payout", "cash_in", "cash_out", "load",
    "authorization", "capture", "reversal", "refund", "chargeback",
)  # fmt: skip
# Money is shown in major units with its two decimals, as rule text has it.
_EVENTS = """
select * exclude (ingest_seq), ingest_seq as ord,
  (amount_base_minor::decimal(20, 2) * 0.01::decimal(3, 2))::decimal(22, 2) as amount
from events
"""
_LEGS = f"""
with base as ({_EVENTS})
select * replace (2 * ord as ord), payer as leg_account, payee as counterparty, 'out' as direction,
  payer_country as account_country, payee_country as counterparty_country
from base where payer is not null and kind in {_VALUE_KINDS}
union all
select * replace (2 * ord + 1 as ord), payee, payer, 'in', payee_country, payer_country
from base where payee is not null and kind in {_VALUE_KINDS}
"""


@dataclass(frozen=True)
class Spec:
    """One aggregate: its text in a rule and what the oracle makes of it.

    `arg` and `where` are SQL over a single row; `arg_sql` and `where_sql` replace them where the rule uses
    a derived column. `unit` is money, count, number, time, text or bool.
    """

    agg: str
    window: str
    arg: str = "*"
    unit: str = "money"
    where: str | None = None
    level: float = 0.5
    arg_sql: str | None = None
    where_sql: str | None = None

    @property
    def text(self) -> str:
        """The aggregate as a rule writes it."""
        inner = {"count_distinct": f"count(distinct {self.arg})"}.get(self.agg)
        if self.agg == "quantile_cont":
            inner = f"quantile_cont({self.arg}, {self.level})"
        condition = f" filter (where {self.where})" if self.where else ""
        return f"{inner or f'{self.agg}({self.arg})'}{condition} over {self.window}"

    @property
    def on_legs(self) -> bool:
        """Whether the window runs over legs."""
        return self.window.startswith("account")

    @property
    def prior(self) -> bool:
        """Whether the current row is left out."""
        return self.window.endswith("_prior") or self.agg == "lag"

    @property
    def key(self) -> tuple[str, ...]:
        """Columns of the key."""
        name = self.window.removesuffix("_prior").removesuffix("_prev_month").removesuffix("_month")
        parts = name.split("_")
        while parts and parts[-1][0].isdigit():
            parts.pop()
        return tuple("leg_account" if p == "account" else p for p in parts)

    def bounds(self, at: int, zone: str) -> tuple[int, int]:
        """Rows with low < time <= high are inside when the window is taken at a time."""
        name = self.window.removesuffix("_prior")
        if name.endswith("_month"):
            start = month_start(at, zone)
            if not name.endswith("_prev_month"):
                return start - 1, at
            return month_start(start - 1, zone) - 1, start - 1
        size = name.rsplit("_", 1)[1]
        return at - int(size[:-1]) * SIZES[size[-1]], at

    @property
    def longest(self) -> int:
        """How far back the window may look."""
        name = self.window.removesuffix("_prior")
        if name.endswith("_month"):
            return (63 if name.endswith("_prev_month") else 32) * SIZES["d"]
        size = name.rsplit("_", 1)[1]
        return int(size[:-1]) * SIZES[size[-1]]


def month_start(at: int, zone: str) -> int:
    """First instant of the month of a time in a zone, microseconds UTC."""
    local = (_EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(zone))
    first = datetime(local.year, local.month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return (first - _EPOCH) // timedelta(microseconds=1)


def double(value: int) -> float:
    """An exact integer as DuckDB casts a HUGEINT; negative ones are rounded after adding one."""
    if -(2**64) <= value < 0:
        return -float(-value - 1) - 1.0
    high, low = divmod(value, 2**64)
    return float(low) + float(high) * 2.0**64


class Rows:
    """Events or legs with every argument and filter evaluated on each."""

    def __init__(self, events: pa.Table, specs: Sequence[Spec], legs: bool) -> None:
        self.args = list(dict.fromkeys((s.arg_sql or s.arg, s.unit) for s in specs if s.arg != "*"))
        self.filters = list(dict.fromkeys(s.where_sql or s.where for s in specs if s.where))
        keys = list(dict.fromkeys(k for s in specs for k in s.key))
        shown = ["ord", "epoch_us(event_time) as t", "entity", "mode", *(f'"{k}" as k_{k}' for k in keys)]
        shown += [f"{self._physical(a, unit)} as a{i}" for i, (a, unit) in enumerate(self.args)]
        shown += [f"coalesce({f}, false) as f{i}" for i, f in enumerate(self.filters)]
        with duckdb.connect() as con:
            con.register("events", events)
            con.execute("set timezone = 'UTC'")
            found = con.execute(f"select {', '.join(shown)} from ({_LEGS if legs else _EVENTS}) order by ord")
            names = [d[0] for d in found.description]
            self.rows = [dict(zip(names, r, strict=True)) for r in found.fetchall()]
        self.by_order = {r["ord"]: r for r in self.rows}

    @staticmethod
    def _physical(arg: str, unit: str) -> str:
        return f"epoch_us({arg})" if unit == "time" else arg

    def members(self, spec: Spec, row: dict[str, Any], at: int, zone: str) -> list[dict[str, Any]] | None:
        """Rows inside the window of `row` taken at a time, in order; None without a key."""
        same = ["entity", "mode", *(f"k_{k}" for k in spec.key)]
        mine = [row[c] for c in same]
        if None in mine:
            return None
        low, high = spec.bounds(at, zone)
        inside = [
            x
            for x in self.rows
            if x["ord"] <= row["ord"] and low < x["t"] <= high and [x[c] for c in same] == mine
        ]
        if spec.prior:
            inside = [x for x in inside if x["ord"] != row["ord"]]
        return sorted(inside, key=lambda x: (x["t"], x["ord"]))

    def value(self, spec: Spec, row: dict[str, Any], at: int, zone: str = "UTC") -> Any:
        """The aggregate for a row with its window taken at a time."""
        members = self.members(spec, row, at, zone)
        if members is None:
            return None
        if spec.where:
            column = f"f{self.filters.index(spec.where_sql or spec.where)}"
            members = [x for x in members if x[column]]
        if spec.arg == "*":
            return len(members)
        column = f"a{self.args.index((spec.arg_sql or spec.arg, spec.unit))}"
        return aggregate(spec, [x[column] for x in members])


def aggregate(spec: Spec, values: list[Any]) -> Any:
    """An aggregate of the values inside a window, in order; exact until the last step."""
    if spec.agg == "lag":
        return values[-1] if values else None
    scale = 1
    values = [v for v in values if v is not None]
    if spec.agg == "count":
        return len(values)
    if spec.agg == "count_distinct":
        return len(set(values))
    if not values:
        return None
    if spec.agg in ("first", "last"):
        return values[0] if spec.agg == "first" else values[-1]
    if spec.agg in ("min", "max"):
        return min(values) if spec.agg == "min" else max(values)
    if spec.unit == "money":
        scale, values = 100, [int(v * 100) for v in values]
    if spec.agg == "sum":
        return Decimal(sum(values)) / scale if scale == 100 else sum(values)
    if spec.agg in ("median", "quantile_cont"):
        return _quantile(sorted(float(v) / scale for v in values), spec.level)
    n, total = len(values), sum(values)
    if spec.agg == "avg":
        return double(total) / (float(scale) * n)
    if spec.agg == "stddev_samp" and n == 1:
        return None
    spread = n * sum(v * v for v in values) - total * total
    return math.sqrt(double(spread) / n / (n if spec.agg == "stddev_pop" else n - 1)) / scale


def _quantile(values: list[float], level: float) -> float:
    rank = (len(values) - 1) * level
    low, high = values[math.floor(rank)], values[math.ceil(rank)]
    share = rank - math.floor(rank)
    return low if share == 0 else low * (1.0 - share) + high * share


def equal(spec: Spec, shown: Any, expected: Any) -> bool:
    """Whether the number a hit shows is the oracle's; `shown` was read with exact decimals."""
    if shown is None or expected is None:
        return shown is expected
    if spec.agg in ("count", "count_distinct"):
        return shown == expected
    if spec.agg in ("avg", "stddev_pop", "stddev_samp", "median", "quantile_cont") or spec.unit == "number":
        return float(shown) == expected
    if spec.unit == "time":
        return shown == (_EPOCH + timedelta(microseconds=expected)).isoformat().replace("+00:00", "Z")
    return shown == expected


def later_times(rows: Rows, row: dict[str, Any], subject: str, reach: int) -> list[int]:
    """Times at which a late row is evaluated again: of its subject, already accepted, within `reach`."""
    same = ("entity", "mode", f"k_{subject}")
    return sorted(
        {
            x["t"]
            for x in rows.rows
            if x["ord"] < row["ord"]
            and row["t"] < x["t"] < row["t"] + reach
            and all(x[c] == row[c] for c in same)
        }
    )


def specs_by_rule(specs: Iterable[Spec], size: int = 40) -> list[dict[str, Spec]]:
    """Let names to aggregates, at most `size` a rule."""
    found, named = list(specs), []
    for start in range(0, len(found), size):
        named.append({f"v{start + i}": s for i, s in enumerate(found[start : start + size])})
    return named
