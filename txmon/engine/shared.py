"""What every batch is evaluated with: compiled expressions, lists by date, rates. Constant for a plan."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from txmon.engine.state import I64
from txmon.model.rates import Rates
from txmon.rules.arrow import compile_expr, compile_mask
from txmon.rules.frame import Frame
from txmon.rules.ir import Derived, Expr, Plan, RuleList

_DAY_MIN, _DAY_MAX = np.iinfo(np.int32).min, np.iinfo(np.int32).max


class DatedList:
    """A list that answers by value and date."""

    def __init__(self, source: RuleList) -> None:
        self._layers: list[tuple[pa.Array, I64, I64]] = []
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
            self._layers.append((pa.array([e.value for e in layer], pa.string()), starts, ends))

    def contains(self, values: pa.Array, days: I64) -> pa.Array:
        """Return whether each value is in the list on its day (days since the epoch); null for null."""
        if not pa.types.is_dictionary(values.type):
            values = values.cast(pa.string()).dictionary_encode()
        codes = values.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        found = np.zeros(len(codes), np.bool_)
        for members, starts, ends in self._layers:
            place = pc.index_in(values.dictionary.cast(pa.string()), value_set=members)
            place = np.append(place.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), -1)
            at = place[codes]
            found |= (at >= 0) & (starts[at] <= days) & (days <= ends[at])
        return pa.array(found, mask=codes < 0)


class Shared:
    """Compiled once per plan."""

    def __init__(self, plan: Plan, rates: Rates) -> None:
        self.plan = plan
        self.rates = rates
        self.lists = {name: DatedList(source) for name, source in plan.lists.items()}
        self.derived: dict[str, Derived] = {d.name: d for d in plan.derived}

    def evaluate(self, expr: Expr, frame: Frame) -> pa.Array:
        """Value of an expression on a frame, as an array of the frame's length."""
        return compile_expr(expr)(frame)

    def mask(self, expr: Expr, frame: Frame) -> np.ndarray:
        """Rows of a frame on which a condition is true (not null)."""
        return compile_mask(expr)(frame)
