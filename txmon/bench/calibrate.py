"""Rules of our own: shapes whose thresholds are quantiles of the features of the very data.

Owns the shapes. Each hits a share of a per cent to about two per cent, so that a comparison of hits has
something to compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template

import duckdb

from txmon.bench.spec import AMOUNT, BenchRule, make_rule, reading_all, workload_measures
from txmon.bench.sql import asof_sql, load_sql, window_sql

_Q = 0.995  # threshold of a rule with one condition
_HALF = 0.9  # thresholds of a rule with two or more
_COLUMN = {AMOUNT: "amount_minor"}
_QUANTILES = Template("SELECT $columns FROM ($features)")
_SHAPES: tuple[tuple[str, ...], ...] = (
    ("payer_sum_1h",),
    ("payer_sum_24h",),
    ("payer_sum_7d", AMOUNT),
    ("payer_cnt_30d", AMOUNT),
    ("payer_cnt_24h", "payer_sum_30d", AMOUNT),
    ("payer_d_payee_24h", AMOUNT),
    ("payer_d_payee_7d", "payer_cnt_7d", AMOUNT),
    ("payer_d_city_7d", AMOUNT),
    ("payer_cnt_1h", "payer_sum_24h", AMOUNT),
    ("payee_sum_1h",),
    ("payee_sum_24h", AMOUNT),
    ("payee_cnt_7d", "payee_sum_7d", AMOUNT),
    ("payee_sum_30d", "payee_cnt_30d", AMOUNT),
    ("payee_d_payer_24h", AMOUNT),
    ("payee_d_payer_7d", "payee_cnt_24h", AMOUNT),
    ("merchant_sum_1h",),
    ("merchant_sum_24h",),
    ("merchant_cnt_24h", "merchant_sum_7d", AMOUNT),
    ("merchant_d_payer_24h", "merchant_d_payer_7d", AMOUNT),
    ("merchant_d_country_7d", "merchant_cnt_30d", AMOUNT),
)


def calibrated(path: Path, *, in_order: bool = True) -> tuple[BenchRule, ...]:
    """Return twenty rules whose thresholds fit the events of a Parquet file.

    With `in_order` the rows must rise in time without ties.
    """
    measures = workload_measures()
    names = [*(m.name for m in measures), AMOUNT]
    with duckdb.connect() as database:
        database.execute(load_sql(path))
        features = window_sql(measures) if in_order else asof_sql(measures)
        columns = [f"quantile_disc({_COLUMN.get(n, n)}, [{_HALF}, {_Q}])" for n in names]
        query = _QUANTILES.substitute(columns=", ".join(columns), features=features)
        row = database.execute(query).fetchone() or ()
    at = dict(zip(names, row, strict=True))
    rules = [make_rule(f"b{i:02}", _conditions(shape, at)) for i, shape in enumerate(_SHAPES, 1)]
    return reading_all(rules, measures)


def _conditions(shape: Sequence[str], at: dict[str, tuple[int, int]]) -> list[tuple[str, int]]:
    column = 1 if len(shape) == 1 else 0
    return [(name, int(at[name][column])) for name in shape]
