"""The workload as DuckDB SQL, written from the meaning of windows alone and without the engine.

`w` is a table of: o (order of arrival, bigint), t (timestamp), event_id, amount_minor, and the key and
counted columns. Windows are half-open: ``t - span < x.t <= t``. Three forms: window functions (in order,
no ties), the as-of join (any order), and second evaluations of late events.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template

from txmon.bench.spec import KEYS, BenchRule, Condition, Measure

_LOAD = Template("""
CREATE OR REPLACE TABLE w AS
SELECT file_row_number AS o, event_time::TIMESTAMP AS t, event_id, amount_minor,
    payer, payee, merchant, city, payer_country
FROM read_parquet('$path', file_row_number = true)
""")
_FRAME = Template("""
${key}_$window AS (PARTITION BY $key ORDER BY t
    RANGE BETWEEN INTERVAL $reach MICROSECONDS PRECEDING AND CURRENT ROW)
""")
_WINDOWS = Template("SELECT o, event_id, amount_minor, $columns FROM w WINDOW $frames")
_POINTS = "SELECT o, event_id, amount_minor, t AS at_t, payer, payee, merchant FROM w"
_LATER_TIMES = Template("""
SELECT DISTINCT e.o, e.event_id, e.amount_minor, x.t AS at_t, e.$key
FROM w e JOIN w x ON x.$key = e.$key AND x.o < e.o AND x.t > e.t
    AND x.t < e.t + INTERVAL $longest MICROSECONDS
""")
_FIRST_TIME = Template(
    "SELECT event_id, min(at_t) AS as_of FROM ($features) WHERE $condition GROUP BY event_id"
)
_KNOWN = Template("""
f_$key AS (
    SELECT p.o, p.at_t, $columns
    FROM p JOIN w x ON x.$key = p.$key AND x.o <= p.o AND x.t <= p.at_t
        AND x.t > p.at_t - INTERVAL $longest MICROSECONDS
    GROUP BY p.o, p.at_t)
""")
_JOINED = Template("WITH p AS MATERIALIZED ($points), $parts SELECT * FROM p $joins")


def load_sql(path: Path) -> str:
    """Make table `w` from a Parquet file of native events, in order of arrival."""
    return _LOAD.substitute(path=quoted(path))


def quoted(path: Path) -> str:
    """A path as the inside of a SQL text literal."""
    return str(path).replace("'", "''")


def window_sql(measures: Sequence[Measure]) -> str:
    """Features of every row by window functions; right only for rows in order of time without ties."""
    distinct = dict.fromkeys((m.key, m.window, m.span_us) for m in measures)
    frames = [_FRAME.substitute(key=key, window=window, reach=span - 1) for key, window, span in distinct]
    columns = [f"{_plain(m)} OVER {m.key}_{m.window} AS {m.name}" for m in measures]
    return _WINDOWS.substitute(columns=", ".join(columns), frames=", ".join(frames))


def asof_sql(measures: Sequence[Measure]) -> str:
    """Features of every row by joining each event with the rows it may know, one join a key."""
    return _joined(_POINTS, measures)


def second_sql(rule: BenchRule) -> str:
    """Second evaluations of one rule: (event_id, as_of) of the first time at which it hits, if any.

    An event at t is taken again at each time T of its subject that was accepted before it, with
    ``t < T < t + longest window``; nothing after the event itself in order of arrival is seen.
    """
    times = _LATER_TIMES.substitute(key=rule.subject, longest=rule.longest_us)
    features = _joined(
        times, tuple(dict.fromkeys(c.measure for c in rule.conditions if c.measure is not None))
    )
    return _FIRST_TIME.substitute(features=features, condition=condition_sql(rule))


def mask_sql(rules: Sequence[BenchRule]) -> str:
    """One integer a row: bit i is set where rule i hits."""
    bits = [f"(CASE WHEN {condition_sql(r)} THEN {1 << i}::BIGINT ELSE 0 END)" for i, r in enumerate(rules)]
    return " + ".join(bits)


def condition_sql(rule: BenchRule) -> str:
    """Where a rule hits, on rows with its features."""
    return " AND ".join(_reaches(c) for c in rule.conditions)


def _reaches(condition: Condition) -> str:
    name = "amount_minor" if condition.measure is None else condition.measure.name
    return f"{name} >= {condition.threshold}"


def _plain(measure: Measure) -> str:
    if measure.agg == "count":
        return "count(*)"
    return "sum(amount_minor)" if measure.agg == "sum" else f"count(DISTINCT {measure.column})"


def _joined(points: str, measures: Sequence[Measure]) -> str:
    """Features at points (o, event_id, amount_minor, at_t and keys); a point always knows its own event."""
    own = {key: [m for m in measures if m.key == key] for key in KEYS}
    parts = [_known(key, wanted) for key, wanted in own.items() if wanted]
    joins = [f"JOIN f_{key} USING (o, at_t)" for key, wanted in own.items() if wanted]
    return _JOINED.substitute(points=points, parts=", ".join(parts), joins=" ".join(joins))


def _known(key: str, measures: Sequence[Measure]) -> str:
    columns = ", ".join(f"{_filtered(m)} AS {m.name}" for m in measures)
    return _KNOWN.substitute(key=key, columns=columns, longest=max(m.span_us for m in measures))


def _filtered(measure: Measure) -> str:
    column = f"x.{measure.column}" if measure.agg == "distinct" else "x.amount_minor"
    call = {"count": "count(*)", "sum": f"sum({column})"}.get(measure.agg, f"count(DISTINCT {column})")
    return f"{call} FILTER (WHERE x.t > p.at_t - INTERVAL {measure.span_us} MICROSECONDS)"
