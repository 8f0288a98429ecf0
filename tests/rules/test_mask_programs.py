"""Mask programs give for every condition the rows that the evaluator of expressions gives."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from expression_texts import texts
from hypothesis import given, settings
from hypothesis import strategies as st
from rulekit import ListFrame, typed
from test_arrow_equals_duckdb import ROW
from txkit import HOUR, START_US, event, table

from txmon.engine import masks
from txmon.engine.keys import KeySpace
from txmon.engine.masks import Answer, Condition, Hits, Masks, Part
from txmon.engine.shared import Shared
from txmon.engine.state import encode_double
from txmon.model.rates import Rates
from txmon.model.schema import VALUE_KINDS
from txmon.pipeline.scorer import Scorer
from txmon.rules.arrow import compile_mask, compile_vec
from txmon.rules.ir import Expr, Plan, Unit
from txmon.rules.ops import DOUBLES
from txmon.rules.pack import default_pack, load_pack

TESTS = (
    "merchant in ('a', 'b') and amount in (50, 0.01)",
    "coalesce(card_prepaid, false) or not (merchant = 'a')",
    "case when card_prepaid then amount > 1 when memo is null then null else lat < lon end",
    "(card_prepaid and merchant = 'a') is null",
    "coalesce(card_prepaid, lat <> lon, 3 >= lon)",
    "payer_opened_time <= event_time and local_hour(event_time, tz) >= 12",
    "payer = merchant or payer is null",
)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_pack(default_pack(), base_currency="EUR")


def expected(condition: Condition, frame: Any, hits: Hits | None = None) -> np.ndarray:
    """Rows of a condition by the evaluator of expressions."""
    rows = compile_mask(*condition.true)(frame)
    for expr in condition.known:
        rows = rows & compile_vec(expr)(frame).ok
    if condition.hits_rule is not None and hits is not None:
        rows = rows & hits(condition.hits_rule, frame.on)
    return rows


def check(answer: Answer, parts: Sequence[Part], frame: Any, hits: Hits | None = None) -> None:
    """Compare every bit, and every value that a condition counts."""
    at = 0
    for part, (bits, values) in zip(parts, answer.parts(), strict=True):
        for m, condition in enumerate(part.conditions):
            rows = (bits[:, m >> 6] >> np.int64(m & 63)) & 1 != 0
            assert (rows == expected(condition, frame, hits)).all(), condition
            assert answer.holds[at] == rows.any()
            at += 1
            if condition.value is None or part.values[condition.value].unit is Unit.TEXT:
                continue
            expr = part.values[condition.value]
            vec = compile_vec(expr)(frame)
            data = np.broadcast_to(np.where(vec.ok, vec.data, 0), frame.length)
            integers = encode_double(data) if expr.unit in DOUBLES else data.astype(np.int64)
            assert (values[rows, condition.value] == integers[rows]).all(), expr


@pytest.mark.parametrize("many", [0, 10**9], ids=["all leaves", "leaves when needed"])
@settings(max_examples=100)
@given(
    drawn=st.lists(st.sampled_from(TESTS) | texts("bool", 3), min_size=1, max_size=12),
    batches=st.lists(st.lists(ROW, min_size=1, max_size=8), min_size=1, max_size=3),
)
def test_random_conditions(
    many: int, drawn: list[str], batches: list[list[dict[str, Any]]], plan: Plan
) -> None:
    numbers: list[Expr] = [typed("amount"), typed("lat"), typed("cast(lat as bigint)")]
    conditions = [
        Condition((typed(text),), (typed("payer"), numbers[i % 3]), value=i % 3)
        for i, text in enumerate(drawn)
    ]
    parts = [Part(conditions[::2], numbers), Part(conditions[1::2], numbers)]
    shared = Shared(plan, Rates("EUR"))
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        patch.setattr(masks, "_MANY_ROWS", many)
        patch.setattr(masks, "_OFTEN", 2)
        program = Masks(shared, KeySpace(), "events", parts)
        for rows in batches:  # words of later batches are new to the table of tests
            values = {key: [row[key] for row in rows] for key in rows[0]}
            frame: Any = ListFrame(values)
            reference = ListFrame(values)
            frame.book, reference.book = shared.book, None
            check(program.run(frame, [0, 1]), parts, reference)
            check(program.run(frame, [1]), [parts[1]], reference)


def some_events(rng: random.Random, start: int, count: int) -> list[dict[str, Any]]:
    """Events that many conditions of the default pack hold for."""

    def some(*values: Any) -> Any:
        return rng.choice([None, *values])

    kinds = [*VALUE_KINDS, "account.updated", "merchant.updated"]
    accounts, merchants = [f"a{i}" for i in range(5)], [f"m{i}" for i in range(3)]
    return [
        event(
            f"e{start + i}",
            START_US + (start + i) * HOUR // 4 - rng.choice([0, 0, 0, 3 * HOUR]),
            kind=rng.choice(kinds),
            amount=some(0, 1, 150, 2500, 15_000, 300_000, 750_000, 2**62),
            status=some("approved", "settled", "declined", "failed"),
            payer=some(*accounts),
            payee=some(*accounts),
            account=rng.choice(accounts),
            merchant=some(*merchants),
            mcc=some("7011", "4511", "5411", "7273", "4121", "5814", "7995"),
            card=some("c1", "c2"),
            device=some("d1", "d2"),
            ip=some("10.0.0.1"),
            city=some("Lyon", "Riga"),
            channel=some("app", "web", "ecom", "pos"),
            rail=some("crypto", "sepa"),
            purpose=some("SALA", "GDDS", "RENT", "EDUC"),
            memo=some("", " x ", "rent"),
            tz=some("Europe/Paris", "America/New_York"),
            payer_country=some("FR", "LV", "PH"),
            payee_country=some("FR", "PH"),
            merchant_country=some("FR", "TH"),
            card_country=some("FR", "US"),
            auth_is_final=rng.random() < 0.5,
            attributes=some([("destination", "PH"), ("employee", "x")], [("nights", "3"), ("approval", "y")]),
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_the_default_pack(seed: int, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    run = Masks.run
    compared = 0

    def compare(self: Masks, frame: Any, parts: Sequence[int], hits: Hits | None = None) -> Answer:
        nonlocal compared
        answer = run(self, frame, parts, hits)
        check(answer, [self._parts[p] for p in parts], frame, hits)
        compared += int(answer.holds.sum())
        return answer

    monkeypatch.setattr(Masks, "run", compare)
    scorer = Scorer(plan, Rates("EUR"))
    start = 0
    for size in (1, 7, 60, 600 if seed == 0 else 20):
        scorer.apply(table(some_events(rng, start, size)))
        start += size
    assert compared > 200


def test_a_column_with_many_words_becomes_a_leaf(plan: Plan) -> None:
    shared = Shared(plan, Rates("EUR"))
    parts = [
        Part([Condition((typed("merchant in ('a', '7')"),)), Condition((typed("length(merchant) > 3"),))])
    ]
    program = Masks(shared, KeySpace(), "events", parts)
    for first in (0, 1000, 2000):
        frame: Any = ListFrame({"merchant": [str(first + i) for i in range(999)] + [None]})
        frame.book = shared.book
        check(program.run(frame, [0]), parts, frame)
    assert shared.book.numbers("merchant", frame.vec("merchant", Unit.TEXT)) is None
