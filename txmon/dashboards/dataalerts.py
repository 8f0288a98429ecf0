"""Alerts on what is scored and found: late data, bad data, rules that changed, alerts that nobody takes up.

Owns their expressions and tests; numbers are `Tuning`'s, words for the reader are in docs/runbook.md.
"""

from __future__ import annotations

from txmon.dashboards.kinds import COMPLIANCE, PAGE, Alert, Case, metric
from txmon.dashboards.tuning import Tuning

_AT = {"job": "txmon", "instance": "t:1"}
_BY = "by (job, instance)"


def alerts(t: Tuning) -> list[Alert]:
    """Return all of them."""
    return [*_lag(t), *_bad(t), *_rules(t), *_people(t)]


def _lag(t: Tuning) -> list[Alert]:
    lag, unread = (
        metric("lag_seconds", consumer="http"),
        metric("consumer_lag_messages", consumer="k", partition="0"),
    )
    return [
        Alert(
            "TxmonLag",
            f"max by (job, instance, consumer) (txmon_lag_seconds) > {t.seconds(t.lag_s)}",
            t.pending("15m"),
            "Events reach txmon {{ $labels.instance }} late by {{ $labels.consumer }}",
            Case("20m", {lag: "1200x30"}, {**_AT, "consumer": "http"}),
            Case("20m", {lag: "1200x9 5x30"}),
        ),
        Alert(
            "TxmonConsumerBehind",
            "sum by (job, instance, consumer) (min_over_time("
            f"txmon_consumer_lag_messages[{t.window('15m')}])) > {t.behind_messages}",
            t.pending("5m"),
            "txmon {{ $labels.instance }} does not catch up with {{ $labels.consumer }}",
            Case("30m", {unread: "50000+100x40"}, {**_AT, "consumer": "k"}),
            Case("30m", {unread: "50000 0 50000 0 50000 0 50000 0 50000x14 0x20"}),
        ),
    ]


def _bad(t: Tuning) -> list[Alert]:
    ten, hour = t.window("10m"), t.window("1h")
    good = metric("events_total", source_kind="http", outcome="accepted")
    refused = metric("events_total", source_kind="http", outcome="quarantined")
    unconverted, scored = metric("unconverted_events_total"), metric("rule_evaluations_total")
    return [
        Alert(
            "TxmonQuarantineSpike",
            f'sum {_BY} (rate(txmon_events_total{{outcome="quarantined"}}[{ten}]))'
            f" / sum {_BY} (rate(txmon_events_total[{ten}])) > {t.quarantine_share:g}"
            f' and sum {_BY} (increase(txmon_events_total{{outcome="quarantined"}}[{ten}]))'
            f" > {t.quarantine_rows}",
            t.pending("5m"),
            "txmon {{ $labels.instance }} puts an unusual share of rows into quarantine",
            Case("25m", {good: "0+90x40", refused: "0+10x40"}, _AT),
            Case("25m", {good: "0+10x40", refused: "0x20 1x20"}),  # one bad row of few is no spike
        ),
        Alert(
            "TxmonUnconverted",
            f"sum {_BY} (increase(txmon_unconverted_events_total[{hour}]))"
            f" / sum {_BY} (increase(txmon_rule_evaluations_total[{hour}])) > {t.unconverted_share:g}",
            t.pending("15m"),
            "txmon {{ $labels.instance }} has no exchange rate for many events: their amounts are in no sum",
            Case("90m", {unconverted: "0+5x100", scored: "0+100x100"}, _AT),
            Case("90m", {unconverted: "0+1x100", scored: "0+1000x100"}),
        ),
    ]


def _rules(t: Tuning) -> list[Alert]:
    drifted = f"txmon_rule_fire_psi >= {t.psi:g}"
    hits = f"sum by (job, instance, rule) (increase(txmon_hits_total[{t.window('6h')}])) > 0"
    psi = metric("rule_fire_psi", rule="r")
    count = metric("hits_total", rule="r", typology="x", severity="high", status="live")
    labels = {**_AT, "rule": "r"}
    return [
        Alert(
            "TxmonRuleSilent",
            f"{drifted} unless on (job, instance, rule) {hits}",
            t.pending("3h"),
            "Rule {{ $labels.rule }} has stopped to fire",
            Case("800m", {psi: "0.1x300 0.9x600", count: "0+1x200 200x700"}, labels),
            Case("600m", {psi: "0.1x700", count: "0x700"}),  # it never fired much
        ),
        Alert(
            "TxmonRuleWild",
            f"{drifted} and on (job, instance, rule) {hits}",
            t.pending("3h"),
            "Rule {{ $labels.rule }} fires at another rate than it did for weeks",
            Case("600m", {psi: "0.1x300 0.9x400", count: "0+9x700"}, labels),
            Case("350m", {psi: "0.1x300 0.9x400", count: "0+9x700"}),  # for less than an hour yet
        ),
    ]


def _people(t: Tuning) -> list[Alert]:
    age = metric("alert_urgent_unacknowledged_seconds", alert_id="al-1")
    return [
        Alert(
            "TxmonUrgentAlertUnacknowledged",
            "max by (alert_id) (txmon_alert_urgent_unacknowledged_seconds)"
            f" > {t.seconds(t.unacknowledged_s)}",
            t.pending("0m"),
            "Nobody has taken up alert {{ $labels.alert_id }}",
            Case("35m", {age: "0+60x60"}, {"alert_id": "al-1"}),
            Case("35m", {age: "0+60x20 _x60"}),  # somebody has
            PAGE,
            COMPLIANCE,
        )
    ]
