"""When the scorer's state is saved, and the thread that writes it beside the next batches.

The engine stands still while its state is copied, so a snapshot is not due before twenty times as long as the
last copy took has passed. Owns that rhythm; the files are `txmon.pipeline.snapshots`' part.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from txmon.clock import monotonic_s
from txmon.errors import StateError
from txmon.metrics import Metrics
from txmon.pipeline.commit import Fault
from txmon.pipeline.scorer import Scorer
from txmon.pipeline.snapshots import Place, Snapshots
from txmon.pipeline.writer import Log
from txmon.store.db import Marks

_COPY_SHARE = 20


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
        self._thread: threading.Thread | None = None
        self._events, self._saved_s, self._not_before_s = 0, monotonic_s(), 0.0
        self.seq = 0  # journal row of the newest snapshot

    def begin(self, seq: int, events: int) -> None:
        """Say where a start began: journal row of its snapshot, and events it held."""
        self.seq, self._events = seq, events

    def if_due(self, scorer: Scorer, marks: Marks, essence: str) -> None:
        """Save beside the next batches, if it is time."""
        new, now = marks.events - self._events, monotonic_s()
        due = new >= self._rhythm.events or (new > 0 and now - self._saved_s >= self._rhythm.seconds)
        if due and now >= self._not_before_s:
            self.now(scorer, marks, essence)

    def now(self, scorer: Scorer, marks: Marks, essence: str) -> None:
        """Copy the state, and write it beside the next batches; not while the last one is being written."""
        if self._thread is not None and self._thread.is_alive():
            return
        started = monotonic_s()
        state = scorer.snapshot()
        self._events, self._saved_s = marks.events, started
        self._not_before_s = started + (monotonic_s() - started) * _COPY_SHARE
        self._point("snapshot_copied")

        def write() -> None:
            try:
                self._snapshots.save(state, Place(marks.seq, marks.head), essence)
            except StateError as error:
                self._log.error("snapshot.failed", exc_info=error)
                return
            self.seq = marks.seq
            self._metrics.snapshot_seq.set(marks.seq)
            self._metrics.snapshot_seconds.observe(monotonic_s() - started)
            self._point("snapshot_saved")

        thread = threading.Thread(target=write, name="txmon-snapshot", daemon=True)
        thread.start()  # before anybody can wait for it
        self._thread = thread

    def finish(self, scorer: Scorer, marks: Marks, essence: str, seconds: float) -> None:
        """Save what is not saved yet, in about so many seconds."""
        end = monotonic_s() + seconds
        self.wait(seconds)
        if marks.events > self._events and end - monotonic_s() > 1:
            self.now(scorer, marks, essence)
            self.wait(None)  # a half-written snapshot would be worth nothing

    def wait(self, seconds: float | None) -> None:
        """Wait until what is being written is written."""
        if self._thread is not None:
            self._thread.join(seconds)
