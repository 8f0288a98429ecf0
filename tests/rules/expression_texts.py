"""Random expressions of the rule language that type, by unit, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

NUMBERS = st.sampled_from(["0", "1", "2", "-1", "3.5", "0.005", "100", "1e6", "0.1"])
COMPARE = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
_LEAVES = {
    "money": st.sampled_from(["amount", "amount", "abs(amount)", "-amount"]),
    "number": st.sampled_from(
        ["lat", "lon", "amount_original", "cast(amount as double)", "cast(memo as double)"]
    ),
    "count": st.sampled_from(
        ["length(payer)", "local_hour(event_time, tz)", "cast(memo as bigint)",
         "cast(card_prepaid as bigint)",
         "day(local_date(event_time, 'Europe/Paris'))", "date_diff_days(payer_opened_time, event_time)"]
    ),
    "text": st.sampled_from(
        ["payer", "merchant", "memo", "'a'", "''", "lower(merchant)", "upper(memo)", "null"]
    ),
    "time": st.sampled_from(["event_time", "payer_opened_time", "timestamp '2026-01-01'"]),
    "bool": st.sampled_from(["card_prepaid", "true", "false", "null", "merchant in list('listed')"]),
}  # fmt: skip


def binary(left: str, op: str, right: str) -> str:
    return f"({left} {op} {right})"


@st.composite
def texts(draw: st.DrawFn, unit: str, depth: int) -> str:
    """A text of a unit: money number count text time bool (money may come out as a double)."""
    if depth == 0:
        return draw(_LEAVES[unit])
    down = depth - 1
    if unit == "bool":
        return draw(_bools(down))
    same = texts(unit, down)
    common = [
        st.tuples(same, same).map(lambda p: f"coalesce({p[0]}, {p[1]})"),
        st.tuples(same, same).map(lambda p: f"nullif({p[0]}, {p[1]})"),
        st.tuples(texts("bool", down), same, same).map(
            lambda p: f"case when {p[0]} then {p[1]} else {p[2]} end"
        ),
        _LEAVES[unit],
    ]
    if unit in ("money", "number", "count", "time"):
        common.append(st.tuples(same, same).map(lambda p: f"least({p[0]}, {p[1]})"))
        common.append(st.tuples(same, same).map(lambda p: f"greatest({p[0]}, {p[1]})"))
    return draw(st.one_of(*common, *_own(unit, down)))


def _own(unit: str, down: int) -> list[st.SearchStrategy[str]]:
    same = texts(unit, down)
    two = st.tuples(same, st.sampled_from(["+", "-"]), same).map(lambda p: binary(*p))
    if unit == "money":
        rounded = st.tuples(st.sampled_from(["floor", "ceil", "round"]), same).map(
            lambda p: f"{p[0]}({p[1]})"
        )
        return [two, rounded, st.tuples(same, st.just("%"), same).map(lambda p: binary(*p))]
    if unit == "number":
        ratio = st.tuples(texts("money", down), st.just("/"), texts("money", down)).map(lambda p: binary(*p))
        more = st.tuples(same, st.sampled_from(["+", "-", "*", "/", "%"]), st.one_of(same, NUMBERS))
        calls = st.tuples(st.sampled_from(["floor", "ceil", "round", "sqrt", "abs"]), same)
        return [ratio, more.map(lambda p: binary(*p)), calls.map(lambda p: f"{p[0]}({p[1]})")]
    if unit == "count":
        more = st.tuples(same, st.sampled_from(["+", "-", "*", "%"]), st.one_of(same, st.just("7")))
        return [more.map(lambda p: binary(*p)), texts("text", down).map(lambda t: f"length({t})")]
    if unit == "text":
        return [
            st.tuples(same, st.just("||"), same).map(lambda p: binary(*p)),
            same.map(lambda t: f"trim({t})"),
            same.map(lambda t: f"substr({t}, 2, 3)"),
            texts("count", down).map(lambda t: f"cast({t} as varchar)"),
        ]
    return [same.map(lambda t: f"({t} - interval '3 hours')")]


def _bools(down: int) -> st.SearchStrategy[str]:
    bools = texts("bool", down)

    def compared(unit: str) -> st.SearchStrategy[str]:
        right = (
            st.one_of(texts(unit, down), NUMBERS)
            if unit in ("money", "number", "count")
            else texts(unit, down)
        )
        return st.tuples(texts(unit, down), COMPARE, right).map(lambda p: binary(*p))

    return st.one_of(
        st.tuples(bools, st.sampled_from(["and", "or"]), bools).map(lambda p: binary(*p)),
        bools.map(lambda t: f"(not {t})"),
        st.sampled_from(["money", "number", "count", "text", "time"]).flatmap(compared),
        st.sampled_from(["money", "text", "number"])
        .flatmap(lambda u: texts(u, down))
        .map(lambda t: f"({t} is null)"),
        st.tuples(texts("text", down), texts("text", down)).map(
            lambda p: f"({p[0]} is not distinct from {p[1]})"
        ),
        texts("money", down).map(lambda t: f"({t} between 1 and 70.5)"),
        texts("text", down).map(lambda t: f"({t} in ('a', 'b', ''))"),
        texts("text", down).map(lambda t: f"({t} like 'a%')"),
        st.tuples(texts("text", down), texts("text", down)).map(lambda p: f"contains({p[0]}, {p[1]})"),
    )
