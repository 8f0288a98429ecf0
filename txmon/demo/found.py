"""Planted, found, and look-alikes alerted, by typology: counted from labels and alerts.

A planted scenario is found when its subject has an alert; a look-alike member counts as alerted when its
subject has one. Near-misses are planted just below a line: the share of them that alerts is shown, not
judged. Figures of synthetic data say nothing about how often a rule is right in life.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from txmon.alerts.group import subject_class

Subject = tuple[str, str]


@dataclass(frozen=True)
class Row:
    """One typology (or population group) of the table."""

    typology: str
    planted: int
    found: int
    near_misses: int
    near_misses_alerted: int


@dataclass(frozen=True)
class Found:
    """The whole table, the look-alikes by population, and the planted scenarios that were missed."""

    rows: tuple[Row, ...]
    populations: tuple[tuple[str, int, int], ...]  # name, members, members alerted
    missed: tuple[Mapping[str, Any], ...]

    @property
    def look_alikes(self) -> int:
        """Members of all look-alike populations."""
        return sum(members for _, members, _ in self.populations)

    @property
    def look_alikes_alerted(self) -> int:
        """Members with an alert."""
        return sum(alerted for _, _, alerted in self.populations)


def count_found(labels: Any, alerts: Any) -> Found:
    """Compare labels with alerts."""
    alerted = set(zip(alerts["subject_type"].to_pylist(), alerts["subject_id"].to_pylist(), strict=True))
    scenarios: dict[str, Mapping[str, Any]] = {row["scenario_id"]: row for row in labels.to_pylist()}
    by_role: dict[str, list[Mapping[str, Any]]] = {"planted": [], "near_miss": [], "look_alike": []}
    for row in scenarios.values():
        by_role[row["role"]].append(row)

    def with_alert(rows: Iterable[Mapping[str, Any]]) -> int:
        return sum(_subject(row) in alerted for row in rows)

    rows = []
    for typology in sorted({row["typology"] for row in (*by_role["planted"], *by_role["near_miss"])}):
        planted = [r for r in by_role["planted"] if r["typology"] == typology]
        near = [r for r in by_role["near_miss"] if r["typology"] == typology]
        rows.append(Row(typology, len(planted), with_alert(planted), len(near), with_alert(near)))
    members: dict[str, set[Subject]] = {}
    for row in by_role["look_alike"]:
        members.setdefault(row["population"], set()).add(_subject(row))
    populations = [(name, len(who), len(who & alerted)) for name, who in sorted(members.items())]
    missed = [r for r in by_role["planted"] if _subject(r) not in alerted]
    return Found(tuple(rows), tuple(populations), tuple(sorted(missed, key=lambda r: r["scenario_id"])))


def _subject(row: Mapping[str, Any]) -> Subject:
    return subject_class(row["subject_type"]), row["subject_id"]
