"""The deterministic engine: `apply(events) -> outcome`.

How a stream is cut into batches never changes an outcome: everything is defined by the order of arrival.
No clock, no files, no randomness; anomaly models are handed in. Owns the order of the steps; each step
is a module of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Protocol

import numpy as np
import pyarrow as pa

from txmon.engine import dedup
from txmon.engine.absence import TickBook
from txmon.engine.again import evaluate_late
from txmon.engine.content import content_hashes, identity_hashes, one_chunk
from txmon.engine.detect import Detection, MakeModel
from txmon.engine.features import FeatureStore
from txmon.engine.frames import EventFrame, Frame, LegFrame, TakenFrame
from txmon.engine.hits import (
    HOLDERS,
    NO_HITS,
    CompiledRule,
    Found,
    compile_rules,
    hit_rows,
    in_order,
    lets_of,
    matches,
)
from txmon.engine.keys import KeySpace
from txmon.engine.people import People
from txmon.engine.shared import Shared
from txmon.engine.state import I64, TIME_MIN
from txmon.errors import StateError
from txmon.model.rates import Rates
from txmon.model.schema import CANONICAL, VALUE_KINDS
from txmon.rules.ir import On, Plan, Unit
from txmon.rules.vec import each_word

DAY_US = 86_400_000_000


class HasState(Protocol):
    """A part of the engine that can be saved."""

    def snapshot(self) -> dict[str, np.ndarray]:
        """The state as arrays of plain numbers."""

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take a state over."""


@dataclass(frozen=True)
class Limits:
    """Bounds of what is remembered, in days: lateness accepted, and how long an identity is known."""

    max_lateness_days: int = 30
    dedup_horizon_days: int = 90


@dataclass(frozen=True)
class Outcome:
    """What a batch led to. `verdict` has one code per row (`txmon.engine.dedup`).

    warming: accepted events of which an anomaly model has no score that may be trusted.
    """

    accepted: pa.Table
    verdict: np.ndarray
    hits: pa.Table
    warming: np.ndarray

    @property
    def duplicates(self) -> int:
        """Rows seen before with the same content."""
        return int((self.verdict == dedup.DUPLICATE).sum())


@dataclass
class _Tables:
    """The frames of a batch and where their rows come from."""

    events: EventFrame
    legs: LegFrame
    seq: I64
    holders: dict[str, I64]
    flags: dict[str, np.ndarray] = field(default_factory=dict)  # rule id -> rows of its table that hit
    hits: list[pa.Table] = field(default_factory=list)

    def frame(self, on: On) -> Frame:
        return self.events if on == "events" else self.legs

    def order(self, on: On) -> I64:
        return self.seq if on == "events" else 2 * self.seq[self.legs.event] + self.legs.incoming

    def event_rows(self, on: On, rows: I64) -> I64:
        """Rows of the events behind rows of a table."""
        return rows if on == "events" else self.legs.event[rows]


class Engine:
    """State of a plan over a stream."""

    def __init__(
        self, plan: Plan, rates: Rates, make_model: MakeModel | None = None, limits: Limits | None = None
    ) -> None:
        limits = limits or Limits()
        self.plan = plan
        self.shared = Shared(plan, rates)
        keys = KeySpace()
        self.detection = Detection(plan, keys, make_model)
        self.store = FeatureStore(plan, self.shared, keys, self.detection.detectors)
        self.people = People(keys)
        self.rules = compile_rules(self.shared)
        self._on = {r.id: r.on for r in plan.rules}
        # An event may be as old as the longest window plus the lateness; its own windows look back further.
        self._horizon_us = self.store.longest_us + limits.max_lateness_days * DAY_US
        self.gate = dedup.Gate(limits.dedup_horizon_days, self._horizon_us)
        self.ticks = TickBook([c for c in self.rules.values() if c.rule.tick])

    def apply(self, events: pa.Table, numbers: I64 | None = None) -> Outcome:
        """Judge and score a batch of canonical events, in order of arrival.

        The table has the columns of `txmon.model.schema.CANONICAL` (text may be dictionary-encoded);
        `ingest_seq` is given here, or by `numbers`, rising, where events were numbered before.
        """
        first = self.gate.next_seq
        oldest = self._oldest()
        time = one_chunk(events.column("event_time")).cast(pa.int64()).to_numpy()
        verdict = self.gate.admit(identity_hashes(events), content_hashes(events), time).verdict
        if (verdict != dedup.ACCEPTED).any():
            events = events.filter(pa.array(verdict == dedup.ACCEPTED))
        seq = first + np.arange(len(events), dtype=np.int64)
        if numbers is not None:
            seq = numbers[verdict == dedup.ACCEPTED]
            self.gate.next_seq = int(numbers[-1]) + 1 if len(numbers) else first
        if "ingest_seq" in events.column_names:
            events = events.drop_columns(["ingest_seq"])
        at = CANONICAL.get_field_index("ingest_seq")
        events = events.add_column(at, "ingest_seq", pa.array(seq, pa.int64()))
        if not len(events):
            return Outcome(events, verdict, NO_HITS, np.zeros(0, np.bool_))
        with np.errstate(all="ignore"):  # overflow and x/0 are null in expressions, checked there
            hits, warming = self._score(events, seq, oldest)
        return Outcome(events, verdict, hits, warming)

    # -- steps ---------------------------------------------------------------------------------------

    def _oldest(self) -> int:
        """No event that may still come is this old."""
        watermark = self.gate.watermark_us
        return TIME_MIN if watermark == TIME_MIN else watermark - self._horizon_us

    def _score(self, events: pa.Table, seq: I64, oldest: int) -> tuple[pa.Table, np.ndarray]:
        tables = self._tables(events, seq)
        frames: dict[On, Frame] = {"events": tables.events, "legs": tables.legs}
        order: dict[On, I64] = {"events": tables.order("events"), "legs": tables.order("legs")}

        def hits_of(rule_id: str, on: On) -> np.ndarray:
            return self._flags_on(tables, rule_id, on)

        late: dict[str, I64] = {}
        for level, rules in enumerate(self.plan.levels):
            late |= self.store.advance(level, frames, order, hits_of, oldest)
            if level == 0:
                self.detection.apply(frames)
            guarded = self.store.guarded(level, frames)
            for rule in rules:
                if rule.id in guarded:  # else its flags are left out: it hit no row
                    self._first_evaluation(self.rules[rule.id], tables, guarded[rule.id])
            self._second_evaluations([self.rules[r.id] for r in rules if not r.tick], tables, order, late)
        if self.ticks.rules:
            self._absence(tables, order)
        return in_order(tables.hits), self.detection.warming(len(events), tables.legs.event)

    def _tables(self, events: pa.Table, seq: I64) -> _Tables:
        frame = EventFrame(self.shared, events)
        holders = self.people.apply(frame)
        kind = frame.vec("kind", Unit.TEXT)
        moves = each_word(kind, VALUE_KINDS.__contains__, np.bool_) & kind.ok
        sides = np.zeros((len(events), 2), np.bool_)
        for side, role in enumerate(("payer", "payee")):
            sides[:, side] = moves & (self.store.keys.column_codes(frame, role) >= 0)
        place = np.flatnonzero(sides.reshape(-1))
        legs = LegFrame(frame, place // 2, place % 2 == 1)
        for column, roles in (("account", ("payer", "payee")), ("counterparty", ("payee", "payer"))):
            out, incoming = (self.store.keys.column_codes(frame, role)[legs.event] for role in roles)
            legs.memo[("codes", column)] = np.where(legs.incoming, incoming, out)
        return _Tables(frame, legs, seq, holders)

    def _flags_on(self, tables: _Tables, rule_id: str, on: On) -> np.ndarray:
        """Rows of a table that a rule hit; a rule on the other table speaks for the event."""
        flags = tables.flags.get(rule_id)
        if flags is None:
            return np.zeros(tables.frame(on).length, np.bool_)
        own = self._on[rule_id]
        if own == on:
            return flags
        if own == "events":
            return flags[tables.legs.event]
        events = np.zeros(tables.events.length, np.bool_)
        events[tables.legs.event[flags]] = True
        return events

    def _first_evaluation(self, compiled: CompiledRule, tables: _Tables, guarded: np.ndarray) -> None:
        rule = compiled.rule
        frame = tables.frame(rule.on)
        flags, evaluated = matches(compiled, frame, guarded)
        tables.flags[rule.id] = flags
        rows = np.flatnonzero(flags)
        if len(rows):
            seq = tables.seq[tables.event_rows(rule.on, rows)]
            hit = TakenFrame(frame, rows)
            lets = lets_of(compiled, hit, rows, evaluated)
            self._report(Found(compiled, hit, lets, seq, "event", None), rows, tables)

    def _second_evaluations(
        self, rules: list[CompiledRule], tables: _Tables, order: dict[On, I64], late: dict[str, I64]
    ) -> None:
        if not any(map(len, late.values())):
            return
        for compiled in rules:
            rule = compiled.rule
            if not compiled.longest_us:
                continue
            rows = late[self.store.subject_slot(rule.on, rule.subject).name]
            for found, hit in evaluate_late(
                self.store, compiled, tables.frame(rule.on), rows, order[rule.on]
            ):
                flags = self._flags_on(tables, rule.id, rule.on).copy()  # a mask that others may read, too
                flags[hit] = True
                tables.flags[rule.id] = flags
                seq = tables.seq[tables.event_rows(rule.on, hit)]
                self._report(replace(found, seq=seq), hit, tables)

    def _absence(self, tables: _Tables, order: dict[On, I64]) -> None:
        """Evaluate rules on absence at every tick that is the first of a UTC day, as of that tick."""
        kind = tables.events.vec("kind", Unit.TEXT)
        ticks = each_word(kind, "tick".__eq__, np.bool_) & kind.ok
        time = tables.events.time()
        done: dict[On, int] = {"events": 0, "legs": 0}

        def note_until(row: int) -> None:
            stop: dict[On, int] = {"events": row, "legs": int(np.searchsorted(tables.legs.event, row))}
            frames: dict[On, EventFrame | LegFrame] = {"events": tables.events, "legs": tables.legs}
            self.ticks.note(self.store, frames, order, {on: slice(done[on], stop[on]) for on in stop})
            done.update(stop)

        for row in np.flatnonzero(ticks):
            day = int(time[row]) // DAY_US
            if day <= self.ticks.day:
                continue
            self.ticks.day = day
            note_until(int(row) + 1)
            seq = int(tables.seq[row])
            # both orders of arrival: an event's is its number, a leg's twice that and its side
            newest: dict[On, int] = {"events": seq, "legs": 2 * seq + 1}
            for found, names, at in self.ticks.evaluate(self.store, int(time[row]), newest):
                tables.hits.append(_tick_rows(found, names.append_column("event_time", pa.array(at)), seq))
        note_until(tables.events.length)

    def _report(self, found: Found, rows: I64, tables: _Tables) -> None:
        rule = found.compiled.rule
        events = tables.event_rows(rule.on, rows)
        time = tables.events.time()[events]
        role = rule.subject
        if rule.on == "legs":
            incoming = tables.legs.incoming[rows]
            codes = np.where(incoming, tables.holders["payee"][events], tables.holders["payer"][events])
        else:
            codes = tables.holders.get(role, np.full(tables.events.length, -1, np.int64))[events]
        names = found.compiled.detectors
        notes = self.detection.notes(names, rows) if names else [""] * len(rows)
        holders = self.people.holders_of(codes, time)
        tables.hits.append(hit_rows(found, tables.events, events, holders, notes))

    # -- state ---------------------------------------------------------------------------------------

    def _parts(self) -> dict[str, HasState]:
        parts: dict[str, HasState] = {
            "gate": self.gate,
            "keys": self.store.keys,
            "people": self.people,
            "detectors": self.detection,
            "ticks": self.ticks,
        }
        return parts | {f"group {slot.name}": slot.group for slot in self.store.slots}

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return the whole state as named arrays of plain numbers."""
        return {
            f"{part}/{k}": v for part, owner in self._parts().items() for k, v in owner.snapshot().items()
        }

    def restore(self, arrays: Iterable[tuple[str, np.ndarray]]) -> None:
        """Go on from a snapshot of an engine with the same plan.

        Args:
            arrays: as `snapshot` gave them, in that order; none is needed any more once its part was read, so
                that a large state need not be in memory twice.

        Raises:
            StateError: the snapshot lacks a part, or was made for other features.
        """
        missing = self._parts()
        for part, found in groupby(arrays, lambda item: item[0].partition("/")[0]):
            if part in missing:
                missing.pop(part).restore({name.partition("/")[2]: array for name, array in found})
        for part, owner in missing.items():
            if owner.snapshot():
                raise StateError(
                    f"snapshot has no part '{part}'; it was made for other rules, replay the events"
                )
            owner.restore({})

    @property
    def rows_looked_back(self) -> int:
        """Rows read so far for past times: late events, second evaluations, marks of time, past months."""
        return sum(s.group.rows_scanned for s in self.store.slots)


def _tick_rows(found: Found, identity: pa.Table, seq: int) -> pa.Table:
    """Hit rows of a rule on absence: the event they belong to is known by its identity alone."""
    n = len(identity)
    frame = _IdentityFrame(found.frame.shared, identity)
    marked = Found(found.compiled, found.frame, found.lets, np.full(n, seq), "tick", found.as_of)
    return hit_rows(marked, frame, np.arange(n), pa.nulls(n, HOLDERS), [""] * n)


class _IdentityFrame(Frame):
    """Identities of events as a frame."""

    on: On = "events"

    def __init__(self, shared: Shared, events: pa.Table) -> None:
        super().__init__(shared, len(events))
        self._columns = {name: one_chunk(events.column(name)) for name in events.column_names}
