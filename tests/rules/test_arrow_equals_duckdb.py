"""Arrow and DuckDB give one value for every expression and row, nulls, zeros and extremes included."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from expression_texts import texts
from hypothesis import given, settings
from hypothesis import strategies as st
from rulekit import ListFrame, typed
from txkit import compile_expr

from txmon.rules.ir import ListEntry, RuleList
from txmon.rules.sqlexpr import SqlExpr, Tables
from txmon.rules.sqltext import name

LISTED = RuleList("listed", 1, "listed.yaml", (ListEntry("a"), ListEntry("never", 0, 0)), "")
TIMES = st.integers(1_600_000_000, 1_900_000_000).map(lambda s: s * 1_000_000 + 7)
WORDS = st.sampled_from(["a", "b", "A", "ab", "", " a ", "é", "12", "-3", "1.5e2", "x\ny"])
DOUBLES = st.one_of(
    st.sampled_from([0.0, -0.0, 0.5, -2.5, 1e-300, 1e300, float("nan"), float("inf"), float("-inf"), 5e-324]),
    st.floats(-100, 100),
)
ROW = st.fixed_dictionaries(
    {
        "amount": st.none()
        | st.sampled_from([0, 1, -1, 50, 10**15, -(10**15)])
        | st.integers(-20_000, 20_000),
        "amount_original": st.none() | st.floats(-1e6, 1e6),
        "lat": st.none() | DOUBLES,
        "lon": st.none() | DOUBLES,
        "payer": st.none() | WORDS,
        "merchant": st.none() | WORDS,
        "memo": st.none() | WORDS,
        "tz": st.none() | st.sampled_from(["Europe/Paris", "America/New_York", "Asia/Kolkata", "No/Zone"]),
        "event_time": TIMES,
        "payer_opened_time": st.none() | TIMES,
        "card_prepaid": st.none() | st.booleans(),
    }
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("set threads = 1")
        yield opened


def both(
    text: str, rows: list[dict[str, Any]], connection: duckdb.DuckDBPyConnection
) -> tuple[list[Any], list[Any]]:
    expr = typed(text)
    frame = ListFrame({key: [row[key] for row in rows] for key in rows[0]})
    arrow = compile_expr(expr)(frame).to_pylist()
    table = pa.table({key: frame.arrays[key] for key in rows[0]} | {"row_number": list(range(len(rows)))})
    connection.register("rows", table)
    sql = SqlExpr(Tables({}, {"listed": LISTED}))(expr)
    found = connection.execute(f"select {sql} from rows order by {name('row_number')}").fetchall()
    return arrow, [value for (value,) in found]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-12)  # libm may differ in the last bit
    return bool(a == b) and (a is None) == (b is None)


@settings(max_examples=250)
@given(
    text=st.sampled_from(["money", "number", "count", "text", "time", "bool", "bool"]).flatmap(
        lambda unit: texts(unit, 3)
    ),
    rows=st.lists(ROW, min_size=1, max_size=8),
)
def test_random_expressions(
    text: str, rows: list[dict[str, Any]], connection: duckdb.DuckDBPyConnection
) -> None:
    arrow, sql = both(text, rows, connection)
    assert all(same(a, b) for a, b in zip(arrow, sql, strict=True)), (text, arrow, sql)


# what a text says to DuckDB itself must be what our parser reads: precedence and chaining
PLAIN = st.sampled_from(["lat", "lon", "length(payer)", "2", "0.5"])
OPERATORS = st.sampled_from([" + ", " - ", " * ", " + -", " - -", " * -"])
TESTS = st.sampled_from([" = ", " < ", " >= ", " <> "])


@st.composite
def flat(draw: st.DrawFn) -> str:
    """Operators without parentheses."""

    def arithmetic() -> str:
        parts = [draw(PLAIN)]
        for _ in range(draw(st.integers(0, 3))):
            # the remainder only by a constant: DuckDB's double % 0 is NaN, ours is null
            parts += [" % 2"] if draw(st.integers(0, 4)) == 0 else [draw(OPERATORS), draw(PLAIN)]
        return "".join(parts)

    def predicate() -> str:
        kind = draw(st.integers(0, 4))
        if kind == 0:
            return f"{arithmetic()} between {arithmetic()} and {arithmetic()}"
        if kind == 1:
            return f"{arithmetic()} is not null"
        if kind == 2:
            return f"{arithmetic()} not in (1, 2)"
        if kind == 3:
            return f"payer || merchant{draw(st.sampled_from([' like ', ' = ', ' not like ']))}'a%'"
        return arithmetic() + draw(TESTS) + arithmetic()

    parts = [predicate()]
    for _ in range(draw(st.integers(0, 3))):
        parts += [draw(st.sampled_from([" and ", " or ", " and not ", " or not "])), predicate()]
    return draw(st.sampled_from(["", "not "])) + "".join(parts)


TAME = st.fixed_dictionaries(
    {
        "lat": st.none() | st.integers(-9, 9).map(float),
        "lon": st.none() | st.sampled_from([1.0, 2.0, 3.5, -4.0]),
        "payer": st.none() | st.sampled_from(["a", "bb", "ccc"]),
        "merchant": st.none() | st.sampled_from(["a", "b"]),
    }
)


@settings(max_examples=200)
@given(text=flat(), rows=st.lists(TAME, min_size=1, max_size=5))
def test_parser_reads_what_duckdb_reads(
    text: str, rows: list[dict[str, Any]], connection: duckdb.DuckDBPyConnection
) -> None:
    expected, _ = both(text, rows, connection)
    raw = f"select ({text}) from rows order by row_number"
    found = [value for (value,) in connection.execute(raw).fetchall()]
    assert found == expected, text


def test_lists_respect_their_dates(connection: duckdb.DuckDBPyConnection) -> None:
    dated = RuleList("listed", 1, "", (ListEntry("a", 10, 20), ListEntry("b", None, 5), ListEntry("c")), "")
    connection.execute(
        "create or replace temp table dated as select * from (values (0, 'a', 10), (1, 'a', 20),"
        " (2, 'a', 21), (3, 'b', 5), (4, 'b', 6), (5, 'c', 99), (6, null, 1)) t(i, merchant, day)"
    )
    sql = SqlExpr(Tables({}, {"listed": dated}))(typed("merchant in list('listed')"))
    query = f"select {sql} from (select *, day * 86400000000 as event_time from dated) order by i"
    assert [v for (v,) in connection.execute(query).fetchall()] == [
        True,
        True,
        False,
        True,
        False,
        True,
        None,
    ]
    empty = RuleList("listed", 1, "", (), "")
    sql = SqlExpr(Tables({}, {"listed": empty}))(typed("merchant in list('listed')"))
    assert connection.execute(f"select {sql} from (select 'a' as merchant, 1 as event_time)").fetchall() == [
        (False,)
    ]
