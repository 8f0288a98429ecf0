"""Alerts on the service itself: is it there, does it answer, does it keep what it is given.

Owns their expressions and tests; numbers are `Tuning`'s, words for the reader are in docs/runbook.md.
"""

from __future__ import annotations

from txmon.dashboards.kinds import PAGE, Alert, Case, metric
from txmon.dashboards.recordings import ERRORS, SLOW
from txmon.dashboards.tuning import Tuning

_AT = {"job": "txmon", "instance": "t:1"}
_EVENTS = {"route": "/v1/events", "method": "POST"}
_OK = metric("request_seconds_count", **_EVENTS, status_class="2xx")
_FAILED = metric("request_seconds_count", **_EVENTS, status_class="5xx")
_QUICK = metric("request_seconds_bucket", **_EVENTS, status_class="2xx", le="0.1")


def alerts(t: Tuning) -> list[Alert]:
    """Return all of them."""
    return [*_presence(t), *_burn(t), *_stores(t), *_room(t)]


def _presence(t: Tuning) -> list[Alert]:
    hour, build = t.window("1h"), metric("build_info", version="1", pack_hash="a")
    return [
        Alert(
            "TxmonAbsent",
            f"(count by (job, instance) (count_over_time(txmon_build_info[{hour}]))"
            " unless count by (job, instance) (txmon_build_info)) or absent(txmon_build_info)",
            t.pending("2m"),
            "No metrics come from txmon {{ $labels.instance }}",
            Case(
                "9m",
                {
                    build: "1x3 stale",
                    metric("build_info", version="1", pack_hash="b").replace("t:1", "t:2"): "1x20",
                },
                _AT,
            ),
            Case("9m", {build: "1x20"}),
            PAGE,
        ),
        Alert(
            "TxmonNotReady",
            "min by (job, instance) (txmon_ready) == 0",
            t.pending("2m"),
            "txmon {{ $labels.instance }} takes no events",
            Case(
                "5m", {metric("ready", reason="store"): "1 0x9", metric("ready", reason="disk"): "1x9"}, _AT
            ),
            Case("5m", {metric("ready", reason="store"): "1 0 1x9", metric("ready", reason="disk"): "1x9"}),
            PAGE,
        ),
    ]


def _burn(t: Tuning) -> list[Alert]:
    def both(ratio: str, long: str, short: str, limit: float) -> str:
        return f"{ratio}{long} > {limit:g} and {ratio}{short} > {limit:g}"

    errors = {_OK: "0+950x400", _FAILED: "0+50x400"}
    some = {_OK: "0+991x400", _FAILED: "0+9x400"}
    few = {_OK: "0+9999x400", _FAILED: "0+1x400"}
    ended = {_OK: "0+1000x400", _FAILED: "0+50x60 3000x340"}
    slow = {_OK: "0+100x400", _QUICK: "0+70x400"}
    rather = {_OK: "0+100x400", _QUICK: "0+92x400"}
    quick = {_OK: "0+1000x400", _QUICK: "0+999x400"}
    return [
        Alert(
            "TxmonIngestErrorsFast",
            both(ERRORS, "1h", "5m", t.burn_fast * t.errors_budget),
            t.pending("2m"),
            "txmon {{ $labels.instance }} fails requests so fast that the month's budget is gone in two days",
            Case("70m", errors, _AT),
            Case("90m", ended),
            PAGE,
        ),
        Alert(
            "TxmonIngestErrorsSlow",
            both(ERRORS, "6h", "30m", t.burn_slow * t.errors_budget),
            t.pending("15m"),
            "txmon {{ $labels.instance }} fails more requests than its budget of the month allows",
            Case("380m", some, _AT),
            Case("380m", few),
        ),
        Alert(
            "TxmonIngestSlowFast",
            both(SLOW, "1h", "5m", t.burn_fast * t.slow_budget),
            t.pending("2m"),
            "txmon {{ $labels.instance }} answers single events late, far beyond its budget",
            Case("70m", slow, _AT),
            Case("70m", quick),
            PAGE,
        ),
        Alert(
            "TxmonIngestSlowSlow",
            both(SLOW, "6h", "30m", t.burn_slow * t.slow_budget),
            t.pending("15m"),
            "txmon {{ $labels.instance }} answers single events late more often than its budget allows",
            Case("380m", rather, _AT),
            Case("380m", quick),
        ),
    ]


def _stores(t: Tuning) -> list[Alert]:
    stalled, behind = t.window("5m"), t.window("15m")
    journal, warehouse = metric("journal_seq"), metric("warehouse_seq")
    used = metric("disk_used_bytes", what="warehouse")
    return [
        Alert(
            "TxmonJournalStalled",
            f"min_over_time(txmon_queue_events[{stalled}]) > 0"
            f" and changes(txmon_journal_seq[{stalled}]) == 0",
            t.pending("2m"),
            "Events wait at txmon {{ $labels.instance }} and nothing is written to the journal",
            Case("12m", {metric("queue_events"): "5x20", journal: "1 2 3x20"}, _AT),
            Case("12m", {metric("queue_events"): "5x20", journal: "1+1x20"}),
            PAGE,
        ),
        Alert(
            "TxmonWarehouseStalled",
            f"txmon_journal_seq - txmon_warehouse_seq > 0 and changes(txmon_warehouse_seq[{behind}]) == 0"
            ' and on (job, instance) txmon_disk_used_bytes{what="warehouse"} > 0',
            t.pending("15m"),
            "The warehouse of txmon {{ $labels.instance }} does not follow the journal",
            Case("40m", {journal: "1+1x50", warehouse: "1x50", used: "9000x50"}, _AT),
            Case("40m", {journal: "1+1x50", warehouse: "0x50", used: "0x50"}),  # switched off
        ),
        Alert(
            "TxmonStoreFailing",
            f"sum by (job, instance, kind) (increase(txmon_store_failures_total[{t.window('10m')}])) > 0",
            t.pending("0m"),
            "Transactions of txmon {{ $labels.instance }} fail: {{ $labels.kind }}",
            Case(
                "5m",
                {metric("store_failures_total", kind="store_unavailable"): "0 0 1 2 3x9"},
                {**_AT, "kind": "store_unavailable"},
            ),
            Case("25m", {metric("store_failures_total", kind="store_unavailable"): "0 0 1 2 3x30"}),
        ),
    ]


def _room(t: Tuning) -> list[Alert]:
    free, size = metric("disk_free_bytes"), metric("disk_size_bytes")
    waits, limit = metric("queue_events"), metric("queue_limit")
    return [
        Alert(
            "TxmonQueueFilling",
            f"txmon_queue_events / txmon_queue_limit > {t.queue_share:g}",
            t.pending("5m"),
            "txmon {{ $labels.instance }} is sent more than it can score; soon it refuses events",
            Case("9m", {waits: "45000x20", limit: "50000x20"}, _AT),
            Case("9m", {waits: "45000x3 10x20", limit: "50000x30"}),
            PAGE,
        ),
        Alert(
            "TxmonDiskLow",
            f"txmon_disk_free_bytes / txmon_disk_size_bytes < {t.disk_share:g}",
            t.pending("5m"),
            "The disk of txmon {{ $labels.instance }} is nearly full",
            Case("9m", {free: "14x20", size: "100x20"}, _AT),
            Case("9m", {free: "16x20", size: "100x20"}),
            PAGE,
        ),
        Alert(
            "TxmonWebhooksBehind",
            f"txmon_webhook_backlog > {t.webhook_backlog}",
            t.pending("15m"),
            "Receivers of txmon {{ $labels.instance }} are not told of alerts: deliveries pile up",
            Case("20m", {metric("webhook_backlog"): "5000x30"}, _AT),
            Case("20m", {metric("webhook_backlog"): "5000x9 0x30"}),
        ),
    ]
