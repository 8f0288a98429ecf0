"""What dashboards show beside the gauges of every second: how long alerts wait, what people made of a rule's
alerts, the size of the disk, late scans, warming detectors.

Also makes the series of counters that are still at nought: the first event of a kind is then an increase, and
not the beginning of a series, which no rate can see. Owns which metric each of these moves; changes nothing
stored.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from typing import Any

import sqlalchemy as sa

from txmon.metrics import WAITING_AGES
from txmon.pipeline.service import Service
from txmon.store.retentionfile import load_classes
from txmon.store.schema import alerts, erasures

URGENT = ("child-exploitation", "procurement")  # typologies; shipped rules have procurement under the first
_HOUR_US = 3_600_000_000
_AGES_US = (_HOUR_US, 24 * _HOUR_US, 7 * 24 * _HOUR_US)
_EVERY_US = 15_000_000  # of what reads more than an index's end
_SEVERITIES = ("low", "medium", "high", "critical")


class Standing:
    """See the module; `round` is a chore of `Housekeeping`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._scanned = service.applier.scoring.pulse.rows_looked_back
        self._erased = 0
        self._slow_us = 0
        self._rules_shown: str | None = None

    def round(self) -> None:
        """Set the gauges."""
        service, metrics = self._service, self._service.metrics
        self._series()
        self._engine()
        metrics.disk_size_bytes.set(shutil.disk_usage(service.folder).total)
        now = service.doors.clock.now_us()
        with service.store.read() as conn:
            metrics.set_urgent(
                (name, (now - at) / 1e6) for name, at in conn.execute(_urgent(self._kept(now)))
            )
        if abs(now - self._slow_us) >= _EVERY_US:
            self._slow_us = now
            self._waiting(now)
            self._decided(now)
            self._erasures()

    def _kept(self, now: int) -> sa.ColumnElement[bool]:
        """The condition that leaves alerts that are not past their retention."""
        return sa.not_(load_classes(self._service.settings.retention_file).at(now).alert())

    def _engine(self) -> None:
        pulse, metrics = self._service.applier.scoring.pulse, self._service.metrics
        scanned = pulse.rows_looked_back
        # a scorer that was made anew, after a failure or by a change of rules, counts from its own beginning
        metrics.looked_back_rows_total.inc(max(0, scanned - self._scanned))
        self._scanned = scanned
        metrics.detectors_warming.set(pulse.detectors_warming)
        metrics.engine_resident_bytes.set(pulse.resident_bytes)

    def _waiting(self, now: int) -> None:
        hour, day, week = (alerts.c.created_us > now - age for age in _AGES_US)
        age = sa.case(*zip((hour, day, week), WAITING_AGES, strict=False), else_=WAITING_AGES[-1]).label(
            "age"
        )
        query = (
            sa.select(alerts.c.severity, age, sa.func.count())
            .where(alerts.c.state.in_(("open", "in_review")), ~alerts.c.historic, self._kept(now))
            .group_by(alerts.c.severity, "age")
        )
        with self._service.store.read() as conn:
            found = {(severity, at): count for severity, at, count in conn.execute(query)}
        for severity in _SEVERITIES:
            for at in WAITING_AGES:
                self._service.metrics.alerts_waiting.labels(severity, at).set(found.get((severity, at), 0))

    def _decided(self, now: int) -> None:
        query = (
            sa.select(alerts.c.rule_ids, alerts.c.state, sa.func.count())
            .where(alerts.c.state.in_(("escalated", "dismissed")), self._kept(now))
            .group_by(alerts.c.rule_ids, alerts.c.state)
        )
        counts: Counter[tuple[str, str]] = Counter()
        with self._service.store.read() as conn:
            for rule_ids, state, count in conn.execute(query):
                for rule in json.loads(rule_ids):
                    counts[rule, state] += count
        for (rule, state), count in counts.items():
            self._service.metrics.rule_decided_alerts.labels(rule, state).set(count)

    def _erasures(self) -> None:
        """Events are erased while the service is stopped, so this tells what was erased so far."""
        with self._service.store.read() as conn:
            erased = int(
                conn.execute(sa.select(sa.func.coalesce(sa.func.sum(erasures.c.events), 0))).scalar() or 0
            )
        self._service.metrics.erased_events_total.inc(max(0, erased - self._erased))
        self._erased = erased

    def _series(self) -> None:
        """Make every series whose labels are known beforehand, once for each set of rules."""
        metrics, rules = self._service.metrics, tuple(self._service.rules.values())
        if self._rules_shown == self._service.plan_hash:
            return
        if self._rules_shown is not None:  # a rule that was taken away has no drift; the others are set anew
            metrics.rule_fire_psi.clear()
        self._rules_shown = self._service.plan_hash
        for rule in rules:
            metrics.hits_total.labels(rule.id, rule.typology, rule.severity, rule.status)
            for decision in ("escalated", "dismissed"):
                metrics.rule_decided_alerts.labels(rule.id, decision)
            for change in ("opened", "new_evidence", "repeat"):
                metrics.alerts_total.labels(rule.typology, rule.severity, change)
        for family in (
            metrics.events_total,
            metrics.store_failures_total,
            metrics.webhook_deliveries_total,
            metrics.auth_failures_total,
        ):
            family.touch()


def _urgent(kept: sa.ColumnElement[bool]) -> Any:
    named = sa.or_(*(alerts.c.typologies.contains(f'"{name}"', autoescape=True) for name in URGENT))
    return (
        sa.select(alerts.c.alert_id, alerts.c.created_us)
        .where(alerts.c.state == "open", ~alerts.c.historic, alerts.c.severity == "critical", named, kept)
        .order_by(alerts.c.created_us)
        .limit(50)
    )
