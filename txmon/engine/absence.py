"""Absence: rules that look at the last event of every subject at marks of time.

Owns what is remembered of a subject (its last event and for which of them a rule has fired) and the
evaluation at a tick; uses the same rules and the same windows as the first evaluation.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from txmon.engine.features import FeatureStore
from txmon.engine.frames import EventFrame, Frame, LegFrame, TakenFrame
from txmon.engine.hits import CompiledRule, Found, lets_of, matches
from txmon.engine.state import I64, TIME_MIN
from txmon.jit import kernel
from txmon.rules.ir import On

NAMES = ("source", "event_id", "entity", "mode")
# Texts of subjects' former last events are dropped once they outnumber those in use by this many.
_SPARE_TEXTS = 65_536
_ORDER, _TIME, _PLACE, _COLUMNS = range(4)


@kernel
def _newest(last: I64, keys: I64, time: I64, order: I64, part: tuple[int, int], place: int, rows: I64) -> int:
    """Note rows of a batch in `last`; `rows` gets those that are the last of their key, which it counts.

    Their texts are at `place` and after. Of events of one time the one that came last counts.
    """
    for i in range(part[0], part[1]):
        k = keys[i]
        if k >= 0 and time[i] >= last[k, _TIME]:
            last[k, _ORDER] = order[i]
            last[k, _TIME] = time[i]
            last[k, _PLACE] = -2 - i
    count = 0
    for i in range(part[0], part[1]):
        k = keys[i]
        if k >= 0 and last[k, _PLACE] == -2 - i:
            last[k, _PLACE] = place + count
            rows[count] = i
            count += 1
    return count


class TickFrame(Frame):
    """Subjects at a mark of time: they have an evaluation time and features, nothing of an event."""

    def __init__(self, store: FeatureStore, rule: CompiledRule, subjects: pa.Array, time: int) -> None:
        super().__init__(store.shared, len(subjects))
        self.on = rule.rule.on
        self._columns[rule.rule.subject] = subjects
        self._columns["event_time"] = pa.array(np.full(len(subjects), time, np.int64))


class LastEvents:
    """The last event of every subject of one kind: order, time and texts by code of the subject."""

    def __init__(self, subject: str) -> None:
        self.columns = (*NAMES, subject)
        self.last = np.empty((0, _COLUMNS), np.int64)
        self._schema = pa.schema([(name, pa.string()) for name in self.columns])
        self._texts = [self._schema.empty_table()]  # by place
        self._places = 0

    @property
    def order(self) -> I64:
        """Order of arrival of each subject's last event."""
        return self.last[:, _ORDER]

    @property
    def time(self) -> I64:
        """Time of each subject's last event, TIME_MIN without one."""
        return self.last[:, _TIME]

    def note(self, frame: EventFrame | LegFrame, keys: I64, order: I64, part: slice) -> None:
        """Remember the newest event of each subject in a part of a batch."""
        highest = int(keys[part].max(initial=-1))
        if highest < 0:
            return
        self._reserve(highest + 1)
        rows = np.empty(part.stop - part.start, np.int64)
        count = _newest(self.last, keys, frame.time(), order, (part.start, part.stop), self._places, rows)
        self._texts.append(self._texts_of(frame, rows[:count]))
        self._places += count
        if self._places > _SPARE_TEXTS + 2 * len(self.last):
            used = np.flatnonzero(self.time != TIME_MIN)
            self._texts = [self.texts(used)]
            self.last[used, _PLACE] = np.arange(len(used))
            self._places = len(used)

    def _texts_of(self, frame: EventFrame | LegFrame, rows: I64) -> pa.Table:
        subject = frame.column(self.columns[-1]).take(pa.array(rows)).cast(pa.string())
        events, at = (frame.parent, frame.event[rows]) if isinstance(frame, LegFrame) else (frame, rows)
        names = events.events.select(NAMES).take(pa.array(at))
        texts = pa.table([*names.columns, subject], names=list(self.columns))
        return texts if texts.schema.equals(self._schema) else texts.cast(self._schema)

    def texts(self, keys: I64) -> pa.Table:
        """Texts of the last events of some subjects that have one."""
        if len(self._texts) != 1:
            self._texts = [pa.concat_tables(self._texts).combine_chunks()]
        return self._texts[0].take(pa.array(self.last[keys, _PLACE]))

    def _reserve(self, size: int) -> None:
        if size > len(self.last):
            grown = np.full((max(size, int(len(self.last) * 1.5)), _COLUMNS), TIME_MIN, np.int64)
            grown[: len(self.last)] = self.last
            self.last = grown

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return what is remembered, texts as UTF-8 with lengths."""
        used = np.flatnonzero(self.time != TIME_MIN)
        arrays = {"last": self.last[:, :_PLACE].copy()}
        for name, column in zip(("lengths", "bytes"), _packed(self.texts(used)), strict=True):
            arrays[name] = column
        return arrays

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Replace what is remembered by a snapshot's."""
        last = arrays["last"]
        used = np.flatnonzero(last[:, _TIME] != TIME_MIN)
        self.last = np.full((len(last), _COLUMNS), TIME_MIN, np.int64)
        self.last[:, :_PLACE] = last
        self.last[used, _PLACE] = np.arange(len(used))
        self._texts = [_unpacked(arrays["lengths"], arrays["bytes"], self.columns)]
        self._places = len(used)


class TickBook:
    """For rules on absence: the last event of every subject, and for which of them a rule has fired."""

    def __init__(self, rules: list[CompiledRule]) -> None:
        self.rules = rules
        self.day = TIME_MIN
        self._last: dict[str, LastEvents] = {}
        self._fired = {c.rule.id: np.empty(0, np.int64) for c in rules}
        self._subjects = sorted({(c.rule.subject, c.rule.on) for c in rules})

    def note(
        self,
        store: FeatureStore,
        frames: Mapping[On, EventFrame | LegFrame],
        order: dict[On, I64],
        part: dict[On, slice],
    ) -> None:
        """Remember the newest event of each subject in a part of a batch."""
        for subject, on in self._subjects:
            keys = store.keys.key_codes(frames[on], (subject,))
            if subject not in self._last:
                self._last[subject] = LastEvents(subject)
            self._last[subject].note(frames[on], keys, order[on], part[on])

    def evaluate(
        self, store: FeatureStore, time: int, newest: dict[On, int]
    ) -> list[tuple[Found, pa.Table, I64]]:
        """Evaluate every rule on absence at a mark of time.

        Returns hits, with texts and times of the events behind.
        """
        results = []
        for compiled in self.rules:
            rule = compiled.rule
            events = self._last.get(rule.subject)
            if events is None:
                continue
            fired = self._fired[rule.id] = _longer(self._fired[rule.id], len(events.last))
            keys = np.flatnonzero(
                (events.time > time - compiled.longest_us) & (events.time <= time) & (fired != events.order)
            )
            if len(keys) == 0:
                continue
            texts = events.texts(keys)
            frame = TickFrame(store, compiled, texts.column(rule.subject).combine_chunks(), time)
            frame.memo[("codes", rule.subject)] = keys
            rows = np.arange(len(keys))
            when = np.full(len(keys), time, np.int64)
            orders = np.full(len(keys), newest[rule.on], np.int64)
            store.count_at(frame, compiled.features, (frame, rows), when, orders)
            flags, evaluated = matches(compiled, frame)
            hit = np.flatnonzero(flags)
            if len(hit) == 0:
                continue
            behind = keys[hit]
            fired[behind] = events.order[behind]
            taken = TakenFrame(frame, hit)
            lets = lets_of(compiled, taken, hit, evaluated)
            found = Found(compiled, taken, lets, events.order[behind], "tick", when[hit])
            results.append((found, texts.select(NAMES).take(pa.array(hit)), events.time[behind]))
        return results

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return what is remembered."""
        arrays: dict[str, np.ndarray] = {"day": np.array([self.day], np.int64)}
        for rule, fired in self._fired.items():
            arrays[f"fired|{rule}"] = fired
        for subject, events in self._last.items():
            arrays |= {f"{name}|{subject}": array for name, array in events.snapshot().items()}
        return arrays

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Replace what is remembered by a snapshot's."""
        self.day = int(arrays["day"][0])
        self._fired = {c.rule.id: arrays[f"fired|{c.rule.id}"].copy() for c in self.rules}
        self._last = {}
        for subject in (name.removeprefix("last|") for name in arrays if name.startswith("last|")):
            events = self._last[subject] = LastEvents(subject)
            events.restore({name: arrays[f"{name}|{subject}"] for name in ("last", "lengths", "bytes")})


def _packed(texts: pa.Table) -> tuple[I64, np.ndarray]:
    """Texts of a table without nulls, column by column: lengths, and all bytes as they follow each other."""
    encoded = [text.encode() for column in texts.columns for text in column.to_pylist()]
    return np.array([len(b) for b in encoded], np.int64), np.frombuffer(b"".join(encoded), np.uint8)


def _unpacked(lengths: I64, data: np.ndarray, names: tuple[str, ...]) -> pa.Table:
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    raw = data.tobytes()
    texts = [raw[a:b].decode() for a, b in itertools.pairwise(offsets.tolist())]
    n = len(texts) // len(names)
    columns = [pa.array(texts[j * n : (j + 1) * n], pa.string()) for j in range(len(names))]
    return pa.table(columns, names=list(names))


def _longer(fired: np.ndarray, size: int) -> np.ndarray:
    if size <= len(fired):
        return fired
    grown = np.full(size, -1, np.int64)
    grown[: len(fired)] = fired
    return grown
