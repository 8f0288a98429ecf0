"""What every batch is evaluated with: compiled expressions, lists by date, rates. Constant for a plan."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from txmon.engine.state import I64
from txmon.model.rates import Rates
from txmon.rules.arrow import compile_mask, compile_vec
from txmon.rules.columns import LEG_COLUMNS
from txmon.rules.frame import Frame
from txmon.rules.ir import Call, Column, Derived, Expr, Literal_, On, Plan, RuleList, Unit, walk
from txmon.rules.vec import Vec, from_arrow, full, to_arrow
from txmon.rules.words import WordBook

_LEG_PREFIXES = ("account_", "counterparty_")
_MOST_WORTHS = 4096
_DAY_MIN, _DAY_MAX = np.iinfo(np.int32).min, np.iinfo(np.int32).max


class DatedList:
    """A list that answers by value and date."""

    def __init__(self, source: RuleList) -> None:
        self._layers: list[tuple[dict[str, int], I64, I64]] = []
        entries = list(source.entries)
        # A value may be valid in several spans; each layer holds a value once.
        while entries:
            seen: set[str] = set()
            layer = []
            for entry in entries:
                if entry.value not in seen:
                    seen.add(entry.value)
                    layer.append(entry)
            entries = [e for e in entries if e not in layer]
            starts = np.array([_DAY_MIN if e.valid_from is None else e.valid_from for e in layer], np.int64)
            ends = np.array([_DAY_MAX if e.valid_to is None else e.valid_to for e in layer], np.int64)
            self._layers.append(({e.value: i for i, e in enumerate(layer)}, starts, ends))

    def contains(self, values: Vec, days: I64) -> Vec:
        """Return whether each value is in the list on its day (days since the epoch); null for null."""
        codes = values.data
        found = np.zeros(len(days), np.bool_)
        words = values.text
        for members, starts, ends in self._layers:
            if len(members) < len(words):  # whatever is fewer is gone through
                there = [(words.places[word], at) for word, at in members.items() if word in words.places]
            else:
                there = [(n, members[word]) for n, word in enumerate(words) if word in members]
            if there:
                place = np.full(len(words), -1, np.int64)
                place[[n for n, _ in there]] = [at for _, at in there]
                at = place[codes]
                found |= (at >= 0) & (starts[at] <= days) & (days <= ends[at])
        return Vec(found, values.ok)


class Shared:
    """Compiled once per plan, and what was found by word.

    Whoever evaluates has numpy's warnings off, as `Engine.apply` has.
    """

    def __init__(self, plan: Plan, rates: Rates) -> None:
        self.plan = plan
        self.rates = rates
        self.book = WordBook()
        self.lists = {name: DatedList(source) for name, source in plan.lists.items()}
        self.derived: dict[str, Derived] = {d.name: d for d in plan.derived}
        self._of_event: dict[str, bool] = {}
        self._worth: dict[tuple[str, int, int], Vec] = {}

    def fx_minor(self, currency: str, minor: int, days: I64) -> Vec:
        """What a sum in a currency is worth on each day, in base minor units; kept where all days are one."""
        key = (currency, minor, int(days[0]) if len(days) else 0)
        if not len(days) or (days != key[2]).any():
            return from_arrow(self.rates.fx_minor(currency, minor, days.astype(np.int32)), Unit.MONEY)
        found = self._worth.get(key)
        if found is None:
            if len(self._worth) >= _MOST_WORTHS:
                self._worth.clear()
            one = from_arrow(self.rates.fx_minor(currency, minor, days[:1].astype(np.int32)), Unit.MONEY)
            found = self._worth[key] = Vec(one.data[0], one.ok if one.ok is True else bool(one.ok[0]))
        return Vec(found.data, found.ok)

    def of_event(self, name: str) -> bool:
        """Tell whether a column has the event's value on both of its legs."""
        found = self._of_event.get(name)
        if found is None:
            derived = self.derived.get(name)
            expr = None if derived is None else derived.legs
            if derived is None:
                found = name not in LEG_COLUMNS and not name.startswith(_LEG_PREFIXES)
            elif expr is None or expr != derived.events:
                found = False
            else:
                found = self.same(expr)
            self._of_event[name] = found
        return found

    def same(self, expr: Expr) -> bool:
        """Tell whether an expression has the event's value on both of its legs."""
        return all(self._event_node(node) for node in walk(expr))

    def meaning(self, expr: Expr, on: On) -> Expr | None:
        """What a derived column stands for on a table; None for anything else."""
        derived = self.derived.get(expr.name) if isinstance(expr, Column) else None
        return None if derived is None else getattr(derived, on)

    def expanded(self, expr: Expr, on: On) -> Expr:
        """An expression with what its derived columns stand for in their place."""
        if isinstance(expr, Call):
            return Call(expr.op, tuple(self.expanded(arg, on) for arg in expr.args), expr.unit)
        meaning = self.meaning(expr, on)
        return expr if meaning is None else self.expanded(meaning, on)

    def _event_node(self, node: Expr) -> bool:
        return isinstance(node, (Call, Literal_)) or (isinstance(node, Column) and self.of_event(node.name))

    def vec(self, expr: Expr, frame: Frame) -> Vec:
        """Value of an expression on every row of a frame."""
        return full(compile_vec(expr)(frame), frame.length, expr.unit)

    def evaluate(self, expr: Expr, frame: Frame) -> pa.Array:
        """Value of an expression on a frame, as an Arrow array of the frame's length."""
        return to_arrow(compile_vec(expr)(frame), expr.unit, frame.length)

    def mask(self, frame: Frame, *conditions: Expr) -> np.ndarray:
        """Rows of a frame on which conditions are all true (not null); not to be written to."""
        return compile_mask(*conditions)(frame)
