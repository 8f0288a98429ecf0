"""Every metric of the service, declared once, in the table that is the body of `Metrics`.

    metrics.events_total.labels("http", "accepted").inc()      labels in order of declaration, or by name
    metrics.queue_events.set(17)                                without labels: the Prometheus object itself

Names are Prometheus's: ``txmon_`` before the attribute, base units, ``_total`` for what only grows. A label
takes the values of its list, or so many different ones; whatever else comes is counted as ``other``, so that
no input makes series without end. No label holds a personal value. The label `alert_id` names single
things; each of its two metrics is held to the 50 oldest open critical alerts.
Owns names, texts, labels, buckets and one registry an object; measures nothing itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client import exposition as plain
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics

OPENMETRICS = "application/openmetrics-text"
UNACKNOWLEDGED_MAX = 50
WAITING_AGES = ("under_1h", "under_1d", "under_7d", "older")
SERIES_MAX = 5000  # of one metric, whatever its labels
OTHER = "other"

Bound = Sequence[str] | int  # the values a label may have, or how many different ones
_M = TypeVar("_M", Counter, Gauge, Histogram)
_T = TypeVar("_T")

_FAST = (0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_SIZES = (1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536)
_SEVERITIES = ("low", "medium", "high", "critical")
_READY = ("starting", "stopping", "store", "disk", "queue", "engine")
_RULES, _TYPOLOGIES = 1000, 100


class Family(Generic[_M]):
    """A metric with labels."""

    def __init__(self, metric: _M, bounds: Mapping[str, Bound]) -> None:
        self._metric: _M = metric
        self._names = tuple(bounds)
        self._allowed = [None if isinstance(b, int) else frozenset(b) for b in bounds.values()]
        self._limits = [b if isinstance(b, int) else 0 for b in bounds.values()]
        self._seen: list[set[str]] = [set() for _ in bounds]
        self._series: dict[tuple[str, ...], _M] = {}

    def labels(self, *values: str, **named: str) -> _M:
        """Return the series with these label values.

        Raises:
            TypeError: values for other labels than were declared.
        """
        if named:
            if values or set(named) != set(self._names):
                raise TypeError(f"labels are {self._names}, got {(*values, *named)}")
            values = tuple(named[name] for name in self._names)
        found = self._series.get(values)
        return found if found is not None else self._new(values)

    def _new(self, values: tuple[str, ...]) -> _M:
        if len(values) != len(self._names):
            raise TypeError(f"labels are {self._names}, got {len(values)} values")
        kept = tuple(self._bounded(i, value) for i, value in enumerate(values))
        if len(self._series) >= SERIES_MAX:
            kept = (OTHER,) * len(kept)
        found: _M = self._metric.labels(*kept)
        if kept == values:  # values that became `other` are looked at again each time, not remembered
            self._series[values] = found
        return found

    def _bounded(self, place: int, value: str) -> str:
        allowed, seen = self._allowed[place], self._seen[place]
        if allowed is not None:
            return value if value in allowed else OTHER
        if value not in seen and len(seen) >= self._limits[place]:
            return OTHER
        seen.add(value)
        return value

    def touch(self) -> None:
        """Make every series, at nought; for metrics whose labels all have lists.

        Raises:
            TypeError: a label has no list.
        """
        if None in self._allowed:
            raise TypeError(f"labels are {self._names}, and not all have lists")
        for values in itertools.product(*(sorted(allowed or ()) for allowed in self._allowed)):
            self.labels(*values)

    def clear(self) -> None:
        """Forget every series, before a gauge is filled anew."""
        self._series.clear()
        for seen in self._seen:
            seen.clear()
        self._metric.clear()


class Declared(Generic[_T]):
    """A line of the table: what a metric is, until a `Metrics` makes it on its registry."""

    def __init__(
        self, kind: str, doc: str, bounds: Mapping[str, Bound], make: Callable[[str, CollectorRegistry], _T]
    ) -> None:
        self.kind, self.doc, self.bounds, self.make = kind, doc, bounds, make
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Declared[_T]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> _T: ...

    def __get__(self, instance: object | None, owner: type) -> Declared[_T] | _T:
        # an object's own attribute, set by `Metrics.__init__`, goes before this
        if instance is None:
            return self
        raise AttributeError(self.name)


def _plain(kind: type[_M], doc: str, **more: Any) -> Declared[_M]:
    def make(name: str, registry: CollectorRegistry) -> _M:
        return kind(f"txmon_{name}", doc, registry=registry, **more)

    return Declared(kind.__name__.lower(), doc, {}, make)


def _family(kind: type[_M], doc: str, bounds: Mapping[str, Bound], **more: Any) -> Declared[Family[_M]]:
    def make(name: str, registry: CollectorRegistry) -> Family[_M]:
        return Family(kind(f"txmon_{name}", doc, tuple(bounds), registry=registry, **more), bounds)

    return Declared(kind.__name__.lower(), doc, bounds, make)


class Metrics:
    """All metrics; one object a process, handed to whoever measures."""

    # what comes in
    events_total = _family(
        Counter,
        "Events given, by what became of them",
        {
            "source_kind": ("http", "kafka", "nats", "redis", "file", "bulk"),
            "outcome": ("accepted", "duplicate", "quarantined"),
        },
    )
    quarantined_total = _family(Counter, "Rows put into quarantine", {"reason": 60})
    request_seconds = _family(
        Histogram,
        "From the first byte of a request to the last of its answer",
        {
            "route": 100,
            "method": ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
            "status_class": ("1xx", "2xx", "3xx", "4xx", "5xx"),
        },
        buckets=_FAST,
    )
    lag_seconds = _family(Gauge, "Now less the newest event time a consumer brought", {"consumer": 32})
    consumer_lag_messages = _family(
        Gauge, "Messages of a partition not yet read", {"consumer": 32, "partition": 64}
    )
    late_events_total = _plain(Counter, "Accepted events behind the watermark")
    looked_back_rows_total = _plain(Counter, "Rows of windows read again for late events")
    unconverted_events_total = _plain(Counter, "Events without a usable rate: counted, not summed")
    auth_failures_total = _family(
        Counter,
        "Requests refused for who sent them",
        {
            "reason": (
                "missing",
                "malformed",
                "unknown",
                "expired",
                "revoked",
                "scope",
                "role",
                "blocked",
                "algorithm",
                "header",
                "signature",
                "issuer",
                "audience",
                "claims",
                "unlinked",
                "session",
                "csrf",
            )
        },
    )
    rate_limited_total = _plain(Counter, "Requests refused because their key made too many")
    # the way of a batch
    stage_seconds = _family(
        Histogram,
        "Time a batch spends in a step",
        {"stage": ("decode", "apply", "commit", "acknowledge")},
        buckets=_FAST,
    )
    batch_events = _plain(Histogram, "Events of one commit", buckets=_SIZES)
    queue_events = _plain(Gauge, "Events waiting for the engine")
    queue_limit = _plain(Gauge, "Events that may wait; more are refused")
    engine_seq = _plain(Gauge, "Last event the engine applied, counted from the first")
    engine_resident_bytes = _plain(Gauge, "Memory of the engine's own process; 0 while it has none")
    detectors_warming = _plain(Gauge, "Detectors whose scores may not be trusted yet")
    rule_evaluations_total = _plain(Counter, "Events scored by the rules at work")
    ready = _family(
        Gauge,
        "0 while the reason keeps the service from taking events, else 1; the least of all is readiness",
        {"reason": _READY},
    )
    build_info = _family(Gauge, "Version and rules at work; always 1", {"version": 4, "pack_hash": 64})
    # what is stored
    journal_seq = _plain(Gauge, "Last row of the journal")
    journal_events = _plain(Gauge, "Events in the journal")
    warehouse_seq = _plain(Gauge, "Journal row the warehouse has reached")
    snapshot_seq = _plain(Gauge, "Journal row of the newest snapshot")
    snapshot_seconds = _plain(Histogram, "Time a snapshot takes", buckets=_SLOW)
    store_failures_total = _family(
        Counter,
        "Transactions that failed, by what the store said",
        {"kind": ("store_unavailable", "commit_unknown", "store_fatal", "store_corrupt", "conflict")},
    )
    store_recoveries_total = _plain(Counter, "Times the store was reopened after a failure and went on")
    disk_free_bytes = _plain(Gauge, "Free bytes where the store lies")
    disk_size_bytes = _plain(Gauge, "Bytes of the disk where the store lies, used or not")
    disk_used_bytes = _family(
        Gauge, "Bytes on disk, by what they hold", {"what": ("store", "warehouse", "snapshots")}
    )
    erased_events_total = _plain(Counter, "Events whose content was erased")
    # what is found
    hits_total = _family(
        Counter,
        "Rules that fired",
        {
            "rule": _RULES,
            "typology": _TYPOLOGIES,
            "severity": _SEVERITIES,
            "status": ("draft", "shadow", "live", "retired"),
        },
    )
    rule_fire_psi = _family(
        Gauge, "Population stability index of a rule's fire rate against its baseline", {"rule": _RULES}
    )
    alerts_total = _family(
        Counter,
        "Alerts that opened, or changed by new evidence",
        {"typology": _TYPOLOGIES, "severity": _SEVERITIES, "change": ("opened", "new_evidence", "repeat")},
    )
    alerts_open = _family(Gauge, "Alerts nobody has closed", {"severity": _SEVERITIES})
    alerts_oldest_open_seconds = _family(Gauge, "Age of the oldest open alert", {"severity": _SEVERITIES})
    alert_unacknowledged_seconds = _family(
        Gauge,
        "Age of an open critical alert that nobody has taken up; the 50 oldest",
        {"alert_id": UNACKNOWLEDGED_MAX, "severity": _SEVERITIES},
    )
    alert_urgent_unacknowledged_seconds = _family(
        Gauge,
        "Age of a critical child-exploitation or procurement alert that nobody has taken up; the 50 oldest",
        {"alert_id": UNACKNOWLEDGED_MAX},
    )
    alerts_waiting = _family(
        Gauge, "Open alerts by how long they wait", {"severity": _SEVERITIES, "age": WAITING_AGES}
    )
    rule_decided_alerts = _family(
        Gauge,
        "Alerts that people decided, by each rule that hit in them",
        {"rule": _RULES, "decision": ("escalated", "dismissed")},
    )
    # what goes out
    outbox_backlog = _plain(Gauge, "Messages of the outbox that wait, of every topic")
    webhook_backlog = _plain(Gauge, "Webhook deliveries that wait")
    webhook_deliveries_total = _family(
        Counter,
        "Tries of webhook deliveries",
        {"outcome": ("delivered", "retry", "gone", "blocked", "exhausted")},
    )

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        for declared in declarations():
            self.__dict__[declared.name] = declared.make(declared.name, self.registry)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return all metrics as text, and its content type.

        Args:
            accept: the request's Accept header; OpenMetrics is given to who names it.
        """
        shown = _WithoutCreated(self.registry)
        if OPENMETRICS in accept:
            text: bytes = openmetrics.generate_latest(shown)  # type: ignore[no-untyped-call]
            return text, openmetrics.CONTENT_TYPE_LATEST
        return plain.generate_latest(shown), plain.CONTENT_TYPE_PLAIN_0_0_4

    def set_unacknowledged(self, alerts: Iterable[tuple[str, str, float]]) -> None:
        """Name the open critical alerts that nobody took up: id, severity, age in seconds."""
        self.alert_unacknowledged_seconds.clear()
        for alert_id, severity, age in sorted(alerts, key=lambda a: -a[2])[:UNACKNOWLEDGED_MAX]:
            self.alert_unacknowledged_seconds.labels(alert_id, severity).set(age)

    def set_urgent(self, alerts: Iterable[tuple[str, float]]) -> None:
        """Name the open urgent alerts that nobody took up: id, age in seconds."""
        self.alert_urgent_unacknowledged_seconds.clear()
        for alert_id, age in sorted(alerts, key=lambda a: -a[1])[:UNACKNOWLEDGED_MAX]:
            self.alert_urgent_unacknowledged_seconds.labels(alert_id).set(age)

    def set_ready(self, reasons: Iterable[str]) -> None:
        """Say what keeps the service from taking events; nothing: it takes them."""
        now = frozenset(reasons)
        for reason in (*_READY, OTHER):
            self.ready.labels(reason).set(reason not in now)
        if now - set(_READY):
            self.ready.labels(OTHER).set(0)

    def set_build(self, version: str, pack_hash: str) -> None:
        """Name the program and the rules at work."""
        self.build_info.clear()
        self.build_info.labels(version, pack_hash).set(1)


def declarations() -> list[Declared[Any]]:
    """Return every line of the table, in its order."""
    return [value for value in vars(Metrics).values() if isinstance(value, Declared)]


def reference() -> str:
    """Return a Markdown table of every metric."""
    lines = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    for line in declarations():
        labels = "; ".join(f"`{name}`: {_shown(bound)}" for name, bound in line.bounds.items())
        lines.append(f"| `txmon_{line.name}` | {line.kind} | {labels} | {line.doc} |")
    return "\n".join(lines) + "\n"


def _shown(bound: Bound) -> str:
    return f"up to {bound}" if isinstance(bound, int) else ", ".join(bound)


class _WithoutCreated:
    """A registry without ``_created`` samples, which plain text shows as metrics of their own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        for metric in self._registry.collect():
            metric.samples = [s for s in metric.samples if not s.name.endswith("_created")]
            yield metric
