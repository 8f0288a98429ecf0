"""When the scorer's state is saved, beside the next batches.

While a snapshot begins the engine may stand still, and while it is written it takes a core from others: the
next is not due before twenty times the one and twice the other has passed. Owns that rhythm; the files are
`txmon.pipeline.snapshots`' part.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from txmon.clock import monotonic_s
from txmon.errors import StateError, TxmonError
from txmon.metrics import Metrics
from txmon.pipeline.commit import Fault
from txmon.pipeline.log import Log
from txmon.pipeline.scoring import Scoring
from txmon.pipeline.snapshots import Place, Snapshots
from txmon.store.db import Marks

_COPY_SHARE, _WRITE_SHARE = 20, 2
_AGAIN_S = 10.0  # after one that could not even be begun


@dataclass(frozen=True)
class Rhythm:
    """How many events, and how many seconds in which events came, lie between two snapshots."""

    events: int
    seconds: int


class Saving:
    """See the module. Called in the writer's turn, or while there is no writer; `wait` by anybody."""

    def __init__(
        self, snapshots: Snapshots, rhythm: Rhythm, metrics: Metrics, log: Log, point: Fault
    ) -> None:
        self._snapshots, self._rhythm = snapshots, rhythm
        self._metrics, self._log, self._point = metrics, log, point
        self._written = threading.Event()  # not set while a snapshot is being written
        self._written.set()
        self._events, self._saved_s, self._not_before_s = 0, monotonic_s(), 0.0
        self.seq = 0  # journal row of the newest snapshot

    def begin(self, seq: int, events: int) -> None:
        """Say where a start began: journal row of its snapshot, and events it held."""
        self.seq, self._events = seq, events

    def due(self, marks: Marks) -> bool:
        """Say whether it is time."""
        new, now = marks.events - self._events, monotonic_s()
        due = new >= self._rhythm.events or (new > 0 and now - self._saved_s >= self._rhythm.seconds)
        return due and now >= self._not_before_s and not self._under_way

    def now(self, scoring: Scoring, marks: Marks, essence: str) -> None:
        """Save the state beside the next batches; not while the last one is being written."""
        if self._under_way:
            return
        place = Place(marks.seq, marks.head)
        started = monotonic_s()
        self._written.clear()
        try:
            scoring.save(
                self._snapshots.order(place, essence), lambda problem: self._end(place, started, problem)
            )
        except (TxmonError, OSError, MemoryError) as error:  # it costs a later start its time, nothing else
            self._log.error("snapshot.failed", exc_info=error)
            self._not_before_s = monotonic_s() + _AGAIN_S
            self._written.set()
            return
        self._events, self._saved_s = marks.events, started
        self._not_before_s = monotonic_s() + (monotonic_s() - started) * _COPY_SHARE
        self._point("snapshot_copied")

    def _end(self, place: Place, started: float, problem: StateError | None) -> None:
        """It is written, or not; told by another thread."""
        took = monotonic_s() - started
        try:
            if problem is not None:
                self._log.error("snapshot.failed", exc_info=problem)
                return
            try:
                self._snapshots.tidy(place)
            except OSError as error:  # the new one is there all the same
                self._log.error("snapshot.failed", exc_info=error)
            self.seq = place.seq
            self._metrics.snapshot_seq.set(place.seq)
            self._metrics.snapshot_seconds.observe(took)
            self._point("snapshot_saved")
        finally:
            self._not_before_s = max(self._not_before_s, started + _WRITE_SHARE * took)
            self._written.set()

    def finish(self, scoring: Scoring, marks: Marks, essence: str, seconds: float) -> None:
        """Save what is not saved yet, in about so many seconds."""
        end = monotonic_s() + seconds
        self.wait(seconds)
        if marks.events > self._events and end - monotonic_s() > 1:
            self.now(scoring, marks, essence)
            self.wait(None)  # a half-written snapshot would be worth nothing

    @property
    def _under_way(self) -> bool:
        return not self._written.is_set()

    def wait(self, seconds: float | None) -> None:
        """Wait until what is being written is written."""
        self._written.wait(seconds)
