"""Alerts: a deterministic fold over hits. Reads hits and rules; never events, never a clock."""

from txmon.alerts.book import AlertBook
from txmon.alerts.facts import ALERT_LINE, RuleFacts, Suppressor
from txmon.alerts.tables import ALERTS, CHANGES, NEUTRAL

__all__ = ["ALERTS", "ALERT_LINE", "CHANGES", "NEUTRAL", "AlertBook", "RuleFacts", "Suppressor"]
