"""Sizes nobody sends on a good day: nothing, one row, all null, one key for everything, huge numbers, long streams."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pyarrow as pa
import pytest
from oracle import Rows, Spec
from txkit import DAY, HOUR, START_US, event, feed, hits_of, moment, plan_of, run, table

from txmon.engine import state
from txmon.engine.calendar import month_starts
from txmon.engine.engine import Limits
from txmon.engine.group import Group
from txmon.engine.layout import build_layout
from txmon.errors import StateError
from txmon.model.schema import CANONICAL
from txmon.pipeline.scorer import Scorer
from txmon.rules.ir import Column, Feature, Plan, Unit, Window

ALL = (
    "count",
    "count_distinct",
    "sum",
    "avg",
    "min",
    "max",
    "stddev_pop",
    "stddev_samp",
    "first",
    "last",
    "lag",
    "median",
)


def everything(window: str, arg: str = "amount") -> dict[str, str]:
    return {f"v_{a}": Spec(a, window, arg).text for a in ALL}


def test_empty_one_row_and_all_null(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        {"id": "r", "subject": "payer", "let": everything("payer_1d"), "when": "true"},
        {"id": "l", "subject": "account", "let": everything("account_1d"), "when": "true"},
        {"id": "t", "subject": "card", "tick": True, "let": {"n": "count(*) over card_1d"}, "when": "n = 0"},
    )
    scorer = Scorer(plan)
    nothing = pa.table(
        [pa.nulls(3, f.type) for f in CANONICAL], schema=pa.schema([f.with_nullable(True) for f in CANONICAL])
    )
    assert len(scorer.apply(table([])).hits) == 0
    one = hits_of(scorer.apply(table([event("1", START_US, payer="p", amount=7)])).hits, "r")[0]["features"]
    assert one == {
        "v_count": 1, "v_count_distinct": 1, "v_sum": Decimal("0.07"), "v_avg": Decimal("0.07"), "v_min": Decimal("0.07"),
        "v_max": Decimal("0.07"), "v_stddev_pop": 0, "v_stddev_samp": None, "v_first": Decimal("0.07"),
        "v_last": Decimal("0.07"), "v_lag": None, "v_median": Decimal("0.07"),
    }  # fmt: skip
    bare = nothing.set_column(
        3, "event_time", pa.array([START_US] * 3).cast(CANONICAL.field("event_time").type)
    )
    for name in ("source", "kind", "mode", "entity", "event_id"):
        i = bare.schema.get_field_index(name)
        bare = bare.set_column(i, name, pa.array(["a", "b", "c"]))
    assert len(scorer.apply(bare).hits) == 0
    assert len(scorer.apply(table([])).hits) == 0


def test_more_than_64_measures_and_distinct_counts_in_a_group(tmp_path: Path) -> None:
    """Masks take two and three words; the last bit of a word is the sign bit."""
    specs = []
    for i in range(75):
        where = f"amount <= {i}"
        specs += [
            Spec("count_distinct", "ip_1d", "city", "text", where),
            Spec("sum", "ip_2d", "amount", "money", where),
        ]
    named = oracle.specs_by_rule(specs)
    plan = plan_of(
        tmp_path,
        *(
            {"id": f"r{i}", "subject": "ip", "when": "true", "let": {n: s.text for n, s in g.items()}}
            for i, g in enumerate(named)
        ),
    )
    assert len({f.where for f in plan.features}) > 64
    # late by an hour, with values that repeat across filters
    rows = [
        event(
            f"e{i}",
            START_US + i * 3 * HOUR - (i % 3 == 0) * 7 * HOUR,
            ip="i",
            amount=100 * (i * 37 % 75),
            city="abcd"[i % 4],
        )
        for i in range(40)
    ]
    hits = hits_of(run(plan, table(rows), [13])[1], trigger="event")
    own = Rows(table([r | {"ingest_seq": i} for i, r in enumerate(rows)]), specs, legs=False)
    for hit in hits:
        row = own.by_order[int(hit["event_id"][1:])]
        for name, value in hit["features"].items():
            spec = named[int(hit["rule_id"][1:])][name]
            assert oracle.equal(spec, value, own.value(spec, row, row["t"])), (spec.text, hit["event_id"])


def canonical_columns(n: int, **columns: Any) -> pa.Table:
    """Many events from whole columns; the rest as `event` has it."""
    base = event("", 0)
    arrays = []
    for f in CANONICAL:
        given = columns.get(f.name)
        arrays.append(
            pa.array(given).cast(f.type) if given is not None else pa.array([base[f.name]] * n, f.type)
        )
    return pa.table(arrays, schema=pa.schema([f.with_nullable(True) for f in CANONICAL]))


@pytest.mark.slow
def test_one_key_with_a_hundred_thousand_rows(tmp_path: Path) -> None:
    """A slab grows to 2**17 rows, some of them late; totals at the end equal those of numpy."""
    plan = plan_of(
        tmp_path,
        {"id": "r", "subject": "payer", "let": everything("payer_300d") | {"d": "count(distinct memo) over payer_300d"}, "when": "memo = 'last'"},
    )  # fmt: skip
    n = 100_000
    random = np.random.default_rng(5)
    amount = random.integers(0, 5000, n)
    time = START_US + np.arange(n) * 60_000_000
    time[1000:-1:9973] -= 30 * 60_000_000
    memo = [f"m{i % 1777}" for i in range(n - 1)] + ["last"]
    events = canonical_columns(
        n, event_id=[f"e{i}" for i in range(n)], event_time=time, amount_minor=amount, amount_base_minor=amount,
        payer=["p"] * n, memo=memo,
    )  # fmt: skip
    (hit,) = hits_of(feed(Scorer(plan), events, [1, 70_000]), trigger="event")
    shown = hit["features"]
    order = np.lexsort((np.arange(n), time))
    assert (shown["v_count"], shown["v_count_distinct"], shown["d"]) == (n, len(set(amount.tolist())), 1778)
    assert shown["v_sum"] == Decimal(int(amount.sum())).scaleb(-2)
    assert float(shown["v_avg"]) == float(amount.sum()) / (100.0 * n)
    assert (shown["v_min"] * 100, shown["v_max"] * 100) == (int(amount.min()), int(amount.max()))
    assert (shown["v_first"] * 100, shown["v_last"] * 100) == (int(amount[order[0]]), int(amount[-1]))
    assert shown["v_lag"] * 100 == int(amount[order[-2]])
    assert float(shown["v_median"]) == np.median(amount / 100)
    spread = n * sum(int(a) ** 2 for a in amount) - int(amount.sum()) ** 2
    assert float(shown["v_stddev_pop"]) == (float(spread) / n / n) ** 0.5 / 100


@pytest.mark.parametrize("sign", [1, -1])
def test_sums_beyond_64_bits(tmp_path: Path, sign: int) -> None:
    """A sum shows the largest (smallest) integer, so that comparisons stay right; what follows from it is exact."""
    lets = {"s": "sum(amount) over payer_300d", "m": "avg(amount) over payer_300d", "d": "stddev_pop(amount) over payer_300d",
            "late_s": "sum(amount) over payer_299d_prior"}  # fmt: skip
    far = "s >= 92233720368547758" if sign > 0 else "s <= -92233720368547758"
    plan = plan_of(
        tmp_path,
        {"id": "r", "subject": "payer", "let": lets, "when": "memo is not null"},
        {"id": "far", "subject": "payer", "let": {"s": lets["s"]}, "when": f"{far} and memo = 'late'"},
    )
    n, big = 9300, sign * 10**15
    amounts = [big] * n + [-big] * 100 + [0]
    total = len(amounts)
    events = canonical_columns(
        total, event_id=[f"e{i}" for i in range(total)], event_time=START_US + np.arange(total) * 1_000_000,
        amount_minor=amounts, amount_base_minor=amounts, payer=["p"] * total,
        memo=["x" if i in (9222, 9223, n - 1, total - 1) else None for i in range(total)],
    )  # fmt: skip
    hits = hits_of(run(plan, events, [9000])[1])
    assert run(plan, events, range(1000, total, 1000))[1].num_rows == len(hits)
    limit = Decimal(2**63 - 1 if sign > 0 else -(2**63)).scaleb(-2)
    assert [h["features"]["s"] for h in hits] == [
        Decimal(9223 * big).scaleb(-2),
        limit,
        limit,
        Decimal(9200 * big).scaleb(-2),
    ]
    assert float(hits[2]["features"]["m"]) == oracle.double(n * big) / (100.0 * n)
    exact = total * (n + 100) * big**2 - (9200 * big) ** 2
    assert (
        hits[3]["features"]["d"] is None
        or float(hits[3]["features"]["d"]) == (oracle.double(exact) / total / total) ** 0.5 / 100
    )
    second = 1_000_000
    late = event("late", START_US + 9221 * second + 5, payer="p", amount=0, memo="late")
    scorer, _ = run(plan, events.slice(0, 9225))
    first, after = hits_of(scorer.apply(table([late])).hits, trigger="late")
    assert (first["rule_id"], first["features"]["s"]) == ("far", limit)
    assert first["as_of"] == moment(START_US + 9223 * second)
    assert after["features"]["s"] == Decimal(9223 * big).scaleb(-2)
    assert after["as_of"] == moment(START_US + 9222 * second)


def test_median_of_many_equal_values_that_come_and_go(tmp_path: Path) -> None:
    lets = {
        "m": "median(amount) over payer_1d",
        "q": "quantile_cont(amount, 1.0) over payer_1d",
        "z": "quantile_cont(amount, 0.0) over payer_1d",
    }
    plan = plan_of(tmp_path, {"id": "r", "subject": "payer", "let": lets, "when": "true"})
    amounts = [500] * 300 + [700, 500] * 200 + [100] * 250
    step = DAY // 400
    rows = [
        event(f"e{i}", START_US + i * step - (i % 50 == 7) * 3 * step, payer="p", amount=a)
        for i, a in enumerate(amounts)
    ]
    hits = hits_of(run(plan, table(rows), [333])[1], trigger="event")
    for i, hit in enumerate(hits):
        t = rows[i]["event_time"]
        inside = [r["amount_minor"] / 100 for r in rows[: i + 1] if t - DAY < r["event_time"] <= t]
        shown = [float(hit["features"][name]) for name in "mqz"]
        assert shown == [float(np.median(inside)), max(inside), min(inside)], i


# -- forgetting --------------------------------------------------------------------------------------------


def long_stream(days: int) -> pa.Table:
    """Two payments an hour of a few payers, one of which falls silent for months, one in twenty late."""
    random = np.random.default_rng(3)
    n = days * 48
    time = START_US + np.arange(n) * (DAY // 48)
    late = random.random(n) < 0.05
    payer = np.array(["a", "b", "c"])[random.integers(0, 3, n)]
    payer[(time > START_US + 20 * DAY) & (time < START_US + (days - 20) * DAY) & (payer == "c")] = "a"
    amount = random.integers(-500, 500, n)
    return canonical_columns(
        n, event_id=[f"e{i}" for i in range(n)], event_time=time - late * random.integers(0, 4 * DAY, n), payer=payer,
        amount_minor=amount, amount_base_minor=amount, city=random.choice(["u", "v", "w", None], n),
    )  # fmt: skip


FORGETFUL: dict[str, Any] = {
    "id": "r",
    "subject": "payer",
    "let": everything("payer_3d")
    | {"cities": "count(distinct city) over payer_1d", "month": "sum(amount) over payer_prev_month"},
    "when": "amount > 3",
}


@pytest.mark.slow
@pytest.mark.parametrize("month", [False, True])
def test_what_is_forgotten_is_never_missed(tmp_path: Path, month: bool) -> None:
    """An engine that forgets what no window can see shows the same as one that keeps everything."""
    events = long_stream(170)
    cuts = range(500, len(events), 500)
    lets = {name: text for name, text in FORGETFUL["let"].items() if month or name != "month"}
    plan = plan_of(tmp_path, FORGETFUL | {"let": lets})
    forgetful, keeper = (Scorer(plan, limits=Limits(max_lateness_days=d)) for d in (5, 10_000))
    assert feed(forgetful, events, cuts).equals(feed(keeper, events, cuts))
    kept, all_ = (s.engine.store.slots[0].group for s in (forgetful, keeper))
    assert kept.bytes_used()["distinct"] <= all_.bytes_used()["distinct"]
    lines = [g.snapshot()["keys"] for g in (kept, all_)]
    lived = [int((k[:, state.NEXT] - k[:, state.FIRST]).sum()) for k in lines]
    assert lived[0] < lived[1], "rows were forgotten"
    assert month or kept.bytes_used()["rows"] < all_.bytes_used()["rows"]


def test_forgotten_values_free_their_place(tmp_path: Path) -> None:
    """The table of last occurrences shrinks again: entries of forgotten rows are taken out, one by one."""
    plan = plan_of(
        tmp_path,
        {"id": "r", "subject": "payer", "let": {"n": "count(distinct memo) over payer_1d"}, "when": "n < 0"},
    )
    scorer = Scorer(plan, limits=Limits(max_lateness_days=1))
    n = 12_000
    events = canonical_columns(
        n, event_id=[f"e{i}" for i in range(n)], event_time=START_US + np.arange(n) * (DAY // 100), payer=["p"] * n,
        memo=[f"m{i}" for i in range(n)],
    )  # fmt: skip
    feed(scorer, events, range(1000, n, 1000))
    group = scorer.engine.store.slots[0].group
    assert int(group._meta[state.M_HASH]) < 2000
    assert group.bytes_used()["distinct"] <= 24 * 8192


# -- a group by itself ---------------------------------------------------------------------------------------


def group_of(*aggregates: str, window: Window | None = None) -> Group:
    amount = Column("amount", Unit.MONEY)
    w = window or Window("k_1d", "events", ("k",), DAY)
    features = [Feature(a, w, amount, unit=Unit.MONEY) for a in aggregates]
    return Group(build_layout(features, 2, month_starts(None)))


def batch(time: list[int], key: list[int], value: list[int]) -> state.Batch:
    n = len(time)
    masks = np.full((n, 1), 1, np.int64)
    return state.Batch(
        np.array(key, np.int64), np.array(time, np.int64), np.arange(n), masks, np.array(value, np.int64).reshape(n, 1),
        np.ones(n, np.bool_),
    )  # fmt: skip


def test_a_group_of_other_features_refuses_a_snapshot() -> None:
    with pytest.raises(StateError, match="another set of features"):
        group_of("sum").restore(group_of("sum", "max").snapshot())


def test_keys_without_rows_read_empty() -> None:
    """A key that was never seen, and a null key: counts are zero for the first, nothing for the second."""
    group = group_of("count", "sum")
    group.advance(batch([5], [0], [7]), state.TIME_MIN)
    wanted = np.ones(2, np.bool_)
    values = group.at(np.array([3, -1, 0]), np.array([9, 9, 4]), np.array([9, 9, 9]), wanted)
    assert values.known.tolist() == [[1, 0, 1], [0, 0, 0]]
    assert values.value[0].tolist() == [0, 0, 0]


def test_months_know_summer_time() -> None:
    starts = month_starts("Europe/Berlin")
    lengths = dict(zip(starts.tolist(), np.diff(starts).tolist(), strict=False))
    october = int(np.datetime64("2025-09-30T22:00:00", "us").astype(np.int64))
    assert lengths[october] == 31 * DAY + HOUR
    assert month_starts(None)[840] == 0, "January 1970 in UTC"


def test_a_month_longer_than_its_days_hides_no_late_pattern(tmp_path: Path) -> None:
    plan: Plan = plan_of(
        tmp_path,
        {"id": "r", "subject": "payer", "let": {"n": "count(*) over payer_month"}, "when": "n >= 2"},
        entity_tz="Europe/Berlin",
    )
    october = int(np.datetime64("2025-09-30T22:00:00", "us").astype(np.int64))
    rows = [event("last", october + 31 * DAY + HOUR // 2, payer="p"), event("first", october, payer="p")]
    (hit,) = hits_of(run(plan, table(rows))[1])
    assert (hit["event_id"], hit["trigger"], hit["features"]) == ("first", "late", {"n": 2})


def test_a_saved_state_is_plain_numbers(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FORGETFUL)
    scorer, _ = run(plan, long_stream(2))
    kinds = {row["type"] for row in scorer.snapshot().to_pylist()}
    assert all(k in ("int", "arrow") or np.dtype(k).kind in "iufb" for k in kinds)
    json.dumps(sorted(kinds))
