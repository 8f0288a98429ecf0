"""Applies batches; an event that the engine cannot take is found, set aside and never stops the others.

Every other error of a scorer is a fault of ours: the state may be half changed, so it is thrown away, the
journal gives a new one, and the batch is tried in halves until the event is alone. What the machine lacks
(memory, disk) is no event's fault and is raised. Owns that search; never reads or writes a store itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from txmon.alerts.tables import ALERTS, CHANGES
from txmon.engine.hits import HITS
from txmon.pipeline.refusals import POISON
from txmon.pipeline.scoring import Applied, Scoring

Log = Callable[[str, Exception], None]
_MACHINE = (OSError, MemoryError)


class Applier:
    """A scorer and the way to get another one."""

    def __init__(self, scoring: Scoring, reload: Callable[[], Scoring], tries: int, log: Log) -> None:
        """Take a scorer.

        Args:
            reload: makes a scorer that stands where the journal ends.
            tries: how often an event that fails alone is tried before it is set aside.
            log: told of each failure; never shown the event.
        """
        self.scoring = scoring
        self._reload, self._tries, self._log = reload, tries, log
        self._given: deque[pa.Table] = deque()

    @property
    def ahead(self) -> int:
        """How many batches may be given before the result of the first is taken."""
        return self.scoring.ahead

    @property
    def ready(self) -> bool:
        """Whether `result` would not wait."""
        return self.scoring.ready

    def submit(self, events: pa.Table) -> None:
        """Hand over a batch, in order of arrival."""
        self._given.append(events)
        self.scoring.submit(events)

    def result(self) -> Applied:
        """Wait for what the oldest batch led to; everything before it must be in the journal by now.

        Raises:
            OSError, MemoryError: the machine failed; the state is not to be trusted, `reload`.
        """
        events = self._given.popleft()
        try:
            return self.scoring.result()
        except _MACHINE:
            raise
        except Exception as error:  # whatever it is, the state is not to be trusted any more
            self._log("batch", error)
            behind = list(self._given)
            self.reload()
            applied = self._in_parts(events)
            for later in behind:
                self.submit(later)
            return applied

    def reload(self) -> None:
        """Throw the state and what was given away, and stand where the journal ends."""
        self._given.clear()
        self.scoring.close()
        self.scoring = self._reload()

    def adopt(self, scoring: Scoring) -> None:
        """Go on with another scorer, which stands where the journal ends."""
        self.scoring.close()
        self.scoring = scoring

    def _once(self, events: pa.Table) -> Applied:
        self.scoring.submit(events)
        return self.scoring.result()

    def _in_parts(self, events: pa.Table) -> Applied:
        """Apply what can be applied; the scorer stands where the journal ends."""
        self.scoring.keep()
        parts: list[Applied] = []
        waiting = [(0, len(events), 1)]
        while waiting:
            start, size, tried = waiting.pop()
            part = events.slice(start, size)
            try:
                parts.append(self._once(part))
            except _MACHINE:
                raise
            except Exception as error:  # as above
                self._log("event" if size == 1 else "part", error)
                self._back_to(parts)
                if size > 1:
                    half = size // 2
                    waiting += [(start + half, size - half, 1), (start, half, 1)]
                elif tried < self._tries:
                    waiting.append((start, 1, tried + 1))
                else:
                    parts.append(_poisoned(part))
        self.scoring.drop()
        return _joined(parts)

    def _back_to(self, parts: list[Applied]) -> None:
        """Return to where the parts that were applied left the scorer."""
        self.scoring.back()
        accepted = [part.accepted for part in parts if len(part.accepted)]
        if accepted:
            self._once(pa.concat_tables(accepted, promote_options="default"))


def _poisoned(event: pa.Table) -> Applied:
    none = np.zeros(1, np.bool_)
    return Applied(
        event[:0], np.array([POISON], np.uint8), np.array([-1]), none, none, HITS.empty_table(),
        CHANGES.empty_table(), ALERTS.empty_table(),
    )  # fmt: skip


def _joined(parts: list[Applied]) -> Applied:
    """Join parts in order; of an alert that several changed, the last state counts."""
    changes, at = [], 0
    for part in parts:
        changes.append(part.changes.set_column(0, "hit", pc.add(part.changes.column("hit"), at)))
        at += len(part.hits)
    alerts = pa.concat_tables([part.alerts for part in parts])
    last = {name: row for row, name in enumerate(alerts.column("alert_id").to_pylist())}
    accepted = [part.accepted for part in parts if len(part.accepted)] or [parts[0].accepted]
    return Applied(
        pa.concat_tables(accepted, promote_options="default"),
        np.concatenate([part.verdict for part in parts]),
        np.concatenate([part.seq for part in parts]),
        np.concatenate([part.late for part in parts]),
        np.concatenate([part.warming for part in parts]),
        pa.concat_tables([part.hits for part in parts]),
        pa.concat_tables(changes),
        alerts.take(pa.array(sorted(last.values()), pa.int64())),
    )
