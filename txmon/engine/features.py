"""All window groups of a plan: which features lie where, and their values for a batch.

Owns the groups and turns frames into what kernels take (codes, masks, values) and back into Arrow
arrays. Decides nothing about rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from txmon.engine import state as st
from txmon.engine.calendar import month_starts
from txmon.engine.frames import Frame, LegFrame
from txmon.engine.group import Group, Values
from txmon.engine.keys import KeySpace, describe_key
from txmon.engine.layout import Measure, build_layout
from txmon.engine.shared import Shared
from txmon.rules.ir import Detector, Expr, Feature, On, Plan, Unit, expression_features, rule_features

Hits = Callable[[str, On], np.ndarray]  # rule id, table -> which rows that rule hit
_FLOATS = (Unit.NUMBER, Unit.MONEY_F)


@dataclass
class Slot:
    """A group and what it serves. `all_rows`: it also lists every time of its subject."""

    name: str
    on: On
    key: tuple[str, ...]
    level: int
    group: Group
    all_rows: bool

    def bound(self, oldest: int) -> int:
        """Rows not newer than this are in no window of the group for any event newer than `oldest`."""
        reach = max((f.window.reach_us for f in self.group.layout.features), default=0)
        return oldest if oldest == st.TIME_MIN else oldest - reach


class FeatureStore:
    """The groups of a plan, in a fixed order."""

    def __init__(self, plan: Plan, shared: Shared, keys: KeySpace, detectors: Iterable[Detector]) -> None:
        """Make the groups that the plan's rules and these detectors read."""
        months = month_starts(plan.entity_tz)
        self.shared = shared
        self.keys = keys
        self.slots: list[Slot] = []
        self.place: dict[Feature, tuple[Slot, int]] = {}
        self._level_of = {rule.id: level for level, rules in enumerate(plan.levels) for rule in rules}
        wanted: dict[tuple[int, On, tuple[str, ...]], list[Feature]] = {}
        for feature in _features_read(plan, detectors):
            w = feature.window
            wanted.setdefault((self.level(feature), w.on, w.key), []).append(feature)
        subjects: set[tuple[On, tuple[str, ...]]] = {
            (r.on, (r.subject,)) for r in plan.rules if r.longest_us()
        }
        for on, key in sorted(subjects):
            wanted.setdefault((0, on, key), [])
        for (level, on, key), features in sorted(wanted.items()):
            group = Group(build_layout(features, plan.money_scale, months))
            all_rows = level == 0 and (on, key) in subjects
            slot = Slot(describe_key(on, key, level), on, key, level, group, all_rows)
            self.slots.append(slot)
            self.place |= {feature: (slot, number) for number, feature in enumerate(features)}
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="txmon-window")

    @property
    def longest_us(self) -> int:
        """Longest reach of the windows that are kept, in us; a detector that no rule uses keeps none."""
        return max((feature.window.reach_us for feature in self.place), default=0)

    def level(self, feature: Feature) -> int:
        """0 for features of events alone, else one more than the rule whose hits it counts."""
        return 0 if feature.hits_rule is None else self._level_of[feature.hits_rule] + 1

    def subject_slot(self, on: On, subject: str) -> Slot:
        """The group that holds every row of a rule subject."""
        return next(s for s in self.slots if s.all_rows and s.on == on and s.key == (subject,))

    def advance(
        self, level: int, frames: dict[On, Frame], order: dict[On, st.I64], hits: Hits, oldest: int
    ) -> dict[str, st.I64]:
        """Count a batch in the groups of one level; sets the frames' features of every row.

        No event as old as `oldest` may still come: what only such events could see is forgotten.

        Returns, per group, the rows that came late for their key.
        """
        slots = [s for s in self.slots if s.level == level]
        prepared = [(s, self._prepare(s, frames[s.on], order[s.on], hits)) for s in slots]
        results = list(self._pool.map(lambda p: p[0].group.advance(p[1], p[0].bound(oldest)), prepared))
        late_rows = {}
        for (slot, batch), (values, late) in zip(prepared, results, strict=True):
            if len(late):
                ones = np.ones(len(slot.group.layout.features), np.bool_)
                found = slot.group.at(batch.key[late], batch.time[late], batch.order[late], ones)
                values = _place(values, late, found)
            frame = frames[slot.on]
            frame.features |= self.arrays(values, slot.group.layout.features)
            late_rows[slot.name] = late
        return late_rows

    def at(
        self, features: Iterable[Feature], frame: Frame, rows: st.I64, time: st.I64, order: st.I64
    ) -> dict[Feature, pa.Array]:
        """Features of rows taken at other times; requests of a row stand together, times rising."""
        by_slot: dict[str, list[Feature]] = {}
        for feature in features:
            by_slot.setdefault(self.place[feature][0].name, []).append(feature)
        found: dict[Feature, pa.Array] = {}
        for wanted in by_slot.values():
            slot = self.place[wanted[0]][0]
            asked, at_rows, at_order = frame, rows, order
            if slot.on == "events" and isinstance(frame, LegFrame):
                asked, at_rows, at_order = frame.parent, frame.event[rows], order // 2
            keys = self.keys.key_codes(asked, slot.key)[at_rows]
            mask = np.zeros(len(slot.group.layout.features), np.bool_)
            mask[[self.place[f][1] for f in wanted]] = True
            found |= self.arrays(slot.group.at(keys, time, at_order, mask), wanted)
        return found

    def arrays(self, values: Values, features: Sequence[Feature]) -> dict[Feature, pa.Array]:
        """Kernel output as Arrow arrays in the physical form of each feature's unit."""
        return {f: self._array(f, values, self.place[f][1]) for f in features}

    def _array(self, feature: Feature, values: Values, number: int) -> pa.Array:
        raw, unknown = values.value[number], values.known[number] == 0
        mask = unknown if unknown.any() else None
        unit = feature.unit
        if feature.agg in ("first", "last", "lag", "min", "max"):
            if unit is Unit.TEXT and feature.arg is not None:
                texts = self.keys.value_texts(feature.arg, np.where(unknown, -1, raw))
                return texts.dictionary_encode()
            if unit is Unit.BOOL:
                return pa.array(raw != 0, mask=mask)
            if unit in _FLOATS:
                return pa.array(st.decode_double(raw), mask=mask)
            return (
                pa.array(raw, mask=mask)
                if unit is not Unit.DATE
                else pa.array(raw.astype(np.int32), mask=mask)
            )
        if unit in _FLOATS:
            return pa.array(raw.view(np.float64), mask=mask)
        if values.high.shape[1]:
            raw = _saturated(raw, values.high[number])
        return pa.array(raw, mask=mask)

    # -- from frames to kernels ----------------------------------------------------------------------

    def _prepare(self, slot: Slot, frame: Frame, order: st.I64, hits: Hits) -> st.Batch:
        layout = slot.group.layout
        n = frame.length
        masks = np.zeros((n, max(1, -(-len(layout.measures) // 64))), np.int64)
        values = np.zeros((n, len(layout.values)), np.int64)
        store = np.full(n, slot.all_rows, np.bool_)
        key = self.keys.key_codes(frame, slot.key)
        if (key >= 0).any():  # else no row has this key, and nothing of it needs to be evaluated
            for m, measure in enumerate(layout.measures):
                rows = self._rows_of(measure, frame, hits)
                masks[:, m >> 6] |= rows.astype(np.int64) << np.int64(m & 63)
            for j, expr in enumerate(layout.values):
                values[:, j] = self._integers(frame, expr)
            for word in range(masks.shape[1]):
                store |= masks[:, word] != 0
        return st.Batch(key, frame.column("event_time").to_numpy(), order, masks, values, store)

    def _rows_of(self, measure: Measure, frame: Frame, hits: Hits) -> np.ndarray:
        rows = np.ones(frame.length, np.bool_)
        if measure.where is not None:
            rows = self.shared.mask(measure.where, frame)
        if measure.hits_rule is not None:
            rows = rows & hits(measure.hits_rule, frame.on)
        if measure.arg is not None and not measure.nulls:
            argument = self.shared.evaluate(measure.arg, frame)
            if argument.null_count:
                rows = rows & argument.is_valid().to_numpy(zero_copy_only=False)
        return rows

    def _integers(self, frame: Frame, expr: Expr) -> st.I64:
        values = self.shared.evaluate(expr, frame)
        unit = expr.unit
        if unit is Unit.TEXT:
            return self.keys.value_codes(frame, expr, values)
        if unit in _FLOATS:
            return st.encode_double(values.fill_null(0.0).to_numpy(zero_copy_only=False))
        if unit is Unit.BOOL:
            values = values.cast(pa.int8())
        numbers: st.I64 = values.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
        return numbers


def _features_read(plan: Plan, detectors: Iterable[Detector]) -> list[Feature]:
    read = {f for rule in plan.rules for f in rule_features(rule)}
    read |= {f for d in detectors for _, expr in d.inputs for f in expression_features(expr)}
    return [f for f in plan.features if f in read]


def _place(values: Values, rows: st.I64, found: Values) -> Values:
    values.value[:, rows] = found.value
    values.known[:, rows] = found.known
    if not found.high.shape[1]:
        return values
    values.high[:, rows] = found.high
    return values


def _saturated(low: st.I64, high: st.I64) -> st.I64:
    """Sums beyond 64 bits show as the largest (smallest) integer: comparisons stay right."""
    beyond = high != (low >> np.int64(63))
    return np.where(beyond, np.where(high < 0, np.int64(st.TIME_MIN), np.int64(st.TIME_MAX)), low)
