"""The typed form of a rule: what the loader makes, and what the engine and the SQL renderer read.

Owns the data classes only. Texts become `Expr` in `txmon.rules.parse`/`types`; `txmon.rules.arrow`
turns an `Expr` into a function over vectors and `txmon.rules.sql` renders the same `Expr` as SQL.

Physical form of a value by unit (what a compiled expression takes and returns):

    TEXT      dictionary<int32, string> or string      BOOL    bool
    COUNT     int64                                     NUMBER  float64 (ratios, coordinates)
    MONEY     int64, minor units of the base currency   MONEY_F float64, major units (averages, products)
    TIME      int64, microseconds since the epoch, UTC  SPAN    int64, microseconds
    DATE      int32, days since the epoch
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, TypeVar


class Unit(StrEnum):
    """Unit of an expression; arithmetic and comparison are checked against it."""

    TEXT = "text"
    BOOL = "bool"
    COUNT = "count"
    NUMBER = "number"
    MONEY = "money"
    MONEY_F = "money_f"
    TIME = "time"
    SPAN = "span"
    DATE = "date"


On = Literal["events", "legs"]
T = TypeVar("T")


def remembers_hash(cls: type[T]) -> type[T]:
    """Hash an instance once: expressions are deep, never change, and are looked up for every batch."""
    compute = cls.__hash__

    def remembered(self: T) -> int:
        found: int | None = self.__dict__.get("_hash")
        if found is None:
            found = self.__dict__["_hash"] = compute(self)
        return found

    type.__setattr__(cls, "__hash__", remembered)
    return cls


@remembers_hash
@dataclass(frozen=True)
class Column:
    """A column of the event or leg, canonical, profile or derived."""

    name: str
    unit: Unit


@dataclass(frozen=True)
class Literal_:
    """A constant in the physical form of its unit (None is SQL null)."""

    value: str | bool | int | float | Decimal | None
    unit: Unit


@remembers_hash
@dataclass(frozen=True)
class Call:
    """An operation or allow-listed function; `op` names are listed in `txmon.rules.ops`."""

    op: str
    args: tuple[Expr, ...]
    unit: Unit


@remembers_hash
@dataclass(frozen=True)
class FeatureRef:
    """The value of a window aggregate for the current row."""

    feature: Feature
    unit: Unit


@dataclass(frozen=True)
class AnomalyRef:
    """The calibrated score (0..1, null while warming) of a detector for the current row."""

    detector: str
    unit: Unit = Unit.NUMBER


@dataclass(frozen=True)
class LetRef:
    """A `let` of the same rule; only in `when`."""

    name: str
    unit: Unit


Expr = Column | Literal_ | Call | FeatureRef | AnomalyRef | LetRef


@remembers_hash
@dataclass(frozen=True)
class Window:
    """A named window: rows of the same key with ``T - span_us < event_time <= T``.

    `key` are column names ('payer', or 'account','counterparty'); calendar windows have span_us 0 and
    take the entity's month of the row ('month') or the month before it ('prev_month').
    """

    name: str
    on: On
    key: tuple[str, ...]
    span_us: int
    calendar: Literal["", "month", "prev_month"] = ""
    prior: bool = False

    @property
    def reach_us(self) -> int:
        """How far back the window may look, in microseconds (63 or 32 days for calendar windows).

        A day more than the months have: where clocks go back, a month is longer than its days.
        """
        if self.calendar:
            return (32 if self.calendar == "month" else 63) * 86_400_000_000
        return self.span_us


@remembers_hash
@dataclass(frozen=True)
class Feature:
    """One aggregate over one window; equal features of different rules are one object in a plan.

    `arg` is None for ``count(*)``; `where` is None without a filter; `hits_rule` is set for
    ``hits('rule') over w`` (then agg is 'count' and the filter is "x is an event that rule hit").
    """

    agg: str
    window: Window
    arg: Expr | None = None
    where: Expr | None = None
    quantile: float | None = None
    hits_rule: str | None = None
    unit: Unit = Unit.COUNT


@dataclass(frozen=True)
class Rule:
    """A rule file after checking, before planning; texts are kept for `show`, lock and evidence."""

    id: str
    version: int
    title: str
    path: str
    on: On
    subject: str
    status: str
    typology: str
    severity: str
    score: float
    protect: bool
    signal: bool
    tick: bool
    let: tuple[tuple[str, Expr], ...]
    when: Expr
    explain: str
    dedup_by: tuple[str, ...]
    dedup_us: int
    params: Mapping[str, Any]
    content_hash: str
    document: Mapping[str, Any] = field(hash=False, compare=False, default_factory=dict)

    def longest_us(self) -> int:
        """Longest reach of the rule's windows, in microseconds; 0 without windows."""
        return max((f.window.reach_us for f in rule_features(self)), default=0)


@dataclass(frozen=True)
class Detector:
    """A detector file after checking: `inputs` are numeric expressions over features and columns."""

    id: str
    version: int
    path: str
    on: On
    model: str
    segment: Expr
    inputs: tuple[tuple[str, Expr], ...]
    where: Expr | None
    settings: Mapping[str, Any]
    content_hash: str
    document: Mapping[str, Any] = field(hash=False, compare=False, default_factory=dict)


@dataclass(frozen=True)
class Derived:
    """A derived column: one typed expression for events and one for legs (either may be None)."""

    name: str
    unit: Unit
    events: Expr | None
    legs: Expr | None


@dataclass(frozen=True)
class ListEntry:
    """One value of a list with its validity (dates inclusive, None = open)."""

    value: str
    valid_from: int | None = None  # days since the epoch
    valid_to: int | None = None


@dataclass(frozen=True)
class RuleList:
    """A versioned list; `in list('name')` is true where the value is valid on the event's UTC date."""

    name: str
    version: int
    path: str
    entries: tuple[ListEntry, ...]
    content_hash: str


@dataclass(frozen=True)
class Plan:
    """Everything the engine needs, in a fixed order.

    `levels[i]` are the live and shadow rules whose hits() refer only to rules of lower levels, sorted
    by id. `derived` is in dependency order. `pack_hash` covers every text that was read.
    """

    levels: tuple[tuple[Rule, ...], ...]
    features: tuple[Feature, ...]
    derived: tuple[Derived, ...]
    detectors: tuple[Detector, ...]
    lists: Mapping[str, RuleList]
    money_scale: int  # decimals of the base currency
    base_currency: str
    entity_tz: str | None
    pack_hash: str

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All scored rules, by level and id."""
        return tuple(r for level in self.levels for r in level)

    @property
    def longest_us(self) -> int:
        """Longest reach of any window, in microseconds."""
        return max((f.window.reach_us for f in self.features), default=0)


def walk(expr: Expr) -> list[Expr]:
    """Return `expr` and everything below it, parents first; does not enter a feature's arguments."""
    found: list[Expr] = []
    stack: list[Expr] = [expr]
    while stack:
        node = stack.pop()
        found.append(node)
        if isinstance(node, Call):
            stack.extend(reversed(node.args))
    return found


def expression_features(expr: Expr) -> list[Feature]:
    """Return the features an expression reads, in order, each once."""
    return list(dict.fromkeys(n.feature for n in walk(expr) if isinstance(n, FeatureRef)))


def rule_features(rule: Rule) -> list[Feature]:
    """Return the features of a rule's lets, in order, each once."""
    return list(dict.fromkeys(f for _, e in rule.let for f in expression_features(e)))
