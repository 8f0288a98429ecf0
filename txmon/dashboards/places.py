"""What puts boards and alerts to work: configuration of Prometheus, Alertmanager and Grafana's provisioning.

Examples to start from; addresses are parameters. Owns these files and nothing of what they load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from txmon.dashboards.kinds import COMPLIANCE, PAGE
from txmon.dashboards.rulefiles import RULES_FILE, to_yaml

DATASOURCE = "txmon-prometheus"


@dataclass(frozen=True)
class Addresses:
    """Where everything is found, as host and port; `hook` is what tells people."""

    txmon: str = "127.0.0.1:8080"
    prometheus: str = "127.0.0.1:9090"
    alertmanager: str = "127.0.0.1:9093"
    hook: str = "http://127.0.0.1:9095"
    boards: str = "/etc/grafana/dashboards/txmon"


def prometheus_yaml(at: Addresses, every: str = "15s") -> str:
    """Return a configuration of Prometheus beside the rule file.

    Args:
        every: how often metrics are read and rules looked at.
    """
    scrape: dict[str, Any] = {"job_name": "txmon", "static_configs": [{"targets": [at.txmon]}]}
    managers = {"static_configs": [{"targets": [at.alertmanager]}]}
    return to_yaml(
        {
            "global": {"scrape_interval": every, "evaluation_interval": every},
            "rule_files": [RULES_FILE],
            "alerting": {"alertmanagers": [managers]},
            "scrape_configs": [scrape],
        }
    )


def alertmanager_yaml(at: Addresses) -> str:
    """Return an example of routes: who is told of what, how fast, how often."""
    compliance = {
        "receiver": "compliance-duty",
        "matchers": [f'concern = "{COMPLIANCE}"'],
        "group_by": ["alertname", "alert_id"],  # each alert is told of on its own
        "group_wait": "0s",
        "repeat_interval": "30m",
    }
    page = {
        "receiver": "operations-page",
        "matchers": [f'severity = "{PAGE}"'],
        "group_wait": "10s",
        "repeat_interval": "1h",
    }
    route = {
        "receiver": "operations-ticket",
        "group_by": ["alertname", "instance"],
        "group_wait": "1m",
        "group_interval": "5m",
        "repeat_interval": "12h",
        "routes": [compliance, page],
    }
    names = ("operations-ticket", "operations-page", "compliance-duty")
    receivers = [
        {"name": n, "webhook_configs": [{"url": f"{at.hook}/{n}", "send_resolved": True}]} for n in names
    ]
    inhibit = [
        _quieter("TxmonIngestErrorsFast", "TxmonIngestErrorsSlow"),
        _quieter("TxmonIngestSlowFast", "TxmonIngestSlowSlow"),
        _quieter("TxmonAbsent", "TxmonNotReady"),
    ]
    return to_yaml({"route": route, "receivers": receivers, "inhibit_rules": inhibit})


def datasource_yaml(at: Addresses) -> str:
    """Return Grafana's provisioning of the data source."""
    source = {
        "name": "Prometheus (txmon)",
        "uid": DATASOURCE,
        "type": "prometheus",
        "access": "proxy",
        "url": f"http://{at.prometheus}",
        "isDefault": True,
        "jsonData": {"httpMethod": "POST", "timeInterval": "15s"},
    }
    return to_yaml({"apiVersion": 1, "datasources": [source]})


def boards_yaml(at: Addresses) -> str:
    """Return Grafana's provisioning of the boards."""
    provider = {
        "name": "txmon",
        "folder": "txmon",
        "type": "file",
        "allowUiUpdates": False,
        "options": {"path": at.boards, "foldersFromFilesStructure": False},
    }
    return to_yaml({"apiVersion": 1, "providers": [provider]})


def _quieter(loud: str, quiet: str) -> dict[str, Any]:
    return {
        "source_matchers": [f'alertname = "{loud}"'],
        "target_matchers": [f'alertname = "{quiet}"'],
        "equal": ["job", "instance"],
    }
