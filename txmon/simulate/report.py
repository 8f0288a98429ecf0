"""What an engine found of what was planted: compares labels with hits and alerts after the fact.

Owns the counting only. It reads tables in the shapes of the command line's files and is never consulted
while events are scored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

# a hit on a card, device or merchant counts for a scenario about an account of the same event, but a hit
# on another account of that event does not
_FAMILY = {"payer": "account", "payee": "account", "account": "account"}


@dataclass
class Line:
    """Counts of one typology."""

    typology: str
    planted: int = 0
    found: int = 0
    near_misses: int = 0
    near_misses_alerted: int = 0
    look_alikes: int = 0
    look_alikes_alerted: int = 0


@dataclass(frozen=True)
class Missed:
    """A planted scenario that no hit of its rules points at."""

    scenario_id: str
    typology: str
    rule_ids: tuple[str, ...]
    subject_type: str
    subject_id: str


@dataclass
class _Scenario:
    row: dict[str, Any]
    events: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Judgement:
    """Counts by typology, what was missed, and which look-alike members were alerted."""

    lines: tuple[Line, ...]
    missed: tuple[Missed, ...]
    alerted_members: tuple[tuple[str, str], ...]

    def totals(self) -> Line:
        """All typologies together."""
        total = Line("all")
        for line in self.lines:
            for name in (
                "planted",
                "found",
                "near_misses",
                "near_misses_alerted",
                "look_alikes",
                "look_alikes_alerted",
            ):
                setattr(total, name, getattr(total, name) + getattr(line, name))
        return total


def judge(labels: pa.Table, hits: pa.Table, alerts: pa.Table) -> Judgement:
    """Compare labels with hits and alerts.

    A planted scenario is found when a hit of one of its rules lies on one of its events and is about its
    subject. A near-miss is alerted when an alert about its subject names one of its rules; a look-alike
    member is alerted when any alert is about it.
    """
    scenarios = _scenarios(labels)
    by_event = _hits_by_event(hits, {event for s in scenarios for event in s.events})
    alerted: dict[str, set[str]] = {}
    for row in alerts.select(["subject_id", "rule_ids"]).to_pylist():
        alerted.setdefault(row["subject_id"], set()).update(row["rule_ids"])
    lines: dict[str, Line] = {}
    missed, members = [], []
    for scenario in scenarios:
        row = scenario.row
        line = lines.setdefault(row["typology"], Line(row["typology"]))
        rules = alerted.get(row["subject_id"])
        if row["role"] == "planted":
            line.planted += 1
            if _found(scenario, by_event):
                line.found += 1
            else:
                missed.append(_missed(row))
        elif row["role"] == "near_miss":
            line.near_misses += 1
            line.near_misses_alerted += bool(rules and rules & set(row["rule_ids"]))
        else:
            line.look_alikes += 1
            if rules is not None:
                line.look_alikes_alerted += 1
                members.append((row["population"], row["subject_id"]))
    ordered = tuple(lines[name] for name in sorted(lines))
    return Judgement(ordered, tuple(missed), tuple(members))


def _scenarios(labels: pa.Table) -> list[_Scenario]:
    found: dict[str, _Scenario] = {}
    for row in labels.to_pylist():
        scenario = found.setdefault(row["scenario_id"], _Scenario(row))
        scenario.events.add(row["event_id"])
    return list(found.values())


Hits = dict[str, list[tuple[str, str, str]]]


def _hits_by_event(hits: pa.Table, labelled: set[str]) -> Hits:
    found: Hits = {}
    columns = (hits.column(n).to_pylist() for n in ("event_id", "rule_id", "subject_type", "subject_id"))
    for event, rule, kind, subject in zip(*columns, strict=True):
        if event in labelled:
            found.setdefault(event, []).append((rule, kind, subject))
    return found


def _found(scenario: _Scenario, by_event: Hits) -> bool:
    rules, subject = set(scenario.row["rule_ids"]), scenario.row["subject_id"]
    kind = scenario.row["subject_type"]
    return any(
        rule in rules and (who == subject or _FAMILY.get(what, what) != kind)
        for event in scenario.events
        for rule, what, who in by_event.get(event, ())
    )


def _missed(row: dict[str, Any]) -> Missed:
    return Missed(
        row["scenario_id"], row["typology"], tuple(row["rule_ids"]), row["subject_type"], row["subject_id"]
    )


def table(lines: Iterable[Line]) -> list[str]:
    """Aligned text lines: typology, planted, found, near-misses and look-alikes alerted of how many."""
    head = ("typology", "planted", "found", "near-misses alerted", "look-alikes alerted")
    rows = [head]
    for line in lines:
        near = f"{line.near_misses_alerted} of {line.near_misses}"
        alike = f"{line.look_alikes_alerted} of {line.look_alikes}"
        rows.append((line.typology, str(line.planted), str(line.found), near, alike))
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
