"""Every aggregate over every kind of window equals its definition, on streams drawn to be unkind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import oracle
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Rows, Spec
from stream_strategies import accepted, rows
from txkit import hits_of, plan_of, run, table

from txmon.rules.ir import Plan

ZONE = "Europe/Berlin"
MOVED = (
    "(kind in ('payment', 'transfer', 'payout', 'cash_in', 'cash_out', 'load', 'capture', 'reversal', 'refund',"
    " 'chargeback') or (kind = 'authorization' and auth_is_final))"
    " and coalesce(status, 'settled') in ('approved', 'settled')"
)
SIGNED = "case when kind in ('refund', 'chargeback', 'reversal') then -amount else amount end"
# (aggregate, argument, unit, filter, what else)
MEASURES: tuple[tuple[str, str, str, str | None, dict[str, Any]], ...] = (
    ("count", "*", "count", None, {}),
    ("count", "*", "count", "status = 'approved'", {}),
    ("count", "amount", "money", None, {}),
    ("count", "city", "text", "amount > 0.5", {}),
    ("count_distinct", "city", "text", None, {}),
    ("count_distinct", "card", "text", "kind <> 'refund'", {}),
    ("count_distinct", "amount", "money", None, {}),
    ("count_distinct", "payee", "text", "moved", {"where_sql": MOVED}),
    ("sum", "amount", "money", None, {}),
    ("sum", "signed_amount", "money", "moved", {"arg_sql": SIGNED, "where_sql": MOVED}),
    ("avg", "amount", "money", None, {}),
    ("avg", "signed_amount", "money", "kind <> 'transfer'", {"arg_sql": SIGNED}),
    ("min", "amount", "money", None, {}),
    ("min", "lat", "number", "status is null or status <> 'declined'", {}),
    ("min", "event_time", "time", None, {}),
    ("max", "amount", "money", "merchant is not null", {}),
    ("max", "amount", "money", None, {}),
    ("max", "lat", "number", None, {}),
    ("stddev_pop", "amount", "money", "amount between -10 and 30", {}),
    ("stddev_samp", "amount", "money", None, {}),
    ("first", "city", "text", None, {}),
    ("first", "amount", "money", "kind = 'payment'", {}),
    ("last", "city", "text", "status = 'approved'", {}),
    ("last", "card_prepaid", "bool", None, {}),
    ("lag", "event_time", "time", None, {}),
    ("lag", "city", "text", "amount is not null", {}),
    ("lag", "amount", "money", None, {}),
    ("median", "amount", "money", None, {}),
    ("median", "lat", "number", "lat > -100.0", {}),
    ("quantile_cont", "amount", "money", "amount < 1000", {"level": 0.9}),
    ("quantile_cont", "amount", "money", None, {"level": 0.25}),
)  # fmt: skip
EVENT_WINDOWS = (
    "ip_1d", "payer_3d", "payer_merchant_36h", "merchant_1d_prior", "ip_9d_prior", "card_device_3d",
    "payee_month", "ip_prev_month", "ip_month_prior", "payer_prev_month_prior",
)  # fmt: skip
LEG_WINDOWS = (
    "account_1d",
    "account_counterparty_3d",
    "account_month",
    "account_9d_prior",
    "account_city_1d",
    "ip_1d",
)


def every(windows: tuple[str, ...]) -> list[Spec]:
    return [
        Spec(agg, window, arg, unit, where, **more)
        for window in windows
        for agg, arg, unit, where, more in MEASURES
        if not (agg == "lag" and window.endswith("_prior"))
    ]


class Case:
    """A plan of aggregates and what the oracle needs of it."""

    def __init__(self, folder: Path, specs: list[Spec], subject: str) -> None:
        self.subject = subject
        self.named = oracle.specs_by_rule(specs)
        self.plan: Plan = plan_of(
            folder,
            *(
                {
                    "id": f"r{i}",
                    "subject": subject,
                    "when": "true",
                    "let": {n: s.text for n, s in group.items()},
                }
                for i, group in enumerate(self.named)
            ),
            entity_tz=ZONE,
        )

    def check(self, stream: list[dict[str, Any]], cuts: list[int]) -> None:
        """Score a stream and compare every number shown, at first and at second evaluations."""
        legs = self.subject == "account"
        kept = accepted(stream)
        events = table(kept)
        hits = hits_of(run(self.plan, table(stream), cuts)[1])
        order = {(r["source"], r["event_id"]): r["ingest_seq"] for r in kept}
        for number, group in enumerate(self.named):
            own = Rows(events, [*group.values(), Spec("count", f"{self.subject}_1d")], legs)
            other = Rows(events, [s for s in group.values() if not s.on_legs], False) if legs else own
            reach = max(s.longest for s in group.values())
            seen: dict[str, dict[int, dict[str, Any]]] = {"event": {}, "late": {}}
            for hit in hits:
                if hit["rule_id"] == f"r{number}":
                    seq = order[hit["source"], hit["event_id"]]
                    key = 2 * seq + (hit["leg"] == "in") if legs else seq
                    assert key not in seen[hit["trigger"]], "a hit twice"
                    seen[hit["trigger"]][key] = hit
            assert sorted(seen["event"]) == [r["ord"] for r in own.rows]
            for row in own.rows:
                self._compare(group, own, other, row, row["t"], seen["event"][row["ord"]])
                column = "leg_account" if legs else self.subject
                later = oracle.later_times(own, row, column, reach)
                assert (row["ord"] in seen["late"]) == bool(later)
                if later:
                    late = seen["late"][row["ord"]]
                    assert late["as_of"].timestamp() * 1e6 == later[0]
                    self._compare(group, own, other, row, later[0], late)

    def _compare(
        self,
        group: dict[str, Spec],
        own: Rows,
        other: Rows,
        row: dict[str, Any],
        at: int,
        hit: dict[str, Any],
    ) -> None:
        for name, spec in group.items():
            rows_, mine = own, row
            if own is not other and not spec.on_legs:
                rows_, mine = other, other.by_order[row["ord"] // 2]
            expected = rows_.value(spec, mine, at, ZONE)
            shown = hit["features"][name]
            assert oracle.equal(spec, shown, expected), (spec.text, hit["event_id"], shown, expected)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    made = {}
    for window in EVENT_WINDOWS:
        made[window] = Case(tmp_path_factory.mktemp("p"), every((window,)), "ip")
    for window in LEG_WINDOWS:
        made[f"legs {window}"] = Case(tmp_path_factory.mktemp("p"), every((window,)), "account")
    # windows of one key share their rows; keys share nothing but the order
    short = [
        s for s in every(("payer_1d", "payer_9d", "payer_month", "merchant_3d")) if s.arg in ("*", "amount")
    ]
    made["many windows"] = Case(tmp_path_factory.mktemp("p"), short, "ip")
    return made


@pytest.mark.parametrize("name", [*EVENT_WINDOWS, *(f"legs {w}" for w in LEG_WINDOWS), "many windows"])
def test_features_equal_the_definition(cases: dict[str, Case], name: str) -> None:
    @settings(max_examples=int(os.environ.get("N", 12)))
    @given(rows(), st.lists(st.integers(0, 45), max_size=4))
    def check(stream: list[dict[str, Any]], cuts: list[int]) -> None:
        cases[name].check(stream, [c for c in cuts if c <= len(stream)])

    check()


def test_the_oracle_casts_as_duckdb_does() -> None:
    """`avg` and `stddev` start from exact integers; the cast to double must round alike in all three."""
    import duckdb

    numbers = [
        0,
        1,
        -1,
        2**53 + 1,
        -(2**53) - 1,
        -(2**53) - 3,
        10**33 + 7,
        -(2**63) - 1,
        2**64 - 1,
        2**64 + 12345,
    ]
    for number in numbers:
        (cast,) = duckdb.execute(f"select ({number})::hugeint::double").fetchone()
        assert oracle.double(number) == cast, number


def test_no_rows_no_columns_no_hits(cases: dict[str, Case]) -> None:
    case = cases["ip_1d"]
    assert len(run(case.plan, table([]))[1]) == 0
    assert run(case.plan, table([]))[1].schema.names[0] == "source"
    assert isinstance(table([]), pa.Table)
