"""Alerts and recordings as Prometheus's rule file, and their cases as promtool's unit tests.

Owns the two YAML forms; what they say comes from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from txmon.dashboards import dataalerts, servicealerts
from txmon.dashboards.kinds import Alert, Case
from txmon.dashboards.recordings import recordings
from txmon.dashboards.tuning import Tuning

RULES_FILE = "txmon.rules.yaml"
HEADER = "# Made by `txmon dashboards build`; change txmon/dashboards instead.\n"
_LONG_M = 120  # minutes
_LABEL = re.compile(r"\{\{ \$labels\.(\w+) \}\}")


def all_alerts(tuning: Tuning) -> list[Alert]:
    """Return every alert."""
    return [*servicealerts.alerts(tuning), *dataalerts.alerts(tuning)]


def rules_yaml(tuning: Tuning, runbook: str) -> str:
    """Return the rule file.

    Args:
        runbook: address of the runbook; each alert adds its anchor.
    """
    recorded = [{"record": r.name, "expr": r.expr} for r in recordings(tuning)]
    groups = [{"name": "txmon-recorded", "rules": recorded}]
    for name, alerts in (
        ("txmon-service", servicealerts.alerts(tuning)),
        ("txmon-data", dataalerts.alerts(tuning)),
    ):
        groups.append({"name": name, "rules": [_alert(alert, runbook) for alert in alerts]})
    return to_yaml({"groups": groups})


def tests_yaml(tuning: Tuning, runbook: str, *, long: bool) -> str:
    """Return the unit tests: for each alert one case in which it fires and one in which it does not.

    Args:
        long: those of many hours, which are looked at every five minutes; the others every minute.
    """
    tests = []
    for alert in all_alerts(tuning):
        for case, name in ((alert.fires, "fires"), (alert.quiet, "is quiet")):
            if (int(case.at.removesuffix("m")) > _LONG_M) == long:
                tests.append(_test(alert, case, f"{alert.name} {name}", runbook))
    every = "5m" if long else "1m"
    return to_yaml({"rule_files": [RULES_FILE], "evaluation_interval": every, "tests": tests})


def to_yaml(document: Mapping[str, Any]) -> str:
    """Return a document as YAML that says where it comes from."""
    return HEADER + yaml.safe_dump(document, sort_keys=False, width=2000, allow_unicode=True)


def _alert(alert: Alert, runbook: str) -> dict[str, Any]:
    made: dict[str, Any] = {"alert": alert.name, "expr": alert.expr}
    if alert.pending != "0m":
        made["for"] = alert.pending
    return made | {
        "labels": {"severity": alert.severity, "concern": alert.concern},
        "annotations": {"summary": alert.summary, "runbook_url": _anchor(alert, runbook)},
    }


def _anchor(alert: Alert, runbook: str) -> str:
    return f"{runbook}#{alert.name.lower()}"


def _test(alert: Alert, case: Case, name: str, runbook: str) -> dict[str, Any]:
    expected = []
    if case.labels:
        summary = _LABEL.sub(lambda found: case.labels.get(found[1], ""), alert.summary)
        expected.append(
            {
                "exp_labels": {"severity": alert.severity, "concern": alert.concern, **case.labels},
                "exp_annotations": {"summary": summary, "runbook_url": _anchor(alert, runbook)},
            }
        )
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "alert_rule_test": [{"eval_time": case.at, "alertname": alert.name, "exp_alerts": expected}],
    }
