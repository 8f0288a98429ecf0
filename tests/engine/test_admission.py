"""Which events count: duplicates, conflicts, the horizon of identities, lateness, and the watermark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from txkit import DAY, START_US, event, hits_of, plan_of, run, table

from txmon.engine.dedup import ACCEPTED, CONFLICT, DUPLICATE, TOO_LATE, Gate
from txmon.engine.engine import Limits
from txmon.pipeline.scorer import Scorer
from txmon.rules.ir import Plan

RULE = {"id": "r", "subject": "payer", "let": {"n": "count(*) over payer_1d"}, "when": "n >= 1"}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_of(tmp_path_factory.mktemp("pack"), RULE)


def verdicts(plan: Plan, *rows: dict[str, Any], limits: Limits | None = None) -> list[int]:
    """Verdicts in one batch, after checking that batches of one row give the same."""
    alone = Scorer(plan, limits=limits)
    each = [int(alone.apply(table([row])).verdict[0]) for row in rows]
    assert Scorer(plan, limits=limits).apply(table(rows)).verdict.tolist() == each
    return each


def test_same_content_is_a_duplicate_without_effect(plan: Plan) -> None:
    row = event("a", START_US, payer="p", attributes=[("k", "v"), ("l", "w")], memo="x", lat=1.5)
    scorer, hits = run(plan, table([row, row, event("b", START_US, payer="p"), row]))
    assert [h["features"]["n"] for h in hits_of(hits)] == [1, 2]
    assert scorer.engine.gate.next_seq == 2
    assert verdicts(plan, row, row) == [ACCEPTED, DUPLICATE]


def test_the_order_of_attributes_is_no_content(plan: Plan) -> None:
    one = event("a", START_US, attributes=[("k", "v"), ("l", "w")])
    assert verdicts(plan, one, one | {"attributes": [("l", "w"), ("k", "v")]}) == [ACCEPTED, DUPLICATE]


@pytest.mark.parametrize(
    "change",
    [
        {"event_time": START_US + 1}, {"amount_minor": 101}, {"memo": "y"}, {"memo": None}, {"lat": 1.25}, {"lat": None},
        {"card_prepaid": False}, {"card_prepaid": None}, {"attributes": [("k", "w")]}, {"attributes": [("v", "k")]},
        {"attributes": None}, {"holders": None}, {"payer": "q", "payee": "p"}, {"unconverted": True},
        {"holders": [{"party": "x", "role": "joint", "valid_from": None, "valid_to": None}]}, {"status": "x"},
        {"rate_date": 3}, {"kind": "transfer"}, {"mode": "test"}, {"entity": "other"},
    ],
    ids=str,
)  # fmt: skip
def test_any_other_content_is_a_conflict_and_the_first_stands(plan: Plan, change: dict[str, Any]) -> None:
    first = event(
        "a", START_US, payer="p", payee="q", memo="x", lat=1.5, card_prepaid=True, attributes=[("k", "v")],
        holders=[{"party": "x", "role": "owner", "valid_from": None, "valid_to": None}],
    )  # fmt: skip
    assert verdicts(plan, first, first | change, first) == [ACCEPTED, CONFLICT, DUPLICATE]


def test_identity_is_source_and_id(plan: Plan) -> None:
    rows = [
        event("a", START_US),
        event("a", START_US, source="s2"),
        event("b", START_US),
        event("a", START_US),
    ]
    assert verdicts(plan, *rows) == [ACCEPTED, ACCEPTED, ACCEPTED, DUPLICATE]


def test_a_conflict_or_a_too_late_event_neither_counts_nor_moves_the_watermark(plan: Plan) -> None:
    rows = [
        event("a", START_US, payer="p"),
        event("a", START_US + 900 * DAY, payer="p"),
        event("old", START_US - 90 * DAY, payer="p"),
        event("b", START_US, payer="p"),
    ]
    scorer, hits = run(plan, table(rows))
    assert verdicts(plan, *rows) == [ACCEPTED, CONFLICT, TOO_LATE, ACCEPTED]
    assert scorer.engine.gate.watermark_us == START_US
    assert [h["features"]["n"] for h in hits_of(hits)] == [1, 2]


def test_a_refused_identity_is_free(plan: Plan) -> None:
    """What was refused as too late was not accepted: a correction under the same id is welcome."""
    rows = [event("a", START_US), event("b", START_US - 90 * DAY), event("b", START_US)]
    assert verdicts(plan, *rows) == [ACCEPTED, TOO_LATE, ACCEPTED]


def test_an_identity_is_forgotten_after_the_horizon(plan: Plan) -> None:
    limits = Limits(dedup_horizon_days=10)
    a = event("a", START_US)

    def after(days: int) -> list[int]:
        return verdicts(
            plan,
            a,
            event("b", START_US + days * DAY),
            a | {"event_time": START_US + days * DAY},
            limits=limits,
        )

    assert after(10) == [ACCEPTED, ACCEPTED, CONFLICT]
    assert after(11) == [ACCEPTED, ACCEPTED, ACCEPTED]


@settings(max_examples=40)
@given(st.data())
def test_the_gate_equals_a_dictionary(data: st.DataObject) -> None:
    """Thousands of identities, several sweeps: the table answers as a plain dictionary with dates."""
    seed, horizon = data.draw(st.integers(0, 2**32 - 1)), data.draw(st.sampled_from((3, 30, 90)))
    random = np.random.default_rng(seed)
    n = 3000
    ids = np.stack([random.integers(0, 1500, n), random.integers(0, 2, n)], axis=1) * np.array([2**40 + 7, 1])
    content = random.integers(0, 2, n) << 40
    step = random.choice([0, 1, DAY // 10, DAY], n, p=[0.5, 0.2, 0.2, 0.1])
    time = np.cumsum(step) - random.choice([0, DAY, 40 * DAY], n, p=[0.9, 0.05, 0.05])
    gate, known = Gate(horizon, 20 * DAY), {}
    cut = int(random.integers(0, n))
    shown = [*gate.admit(ids[:cut], content[:cut], time[:cut]).verdict]
    again = Gate(1, 1)
    again.restore(gate.snapshot())
    shown += [*again.admit(ids[cut:], content[cut:], time[cut:]).verdict]
    watermark, expected = None, []
    for key, what, t in zip(map(tuple, ids.tolist()), content.tolist(), time.tolist(), strict=True):
        today = 0 if watermark is None else max(watermark // DAY, 0)
        if key in known and known[key][1] + horizon >= today:
            expected.append(DUPLICATE if known[key][0] == what else CONFLICT)
        elif watermark is not None and t <= watermark - 20 * DAY:
            expected.append(TOO_LATE)
        else:
            watermark = t if watermark is None else max(watermark, t)
            known[key] = (what, max(watermark // DAY, 1))
            expected.append(ACCEPTED)
    assert shown == expected
    assert again.next_seq == expected.count(ACCEPTED)
    assert again.bytes_used() >= 24 * len(known) / 2


def test_distant_years_are_as_good_as_any(plan: Plan) -> None:
    """A clock that is wrong by centuries must not break the table of identities."""
    for year in (1905, 2149, 2199):
        time = int((np.datetime64(f"{year}-06-01") - np.datetime64("1970-01-01")) / np.timedelta64(1, "us"))
        a = event("a", time, payer="p")
        later = event("b", time + DAY, payer="p")
        assert verdicts(plan, a, later, a, a | {"memo": "x"}) == [ACCEPTED, ACCEPTED, DUPLICATE, CONFLICT]


def test_content_does_not_depend_on_how_arrow_holds_it(plan: Plan) -> None:
    rows = [event(f"e{i}", START_US, payer="p", memo=m) for i, m in enumerate(("x", "y", None, "x"))]
    events = table(rows)
    memo = events.column("memo").combine_chunks()
    place = events.schema.get_field_index("memo")
    forms = [
        memo.dictionary_encode(),
        pa.DictionaryArray.from_arrays(
            pa.array([3, 1, None, 3], pa.int8()), pa.array(["unused", "y", "z", "x"])
        ),
        memo.cast(pa.large_string()),
    ]
    for form in forms:
        scorer = Scorer(plan)
        assert scorer.apply(events).verdict.tolist() == [ACCEPTED] * 4
        assert scorer.apply(events.set_column(place, "memo", form)).verdict.tolist() == [DUPLICATE] * 4
    sliced = pa.concat_tables([table([event("other", START_US)]), events]).combine_chunks().slice(1)
    scorer = Scorer(plan)
    scorer.apply(events)
    assert scorer.apply(sliced).verdict.tolist() == [DUPLICATE] * 4


def test_a_column_added_later_changes_no_old_content(plan: Plan) -> None:
    scorer = Scorer(plan)
    events = table([event("a", START_US, payer="p")])
    scorer.apply(events)
    assert scorer.apply(events.append_column("new_column", pa.nulls(1, pa.string()))).verdict.tolist() == [
        DUPLICATE
    ]


def test_events_are_numbered_in_order_of_arrival(tmp_path: Path, plan: Plan) -> None:
    scorer = Scorer(plan)
    first = scorer.apply(table([event("a", START_US), event("a", START_US), event("b", START_US)]))
    second = scorer.apply(table([event("c", START_US - 1)]))
    assert first.accepted.column("ingest_seq").to_pylist() == [0, 1]
    assert second.accepted.column("ingest_seq").to_pylist() == [2]
