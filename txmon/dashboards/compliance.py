"""The board *Compliance*: which alerts come, how long they wait, what people make of them.

No panel names a person or says why an alert was opened: an alert is its own id.
"""

from __future__ import annotations

from txmon.dashboards.boards import Board
from txmon.dashboards.panels import ALL, Panel, Query, bars, graph, listing, number

_OPENED = f'txmon_alerts_total{{{ALL}, change="opened", typology=~"$typology", severity=~"$severity"}}'
_DECIDED = f"txmon_rule_decided_alerts{{{ALL}}}"
_LINK = ("Alert", "${txmon}/v1/alerts/${__data.fields.Alert}")


def compliance() -> Board:
    """Return the board."""
    now = [
        number(
            "Open alerts",
            "Alerts that nobody has closed, by severity.",
            "short",
            Query(f"sum by (severity) (txmon_alerts_open{{{ALL}}})", "{{severity}}"),
        ),
        number(
            "Oldest open alert",
            "Age of the oldest alert that nobody has closed, of any severity.",
            "s",
            Query(f"max(txmon_alerts_oldest_open_seconds{{{ALL}}})"),
            steps=(86_400, 604_800),
        ),
        number(
            "Urgent and not taken up",
            "Critical alerts of child exploitation or procurement that nobody took up; at most 50 count. "
            "After 30 minutes each is alerted on.",
            "short",
            Query(f"count(txmon_alert_urgent_unacknowledged_seconds{{{ALL}}}) or vector(0)"),
            steps=(1,),
        ),
        number(
            "Alerts opened",
            "Alerts opened in the time that is shown.",
            "short",
            Query(f"sum(increase({_OPENED}[$__range]))"),
        ),
    ]
    alerts = [
        graph(
            "Alerts opened an hour, by typology",
            "The strongest typology of an alert counts.",
            "short",
            Query(f"sum by (typology) (increase({_OPENED}[1h]))", "{{typology}}"),
            stacked=True,
        ),
        graph(
            "Alerts opened an hour, by severity",
            "Severity when the alert was opened.",
            "short",
            Query(f"sum by (severity) (increase({_OPENED}[1h]))", "{{severity}}"),
            stacked=True,
        ),
        graph(
            "What hits do to alerts, an hour",
            "`opened`: a new alert. `new_evidence`: an open alert changed by what is materially new. "
            "`repeat`: more of the same, which tells nobody anew.",
            "short",
            Query(
                f'sum by (change) (increase(txmon_alerts_total{{{ALL}, typology=~"$typology", '
                'severity=~"$severity"}[1h]))',
                "{{change}}",
            ),
        ),
    ]
    return Board(
        "txmon-compliance",
        "txmon: Compliance",
        "Alerts by typology and severity, how long they wait, and what people made of the rules' alerts.",
        [("Now", now), ("Alerts", alerts), ("Queue", _queue()), ("Decisions", _decisions())],
        {
            "typology": ("Typology", f"label_values(txmon_alerts_total{{{ALL}}}, typology)"),
            "severity": ("Severity", f"label_values(txmon_alerts_open{{{ALL}}}, severity)"),
        },
        since="now-24h",
        address=True,
    )


def _queue() -> list[Panel]:
    chosen = f'{ALL}, severity=~"$severity"'
    return [
        graph(
            "Open alerts, by severity",
            "Alerts that nobody has closed.",
            "short",
            Query(f"sum by (severity) (txmon_alerts_open{{{chosen}}})", "{{severity}}"),
            stacked=True,
        ),
        graph(
            "Age of the oldest open alert",
            "By severity; a line that rises steadily is a queue that is not worked on.",
            "s",
            Query(f"max by (severity) (txmon_alerts_oldest_open_seconds{{{chosen}}})", "{{severity}}"),
        ),
        graph(
            "Open alerts, by how long they wait",
            "Since the alert was opened.",
            "short",
            Query(f"sum by (age) (txmon_alerts_waiting{{{chosen}}})", "{{age}}"),
            stacked=True,
        ),
        listing(
            "Critical alerts that nobody has taken up",
            "The 50 oldest; the id leads to the alert.",
            "s",
            Query(f"max by (alert_id, severity) (txmon_alert_unacknowledged_seconds{{{chosen}}})"),
            columns={"alert_id": "Alert", "severity": "Severity", "Value": "Waits"},
            link=_LINK,
        ),
        listing(
            "Urgent among them",
            "Child exploitation and procurement; the 50 oldest; the id leads to the alert.",
            "s",
            Query(f"max by (alert_id) (txmon_alert_urgent_unacknowledged_seconds{{{ALL}}})"),
            columns={"alert_id": "Alert", "Value": "Waits"},
            link=_LINK,
        ),
    ]


def _decisions() -> list[Panel]:
    return [
        bars(
            "Precision by rule",
            "Of the alerts that people decided and in which the rule hit, the share that they escalated. "
            "Rules of which nothing was decided are not shown.",
            "percentunit",
            Query(
                f'sum by (rule) (txmon_rule_decided_alerts{{{ALL}, decision="escalated"}}) / '
                f"(sum by (rule) ({_DECIDED}) > 0)",
                "{{rule}}",
            ),
        ),
        graph(
            "Alerts decided, by decision",
            "All decisions so far. An alert counts once for each of its rules.",
            "short",
            Query(f"sum by (decision) ({_DECIDED})", "{{decision}}"),
        ),
    ]
