"""SQL of what random texts do not reach: rates, rounding, scores, attributes, profile values."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from rulekit import ListFrame, pack, typed
from txkit import compile_expr

from txmon.model.rates import Rate, Rates
from txmon.model.schema import CANONICAL
from txmon.rules.ir import Call, Column, Expr, Literal_, Unit
from txmon.rules.pack import load_pack
from txmon.rules.scope import Param
from txmon.rules.sql import rule_steps
from txmon.rules.sqlexpr import SqlExpr, Tables
from txmon.rules.sqlsizes import Sizes

START = datetime(2026, 1, 5, tzinfo=UTC)
JAN = 1_767_225_600_000_000
DAY = 86_400_000_000
HIGH, LOW = 2**63 - 1, -(2**63)


def query(
    expr: Expr, columns: dict[str, list[Any]], setup: str = "", tables: Tables | None = None
) -> list[Any]:
    frame = ListFrame(columns)
    table = pa.table({key: frame.arrays[key] for key in columns} | {"i": list(range(frame.length))})
    with duckdb.connect() as connection:
        connection.register("rows", table)
        connection.execute(setup or "select 1")
        sql = SqlExpr(tables or Tables())(expr)
        return [v for (v,) in connection.execute(f"select {sql} from rows order by i").fetchall()]


@pytest.mark.parametrize("op", ["floor", "ceil", "round", "+", "-", "*", "%", "neg", "abs"])
def test_money_at_the_ends_of_64_bits(op: str) -> None:
    values = [149, 150, -149, -150, -151, 0, None, HIGH, LOW, HIGH - 7]
    column = Column("amount_wide", Unit.MONEY)
    step = Literal_(100, Unit.COUNT)
    args = (
        (column,)
        if op in ("neg", "abs")
        else (column, column)
        if op in ("+", "-", "*", "%")
        else (column, step)
    )
    expr = Call(op, args, Unit.MONEY if op != "*" else Unit.COUNT)
    frame = ListFrame({"amount_wide": values}, {"amount_wide": Unit.MONEY})
    table = pa.table({"amount_wide": frame.arrays["amount_wide"], "i": list(range(len(values)))})
    with duckdb.connect() as connection:
        connection.register("rows", table)
        found = connection.execute(f"select {SqlExpr(Tables())(expr)} from rows order by i").fetchall()
    assert [v for (v,) in found] == compile_expr(expr)(frame).to_pylist()


RATES = (
    Rate(date(2025, 12, 30), "USD", "EUR", Decimal("0.9")),
    Rate(date(2026, 1, 3), "USD", "EUR", Decimal("0.8505")),
    Rate(date(2026, 1, 1), "JPY", "EUR", Decimal("0.0055")),
    Rate(date(2026, 1, 1), "KWD", "EUR", Decimal("2.98765")),
)


@pytest.mark.parametrize(("currency", "amount"), [("USD", "0.05"), ("USD", "10000"), ("JPY", "1"), ("KWD", "0.005"),
                                                  ("EUR", "3"), ("GBP", "3")])  # fmt: skip
def test_rates_are_those_of_the_converter(currency: str, amount: str) -> None:
    scales = {"USD": 2, "JPY": 0, "KWD": 3, "EUR": 2, "GBP": 2}
    params = {"p": Param("p", Decimal(amount), currency, scales[currency])}
    expr = typed("amount + 0 >= :p", params)
    assert isinstance(expr, Call)
    limit = expr.args[1]
    times = [JAN + d * DAY for d in (-5, -2, 0, 1, 2, 9, 10, 20)]
    columns = {"event_time": times}
    rows = ", ".join(f"(date '{r.date}', '{r.currency}', 'EUR', {r.rate}::decimal(20, 10))" for r in RATES)
    setup = f"create temp table rates as select * from (values {rows}) t(date, currency, base, rate)"
    days = pa.array([t // DAY for t in times], pa.int32())
    minor = int(Decimal(amount).scaleb(scales[currency]))
    expected = Rates("EUR", RATES).fx_minor(currency, minor, days).to_pylist()
    assert query(limit, columns, setup) == expected


def test_own_currency_first() -> None:
    params = {"p": Param("p", Decimal(69), "EUR", 2)}
    columns = {"amount": [6800, 7000, 7000], "amount_minor": [6901, 1, 1], "currency": ["EUR", "USD", None],
               "event_time": [JAN] * 3}  # fmt: skip
    assert query(typed("amount > :p", params), columns) == [True, True, True]


def test_what_only_sql_says() -> None:
    columns = {
        "lat": [1.0, None, 60.0],
        "lon": [2.0, 1.0, 10.0],
        "memo": ["1.5", "x", None],
        "event_time": [JAN] * 3,
    }
    assert query(typed("distance_km(lat, lon, 60, 10)"), columns)[1:] == [None, 0.0]
    assert query(typed("cast(memo as double)"), columns) == [1.5, None, None]
    assert query(typed("anomaly('det')"), columns) == [None] * 3
    values = "(values (1, 'det', 0.5), (2, 'other', 0.7)) t(ingest_seq, detector, score)"
    scores = f"create temp table scores as select * from {values}"
    with duckdb.connect() as connection:
        connection.execute(scores)
        sql = SqlExpr(Tables(scores="scores"), "r.")(typed("anomaly('det') > 0.4"))
        found = connection.execute(f"select {sql} from (values (1), (2)) r(ingest_seq) order by 1").fetchall()
        assert sorted(str(v) for (v,) in found) == ["None", "True"]
        # without a prefix, too, a row's score is its own and not that of every row
        sql = SqlExpr(Tables(scores="scores"))(typed("anomaly('det') > 0.4"))
        connection.execute("insert into scores values (3, 'det', 0.1)")
        rows = "(values (1), (2), (3)) r(ingest_seq)"
        found = connection.execute(f"select {sql} from {rows} order by ingest_seq").fetchall()
    assert found == [(True,), (None,), (False,)]


@pytest.mark.parametrize(
    ("text", "guarded"),
    [
        ("amount + amount > 1", False),
        ("amount / 3 > 1", False),
        ("lat * lon > 1", True),
        ("lat / lon > 1", True),
        ("amount_original * 2 > 1", False),
        ("sqrt(greatest(lat, 1.0)) > 1", True),
        ("length(memo) + 1 > 1", False),
        ("coalesce(amount, 0) - 1 > 1", False),
        ("cast(amount as double) * 2 > 1", False),
    ],
)
def test_guards_stand_only_where_something_can_go_wrong(text: str, guarded: bool) -> None:
    sql = SqlExpr(Tables())(typed(text))
    assert ("list_filter" in sql or "try_cast" in sql) == guarded, sql


def test_sizes() -> None:
    size = Sizes({})
    assert size.nonzero(typed("greatest(length(memo), 14)"))
    assert not size.nonzero(typed("length(memo)"))
    assert size(Literal_(None, Unit.COUNT)).most == 0
    assert size(typed("memo")).most == float("inf")


RULE = """
id: r
version: 1
title: t
subject: {subject}
when: {when}
"""


def test_profile_values_of_every_type(tmp_path: Path) -> None:
    when = (
        "merchant_opens_hour = 9 and merchant_profile_country = 'DE' and merchant_licence = 'x'"
        " and merchant_onboarded_time < event_time and attribute('k') = 'v' and amount_original = 5"
    )
    legs = "account_type = 'shop' and account_opened_time <= event_time and attribute('k') = 'v'"
    root = pack(tmp_path, {"r.yaml": RULE.format(subject="merchant", when=when),
                           "s.yaml": RULE.format(subject="account", when=legs).replace("id: r", "id: s")})  # fmt: skip
    plan = load_pack(root)
    schema = pa.schema([f.with_nullable(True) for f in CANONICAL])
    base = {"source": "t", "mode": "live", "entity": "d", "base_currency": "EUR", "unconverted": False,
            "auth_is_final": False, "time_resolution": "us", "merchant": "m"}  # fmt: skip
    attributes = {"opens_hour": "9", "licence": "x"}
    pay = {
        "kind": "payment",
        "attributes": [("k", "v")],
        "amount_minor": 500,
        "currency": "JPY",
        "payer": "a",
    }
    events = [
        {"kind": "merchant.onboarded", "merchant_country": "DE", "attributes": list(attributes.items())},
        {"kind": "account.opened", "account": "a", "attributes": [("type", "shop")]},
        {**pay, "amount_minor": 5},
        {"kind": "merchant.updated", "attributes": [("opens_hour", "late"), ("licence", "x")]},
        {**pay, "amount_minor": 5},
        pay,
        {**pay, "currency": "EUR"},
    ]
    rows = [
        {
            **base,
            **e,
            "event_id": f"e{i}",
            "ingest_seq": i,
            "event_time": START + timedelta(hours=i),
        }
        for i, e in enumerate(events)
    ]
    table = pa.Table.from_pylist(rows, schema=schema)
    hits = {}
    for rule in plan.rules:
        with duckdb.connect() as connection:
            connection.register("events", table)
            steps = rule_steps(rule, plan)
            for name, query_ in steps[:-1]:
                connection.execute(f"create temp table {name} as {query_}")
            result = connection.execute(steps[-1][1])
            names = [d[0] for d in result.description or ()]
            hits[rule.id] = [r[names.index("ingest_seq")] for r in result.fetchall() if r[names.index("hit")]]
    assert hits == {"r": [2, 4, 6], "s": [2, 4, 5, 6]}
