"""Lateness never hides a pattern, and the second evaluation is exactly the one that is promised."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from txkit import DAY, HOUR, START_US, event, hits_of, moment, plan_of, run, table

from txmon.engine.engine import Limits
from txmon.rules.ir import Plan

# Monotone rules: a count or sum of non-negative values against a threshold, over a key with the subject in it.
MONOTONE: tuple[dict[str, Any], ...] = (
    {"id": "often", "subject": "payer", "let": {"n": "count(*) over payer_2d"}, "when": "n >= 4"},
    {"id": "much", "subject": "payer", "let": {"s": "sum(amount) over payer_1d"}, "when": "s >= 9"},
    {
        "id": "wide",
        "subject": "payer",
        "let": {"n": "count(distinct city) filter (where status = 'approved') over payer_2d"},
        "when": "n >= 3",
    },
    {"id": "pair", "subject": "card", "let": {"n": "count(*) over card_merchant_2d"}, "when": "n >= 3"},
    {
        "id": "legs",
        "subject": "account",
        "let": {"s": "sum(amount) filter (where direction = 'in') over account_36h"},
        "when": "s >= 9",
    },
    {
        "id": "several",
        "subject": "account",
        "let": {"n": "count(distinct counterparty) over account_2d", "s": "sum(amount) over account_36h"},
        "when": "n >= 3 and s >= 6",
    },
)


@pytest.fixture(scope="module")
def monotone(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_of(tmp_path_factory.mktemp("pack"), *MONOTONE)


@st.composite
def sorted_streams(draw: st.DrawFn) -> list[dict[str, Any]]:
    time, rows = START_US, []
    for i in range(draw(st.integers(3, 30))):
        time += draw(st.sampled_from((0, HOUR, 6 * HOUR, 12 * HOUR)))
        pick = {
            "payer": ("a", "b", None), "payee": ("a", "c", "d"), "card": ("k", None), "merchant": ("m", "n", None),
            "city": ("u", "v", "w", None), "status": ("approved", "declined"),
        }  # fmt: skip
        columns = {name: draw(st.sampled_from(values)) for name, values in pick.items()}
        rows.append(event(f"e{i}", time, amount=draw(st.sampled_from((0, 100, 300, None))), **columns))
    return rows


def subjects(hits: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(h["rule_id"], h["subject_id"]) for h in hits}


@settings(max_examples=40)
@given(sorted_streams(), st.integers(0, 2**16), st.lists(st.integers(1, 30), max_size=3))
def test_no_arrival_hides_a_pattern(
    monotone: Plan, rows: list[dict[str, Any]], seed: int, cuts: list[int]
) -> None:
    """Every subject that hits in the sorted stream hits in any order of arrival with lateness below the window."""
    delays = random.Random(seed)
    shuffled = sorted(rows, key=lambda r: (r["event_time"] + delays.randrange(DAY), r["event_id"]))
    expected = subjects(hits_of(run(monotone, table(rows))[1]))
    cuts = [c for c in cuts if c < len(rows)]
    assert expected <= subjects(hits_of(run(monotone, table(shuffled), cuts)[1]))


@settings(max_examples=20)
@given(sorted_streams(), st.randoms(use_true_random=False))
def test_not_even_a_full_shuffle_hides_a_pattern(
    monotone: Plan, rows: list[dict[str, Any]], shuffle: Any
) -> None:
    """Some event of the pattern arrives last, and is evaluated at the time of the last one."""
    shuffled = list(rows)
    shuffle.shuffle(shuffled)
    assert subjects(hits_of(run(monotone, table(rows))[1])) <= subjects(
        hits_of(run(monotone, table(shuffled))[1])
    )


# -- the second evaluation, by a plain oracle ------------------------------------------------------------

# Rules whose condition may come and go with T: a late hit must name the first T at which it holds.
EXACT: tuple[dict[str, Any], ...] = (
    {"id": "three", "subject": "payer", "let": {"n": "count(*) over payer_1d"}, "when": "n = 3"},
    {
        "id": "quiet",
        "subject": "payer",
        "let": {"n": "count(*) over payer_1d", "m": "count(*) over payer_2d"},
        "when": "n = 1 and m >= 3",
    },
)
WINDOWS = {"three": DAY, "quiet": 2 * DAY}


def holds(rule: str, seen: list[tuple[int, int]], at: int, order: int) -> bool:
    """Whether a rule holds at a time for what had arrived by `order`: (time, order) of one subject's events."""

    def count(window: int) -> int:
        return sum(1 for t, o in seen if o <= order and at - window < t <= at)

    return count(DAY) == 3 if rule == "three" else count(DAY) == 1 and count(2 * DAY) >= 3


def expected_hits(rule: str, times: list[tuple[str, int]]) -> list[tuple[str, str, int | None]]:
    """(event, trigger, as_of) of one subject's events in order of arrival."""
    seen = [(t, o) for o, (_, t) in enumerate(times)]
    found: list[tuple[str, str, int | None]] = []
    for order, (name, t) in enumerate(times):
        if holds(rule, seen, t, order):
            found.append((name, "event", None))
        later = sorted({x for x, o in seen if o < order and t < x < t + WINDOWS[rule]})
        first = next((x for x in later if holds(rule, seen, x, order)), None)
        if first is not None:
            found.append((name, "late", first))
    return found


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_of(tmp_path_factory.mktemp("pack"), *EXACT)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 20)), min_size=1, max_size=24),
    st.lists(st.integers(1, 24), max_size=4),
)
def test_second_evaluation_is_the_promised_one(
    exact: Plan, drawn: list[tuple[str, int]], cuts: list[int]
) -> None:
    rows = [event(f"e{i}", START_US + 4 * HOUR * k, payer=p) for i, (p, k) in enumerate(drawn)]
    hits = hits_of(run(exact, table(rows), [c for c in cuts if c < len(rows)])[1])
    for rule in WINDOWS:
        for payer in "ab":
            times = [(r["event_id"], r["event_time"]) for r in rows if r["payer"] == payer]
            shown = [
                (
                    h["event_id"],
                    h["trigger"],
                    None if h["as_of"] is None else round(h["as_of"].timestamp() * 1e6),
                )
                for h in hits
                if h["rule_id"] == rule and h["subject_id"] == payer
            ]
            assert shown == expected_hits(rule, times)


def test_a_late_event_is_not_evaluated_at_the_end_of_the_window(exact: Plan) -> None:
    """`t < T < t + w`: at T = t + w the late event has left the window, and its own time is its first evaluation."""
    rows = [event(f"e{i}", START_US + DAY, payer="a") for i in range(2)]
    assert [
        h["trigger"] for h in hits_of(run(exact, table([*rows, event("l", START_US, payer="a")]))[1], "three")
    ] == []
    inside = [*rows, event("l", START_US + 1, payer="a")]
    (hit,) = hits_of(run(exact, table(inside))[1], "three")
    assert (hit["event_id"], hit["trigger"], hit["as_of"]) == ("l", "late", moment(START_US + DAY))
    assert hit["features"] == {"n": 3}


def test_a_late_event_is_seen_by_those_that_follow_but_not_by_those_before(exact: Plan) -> None:
    rows = [event("a", START_US + 2 * HOUR, payer="a"), event("b", START_US + 3 * HOUR, payer="a"),
            event("l", START_US, payer="a"), event("c", START_US + 4 * HOUR, payer="a")]  # fmt: skip
    hits = hits_of(run(exact, table(rows))[1], "three")
    assert [(h["event_id"], h["trigger"]) for h in hits] == [("l", "late")]
    assert hits[0]["as_of"] == moment(START_US + 3 * HOUR)


def test_late_hits_count_in_rules_that_refer_to_them(tmp_path: Path) -> None:
    """hits() counts an event that hit only at its second evaluation, once, at the event's own time."""
    plan = plan_of(
        tmp_path,
        EXACT[0],
        {"id": "again", "subject": "payer", "let": {"n": "hits('three') over payer_9d"}, "when": "n >= 1"},
    )
    rows = [event("a", START_US + 2 * HOUR, payer="a"), event("b", START_US + 3 * HOUR, payer="a"),
            event("l", START_US, payer="a"), event("z", START_US + 8 * DAY, payer="a")]  # fmt: skip
    hits = hits_of(run(plan, table(rows))[1], "again")
    assert [(h["event_id"], h["trigger"], h["features"]["n"]) for h in hits] == [
        ("l", "event", 1), ("l", "late", 1), ("z", "event", 1),
    ]  # fmt: skip


def test_too_late_is_measured_from_the_watermark_before_the_event(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, EXACT[0])
    limits = Limits(max_lateness_days=2)
    rows = [event("a", START_US, payer="a"), event("b", START_US - 3 * DAY, payer="a"),
            event("c", START_US - 3 * DAY + 1, payer="a")]  # fmt: skip
    scorer, _ = run(plan, table([]), limits=limits)
    # longest window 1 day + 2 days of lateness: three days behind the watermark is refused, a microsecond less is not
    assert scorer.apply(table(rows)).verdict.tolist() == [0, 3, 0]


def test_a_burst_of_late_events_is_evaluated_in_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(tmp_path, *EXACT)
    rows = [event(f"e{i}", START_US + (i % 17) * HOUR, payer="a") for i in range(60)]
    expected = run(plan, table(rows))[1]
    for portion in (1, 2, 5, 64):
        monkeypatch.setattr("txmon.engine.again.PORTION_ROWS", portion)
        assert run(plan, table(rows))[1].equals(expected)


def test_both_legs_of_a_late_event_ask_an_events_window_from_the_start(tmp_path: Path) -> None:
    """Regression: the in leg went on where the out leg had stopped, and saw later events at an earlier time."""
    plan = plan_of(
        tmp_path,
        {
            "id": "r",
            "subject": "account",
            "let": {"n": "count(*) over payer_1d", "s": "sum(amount) over payer_1d"},
            "when": "true",
        },
    )
    both = {"payer": "a", "payee": "a"}
    rows = [
        event("x", START_US + 2 * HOUR, **both),
        event("y", START_US + 9 * HOUR, **both),
        event("l", START_US, **both),
    ]
    late = hits_of(run(plan, table(rows))[1], trigger="late")
    assert [(h["event_id"], h["leg"], h["as_of"], h["features"]["n"]) for h in late] == [
        ("l", leg, moment(START_US + 2 * HOUR), 2) for leg in ("out", "in")
    ]
