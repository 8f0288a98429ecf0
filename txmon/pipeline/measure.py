"""Turns what the writer did into metrics. Owns which metric each step moves; decides nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from txmon.clock import Clock, monotonic_s
from txmon.engine import dedup
from txmon.metrics import Metrics
from txmon.pipeline.batch import Batch
from txmon.pipeline.decide import Stored
from txmon.pipeline.firing import Firing
from txmon.pipeline.scoring import Applied
from txmon.rules.ir import Rule
from txmon.store.db import Marks


class Measure:
    """The writer's hand on the metrics."""

    def __init__(self, metrics: Metrics, clock: Clock, firing: Firing) -> None:
        self._m, self._clock, self._firing = metrics, clock, firing

    def stage(self, name: str, started_s: float) -> float:
        """Note how long a step took; returns the moment at which the next begins."""
        now = monotonic_s()
        self._m.stage_seconds.labels(name).observe(now - started_s)
        return now

    def stands(self, marks: Marks, applied: Applied) -> None:
        """Note where engine and journal stand behind a batch, and which rules fired in it."""
        m = self._m
        m.engine_seq.set(marks.events)
        m.journal_seq.set(marks.seq)
        m.journal_events.set(marks.events)
        self._firing.note(marks.seq, applied.accepted, applied.hits)

    def batch(
        self, batch: Batch, applied: Applied, refused: pa.Table, stored: Stored, rules: Mapping[str, Rule]
    ) -> None:
        """Note what came of a batch that is stored. rules: those that scored it, by id."""
        m = self._m
        m.batch_events.observe(len(applied.verdict))
        self._outcomes(batch, applied, len(refused))
        for reason, count in _counts(refused, "reason").items():
            m.quarantined_total.labels(reason).inc(count)
        if len(applied.accepted):
            m.rule_evaluations_total.inc(len(applied.accepted))
            m.late_events_total.inc(int(applied.late.sum()))
            m.unconverted_events_total.inc(pc.sum(applied.accepted.column("unconverted")).as_py() or 0)
            newest = pc.max(applied.accepted.column("event_time")).cast(pa.int64()).as_py()
            for consumer in {work.consumer or work.source_kind for work in batch.works}:
                m.lag_seconds.labels(consumer).set((self._clock.now_us() - newest) / 1e6)
        for rule_id, count in _counts(applied.hits, "rule_id").items():
            rule = rules[rule_id]
            m.hits_total.labels(rule.id, rule.typology, rule.severity, rule.status).inc(count)
        self._alerts(applied, stored)

    def _outcomes(self, batch: Batch, applied: Applied, refused: int) -> None:
        kinds = sorted({work.source_kind for work in batch.works})
        for kind in kinds:
            mine = np.array([work.source_kind == kind for work in batch.works])
            verdict = applied.verdict[mine[batch.event_place.work]] if len(kinds) > 1 else applied.verdict
            for outcome, code in (("accepted", dedup.ACCEPTED), ("duplicate", dedup.DUPLICATE)):
                count = int((verdict == code).sum())
                if count:
                    self._m.events_total.labels(kind, outcome).inc(count)
        if refused:
            self._m.events_total.labels(kinds[0] if len(kinds) == 1 else "http", "quarantined").inc(refused)

    def _alerts(self, applied: Applied, stored: Stored) -> None:
        if not len(applied.changes):
            return
        shown = {
            row["alert_id"]: row
            for row in applied.alerts.select(["alert_id", "typologies", "severity"]).to_pylist()
        }
        for row in applied.changes.to_pylist():
            if row["alert_id"] not in stored.silent:
                alert = shown[row["alert_id"]]
                self._m.alerts_total.labels(alert["typologies"][0], alert["severity"], row["change"]).inc()

    def store_failed(self, code: str) -> None:
        """Note a failed transaction."""
        self._m.store_failures_total.labels(code).inc()

    def store_recovered(self) -> None:
        """Note that the store is back."""
        self._m.store_recoveries_total.inc()


def _counts(table: pa.Table, name: str) -> dict[str, int]:
    if not len(table):
        return {}
    return {str(pair["values"]): pair["counts"] for pair in pc.value_counts(table.column(name)).to_pylist()}
