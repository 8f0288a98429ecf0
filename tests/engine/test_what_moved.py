"""What moved: authorisations, declines, captures, reversals, refunds and chargebacks against a ledger."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from txkit import HOUR, START_US, event, hits_of, plan_of, run, table

from txmon.rules.ir import Plan

RULES: tuple[dict[str, Any], ...] = (
    {
        "id": "merchant-net",
        "subject": "merchant",
        "let": {
            "net": "sum(signed_amount) filter (where moved) over merchant_300d",
            "gross": "sum(amount) filter (where purchase) over merchant_300d",
            "purchases": "count(*) filter (where purchase) over merchant_300d",
            "back": "sum(amount) filter (where moved and kind in ('refund', 'chargeback', 'reversal')) over merchant_300d",
        },
        "when": "true",
    },
    {
        "id": "account-flow",
        "subject": "account",
        "let": {
            "into": "sum(amount) filter (where moved and direction = 'in') over account_300d",
            "out_of": "sum(amount) filter (where moved and direction = 'out') over account_300d",
        },
        "when": "true",
    },
)
FORWARD, BACK = ("payment", "capture"), ("refund", "chargeback", "reversal")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_of(tmp_path_factory.mktemp("pack"), *RULES)


@st.composite
def orders(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Card orders at a merchant, each with the life it had, in order of time."""
    rows: list[dict[str, Any]] = []
    for order in range(draw(st.integers(1, 5))):
        total = draw(st.integers(1, 10**15 // 4) | st.integers(1, 300))
        parties = {"payer": "card-holder", "payee": "shop", "merchant": "m"}
        swapped = {"payer": "shop", "payee": "card-holder", "merchant": "m"}
        accepted = draw(st.booleans())
        final = draw(st.booleans())

        def add(
            kind: str,
            amount: int,
            status: str | None,
            *,
            who: dict[str, str] = parties,
            final: bool = final,
            order: int = order,
        ) -> None:
            time = START_US + len(rows) * HOUR
            rows.append(event(f"o{order}.{len(rows)}", time, kind=kind, amount=amount, status=status,
                              auth_is_final=final, related_event_id=f"o{order}", **who))  # fmt: skip

        add("authorization", total, "approved" if accepted else "declined")
        if not accepted or final:
            continue
        left = total
        for _ in range(draw(st.integers(0, 3))):
            part = draw(st.integers(0, left))
            add("capture", part, draw(st.sampled_from(("settled", None, "failed"))))
            left -= part
        if draw(st.booleans()):
            add("reversal", left, "settled", who=swapped)
        if draw(st.booleans()):
            add(
                "refund",
                draw(st.integers(0, total)),
                draw(st.sampled_from(("settled", "pending"))),
                who=swapped,
            )
        if draw(st.booleans()):
            add("chargeback", total, "settled", who=swapped)
    return rows


class Ledger:
    """Sums by hand, in cents."""

    def __init__(self) -> None:
        self.net = self.gross = self.back = self.purchases = 0
        self.into: dict[str, int] = defaultdict(int)
        self.out_of: dict[str, int] = defaultdict(int)
        self.any_move = self.any_back = self.any_purchase = False

    def book(self, row: dict[str, Any]) -> None:
        if row["status"] not in ("approved", "settled", None):
            return
        if row["kind"] == "authorization" and not row["auth_is_final"]:
            return
        self.any_move = True
        self.into[row["payee"]] += row["amount_minor"]
        self.out_of[row["payer"]] += row["amount_minor"]
        if row["kind"] in BACK:
            self.net -= row["amount_minor"]
            self.back += row["amount_minor"]
            self.any_back = True
        else:
            self.net += row["amount_minor"]
            self.gross += row["amount_minor"]
            self.purchases += 1
            self.any_purchase = True


def euros(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


@settings(max_examples=50)
@given(orders(), st.booleans())
def test_sums_equal_the_ledger_to_the_cent(plan: Plan, rows: list[dict[str, Any]], one_by_one: bool) -> None:
    hits = hits_of(run(plan, table(rows), range(1, len(rows)) if one_by_one else ())[1])
    shops = {h["event_id"]: h["features"] for h in hits if h["rule_id"] == "merchant-net"}
    legs = {(h["event_id"], h["leg"]): h for h in hits if h["rule_id"] == "account-flow"}
    ledger = Ledger()
    for row in rows:
        ledger.book(row)
        shown = shops[row["event_id"]]
        assert shown["net"] == (euros(ledger.net) if ledger.any_move else None)
        assert shown["gross"] == (euros(ledger.gross) if ledger.any_purchase else None)
        assert shown["back"] == (euros(ledger.back) if ledger.any_back else None)
        assert shown["purchases"] == ledger.purchases
        for leg, account in (("out", row["payer"]), ("in", row["payee"])):
            hit = legs[row["event_id"], leg]
            assert hit["subject_id"] == account
            assert (hit["features"]["into"] or 0) == euros(ledger.into[account])
            assert (hit["features"]["out_of"] or 0) == euros(ledger.out_of[account])


def test_a_purchase_is_never_counted_twice_and_a_decline_adds_nothing(plan: Plan) -> None:
    rows = [
        event(
            "auth",
            START_US,
            kind="authorization",
            status="approved",
            amount=10_000,
            merchant="m",
            payer="a",
            payee="b",
        ),
        event(
            "no",
            START_US + 1,
            kind="payment",
            status="declined",
            amount=7_777,
            merchant="m",
            payer="a",
            payee="b",
        ),
        event(
            "cap",
            START_US + 2,
            kind="capture",
            status="settled",
            amount=6_000,
            merchant="m",
            payer="a",
            payee="b",
        ),
        event(
            "wait",
            START_US + 3,
            kind="transfer",
            status="pending",
            amount=1,
            merchant="m",
            payer="a",
            payee="b",
        ),
    ]
    hits = hits_of(run(plan, table(rows))[1], "merchant-net")
    assert [h["features"]["net"] for h in hits] == [None, None, Decimal("60.00"), Decimal("60.00")]
    assert hits[-1]["features"]["purchases"] == 1


def test_unconverted_events_count_but_have_no_sum(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        {
            "id": "r",
            "subject": "payer",
            "let": {"n": "count(*) over payer_1d", "m": "count(amount) over payer_1d", "s": "sum(amount) over payer_1d",
                    "who": "count(distinct payee) over payer_1d"},
            "when": "n >= 1",
        },
    )  # fmt: skip
    foreign = {"amount_base_minor": None, "unconverted": True, "currency": "USD"}
    rows = [
        event("a", START_US, payer="p", payee="x", **foreign),
        event("b", START_US, payer="p", payee="y", amount=5),
    ]
    first, second = (h["features"] for h in hits_of(run(plan, table(rows))[1]))
    assert first == {"n": 1, "m": 0, "s": None, "who": 1}
    assert second == {"n": 2, "m": 1, "s": Decimal("0.05"), "who": 2}
