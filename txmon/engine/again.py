"""Second evaluations: late events at later times of their subject, and absence at marks of time.

Owns which (event, time) pairs are evaluated again and what may be remembered of it; uses the same rules
and the same windows as the first evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from txmon.engine.features import FeatureStore
from txmon.engine.frames import Frame, TakenFrame
from txmon.engine.hits import CompiledRule, Found, lets_of, matches, taken
from txmon.engine.state import I64, TIME_MIN
from txmon.rules.ir import On

# Pairs are evaluated in portions of at most this many rows, so that a burst of late events for a busy
# subject cannot take unbounded memory.
PORTION_ROWS = 262_144


def evaluate_late(
    store: FeatureStore, compiled: CompiledRule, frame: Frame, late: I64, order: I64
) -> Iterator[tuple[Found, I64]]:
    """Evaluate rows again that came late for a rule's subject; yields what was found and its rows.

    Only rows that meet the rule's conditions on the event alone can ever hit. The search computes the
    features that `when` reads; the others are computed for the hits.
    """
    for condition in compiled.guard:
        late = late[frame.shared.mask(condition, frame)[late]]
    if len(late) == 0:
        return
    slot = store.subject_slot(compiled.rule.on, compiled.rule.subject)
    keys = store.keys.key_codes(frame, slot.key)
    time = frame.column("event_time").to_numpy()
    request, times = slot.group.later_times(keys[late], time[late], order[late], compiled.longest_us)
    start = 0
    while start < len(times):
        stop = min(len(times), start + PORTION_ROWS)
        if stop < len(times):
            # keep the times of one event together; one event alone may exceed the portion
            stop = int(np.searchsorted(request, request[stop], side="left"))
            if stop <= start:
                stop = int(np.searchsorted(request, request[start], side="right"))
        part = slice(start, stop)
        hits = _first_hits(store, compiled, frame, (late[request[part]], times[part], order))
        if len(hits[0]):
            yield _found(store, compiled, frame, (*hits, order)), hits[0]
        start = stop


Pairs = tuple[I64, I64, I64]  # rows, times, order of arrival of every row of the frame


def _first_hits(store: FeatureStore, compiled: CompiledRule, frame: Frame, pairs: Pairs) -> tuple[I64, I64]:
    """Rows and times of the first hit of each event; rows stand together with rising times."""
    rows, times, order = pairs
    again = TakenFrame(frame, rows)
    again.features |= store.at(compiled.features_asked(), frame, rows, times, order[rows])
    hit = np.flatnonzero(matches(compiled, again, lets_of(compiled, again, asked_only=True)))
    first = hit[np.concatenate([[True], rows[hit][1:] != rows[hit][:-1]])] if len(hit) else hit
    return rows[first], times[first]


def _found(store: FeatureStore, compiled: CompiledRule, frame: Frame, pairs: Pairs) -> Found:
    rows, times, order = pairs
    again = TakenFrame(frame, rows)
    again.features |= store.at(compiled.features, frame, rows, times, order[rows])
    return Found(compiled, again, lets_of(compiled, again), rows, "late", times)


class TickFrame(Frame):
    """Subjects at a mark of time: they have an evaluation time and features, nothing of an event."""

    def __init__(self, store: FeatureStore, rule: CompiledRule, subjects: pa.Array, time: int) -> None:
        super().__init__(store.shared, len(subjects))
        self.on = rule.rule.on
        self._columns[rule.rule.subject] = subjects
        self._columns["event_time"] = pa.array(np.full(len(subjects), time, np.int64))


class TickBook:
    """For rules on absence: the last event of every subject, and for which of them a rule has fired."""

    def __init__(self, rules: list[CompiledRule]) -> None:
        self.rules = rules
        self.day = TIME_MIN
        self._last: dict[str, np.ndarray] = {}  # subject -> (keys, 2) of order and time
        self._ids: dict[str, np.ndarray] = {}  # subject -> (keys, 4) of source, event_id, entity, mode
        self._fired = {c.rule.id: np.empty(0, np.int64) for c in rules}

    def note(
        self, store: FeatureStore, frames: dict[On, Frame], order: dict[On, I64], part: dict[On, slice]
    ) -> None:
        """Remember the newest event of each subject in a part of a batch."""
        for subject, on in sorted({(c.rule.subject, c.rule.on) for c in self.rules}):
            frame = frames[on]
            keys = store.keys.key_codes(frame, (subject,))
            time = frame.column("event_time").to_numpy()
            rows = part[on].start + np.flatnonzero(keys[part[on]] >= 0)
            if len(rows) == 0:
                continue
            # the newest by (time, order) of each key stands last
            rows = rows[np.lexsort((order[on][rows], time[rows], keys[rows]))]
            rows = rows[np.concatenate([keys[rows][1:] != keys[rows][:-1], [True]])]
            last, ids = self._room(subject, int(keys[rows].max()) + 1)
            rows = rows[time[rows] >= last[keys[rows], 1]]
            last[keys[rows], 0] = order[on][rows]
            last[keys[rows], 1] = time[rows]
            index = pa.array(rows)
            for j, name in enumerate(("source", "event_id", "entity", "mode", subject)):
                ids[keys[rows], j] = np.array(frame.column(name).take(index).to_pylist(), object)

    def evaluate(
        self, store: FeatureStore, time: int, newest: dict[On, int]
    ) -> list[tuple[Found, np.ndarray]]:
        """Evaluate every rule on absence at a mark of time; returns hits and the identities behind."""
        results = []
        for compiled in self.rules:
            rule = compiled.rule
            if rule.subject not in self._last:
                continue
            last, ids = self._last[rule.subject], self._ids[rule.subject]
            fired = self._fired[rule.id] = _longer(self._fired[rule.id], len(last))
            keys = np.flatnonzero(
                (last[:, 1] > time - compiled.longest_us) & (last[:, 1] <= time) & (fired != last[:, 0])
            )
            if len(keys) == 0:
                continue
            frame = TickFrame(store, compiled, pa.array(list(ids[keys, 4]), pa.string()), time)
            frame.memo[("codes", rule.subject)] = keys
            rows = np.arange(len(keys))
            when = np.full(len(keys), time, np.int64)
            frame.features |= store.at(
                compiled.features, frame, rows, when, np.full(len(keys), newest[rule.on], np.int64)
            )
            lets = lets_of(compiled, frame)
            hit = np.flatnonzero(matches(compiled, frame, lets))
            if len(hit) == 0:
                continue
            fired[keys[hit]] = last[keys[hit], 0]
            found = Found(
                compiled, TakenFrame(frame, hit), taken(lets, hit), last[keys[hit], 0], "tick", when[hit]
            )
            results.append((found, np.column_stack([ids[keys[hit], :4], last[keys[hit], 1].astype(object)])))
        return results

    def _room(self, subject: str, size: int) -> tuple[np.ndarray, np.ndarray]:
        last = self._last.get(subject, np.empty((0, 2), np.int64))
        ids = self._ids.get(subject, np.empty((0, 5), object))
        if size > len(last):
            grown = np.full((max(size, int(len(last) * 1.5)), 2), TIME_MIN, np.int64)
            grown[: len(last)] = last
            names = np.full((len(grown), 5), None, object)
            names[: len(ids)] = ids
            self._last[subject], self._ids[subject] = grown, names
        return self._last[subject], self._ids[subject]

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return what is remembered, texts as UTF-8 with lengths."""
        arrays: dict[str, np.ndarray] = {"day": np.array([self.day], np.int64)}
        for rule, fired in self._fired.items():
            arrays[f"fired|{rule}"] = fired
        for subject, last in self._last.items():
            arrays[f"last|{subject}"] = last
            texts = ["" if t is None else str(t) for t in self._ids[subject].reshape(-1)]
            encoded = [t.encode() for t in texts]
            arrays[f"lengths|{subject}"] = np.array([len(b) for b in encoded], np.int64)
            arrays[f"bytes|{subject}"] = np.frombuffer(b"".join(encoded), np.uint8)
        return arrays

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Replace what is remembered by a snapshot's."""
        self.day = int(arrays["day"][0])
        self._fired = {c.rule.id: arrays[f"fired|{c.rule.id}"].copy() for c in self.rules}
        self._last, self._ids = {}, {}
        for name, last in arrays.items():
            if not name.startswith("last|"):
                continue
            subject = name.removeprefix("last|")
            ends = np.cumsum(arrays[f"lengths|{subject}"])
            data = arrays[f"bytes|{subject}"].tobytes()
            starts = np.concatenate([[0], ends[:-1]])
            texts = [data[a:b].decode() for a, b in zip(starts, ends, strict=True)]
            self._last[subject] = last.copy()
            self._ids[subject] = np.array(texts, object).reshape(-1, 5)


def _longer(fired: np.ndarray, size: int) -> np.ndarray:
    if size <= len(fired):
        return fired
    grown = np.full(size, -1, np.int64)
    grown[: len(fired)] = fired
    return grown
