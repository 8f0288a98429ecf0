"""A small portfolio for the tests of the demo: one controlled seller, one therapist, one unfound scenario."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from txmon.alerts import AlertBook
from txmon.model.schema import CANONICAL
from txmon.rules import load_pack
from txmon.rules.ir import Plan

START = datetime(2026, 1, 5, 18, tzinfo=UTC)
RULES = Path(__file__).parents[2] / "rules"
NATIVE = (
    "event_id", "source", "event_time", "kind", "status", "amount_minor", "currency", "payer",
    "payer_country", "payee", "payee_country", "account", "merchant", "mcc", "purpose", "rail", "city",
    "card", "device", "ip",
    "attributes",
)  # fmt: skip


class Portfolio:
    """Collects events and hits; makes tables of them."""

    def __init__(self) -> None:
        self.plan: Plan = load_pack([RULES])
        self.rows: list[dict[str, Any]] = []
        self.hit_rows: list[dict[str, Any]] = []
        self.label_rows: list[dict[str, Any]] = []

    def event(self, day: float, **columns: Any) -> str:
        event_id = f"e{len(self.rows):04d}"
        base = dict.fromkeys(NATIVE)
        base |= {
            "event_id": event_id,
            "source": "sim",
            "event_time": START + timedelta(days=day),
            "status": "settled",
        }
        self.rows.append(base | columns)
        return event_id

    def pay(
        self, day: float, payer: str, payee: str, euros: float, country: str = "DE", **columns: Any
    ) -> str:
        return self.event(
            day,
            **{"kind": "transfer", "amount_minor": round(euros * 100), "currency": "EUR", "payer": payer,
               "payee": payee,
               "payer_country": "DE", "payee_country": country, "rail": "p2p"} | columns,
        )  # fmt: skip

    def hit(self, event_id: str, rule_id: str, subject: str, explanation: str, **features: Any) -> None:
        rule = next(r for r in self.plan.rules if r.id == rule_id)
        row = next(r for r in self.rows if r["event_id"] == event_id)
        self.hit_rows.append(
            {"source": "sim", "event_id": event_id, "leg": "in" if row["payee"] == subject else "out",
             "event_time": row["event_time"], "rule_id": rule_id, "rule_version": rule.version,
             "subject_type": rule.subject, "subject_id": subject, "score": rule.score,
             "features": json.dumps(features), "trigger": "event", "as_of": None, "explanation": explanation,
             "holders": [{"party": "pt000017", "role": "owner"}]}
        )  # fmt: skip

    def label(
        self, scenario: str, typology: str, rules: list[str], role: str, subject: str, population: str = ""
    ) -> None:
        last = self.hit_rows[-1]["event_id"]
        self.label_rows.append(
            {"event_id": last, "scenario_id": scenario, "typology": typology, "rule_ids": rules, "role": role,
             "population": population, "subject_type": "account", "subject_id": subject}
        )  # fmt: skip

    def events(self) -> pa.Table:
        fields = [CANONICAL.field(name) for name in NATIVE]
        table = pa.Table.from_pylist(self.rows, schema=pa.schema([f.with_nullable(True) for f in fields]))
        payer = table["payer"].combine_chunks().dictionary_encode()
        return table.set_column(table.column_names.index("payer"), "payer", payer)

    def hits(self) -> pa.Table:
        time = pa.timestamp("us", tz="UTC")
        return pa.Table.from_pylist(
            self.hit_rows,
            schema=pa.schema(
                [("source", pa.string()), ("event_id", pa.string()), ("leg", pa.string()),
                 ("event_time", time),
                 ("rule_id", pa.string()), ("rule_version", pa.int64()), ("subject_type", pa.string()),
                 ("subject_id", pa.string()), ("score", pa.float64()), ("features", pa.string()),
                 ("trigger", pa.string()), ("as_of", time), ("explanation", pa.string()),
                 ("holders", pa.list_(pa.struct([("party", pa.string()), ("role", pa.string())])))]
            ),
        )  # fmt: skip

    def alerts(self) -> pa.Table:
        book = AlertBook(self.plan)
        book.apply(self.hits())
        return book.table()

    def labels(self) -> pa.Table:
        return pa.Table.from_pylist(self.label_rows)


def controlled_seller(p: Portfolio, subject: str = "ac000123") -> None:
    """Clients pay, half is handed on, a fee leaves every week; the seller also buys food."""
    profile = [("type", "personal"), ("home_country", "DE"), ("activity", "<b>student</b>")]
    p.event(-40, kind="account.opened", account=subject, attributes=profile)
    for round_ in range(10):
        taken = 0
        for client in range(5):
            euros = 80 + 10 * ((round_ * 7 + client * 3) % 30)
            taken += euros
            last = p.pay(3 * round_ + client * 0.3, f"ac9{round_}{client:02d}", subject, euros)
        if round_ >= 2:
            p.hit(last, "service-price-inflows", subject,
                  "12 receipts of EUR 70 to EUR 3,000 from 12 persons",
                  payers=12, receipts=12, round_receipts=11)  # fmt: skip
        handed = p.pay(3 * round_ + 2, subject, "ac770001", taken * 0.6)
        if round_ >= 3:
            p.hit(handed, "half-take-forward", subject, "EUR 500.00 of EUR 800.00 taken within 72 hours",
                  taken=800.00, handed=500.00, taken_15d=4000.00, handed_15d=2400.00, handovers=4,
                  spread=777600,
                  payers=20)  # fmt: skip
        p.event(3 * round_ + 1.4, kind="payment", amount_minor=1999, currency="EUR", payer=subject,
                payee="ac5", merchant="mr1", payer_country="DE", payee_country="DE", rail="card")  # fmt: skip
    for week in range(4):
        fee = p.pay(7 * week + 5, subject, "ac880002", 650, "RO", rail="sepa")
        if week >= 2:
            p.hit(fee, "weekly-fee-out", subject, f"{week + 1} payments of EUR 500 to EUR 2,000",
                  fees=week + 1, paid=650.0 * (week + 1), gap=604800, span_days=7 * week,
                  known=604800 * week, received=0)  # fmt: skip
    p.hit_rows.sort(key=lambda row: row["event_time"])
    p.label("s1", "sexual-exploitation", ["half-take-forward"], "planted", subject)


def therapist(p: Portfolio, subject: str = "ac000456") -> None:
    """Many patients, nothing handed on."""
    profile = [("type", "personal"), ("activity", "therapist")]
    p.event(-300, kind="account.opened", account=subject, attributes=profile)
    for visit in range(30):
        p.pay(visit, f"ac6{visit % 12:02d}", subject, 90)
    p.label("l1", "other", [], "look_alike", subject, "therapist")


def probe(plan: Plan, events: pa.Table) -> pa.Table:
    """Stands for the engine: the numbers of the therapist's busiest days."""
    assert len(plan.rules) == 1
    payees = {row["payee"] for row in events.to_pylist()}
    assert "ac000123" not in payees
    numbers = [{"payers": n, "receipts": n, "round_receipts": n} for n in (3, 9, 9)]
    return pa.table({"subject_id": ["ac000456"] * 3, "features": [json.dumps(n) for n in numbers]})


def portfolio() -> Portfolio:
    p = Portfolio()
    controlled_seller(p)
    therapist(p)
    p.label("s2", "mule-layering", ["pass-through"], "planted", "ac000999")
    p.label("s3", "mule-layering", ["pass-through"], "near_miss", "ac000998")
    return p
