"""Hits of rules equal the pure SQL that `rules show` prints, run by stock DuckDB over canonical events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_strategies import accepted, rows
from txkit import HOUR, hits_of, plan_of, run, table, tick

from txmon.engine.engine import Limits
from txmon.rules.ir import Plan, Rule, Unit
from txmon.rules.sql import rule_sql

RULES: tuple[dict[str, Any], ...] = (
    {
        "id": "cities",
        "subject": "payer",
        "let": {
            "n": "count(distinct city) filter (where moved) over payer_3d",
            "usual": "avg(amount) over payer_9d_prior",
            "middle": "median(amount) over payer_merchant_3d",
            "gap": "event_time - lag(event_time) over payer_3d",
            "was": "first(city) over payer_month",
        },
        "when": "n >= 2 and (amount >= usual or gap <= interval '2 hours' or was is null)",
    },
    {
        "id": "into",
        "subject": "account",
        "let": {
            "s": "sum(signed_amount) filter (where direction = 'in') over account_3d",
            "spread": "stddev_samp(amount) over account_prev_month",
            "events": "count(*) over payer_1d",
            "largest": "max(amount) over account_counterparty_36h",
        },
        "when": "s > 0 or spread > 100 or events >= 3 or largest > 1000",
    },
    {"id": "both", "subject": "account", "let": {"a": "hits('into') over account_9d", "b": "hits('cities') over account_9d"}, "when": "a >= 2 and b >= 1"},
    {"id": "shop", "subject": "merchant", "let": {"n": "hits('into') over merchant_9d", "q": "quantile_cont(amount, 0.9) over merchant_3d"}, "when": "n >= 2 and q >= 0"},
    {"id": "gone", "subject": "card", "tick": True, "let": {"n": "count(*) over card_9d", "fresh": "count(*) over card_1d", "top": "max(lat) over card_9d"}, "when": "n >= 1 and fresh = 0"},
)  # fmt: skip


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_of(tmp_path_factory.mktemp("pack"), *RULES, entity_tz="Europe/Berlin")


def close(unit: Unit, shown: Any, expected: Any, exact: bool) -> bool:
    """Whether a number in a hit is the SQL's; only quantiles may differ, in the last bits of their two neighbours.

    DuckDB multiplies and adds in one step. Between -10^13 and 10^13 one last bit is 2^-9.
    """
    if shown is None or expected is None:
        return shown is expected
    if unit is Unit.MONEY:
        return bool(shown * 100 == expected)
    if unit is Unit.SPAN:
        return bool(shown * 1_000_000 == expected)
    if unit in (Unit.NUMBER, Unit.MONEY_F):
        return (
            float(shown) == expected
            if exact
            else float(shown) == pytest.approx(expected, rel=1e-12, abs=2**-8)
        )
    return bool(shown == expected)


def compare(rule: Rule, found: list[dict[str, Any]], sql: list[dict[str, Any]]) -> None:
    shown = {(h["seq"], h["leg"], h["trigger"]): h for h in found}
    assert set(shown) == {(r["ingest_seq"], r["leg"], r["trigger"]) for r in sql}
    for row in sql:
        hit = shown[row["ingest_seq"], row["leg"], row["trigger"]]
        assert hit["subject_id"] == row["subject_id"]
        assert (None if hit["as_of"] is None else round(hit["as_of"].timestamp() * 1e6)) == row["as_of"]
        for name, expr in rule.let:
            exact = name not in ("middle", "q")
            assert close(expr.unit, hit["features"][name], row[name], exact), (rule.id, name, hit, row[name])


@settings(max_examples=12)
@given(rows(most=35), st.lists(st.integers(0, 35), max_size=3), st.integers(0, 6))
def test_every_hit_of_every_rule(
    plan: Plan, stream: list[dict[str, Any]], cuts: list[int], ticks: int
) -> None:
    for i in range(ticks if stream else 0):
        place = (i * 5) % (len(stream) + 1)
        stream.insert(
            place, tick(f"t{i}", max(r["event_time"] for r in stream[: place + 1] or stream) + i * 30 * HOUR)
        )
    kept = accepted(stream)
    seq = {(r["source"], r["event_id"]): r["ingest_seq"] for r in kept}
    limits = Limits(max_lateness_days=1000)
    hits = hits_of(run(plan, table(stream), [c for c in cuts if c < len(stream)], limits=limits)[1])
    with duckdb.connect() as con:
        con.register("events", table(kept))
        for rule in plan.rules:
            found = [h | {"seq": seq[h["source"], h["event_id"]]} for h in hits if h["rule_id"] == rule.id]
            result = con.execute(f"select * from ({rule_sql(rule, plan)}) where hit")
            names = [d[0] for d in result.description]
            compare(rule, found, [dict(zip(names, r, strict=True)) for r in result.fetchall()])


def test_the_sql_reads_nothing_but_events(plan: Plan, tmp_path: Path) -> None:
    """The query runs in a database of its own over a file: no function of the product is behind it."""
    import pyarrow.parquet as pq

    path = tmp_path / "events.parquet"
    pq.write_table(table([]), path)
    with duckdb.connect() as con:
        for rule in plan.rules:
            assert con.execute(rule_sql(rule, plan, source=f"read_parquet('{path}')")).fetchall() == []
