"""What the names of an expression mean at one place: columns, parameters, lets, lists, rules, windows.

Owns the data that the type checker looks names up in; never checks anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from txmon.rules.ir import On, Unit

Scalar = str | bool | Decimal


@dataclass(frozen=True)
class Param:
    """A parameter of a rule: a constant, a list of constants, or an amount in a named currency."""

    name: str
    value: Scalar | tuple[Scalar, ...]
    currency: str | None = None
    currency_scale: int = 2
    calibrated: bool | None = None


@dataclass(frozen=True)
class Names:
    """The names of a pack: columns by table, lists, detectors, and rules with the table each runs on."""

    columns: Mapping[On, Mapping[str, Unit]]
    lists: frozenset[str] = frozenset()
    detectors: frozenset[str] = frozenset()
    rules: Mapping[str, On] = field(default_factory=dict)
    unusable_rules: Mapping[str, str] = field(default_factory=dict)  # draft or retired: id -> status


@dataclass(frozen=True)
class Scope:
    """Where an expression stands.

    `aggregates`: windows may be used (let, detector input). `outer`: columns may be used outside
    windows. `anomaly`: detectors may be used. `lets`: names of lets and their units, None where none
    may be used; `let_names` are those that exist all the same, for a better message.
    """

    names: Names
    on: On
    money_scale: int
    place: str
    params: Mapping[str, Param] = field(default_factory=dict)
    aggregates: bool = False
    anomaly: bool = False
    tick: bool = False
    lets: Mapping[str, Unit] | None = None
    let_names: frozenset[str] = frozenset()

    def inside_window(self, on: On) -> Scope:
        """Scope of an aggregate's argument or filter over a window on `on`."""
        return replace(
            self, on=on, place="an aggregate", aggregates=False, anomaly=False, tick=False, lets=None
        )
