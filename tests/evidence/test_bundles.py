"""Bundles: stock DuckDB and `txmon evidence verify` derive the same hits, and find the same changes."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
from evidencekit import (
    PUBLIC,
    alerts_of,
    bundle_of,
    files_in,
    stock_duckdb,
    table_in,
    unpacked,
)

from txmon.evidence.check import check
from txmon.evidence.redact import PROFILES
from txmon.evidence.source import hits_of
from txmon.store import Store


def test_every_alert_of_a_crowded_stream(crowd: Store, tmp_path: Path) -> None:
    """Late events, ties, marks of time, combinations and a detector: the two ways agree on all of them."""
    triggers: Counter[str] = Counter()
    rules: set[str] = set()
    for i, alert in enumerate(sorted(alerts_of(crowd))):
        made = bundle_of(crowd, alert, tmp_path / f"{i}.zip")
        assert made.derived == made.hits, made.not_derived
        found = hits_of(crowd, alert)
        triggers.update(hit.row["trigger"] for hit in found)
        rules |= {hit.rule.id for hit in found}
        verdict, said = stock_duckdb(unpacked(made.path, tmp_path / str(i)))
        assert verdict == "PASS", said
        report = check(made.path, PUBLIC)
        assert report.ok, report.findings
        assert report.derived == made.hits
    assert triggers["event"] > 10
    assert triggers["late"] > 0
    assert triggers["tick"] > 0
    assert {"many-cities", "much-in", "both", "echo", "silent", "odd"} <= rules


@pytest.mark.slow
def test_every_rule_that_hits_in_the_portfolio(portfolio: Store, tmp_path: Path) -> None:
    """An alert for every rule, the profiles in turn: derived by both ways, or the reason why not is counted."""
    left = {alert: set(rules) for alert, rules in alerts_of(portfolio).items()}
    wanted = set().union(*left.values())
    assert len(wanted) >= 60
    derived: set[str] = set()
    reasons: Counter[str] = Counter()
    profiles: Counter[str] = Counter()
    turn = itertools.cycle(PROFILES)
    while any(left.values()):
        alert = max(sorted(left), key=lambda each: len(left[each]))
        made = bundle_of(portfolio, alert, tmp_path / f"{alert}.zip", profile := next(turn))
        profiles[profile] += 1
        reasons.update(made.not_derived)
        verdict, said = stock_duckdb(unpacked(made.path, tmp_path / alert))
        assert verdict == "PASS", (alert, profile, said)
        report = check(made.path, PUBLIC)
        assert report.ok, (alert, profile, report.findings)
        hits = table_in(files_in(made.path), "hits.parquet").to_pylist()
        derived |= {hit["rule_id"] for hit in hits if hit["section"] is not None}
        done = left.pop(alert)
        left = {each: rules - done for each, rules in left.items()}
    assert reasons == Counter()
    assert derived == wanted
    assert min(profiles[name] for name in PROFILES) > 1
