"""What a service looks after once a second beside its work: gauges, old answers, sent messages.

Owns one thread and which gauge says what; what it changes, it changes in the writer's turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import sqlalchemy as sa

from txmon.pipeline.errand import Errand
from txmon.pipeline.service import Service
from txmon.pipeline.standing import Standing
from txmon.store import Tx, answers, outbox
from txmon.store.retentionfile import load_classes
from txmon.store.schema import alerts

_ROUND_S, _MINUTE_US, _HOUR_US = 1.0, 60_000_000, 3_600_000_000
_SENT_KEPT_US, _WAITING_KEPT_US = 7 * 24 * _HOUR_US, 30 * 24 * _HOUR_US
_SEVERITIES = ("low", "medium", "high", "critical")
Chore = Callable[[], None]


class Housekeeping:
    """See the module. A chore that fails is logged and tried again in the next round."""

    def __init__(self, service: Service, chores: Iterable[Chore] = ()) -> None:
        """Look after a service.

        Args:
            chores: what else is due once a second, of those who are built on the service.
        """
        self._service = service
        own = (self._gauges, self._alerts, self._sizes, self._expire)
        self._chores: list[Chore] = [*own, service.firing.round, Standing(service).round, *chores]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="txmon-housekeeping", daemon=True)
        self._sized_us = self._expired_us = 0
        self._forget = Errand(service.change, self._forget_old)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; waits for the round that is under way."""
        self._stop.set()
        self._thread.join(5 * _ROUND_S)

    def _run(self) -> None:
        while not self._stop.wait(_ROUND_S):
            self.round()

    def round(self) -> None:
        """Do everything that is due."""
        for chore in self._chores:
            try:
                chore()
            except Exception as error:  # whatever it is: the next round may be luckier
                self._service.doors.log.warning("chore.failed", exc_info=error)

    def _gauges(self) -> None:
        service, metrics = self._service, self._service.metrics
        metrics.set_ready(service.readiness())
        metrics.queue_events.set(service.inbox.events)
        metrics.disk_free_bytes.set(service.disk.free_bytes)
        with service.store.read() as conn:
            metrics.outbox_backlog.set(outbox.backlog(conn))

    def _sizes(self) -> None:
        """A warehouse has a file and more a day of events: they are looked at once a minute."""
        service, now = self._service, self._service.doors.clock.now_us()
        if abs(now - self._sized_us) < _MINUTE_US:
            return
        self._sized_us = now
        used = service.metrics.disk_used_bytes
        for what, folder in (
            ("snapshots", service.snapshots.folder),
            ("warehouse", service.folder / "warehouse"),
        ):
            used.labels(what).set(_size(folder.rglob("*")))
        used.labels("store").set(_size(service.folder.glob("txmon.db*")))

    def _alerts(self) -> None:
        metrics, now = self._service.metrics, self._service.doors.clock.now_us()
        past = load_classes(self._service.settings.retention_file).at(now).alert()
        working = (alerts.c.state.in_(("open", "in_review")), ~alerts.c.historic, sa.not_(past))
        by_severity = (
            sa.select(alerts.c.severity, sa.func.count(), sa.func.min(alerts.c.created_us))
            .where(*working)
            .group_by(alerts.c.severity)
        )
        untouched = (
            sa.select(alerts.c.alert_id, alerts.c.severity, alerts.c.created_us)
            .where(*working, alerts.c.state == "open", alerts.c.severity == "critical")
            .order_by(alerts.c.created_us)
            .limit(50)
        )
        with self._service.store.read() as conn:
            found = {severity: (count, oldest) for severity, count, oldest in conn.execute(by_severity)}
            critical = [(name, severity, (now - at) / 1e6) for name, severity, at in conn.execute(untouched)]
        for severity in _SEVERITIES:
            count, oldest = found.get(severity, (0, now))
            metrics.alerts_open.labels(severity).set(count)
            metrics.alerts_oldest_open_seconds.labels(severity).set((now - oldest) / 1e6)
        metrics.set_unacknowledged(critical)

    def _expire(self) -> None:
        now = self._service.doors.clock.now_us()
        if now - self._expired_us < _HOUR_US:
            return
        if self._forget.run():
            self._expired_us = now

    def _forget_old(self, tx: Tx) -> None:
        now = self._service.doors.clock.now_us()
        answers.expire(tx, now - self._service.settings.idempotency_hours * _HOUR_US)
        outbox.forget(tx, now - _SENT_KEPT_US, now - _WAITING_KEPT_US)


def _size(paths: Iterable[Path]) -> int:
    total = 0
    for path in paths:
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # it was replaced meanwhile
            continue
    return total
