"""All window groups of a plan: which features lie where, and their values for a batch.

Owns the groups and turns frames into what kernels take (codes, masks, values) and what they give into
vectors, each when it is first read. Decides nothing about rules.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from txmon.engine import state as st
from txmon.engine.calendar import month_starts
from txmon.engine.frames import Frame, LegFrame
from txmon.engine.group import Group, Values
from txmon.engine.hits import guard_of
from txmon.engine.keys import KeySpace, describe_key
from txmon.engine.layout import Measure, build_layout
from txmon.engine.masks import Condition, Hits, Masks, Part
from txmon.engine.shared import Shared
from txmon.rules.ir import Column, Detector, Expr, Feature, On, Plan, Unit, expression_features, rule_features
from txmon.rules.vec import Vec, finite

_FLOATS = (Unit.NUMBER, Unit.MONEY_F)
# With fewer rows the kernels take less time than handing them to other threads.
_THREADED_ROWS = 256
_NO_ROWS = np.empty(0, np.int64)


@dataclass
class Slot:
    """A group and what it serves. `all_rows`: it also lists every time of its subject."""

    name: str
    on: On
    key: tuple[str, ...]
    level: int
    group: Group
    all_rows: bool
    part: int  # of its table's masks
    reach_us: int

    def bound(self, oldest: int) -> int:
        """Rows not newer than this are in no window of the group for any event newer than `oldest`."""
        return oldest if oldest == st.TIME_MIN else oldest - self.reach_us


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
        parts: dict[On, list[Part]] = {"events": [], "legs": []}
        for (level, on, key), features in sorted(wanted.items()):
            group = Group(build_layout(features, plan.money_scale, months))
            all_rows = level == 0 and (on, key) in subjects
            conditions = [_condition(m, group.layout.values) for m in group.layout.measures]
            parts[on].append(Part(conditions, group.layout.values))
            name = describe_key(on, key, level)
            reach = max((f.window.reach_us for f in features), default=0)
            slot = Slot(name, on, key, level, group, all_rows, len(parts[on]) - 1, reach)
            self.slots.append(slot)
            self.place |= {feature: (slot, number) for number, feature in enumerate(features)}
        self._guards: dict[tuple[int, On], tuple[int, list[str]]] = {}
        for level, rules in enumerate(plan.levels):
            for on, found in parts.items():
                own = [r for r in rules if r.on == on and not r.tick]
                self._guards[level, on] = len(found), [r.id for r in own]
                subjects_known = [(Column(r.subject, Unit.TEXT),) for r in own]
                found.append(
                    Part([Condition(guard_of(r), k) for r, k in zip(own, subjects_known, strict=True)])
                )
        self._masks = {on: Masks(shared, keys, on, found) for on, found in parts.items()}
        self._subject_slots = {(s.on, s.key[0]): s for s in self.slots if s.all_rows}
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
        return self._subject_slots[on, subject]

    def advance(
        self, level: int, frames: dict[On, Frame], order: dict[On, st.I64], hits: Hits, oldest: int
    ) -> dict[str, st.I64]:
        """Count a batch in the groups of one level; sets the frames' features of every row.

        No event as old as `oldest` may still come: what only such events could see is forgotten.

        Returns, per group, the rows that came late for their key.
        """
        slots = [s for s in self.slots if s.level == level]
        prepared = self._prepare(slots, frames, order, hits)
        busy = [(slot, prepared[slot.name]) for slot in slots if slot.name in prepared]
        run = map if frames["events"].length < _THREADED_ROWS else self._pool.map
        results = list(run(lambda p: p[0].group.advance(p[1], p[0].bound(oldest)), busy))
        late_rows = {slot.name: _NO_ROWS for slot in slots}
        output: dict[str, Values] = {}
        for (slot, batch), (values, late) in zip(busy, results, strict=True):
            if len(late):
                ones = np.ones(len(slot.group.layout.features), np.bool_)
                found = slot.group.at(batch.key[late], batch.time[late], batch.order[late], ones)
                values = _place(values, late, found)
            output[slot.name] = values
            late_rows[slot.name] = late
        for slot in slots:
            if slot.name not in output:
                output[slot.name] = slot.group.nothing(frames[slot.on].length)
        for frame in frames.values():
            frame.count(self._reader(output))
        return late_rows

    def guarded(self, level: int, frames: Mapping[On, Frame]) -> dict[str, np.ndarray]:
        """Rows on which a rule's conditions on the event alone hold and its subject is known.

        Rules of one level that look at events themselves, without those that no row could hit.
        """
        held: dict[str, np.ndarray] = {}
        for on, masks in self._masks.items():
            part, rules = self._guards[level, on]
            answer = masks.run(frames[on], [part])
            ((bits, _),) = answer.parts()
            for m in np.flatnonzero(answer.holds).tolist():
                held[rules[m]] = (bits[:, m >> 6] >> np.int64(m & 63)) & 1 != 0
        return held

    def count_at(
        self,
        frame: Frame,
        features: Collection[Feature],
        of: tuple[Frame, st.I64],
        time: st.I64,
        order: st.I64,
    ) -> None:
        """Give a frame its features: those of rows `of` a frame at other times.

        Requests of a row stand together, times rising.
        """
        by_slot: dict[str, list[Feature]] = {}
        for feature in features:
            by_slot.setdefault(self.place[feature][0].name, []).append(feature)
        output: dict[str, Values] = {}
        for wanted in by_slot.values():
            slot = self.place[wanted[0]][0]
            asked, rows = of
            at_order = order
            if slot.on == "events" and isinstance(asked, LegFrame):
                rows, at_order = asked.event[rows], order // 2
                asked = asked.parent
            keys = self.keys.key_codes(asked, slot.key)[rows]
            mask = np.zeros(len(slot.group.layout.features), np.bool_)
            mask[[self.place[f][1] for f in wanted]] = True
            output[slot.name] = slot.group.at(keys, time, at_order, mask)
        frame.count(self._reader(output, frozenset(features)))

    def _reader(
        self, output: Mapping[str, Values], computed: frozenset[Feature] | None = None
    ) -> Callable[[Feature], Vec | None]:
        """What a frame asks for features that lie in kernel output; not all of a group may be computed."""

        def read(feature: Feature) -> Vec | None:
            if computed is not None and feature not in computed:
                return None
            slot, number = self.place[feature]
            values = output.get(slot.name)
            return None if values is None else self._vec(feature, values, number)

        return read

    def _vec(self, feature: Feature, values: Values, number: int) -> Vec:
        """One feature of kernel output in the physical form of its unit."""
        raw, ok = values.value[number], values.known[number].view(np.bool_)
        known = True if ok.all() else ok
        unit = feature.unit
        if feature.agg in ("first", "last", "lag", "min", "max"):
            if unit is Unit.TEXT and feature.arg is not None:
                return self.keys.value_texts(feature.arg, np.where(ok, raw, -1))
            if unit is Unit.BOOL:
                return Vec(raw != 0, known)
            if unit in _FLOATS:
                return finite(st.decode_double(raw), known)
            return Vec(raw.astype(np.int32) if unit is Unit.DATE else raw, known)
        if unit in _FLOATS:
            return finite(raw.view(np.float64), known)
        return Vec(_saturated(raw, values.high[number]) if values.high.shape[1] else raw, known)

    # -- from frames to kernels ----------------------------------------------------------------------

    def _prepare(
        self, slots: Sequence[Slot], frames: Mapping[On, Frame], order: Mapping[On, st.I64], hits: Hits
    ) -> dict[str, st.Batch]:
        """What the kernels are given. Of a group no row has the key of, nothing needs to be evaluated."""
        batches: dict[str, st.Batch] = {}
        for on, masks in self._masks.items():
            frame = frames[on]
            keyed = [(s, self.keys.key_codes(frame, s.key)) for s in slots if s.on == on]
            keyed = [(s, key) for s, key in keyed if key.max(initial=-1) >= 0]
            found = masks.run(frame, [s.part for s, _ in keyed], hits).parts() if keyed else []
            for (slot, key), (bits, values) in zip(keyed, found, strict=True):
                stored = np.ones(frame.length, np.bool_) if slot.all_rows else (bits != 0).any(axis=1)
                batches[slot.name] = st.Batch(key, frame.time(), order[on], bits, values, stored)
        return batches


def _condition(measure: Measure, values: Sequence[Expr]) -> Condition:
    """Rows of a frame that a measure counts."""
    return Condition(
        () if measure.where is None else (measure.where,),
        () if measure.arg is None or measure.nulls else (measure.arg,),
        measure.hits_rule,
        None if measure.arg is None else values.index(measure.arg),
    )


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
