"""The SQL of a rule against the plain meaning of windows, row by row: ties, lateness, nulls, priors, legs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rulekit import pack

from txmon.model.schema import CANONICAL
from txmon.rules.ir import Plan
from txmon.rules.pack import load_pack
from txmon.rules.sql import rule_script, rule_sql, rule_steps

START = datetime(2026, 1, 30, 22, tzinfo=UTC)
SCHEMA = pa.schema([f.with_nullable(True) for f in CANONICAL])
AGGREGATES = {
    "n": "count(*)",
    "n_city": "count(city)",
    "cities": "count(distinct city)",
    "total": "sum(amount)",
    "mean": "avg(amount)",
    "low": "min(amount)",
    "high": "max(amount)",
    "dev": "stddev_pop(amount)",
    "devs": "stddev_samp(amount)",
    "early": "first(city)",
    "newest": "last(city)",
    "before": "lag(city)",
    "middle": "median(amount)",
    "upper_part": "quantile_cont(amount, 0.9)",
}
WINDOWS = ("payer_2h", "payer_2h_prior", "payer_month", "payer_prev_month", "payer_payee_1d")
Row = dict[str, Any]
EVENT = st.fixed_dictionaries(
    {
        "minutes": st.sampled_from([0, 1, 1, 59, 60, 119, 120, 121, 180, 240, 600, 20_000]),
        "payer": st.sampled_from(["a", "a", "b", None]),
        "payee": st.sampled_from(["x", "y", None]),
        "city": st.sampled_from(["p", "q", None]),
        "amount_base_minor": st.sampled_from([0, 100, 101, -350, 10**15, None]),
        "status": st.sampled_from(["approved", "declined"]),
    }
)


def table(events: Sequence[Row]) -> pa.Table:
    rows = []
    for seq, event in enumerate(events):
        row: Row = dict.fromkeys(SCHEMA.names)
        row |= {"event_id": f"e{seq}", "source": "t", "ingest_seq": seq, "kind": "payment", "mode": "live",
                "entity": "d", "base_currency": "EUR", "unconverted": False, "auth_is_final": False,
                "time_resolution": "us", "currency": "EUR"}  # fmt: skip
        row |= {k: v for k, v in event.items() if k != "minutes"}
        row["event_time"] = START + timedelta(minutes=event.get("minutes", seq))
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def run(plan: Plan, events: pa.Table, rule: str = "r") -> list[Row]:
    found = next(r for r in plan.rules if r.id == rule)
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        connection.register("events", events)
        steps = rule_steps(found, plan)
        for name, query in steps[:-1]:
            connection.execute(f"create temp table {name} as {query}")
        rows = connection.execute(steps[-1][1])
        names = [d[0] for d in rows.description or ()]
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    lets = "\n".join(
        f"  {name}_{i}: {call} filter (where status = 'approved') over {window}"
        for i, window in enumerate(WINDOWS[:2])
        for name, call in AGGREGATES.items()
    ) + "".join(f"\n  n_{i}: count(*) over {window}" for i, window in enumerate(WINDOWS) if i > 1)
    rule = f"id: r\nversion: 1\ntitle: t\nsubject: payer\nwhen: n_0 > 1\nlet:\n{lets}\n"
    return load_pack(pack(tmp_path_factory.mktemp("pack"), {"r.yaml": rule}))


def month(moment: datetime, back: int = 0) -> datetime:
    index = moment.year * 12 + moment.month - 1 - back
    return datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)


def seen(events: list[Row], e: int, window: str) -> list[int]:
    """Rows of a window of row e, by the definition, in order of time and arrival."""

    def at(i: int) -> datetime:
        return START + timedelta(minutes=events[i]["minutes"])

    keys = ("payer", "payee") if "payee" in window else ("payer",)
    inside: Callable[[int], bool] = {
        "payer_2h": lambda i: at(e) - timedelta(hours=2) < at(i) <= at(e),
        "payer_2h_prior": lambda i: i != e and at(e) - timedelta(hours=2) < at(i) <= at(e),
        "payer_month": lambda i: month(at(e)) <= at(i) <= at(e),
        "payer_prev_month": lambda i: month(at(e), 1) <= at(i) < month(at(e)),
        "payer_payee_1d": lambda i: at(e) - timedelta(days=1) < at(i) <= at(e),
    }[window]
    rows = [i for i in range(e + 1) if all(events[i][k] == events[e][k] for k in keys) and inside(i)]
    return sorted(rows, key=lambda i: (at(i), i))


def expected(name: str, events: list[Row], e: int, window: str) -> Any:
    chosen = [events[i] for i in seen(events, e, window) if events[i]["status"] == "approved"]
    money = [r["amount_base_minor"] for r in chosen if r["amount_base_minor"] is not None]
    cities = [r["city"] for r in chosen if r["city"] is not None]
    if name == "before":
        rows = [i for i in seen(events, e, "payer_2h") if i != e and events[i]["status"] == "approved"]
        return events[rows[-1]]["city"] if rows else None
    simple = {"n": len(chosen), "n_city": len(cities), "cities": len(set(cities))}
    if name in simple:
        return simple[name]
    if name in ("early", "newest"):
        return None if not cities else cities[0 if name == "early" else -1]
    if not money:
        return None
    major = [m / 100 for m in money]
    exact: dict[str, Callable[[], Any]] = {
        "total": lambda: sum(money),
        "mean": lambda: sum(money) / (100 * len(money)),
        "low": lambda: min(money),
        "high": lambda: max(money),
        "dev": lambda: (
            math.sqrt(float(len(money) * sum(m * m for m in money) - sum(money) ** 2)) / len(money) / 100
        ),
        "devs": lambda: statistics.stdev(major) if len(major) > 1 else None,
        "middle": lambda: statistics.median(major),
        "upper_part": lambda: quantile(sorted(major), 0.9),
    }
    return exact[name]()


def quantile(values: list[float], level: float) -> float:
    rank = (len(values) - 1) * level
    low = math.floor(rank)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (rank - low)


def close(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
    return bool(a == b)


@settings(max_examples=40)
@given(events=st.lists(EVENT, min_size=1, max_size=14))
def test_aggregates_are_what_they_say(plan: Plan, events: list[Row]) -> None:
    rows = {r["ingest_seq"]: r for r in run(plan, table(events)) if r["trigger"] == "event"}
    assert sorted(rows) == [i for i, e in enumerate(events) if e["payer"] is not None]
    for seq, row in rows.items():
        for i, window in enumerate(WINDOWS[:2]):
            for name in AGGREGATES:
                want = expected(name, events, seq, window)
                assert close(row[f"{name}_{i}"], want), (name, window, seq, row[f"{name}_{i}"], want)
        for i, window in enumerate(WINDOWS):
            if i > 1:
                known = events[seq]["payee"] is not None or "payee" not in window
                assert row[f"n_{i}"] == (len(seen(events, seq, window)) if known else None), (window, seq)


@settings(max_examples=30)
@given(events=st.lists(EVENT, min_size=1, max_size=14))
def test_late_events_are_evaluated_again_where_they_matter(tmp_path: Path, events: list[Row]) -> None:
    rule = "id: r\nversion: 1\ntitle: t\nsubject: payer\nlet: {n: count(*) over payer_2h}\nwhen: n >= 3\n"
    plan = load_pack(pack(tmp_path, {"r.yaml": rule}))
    late = {r["ingest_seq"]: r["as_of"] for r in run(plan, table(events)) if r["trigger"] == "late"}
    want = {}
    for e, event in enumerate(events):
        later = sorted({
            x["minutes"] for x in events[:e]
            if x["payer"] == event["payer"] is not None
            and event["minutes"] < x["minutes"] < event["minutes"] + 120
        })  # fmt: skip
        for minutes in later:
            inside = [
                x
                for x in events[: e + 1]
                if x["payer"] == event["payer"] and minutes - 120 < x["minutes"] <= minutes
            ]
            if len(inside) >= 3:
                want[e] = int((START + timedelta(minutes=minutes)).timestamp()) * 1_000_000
                break
    assert late == want


FILES = {
    "base.yaml": "id: base\nversion: 1\ntitle: t\nsubject: payer\nwhen: amount > 1\nscore: 0.2\n",
    "leg.yaml": """
id: leg
version: 1
title: t
subject: account
let:
  n: count(*) filter (where direction = 'in') over account_1d
  device_n: count(*) over payee_1d
  base: hits('base') over account_1d
when: n >= 2 and direction = 'in'
""",
    "top.yaml": """
id: top
version: 1
title: t
subject: payee
let: {legs: hits('leg') over payee_2d}
when: legs >= 1
""",
    "absent.yaml": """
id: absent
version: 1
title: t
subject: payer
tick: true
let:
  n: count(*) over payer_2d
  gap: event_time - max(event_time) over payer_2d
when: n >= 1 and gap > interval '1 day'
""",
    "who.yaml": """
id: who
version: 1
title: t
subject: payer
let: {n: count(*) filter (where payee_type = 'shop') over payer_1d}
when: n >= 1 and not coalesce(own_transfer, false) and payer_minor is not true
""",
}


def test_legs_rules_of_rules_ticks_and_profiles(tmp_path: Path) -> None:
    plan = load_pack(pack(tmp_path, FILES))
    shop = {"kind": "account.opened", "account": "x", "attributes": [("type", "shop")], "minutes": 1,
            "holders": [{"party": "P", "role": "owner", "valid_from": None, "valid_to": None}]}  # fmt: skip
    same = {"kind": "account.opened", "account": "b", "minutes": 2, "attributes": [("minor", "yes")],
            "holders": [{"party": "P", "role": "joint", "valid_from": None,
                         "valid_to": START + timedelta(days=9)}]}  # fmt: skip
    pay = {"payer": "a", "payee": "x", "amount_base_minor": 500}
    events = table([
        {**pay, "minutes": 0}, shop, same, {**pay, "minutes": 3}, {**pay, "minutes": 4, "payer": "b"},
        {**pay, "minutes": 5, "payer": "x"}, {**pay, "minutes": 6, "amount_base_minor": 50, "payee": "y"},
        *({"kind": "tick", "minutes": minutes} for minutes in (700, 1400, 2000)),
    ])  # fmt: skip
    leg = [
        (r["ingest_seq"], r["leg"], r["n"], r["device_n"], r["base"])
        for r in run(plan, events, "leg")
        if r["hit"]
    ]
    assert leg == [(3, "in", 2, 2, 2), (4, "in", 3, 3, 3), (5, "in", 4, 4, 5)]
    assert [r["ingest_seq"] for r in run(plan, events, "top") if r["hit"]] == [3, 4, 5]
    ticks = [(r["ingest_seq"], r["subject_id"], r["trigger"], r["leg"]) for r in run(plan, events, "absent")]
    # the first day is too early, its second tick is not looked at, the next day finds all three
    assert ticks == [(4, "b", "tick", None), (5, "x", "tick", None), (6, "a", "tick", None)]
    who = {r["ingest_seq"]: r["hit"] for r in run(plan, events, "who")}
    # 0 came before the profile; 4 is b, a minor; 5 is x paying itself; 6 still counts the shop of 3
    assert who == {0: False, 3: True, 4: False, 5: False, 6: True}


def test_one_query_and_one_script_say_the_same(tmp_path: Path) -> None:
    plan = load_pack(pack(tmp_path, FILES))
    rule = next(r for r in plan.rules if r.id == "leg")
    events = table([{"payer": "a", "payee": "x", "amount_base_minor": 500, "minutes": m} for m in range(3)])
    with duckdb.connect() as connection:
        connection.register("events", events)
        one = connection.execute(rule_sql(rule, plan)).fetchall()
        assert connection.execute(rule_script(rule, plan)).fetchall() == one
    assert len(one) == 6
