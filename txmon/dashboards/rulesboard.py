"""The board *Rules*: how often rules fire, whether that changed, what they cost, and rules in the shadow."""

from __future__ import annotations

from txmon.dashboards.boards import Board
from txmon.dashboards.panels import ALL, Panel, Query, bars, graph, listing, number

_CHOSEN = f'{ALL}, rule=~"$rule", status=~"$status"'
_SCORED = f"txmon_rule_evaluations_total{{{ALL}}}"
PSI_STEPS = (0.25, 0.5)


def rules() -> Board:
    """Return the board."""
    return Board(
        "txmon-rules",
        "txmon: Rules",
        "Fire rate of each rule, its drift from the weeks before, cost, and shadow rules beside live ones.",
        [
            ("Now", _now()),
            ("Fire rate", _rate()),
            ("Drift", _drift()),
            ("Shadow and live", _shadow()),
            ("Cost", _cost()),
        ],
        {
            "rule": ("Rule", f"label_values(txmon_hits_total{{{ALL}}}, rule)"),
            "status": ("Status", f"label_values(txmon_hits_total{{{ALL}}}, status)"),
        },
        since="now-24h",
    )


def _now() -> list[Panel]:
    return [
        number(
            "Rules at work",
            "Rules that are scored, live or in the shadow.",
            "short",
            Query(f"count(count by (rule) (txmon_hits_total{{{ALL}}}))"),
        ),
        number(
            "Hits",
            "Hits in the time that is shown.",
            "short",
            Query(f"sum(increase(txmon_hits_total{{{_CHOSEN}}}[$__range]))"),
        ),
        number(
            "Rules that drifted",
            "Rules whose fire rate is not that of the weeks before (index of 0.5 or more).",
            "short",
            Query(f"count(txmon_rule_fire_psi{{{ALL}}} >= 0.5) or vector(0)"),
            steps=(1, 5),
        ),
        number(
            "Detectors warming",
            "Anomaly detectors whose scores are not used yet.",
            "short",
            Query(f"sum(txmon_detectors_warming{{{ALL}}})"),
            steps=(1,),
        ),
    ]


def _rate() -> list[Panel]:
    hits = f"sum by (rule) (increase(txmon_hits_total{{{_CHOSEN}}}[1h]))"
    return [
        graph(
            "Hits an hour, by rule", "The 15 that fire most.", "short", Query(f"topk(15, {hits})", "{{rule}}")
        ),
        graph(
            "Hits for a scored event, by rule",
            "The 15 highest; independent of how many events come.",
            "percentunit",
            Query(f"topk(15, {hits} / scalar(sum(increase({_SCORED}[1h])) > 0))", "{{rule}}"),
        ),
        graph(
            "Hits an hour, by typology",
            "All rules that are chosen.",
            "short",
            Query(f"sum by (typology) (increase(txmon_hits_total{{{_CHOSEN}}}[1h]))", "{{typology}}"),
            stacked=True,
        ),
        graph(
            "Hits an hour, by severity",
            "All rules that are chosen.",
            "short",
            Query(f"sum by (severity) (increase(txmon_hits_total{{{_CHOSEN}}}[1h]))", "{{severity}}"),
            stacked=True,
        ),
    ]


def _drift() -> list[Panel]:
    psi = f'txmon_rule_fire_psi{{{ALL}, rule=~"$rule"}}'
    text = (
        "Population stability index of the hourly fire rate: 24 hours against 28 days before them. "
        "Chance alone gives 0.1; a rate that doubles or halves gives about 1."
    )
    return [
        graph(
            "Drift over time",
            text + " The 15 highest.",
            "short",
            Query(f"topk(15, max by (rule) ({psi}))", "{{rule}}"),
        ),
        bars(
            "Drift now",
            text + " The 15 highest.",
            "short",
            Query(f"sort_desc(topk(15, max by (rule) ({psi})))", "{{rule}}"),
            steps=PSI_STEPS,
        ),
    ]


def _shadow() -> list[Panel]:
    return [
        graph(
            "Hits an hour, by status",
            "A shadow rule hits and opens no alert.",
            "short",
            Query(f'sum by (status) (increase(txmon_hits_total{{{ALL}, rule=~"$rule"}}[1h]))', "{{status}}"),
        ),
        listing(
            "Rules in the shadow",
            "What each would have found in the last day; compare with its live neighbours.",
            "short",
            Query(
                "sum by (rule, typology, severity)"
                f' (increase(txmon_hits_total{{{ALL}, status="shadow"}}[1d]))'
            ),
            columns={"rule": "Rule", "typology": "Typology", "severity": "Severity", "Value": "Hits a day"},
        ),
    ]


def _cost() -> list[Panel]:
    spent = f'sum(rate(txmon_stage_seconds_sum{{{ALL}, stage="apply"}}[$__rate_interval]))'
    return [
        graph(
            "Time to score an event",
            "Of all rules, windows and detectors together; a single rule's part is not measured.",
            "s",
            Query(f"{spent} / (sum(rate({_SCORED}[$__rate_interval])) > 0)", "apply"),
        ),
        graph(
            "Share of the writer's time that scoring takes",
            "Seconds in a second.",
            "percentunit",
            Query(spent, "apply"),
        ),
        graph(
            "Rows looked back at",
            "Rows of windows that were read again for late events.",
            "rowsps",
            Query(f"sum(rate(txmon_looked_back_rows_total{{{ALL}}}[$__rate_interval]))", "rows"),
        ),
    ]
