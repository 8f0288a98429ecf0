"""Applies batches; an event that the engine cannot take is found, set aside and never stops the others.

Every other error of a scorer is a fault of ours: the state may be half changed, so it is thrown away, the
journal gives a new one, and the batch is tried in halves until the event is alone. What the machine lacks
(memory, disk) is no event's fault and is raised. Owns that search; never reads or writes a store itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from txmon.alerts.tables import ALERTS, CHANGES
from txmon.engine import dedup
from txmon.engine.hits import HITS
from txmon.engine.state import TIME_MIN
from txmon.pipeline.refusals import POISON
from txmon.pipeline.scorer import Result, Scorer

Log = Callable[[str, Exception], None]
_MACHINE = (OSError, MemoryError)


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


class Applier:
    """A scorer and the way to get another one."""

    def __init__(self, scorer: Scorer, reload: Callable[[], Scorer], tries: int, log: Log) -> None:
        """Take a scorer.

        Args:
            reload: makes a scorer that stands where the journal ends.
            tries: how often an event that fails alone is tried before it is set aside.
            log: told of each failure; never shown the event.
        """
        self.scorer = scorer
        self._reload, self._tries, self._log = reload, tries, log

    def apply(self, events: pa.Table) -> Applied:
        """Apply a batch in order of arrival.

        Raises:
            OSError, MemoryError: the machine failed; the state is not to be trusted, `reload`.
        """
        try:
            return self._once(events)
        except _MACHINE:
            raise
        except Exception as error:  # whatever it is, the state is not to be trusted any more
            self._log("batch", error)
            self.reload()
            return self._in_parts(events)

    def reload(self) -> None:
        """Throw the state away and stand where the journal ends."""
        self.scorer = self._reload()

    def _once(self, events: pa.Table) -> Applied:
        watermark = self.scorer.engine.gate.watermark_us
        result = self.scorer.apply(events)
        return _applied(events, result, watermark, self.scorer.alerts.changed())

    def _in_parts(self, events: pa.Table) -> Applied:
        """Apply what can be applied; the scorer stands where the journal ends."""
        safe = self.scorer.snapshot()
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
                self._back_to(safe, parts)
                if size > 1:
                    half = size // 2
                    waiting += [(start + half, size - half, 1), (start, half, 1)]
                elif tried < self._tries:
                    waiting.append((start, 1, tried + 1))
                else:
                    parts.append(_poisoned(part))
        return _joined(parts)

    def _back_to(self, safe: pa.Table, parts: list[Applied]) -> None:
        """Return to where the parts that were applied left the scorer."""
        self.scorer.restore(safe)
        accepted = [part.accepted for part in parts if len(part.accepted)]
        if accepted:
            self.scorer.apply(pa.concat_tables(accepted, promote_options="default"))


def _applied(events: pa.Table, result: Result, watermark: int, alerts: pa.Table) -> Applied:
    accepted = result.verdict == dedup.ACCEPTED
    seq = np.full(len(events), -1, np.int64)
    seq[accepted] = result.accepted.column("ingest_seq").to_numpy()
    late, warming = np.zeros(len(events), np.bool_), np.zeros(len(events), np.bool_)
    warming[accepted] = result.warming
    if len(result.accepted):
        time = result.accepted.column("event_time").cast(pa.int64()).to_numpy()
        newest = np.maximum.accumulate(np.concatenate([[watermark], time[:-1]]))
        late[accepted] = (time < newest) & (newest != TIME_MIN)
    return Applied(result.accepted, result.verdict, seq, late, warming, result.found, result.changes, alerts)


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
