"""The scorer as the service sees it: batches go in one after the other, what they led to comes out likewise.

`Near` scores in the service's own process, when the result is asked for; `txmon.pipeline.far` in a process of
its own, beside decoding and storing. Both give the same. Owns the interface, what a batch led to, and `Near`;
it never reads or writes a store but to warm a scorer on the journal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from txmon.anomaly.model import Model
from txmon.engine import dedup
from txmon.engine.state import TIME_MIN
from txmon.errors import StateError
from txmon.model.schema import CANONICAL
from txmon.pipeline.config import Config
from txmon.pipeline.history import runs
from txmon.pipeline.recover import warm
from txmon.pipeline.rehearsal import rehearse
from txmon.pipeline.scorer import Scorer
from txmon.pipeline.snapshots import Order, write
from txmon.store import Store

Saved = Callable[[StateError | None], None]
Warmed = Callable[[int], None]
_NUMBER = CANONICAL.get_field_index("ingest_seq")


@dataclass(frozen=True)
class Applied:
    """What a batch led to. One entry an event given: verdict, ingest_seq (-1 if not accepted), late, warming.

    changes: `hit` is a row of `hits`. alerts: as they are after the batch, of every alert in `changes`.
    """

    accepted: pa.Table
    verdict: np.ndarray
    seq: np.ndarray
    late: np.ndarray
    warming: np.ndarray
    hits: pa.Table
    changes: pa.Table
    alerts: pa.Table


@dataclass(frozen=True)
class Pulse:
    """How a scorer is: newest event time, rows read for past times, detectors without a history yet.

    resident_bytes: memory of its process, if it has one of its own.
    """

    watermark_us: int = TIME_MIN
    rows_looked_back: int = 0
    detectors_warming: int = 0
    resident_bytes: int = 0


class Scoring(Protocol):
    """See the module. Not for several threads at once, but for `pulse` and `ready`."""

    @property
    def ahead(self) -> int:
        """How many batches it is given at most before the result of the first is taken."""

    @property
    def ready(self) -> bool:
        """Whether `result` would not wait."""

    @property
    def pulse(self) -> Pulse:
        """How the scorer was behind the last result."""

    def rehearse(self, config: Config) -> None:
        """Have compiled and loaded whatever is at first use, by made-up events that are forgotten."""

    def submit(self, events: pa.Table) -> None:
        """Hand over a batch, in order of arrival."""

    def result(self) -> Applied:
        """Wait for what the oldest batch led to; after whatever is raised, the state is not to be trusted."""

    def keep(self) -> None:
        """Remember the state, in place of what was remembered before."""

    def back(self) -> None:
        """Return to the state that was remembered."""

    def drop(self) -> None:
        """Forget what was remembered."""

    def warm(self, after: int, upto: int, warmed: Warmed) -> None:
        """Read journal rows without telling alerts; `warmed` is told how many events, again and again."""

    def alerts(self) -> Mapping[str, pa.Table]:
        """Return the alert book."""

    def take_alerts(self, tables: Mapping[str, pa.Table]) -> None:
        """Go on from another scorer's alert book."""

    def save(self, order: Order, saved: Saved) -> None:
        """Save the state as it is now; `saved` is called once it is written, in another thread."""

    def close(self) -> None:
        """Let go of everything."""


class Near:
    """A scorer in this process. It stands still while its state is copied to be saved."""

    ahead, ready = 1, True

    def __init__(self, scorer: Scorer, store: Store) -> None:
        self.scorer, self._store = scorer, store
        self._events: pa.Table | None = None
        self._kept: pa.Table | None = None

    @property
    def pulse(self) -> Pulse:
        """How the scorer is."""
        return pulse_of(self.scorer)

    def rehearse(self, config: Config) -> None:
        """Score made-up events with another scorer."""
        rehearse(config)

    def submit(self, events: pa.Table) -> None:
        """Take a batch; it is scored when the result is asked for."""
        self._events = events

    def result(self) -> Applied:
        """Score the batch."""
        events, self._events = self._events, None
        assert events is not None, "a batch is handed over before its result is asked for"
        return score(self.scorer, events)

    def keep(self) -> None:
        """Copy the state."""
        self._kept = self.scorer.snapshot()

    def back(self) -> None:
        """Return to the copy."""
        assert self._kept is not None, "a state is kept before it is returned to"
        self.scorer.restore(self._kept)

    def drop(self) -> None:
        """Forget the copy."""
        self._kept = None

    def warm(self, after: int, upto: int, warmed: Warmed) -> None:
        """Read the journal."""
        for run in runs(self._store, after + 1, upto):
            warm(self.scorer, run)
            warmed(len(run.events))

    def alerts(self) -> Mapping[str, pa.Table]:
        """Return the alert book."""
        return self.scorer.alerts.snapshot()

    def take_alerts(self, tables: Mapping[str, pa.Table]) -> None:
        """Go on from another scorer's alert book."""
        self.scorer.take_alerts(tables)

    def save(self, order: Order, saved: Saved) -> None:
        """Copy the state, and write the copy in a thread."""
        save_copy(self.scorer, order, saved)

    def close(self) -> None:
        """Nothing: the state goes with this object."""


def save_copy(scorer: Scorer, order: Order, saved: Saved) -> None:
    """Copy a state, and write the copy in a thread."""
    state = scorer.snapshot()

    def run() -> None:
        try:
            write(state, order)
        except StateError as error:
            saved(error)
        else:
            saved(None)

    threading.Thread(target=run, name="txmon-snapshot", daemon=True).start()


def score(scorer: Scorer, events: pa.Table) -> Applied:
    """Apply a batch in order of arrival."""
    watermark = scorer.engine.gate.watermark_us
    result = scorer.apply(events)
    accepted = result.verdict == dedup.ACCEPTED
    seq = np.full(len(events), -1, np.int64)
    seq[accepted] = result.accepted.column("ingest_seq").to_numpy()
    late, warming = np.zeros(len(events), np.bool_), np.zeros(len(events), np.bool_)
    warming[accepted] = result.warming
    if len(result.accepted):
        time = result.accepted.column("event_time").cast(pa.int64()).to_numpy()
        newest = np.maximum.accumulate(np.concatenate([[watermark], time[:-1]]))
        late[accepted] = (time < newest) & (newest != TIME_MIN)
    return Applied(
        result.accepted, result.verdict, seq, late, warming, result.found, result.changes,
        scorer.alerts.changed(),
    )  # fmt: skip


def accepted_of(events: pa.Table, verdict: np.ndarray, seq: np.ndarray) -> pa.Table:
    """Return the events of a batch that were accepted, with their numbers, as the scorer does."""
    accepted = verdict == dedup.ACCEPTED
    if not accepted.all():
        events, seq = events.filter(pa.array(accepted)), seq[accepted]
    if "ingest_seq" in events.column_names:
        events = events.drop_columns(["ingest_seq"])
    return events.add_column(_NUMBER, "ingest_seq", pa.array(seq, pa.int64()))


def pulse_of(scorer: Scorer) -> Pulse:
    """Return how a scorer is."""
    models = scorer.engine.detection.models.values()
    warming = sum(isinstance(model, Model) and model.warming for model in models)
    return Pulse(scorer.engine.gate.watermark_us, scorer.engine.rows_looked_back, warming)
