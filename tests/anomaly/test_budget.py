"""The share of events at or above ``1 - budget`` is the budget: on made and on public data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from detectors import detector

from txmon.anomaly import SCORED, Model, make_detector
from txmon.rules.columns import columns
from txmon.rules.derived import TABLES, read_derived
from txmon.rules.detectors import read_detector
from txmon.rules.ir import Detector
from txmon.rules.scope import Names

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
BUDGET = 0.001


def shipped(name: str) -> Detector:
    """Load a detector of the default packs."""
    plain = Names({on: columns(on) for on in TABLES}, frozenset({"high_risk_corridors"}))
    derived = read_derived([(ROOT / "rules" / "derived.yaml", "derived.yaml")], plain, 2, [])
    names = Names({on: {**columns(on), **derived.units(on)} for on in TABLES}, plain.lists)
    errors: list[Any] = []
    found = read_detector(ROOT / "rules" / "detectors" / f"{name}.yaml", name, names, 2, errors)
    assert not errors
    assert found is not None
    return found


def window(name: str, key: str, days: float) -> str:
    """Return a half-open window of `days` in whole seconds."""
    reach = int(days * 86_400) - 1
    return f"{name} as (partition by {key} order by t range between {reach} preceding and current row)"


SOURCES = {
    "sparkov": f"""select *, epoch(event_time)::bigint t, channel segment, null::varchar payee
        from '{DATA}/sparkov_card_tx.parquet'""",
    "paysim": f"""select *, epoch(event_time)::bigint t, channel segment, null::varchar merchant, null mcc
        from '{DATA}/paysim_tx.parquet' where overdraft_refused = 0""",
}
# the inputs of the shipped files in their order, as plain SQL on the public columns
QUERIES = {
    "payer-behaviour": f"""select segment, amount,
        amount / nullif(avg(amount) over p90, 0),
        (amount - avg(amount) over p90) / nullif(stddev_pop(amount) over p90, 0),
        t - lag(t) over (partition by payer order by t, event_id), count(*) over p1,
        count(distinct coalesce(payee, merchant)) over p7,
        case when payee is not null then count(*) over pp = 1 end::int
        from e window {window("p90", "payer", 90)}, {window("p1", "payer", 1)}, {window("p7", "payer", 7)},
        {window("pp", "payer, payee", 365)} order by event_time, event_id""",
    "payer-amount": f"""select segment,
        case when count(*) over p90 >= 5 then amount / nullif(avg(amount) over p90, 0) end
        from e window {window("p90", "payer", 90)} order by event_time, event_id""",
    "merchant-behaviour": f"""select mcc, amount, amount / nullif(avg(amount) over m30, 0),
        168.0 * count(*) over m1 / count(*) over m7, count(distinct payer) over m24, 0, null, 0
        from e window {window("m30", "merchant", 30)}, {window("m7", "merchant", 7)},
        {window("m24", "merchant", 1)}, {window("m1", "merchant", 1 / 24)} order by event_time, event_id""",
}


def features(source: str, name: str) -> tuple[Any, Any]:
    """Return segment codes in order of appearance of their names, and the inputs."""
    with duckdb.connect() as connection:
        query = f"with e as ({SOURCES[source]}) {QUERIES[name]}"
        frame = connection.sql(query).to_arrow_table()
    segment = frame.column(0).combine_chunks().dictionary_encode()
    if not hasattr(segment, "indices"):
        segment = segment.combine_chunks()
    values = [np.asarray(column.cast("double").fill_null(np.nan)) for column in frame.columns[1:]]
    return np.asarray(segment.indices, np.int32), np.column_stack(values)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not DATA.is_dir(), reason=f"public data sets are not at {DATA}")
@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("sparkov", "payer-behaviour"),
        ("sparkov", "merchant-behaviour"),
        ("sparkov", "payer-amount"),
        ("paysim", "payer-behaviour"),
        ("paysim", "payer-amount"),
    ],
)
def test_alert_rate_of_the_shipped_detectors_on_public_data(source: str, name: str) -> None:
    segment, values = features(source, name)
    scores = make_detector(shipped(name)).score(segment, values)
    scored = scores.state == SCORED
    assert scored.mean() > 0.9
    assert 0.7 * BUDGET <= (scores.value[scored] >= 1 - BUDGET).mean() <= 1.3 * BUDGET
    half = np.flatnonzero(scored)[scored.sum() // 2 :]
    assert 0.7 * BUDGET <= (scores.value[half] >= 1 - BUDGET).mean() <= 1.3 * BUDGET


def rate(model: Model, values: Any, after: int = 0) -> float:
    scores = model.score(np.zeros(len(values), np.int32), values)
    ok = (scores.state == SCORED) & (np.arange(len(values)) >= after)
    return float((scores.value[ok] >= 1 - model.settings.budget).mean())


@pytest.mark.slow
@pytest.mark.parametrize("budget", [0.001, 0.01])
def test_rate_under_drift(budget: float) -> None:
    rng = np.random.default_rng(3)
    drift = np.linspace(0.2, 0.8, 150_000)[:, None] + 0.05 * np.sin(np.arange(150_000) / 500)[:, None]
    values = np.clip(drift + rng.normal(0, 0.04, (150_000, 3)), 0, 1)
    assert 0.7 * budget <= rate(make_detector(detector(budget=budget)), values) <= 1.3 * budget


@pytest.mark.slow
def test_rate_of_discrete_values() -> None:
    """Ties: sixty distinct rows, none rarer than the budget, so nearly none may alert; rare ones do."""
    rng = np.random.default_rng(4)
    grid = 0.2 + 0.3 * rng.random((60, 3))
    values = grid[rng.integers(0, 60, 60_000)]
    assert rate(make_detector(detector(window_size=1_000)), values) <= 1.3 * BUDGET
    rare = rng.random(60_000) < BUDGET / 2
    values[rare] = 0.8 + 0.2 * rng.random((int(rare.sum()), 3))
    model = make_detector(detector(window_size=1_000))
    scores = model.score(np.zeros(60_000, np.int32), values)
    hit = scores.value >= 1 - BUDGET
    assert hit[rare & (scores.state == SCORED)].mean() > 0.8


def test_equal_rows_never_alert() -> None:
    values = np.full((5_000, 3), 0.3)
    assert rate(make_detector(detector()), values) == 0.0
