"""What an alert, a recording rule and a case of their tests are, before they become YAML.

Owns the shapes; an alert cannot be written without a case in which it fires and one in which it does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PAGE, TICKET = "critical", "warning"
OPERATIONS, COMPLIANCE = "operations", "compliance"
WHERE = 'job="txmon", instance="t:1"'  # of every series in a test


@dataclass(frozen=True)
class Case:
    """Series of a test, as promtool writes them, a sample a minute; `labels` are those of the one alert.

    at: when it is looked at.
    """

    at: str
    series: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Alert:
    """An alert, what it says, and its tests."""

    name: str
    expr: str
    pending: str
    summary: str
    fires: Case
    quiet: Case
    severity: str = TICKET
    concern: str = OPERATIONS


@dataclass(frozen=True)
class Recording:
    """A query that is kept as a series of its own."""

    name: str
    expr: str


def metric(name: str, **labels: str) -> str:
    """Return a series of a test."""
    more = "".join(f', {key}="{value}"' for key, value in labels.items())
    return f"txmon_{name}{{{WHERE}{more}}}"
