"""The board *Pipeline*: does the service take, score and keep what it is sent, and how fast."""

from __future__ import annotations

from txmon.dashboards.boards import Board
from txmon.dashboards.panels import ALL, Panel, Query, graph, listing, number, ready
from txmon.dashboards.recordings import ERRORS, SLOW

_R = "$__rate_interval"


def pipeline() -> Board:
    """Return the board."""
    rows = [
        ("Now", _now()),
        ("Throughput", _throughput()),
        ("Latency", _latency()),
        ("Lag", _lag()),
        ("Errors", _errors()),
        ("Backlog", _backlog()),
        ("Machine", _machine()),
    ]
    return Board(
        "txmon-pipeline",
        "txmon: Pipeline",
        "Throughput, latency by stage, lag, late events, errors, quarantine and backlog of the service.",
        rows,
        {"consumer": ("Consumer", f"label_values(txmon_lag_seconds{{{ALL}}}, consumer)")},
    )


def _now() -> list[Panel]:
    return [
        ready(
            "Takes events",
            "Whether nothing keeps the service from taking events.",
            Query(f"min(txmon_ready{{{ALL}}})"),
        ),
        number(
            "Events a second",
            "Given by all senders, whatever became of them.",
            "eps",
            Query(f"sum(rate(txmon_events_total{{{ALL}}}[{_R}]))"),
        ),
        number(
            "Queue",
            "Share of the places for waiting events that is taken; at 100 % events are refused.",
            "percentunit",
            Query(f"max(txmon_queue_events{{{ALL}}} / txmon_queue_limit{{{ALL}}})"),
            steps=(0.5, 0.8),
        ),
        number(
            "Disk free",
            "Share of the store's disk that is free; alerted on below 15 %.",
            "percentunit",
            Query(f"min(txmon_disk_free_bytes{{{ALL}}} / txmon_disk_size_bytes{{{ALL}}})"),
        ),
        graph(
            "What keeps it from taking events",
            "1: all is well. 0: this reason holds.",
            "none",
            Query(f"min by (reason) (txmon_ready{{{ALL}}})", "{{reason}}"),
        ),
        listing(
            "Program and rules",
            "Version of txmon and hash of the packs at work.",
            "none",
            Query(f"max by (instance, version, pack_hash) (txmon_build_info{{{ALL}}})"),
            columns={"instance": "Instance", "version": "Version", "pack_hash": "Packs", "Value": "At work"},
        ),
    ]


def _throughput() -> list[Panel]:
    return [
        graph(
            "Events, by outcome",
            "Duplicates have no effect; quarantined rows are no events.",
            "eps",
            Query(f"sum by (outcome) (rate(txmon_events_total{{{ALL}}}[{_R}]))", "{{outcome}}"),
        ),
        graph(
            "Events, by kind of source",
            "How they came.",
            "eps",
            Query(f"sum by (source_kind) (rate(txmon_events_total{{{ALL}}}[{_R}]))", "{{source_kind}}"),
        ),
        graph(
            "Events scored",
            "Accepted events that went through the rules at work.",
            "eps",
            Query(f"sum by (instance) (rate(txmon_rule_evaluations_total{{{ALL}}}[{_R}]))", "{{instance}}"),
        ),
        graph(
            "Events of a commit",
            "Many at once under load, few in quiet hours.",
            "short",
            *_quantiles("txmon_batch_events", ""),
        ),
    ]


def _latency() -> list[Panel]:
    return [
        graph(
            "Requests, 99 of 100 within",
            "From the first byte of a request to the last of its answer, by route.",
            "s",
            Query(
                _slowest("txmon_request_seconds", "route"),
                "{{route}}",
            ),
        ),
        graph(
            "Single events",
            "Answers to POST /v1/events, from the first byte to the last.",
            "s",
            *_quantiles("txmon_request_seconds", ', route="/v1/events"'),
        ),
        graph(
            "Stages of a batch, 99 of 100 within",
            "Decoding, scoring, commit, answer.",
            "s",
            Query(
                _slowest("txmon_stage_seconds", "stage"),
                "{{stage}}",
            ),
        ),
        graph(
            "Time spent, by stage",
            "Seconds of the writer's time in a second; near 1 in all it can do no more.",
            "percentunit",
            Query(f"sum by (stage) (rate(txmon_stage_seconds_sum{{{ALL}}}[{_R}]))", "{{stage}}"),
            stacked=True,
        ),
        graph(
            "Late answers to single events",
            "Share above 100 ms, by window; 1 % is the budget.",
            "percentunit",
            *(Query(f"max({SLOW}{w}{{{ALL}}})", w) for w in ("5m", "1h", "6h")),
        ),
        graph(
            "Failed requests with events",
            "Share answered with 5xx, by window; 0.1 % is the budget.",
            "percentunit",
            *(Query(f"max({ERRORS}{w}{{{ALL}}})", w) for w in ("5m", "1h", "6h")),
        ),
    ]


def _lag() -> list[Panel]:
    chosen = f'{ALL}, consumer=~"$consumer"'
    return [
        graph(
            "Lag",
            "Now less the newest event time that came, by consumer; it stands still while nothing comes.",
            "s",
            Query(f"max by (consumer) (txmon_lag_seconds{{{chosen}}})", "{{consumer}}"),
        ),
        graph(
            "Not yet read",
            "Messages of a topic, bytes of a file.",
            "short",
            Query(f"sum by (consumer) (txmon_consumer_lag_messages{{{chosen}}})", "{{consumer}}"),
        ),
        graph(
            "Late events",
            "Share of accepted events behind the watermark.",
            "percentunit",
            Query(
                _share("rate", "late_events_total", "rule_evaluations_total", _R),
                "late",
            ),
        ),
        graph(
            "Rows looked back at",
            "Rows of windows that were read again for late events: what they cost.",
            "rowsps",
            Query(f"sum(rate(txmon_looked_back_rows_total{{{ALL}}}[{_R}]))", "rows"),
        ),
    ]


def _errors() -> list[Panel]:
    return [
        graph(
            "Requests, by answer",
            "5xx is ours, 4xx the sender's.",
            "reqps",
            Query(
                f"sum by (status_class) (rate(txmon_request_seconds_count{{{ALL}}}[{_R}]))",
                "{{status_class}}",
            ),
        ),
        graph(
            "Refused requests",
            "For who sent them, or because a key made too many.",
            "reqps",
            Query(f"sum by (reason) (rate(txmon_auth_failures_total{{{ALL}}}[{_R}]))", "{{reason}}"),
            Query(f"sum(rate(txmon_rate_limited_total{{{ALL}}}[{_R}]))", "too many"),
        ),
        graph(
            "Quarantine, by reason",
            "Rows an hour that were no events, or could not be scored.",
            "short",
            Query(f"sum by (reason) (increase(txmon_quarantined_total{{{ALL}}}[1h]))", "{{reason}}"),
            stacked=True,
        ),
        graph(
            "Events without a rate",
            "Share of scored events whose amount could not be converted: they are in no sum.",
            "percentunit",
            Query(
                _share("increase", "unconverted_events_total", "rule_evaluations_total", "1h"),
                "unconverted",
            ),
        ),
        graph(
            "Failures of the store",
            "Transactions that failed, and how often the store came back, an hour.",
            "short",
            Query(f"sum by (kind) (increase(txmon_store_failures_total{{{ALL}}}[1h]))", "{{kind}}"),
            Query(f"sum(increase(txmon_store_recoveries_total{{{ALL}}}[1h]))", "came back"),
        ),
    ]


def _backlog() -> list[Panel]:
    return [
        graph(
            "Events that wait",
            "For the engine; at the limit more are refused.",
            "short",
            Query(f"sum by (instance) (txmon_queue_events{{{ALL}}})", "waiting {{instance}}"),
            Query(f"sum by (instance) (txmon_queue_limit{{{ALL}}})", "limit {{instance}}"),
        ),
        graph(
            "Journal rows behind",
            "Rows of the journal that the warehouse or the newest snapshot does not have.",
            "short",
            Query(f"max(txmon_journal_seq{{{ALL}}} - txmon_warehouse_seq{{{ALL}}})", "warehouse"),
            Query(f"max(txmon_journal_seq{{{ALL}}} - txmon_snapshot_seq{{{ALL}}})", "snapshot"),
        ),
        graph(
            "Events in the journal",
            "All so far, and how many of them the engine applied.",
            "short",
            Query(f"sum(txmon_journal_events{{{ALL}}})", "journal"),
            Query(f"sum(txmon_engine_seq{{{ALL}}})", "engine"),
        ),
        graph(
            "Messages that wait",
            "Messages of the outbox, and deliveries of webhooks.",
            "short",
            Query(f"sum(txmon_outbox_backlog{{{ALL}}})", "outbox"),
            Query(f"sum(txmon_webhook_backlog{{{ALL}}})", "webhooks"),
        ),
        graph(
            "Webhook deliveries, by outcome",
            "Tries an hour.",
            "short",
            Query(f"sum by (outcome) (increase(txmon_webhook_deliveries_total{{{ALL}}}[1h]))", "{{outcome}}"),
        ),
        graph(
            "Time of a snapshot",
            "Mean of the last hour; events go on meanwhile.",
            "s",
            Query(
                _share("increase", "snapshot_seconds_sum", "snapshot_seconds_count", "1h"),
                "snapshot",
            ),
        ),
    ]


def _machine() -> list[Panel]:
    return [
        graph(
            "Bytes on disk",
            "By what they hold.",
            "bytes",
            Query(f"sum by (what) (txmon_disk_used_bytes{{{ALL}}})", "{{what}}"),
            stacked=True,
        ),
        graph(
            "Disk",
            "Free and whole size where the store lies.",
            "bytes",
            Query(f"min by (instance) (txmon_disk_free_bytes{{{ALL}}})", "free {{instance}}"),
            Query(f"min by (instance) (txmon_disk_size_bytes{{{ALL}}})", "size {{instance}}"),
        ),
        graph(
            "Memory",
            "Resident memory of the service's process and of its engine's.",
            "bytes",
            Query(f"max by (instance) (process_resident_memory_bytes{{{ALL}}})", "service {{instance}}"),
            Query(f"max by (instance) (txmon_engine_resident_bytes{{{ALL}}})", "engine {{instance}}"),
        ),
        graph(
            "Processor",
            "Cores in use.",
            "short",
            Query(f"sum by (instance) (rate(process_cpu_seconds_total{{{ALL}}}[{_R}]))", "{{instance}}"),
        ),
        number(
            "Erased events",
            "Events whose content was erased from the store so far.",
            "short",
            Query(f"sum(txmon_erased_events_total{{{ALL}}})"),
        ),
    ]


def _share(by: str, part: str, whole: str, window: str) -> str:
    parts = f"sum({by}(txmon_{part}{{{ALL}}}[{window}]))"
    return f"{parts} / (sum({by}(txmon_{whole}{{{ALL}}}[{window}])) > 0)"


def _slowest(name: str, label: str) -> str:
    return f"histogram_quantile(0.99, sum by (le, {label}) (rate({name}_bucket{{{ALL}}}[{_R}])))"


def _quantiles(name: str, more: str) -> list[Query]:
    inside = f"sum by (le) (rate({name}_bucket{{{ALL}{more}}}[{_R}]))"
    return [
        Query(f"histogram_quantile({q}, {inside})", text) for q, text in ((0.5, "half"), (0.99, "99 of 100"))
    ]
