"""Boards, alerts and their configuration, made from Python: what `txmon dashboards build` writes.

    files = build()                                  {"grafana/boards/rules.json": "...", ...}
    files = build(Made(tuning=Tuning(scale=1 / 600)))

Owns the list of files. Reads nothing but the metrics' names in its own queries; a test holds them against
`txmon.metrics`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from txmon.dashboards.boards import to_json
from txmon.dashboards.compliance import compliance
from txmon.dashboards.pipeline import pipeline
from txmon.dashboards.places import (
    Addresses,
    alertmanager_yaml,
    boards_yaml,
    datasource_yaml,
    prometheus_yaml,
)
from txmon.dashboards.rulefiles import RULES_FILE, rules_yaml, tests_yaml
from txmon.dashboards.rulesboard import rules
from txmon.dashboards.tuning import Tuning

__all__ = ["Addresses", "Made", "Tuning", "build"]


@dataclass(frozen=True)
class Made:
    """What may differ from what ships."""

    tuning: Tuning = field(default_factory=Tuning)
    addresses: Addresses = field(default_factory=Addresses)
    runbook: str = "docs/runbook.md"  # address of the runbook; alerts add their anchor
    every: str = "15s"  # how often Prometheus reads and judges


def build(made: Made | None = None) -> dict[str, str]:
    """Return every file: path below the output folder -> text."""
    m = made or Made()
    files = {
        f"grafana/boards/{board.uid.removeprefix('txmon-')}.json": to_json(
            board, f"http://{m.addresses.txmon}"
        )
        for board in (compliance(), pipeline(), rules())
    }
    return files | {
        "grafana/provisioning/dashboards/txmon.yaml": boards_yaml(m.addresses),
        "grafana/provisioning/datasources/txmon.yaml": datasource_yaml(m.addresses),
        f"prometheus/{RULES_FILE}": rules_yaml(m.tuning, m.runbook),
        "prometheus/txmon.tests.yaml": tests_yaml(m.tuning, m.runbook, long=False),
        "prometheus/txmon.long.tests.yaml": tests_yaml(m.tuning, m.runbook, long=True),
        "prometheus/prometheus.yml": prometheus_yaml(m.addresses, m.every),
        "alertmanager/alertmanager.yml": alertmanager_yaml(m.addresses),
    }
