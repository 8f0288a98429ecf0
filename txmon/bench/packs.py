"""Benchmark rules as a pack of rule files, as an author would write them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from txmon.bench.spec import AMOUNT, BenchRule, Condition, Measure

_MINOR_PER_MAJOR = 100  # every row of the workload is in EUR


def write_pack(rules: Iterable[BenchRule], folder: Path) -> Path:
    """Write a file a rule into `folder`; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for rule in rules:
        (folder / f"{rule.id}.yaml").write_text(_rule_text(rule), encoding="utf-8")
    return folder


def _rule_text(rule: BenchRule) -> str:
    lines = [f"id: {rule.id}", "version: 1", f"title: {rule.id}", f"subject: {rule.subject}", "let:"]
    lines += [f"  {m.name}: {_aggregate(m)} over {m.key}_{m.window}" for m in rule.measures]
    lines.append(f"when: {' and '.join(_condition(c) for c in rule.conditions)}")
    return "\n".join(lines) + "\n"


def _aggregate(measure: Measure) -> str:
    if measure.agg == "distinct":
        return f"count(distinct {measure.column})"
    return "count(*)" if measure.agg == "count" else f"sum({AMOUNT})"


def _condition(condition: Condition) -> str:
    measure = condition.measure
    if measure is not None and measure.agg != "sum":
        return f"{measure.name} >= {condition.threshold}"
    name = AMOUNT if measure is None else measure.name
    return f"{name} >= {Decimal(condition.threshold) / _MINOR_PER_MAJOR:.2f}"
