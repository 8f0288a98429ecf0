"""Published rolling features of the Fraud Detection Handbook, recomputed by rules over its events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from txkit import SHARED, feed, hits_of, plan_of

from txmon.model.schema import CANONICAL, TIME
from txmon.pipeline.scorer import Scorer

EVENTS = SHARED / "data" / "fdh_card_tx.parquet"
REFERENCE = SHARED / "data" / "fdh_reference_features.parquet"
DAYS = (1, 7, 30)
RULE = {
    "id": "features",
    "subject": "payer",
    "let": {
        **{f"n{d}": f"count(*) over payer_{d}d" for d in DAYS},
        **{f"mean{d}": f"avg(amount) over payer_{d}d" for d in DAYS},
        # windows that end seven days earlier are the difference of two that end now
        **{f"terminal{d}": f"count(*) over merchant_{7 + d}d - count(*) over merchant_7d" for d in DAYS},
    },
    "when": "memo = 'compared'",
}

pytestmark = [
    pytest.mark.shared,
    pytest.mark.slow,
    pytest.mark.skipif(
        not REFERENCE.is_file(), reason=f"the public data set is not there ({REFERENCE.name})"
    ),
]


def canonical(compared: pa.Table) -> pa.Table:
    """The file's events, in its order, up to the last one that is compared."""
    raw = pq.read_table(EVENTS, columns=["event_id", "event_time", "amount", "payer", "merchant"])
    raw = raw.slice(0, pc.max(compared["event_id"]).as_py() + 1)
    n = len(raw)
    minor = pa.array(np.rint(raw["amount"].to_numpy() * 100).astype(np.int64))
    assert np.array_equal(minor.to_numpy() / 100, raw["amount"].to_numpy())
    marked = pc.is_in(raw["event_id"], compared["event_id"])
    constants = {"source": "fdh", "time_resolution": "s", "kind": "payment", "status": "approved", "mode": "live",
                 "entity": "default", "currency": "EUR", "base_currency": "EUR"}  # fmt: skip
    columns: dict[str, object] = {name: pa.repeat(value, n) for name, value in constants.items()}
    columns |= {"unconverted": pa.repeat(False, n), "auth_is_final": pa.repeat(True, n)}
    columns |= {name: raw[name].cast(pa.string()) for name in ("event_id", "payer", "merchant")}
    columns |= {"event_time": raw["event_time"].cast(pa.timestamp("us")).cast(TIME), "amount_minor": minor}
    columns |= {
        "amount_base_minor": minor,
        "memo": pc.if_else(marked, "compared", pa.scalar(None, pa.string())),
    }
    return pa.table([columns.get(f.name, pa.nulls(n, f.type)) for f in CANONICAL], schema=CANONICAL)


def test_every_row_equals_the_published_one(tmp_path: Path) -> None:
    reference = pq.read_table(REFERENCE)
    events = canonical(reference)
    hits = hits_of(feed(Scorer(plan_of(tmp_path, RULE)), events, range(65_536, len(events), 65_536)))
    assert len(hits) == len(reference) == 67_574
    shown = {int(h["event_id"]): h["features"] for h in hits}
    rows = [shown[i] for i in reference["event_id"].to_pylist()]
    for d in DAYS:
        count, mean, terminal = (
            np.array([float(r[f"{name}{d}"]) for r in rows]) for name in ("n", "mean", "terminal")
        )
        assert np.array_equal(count, reference[f"customer_id_nb_tx_{d}day_window"].to_numpy())
        assert np.array_equal(terminal, reference[f"terminal_id_nb_tx_{d}day_window"].to_numpy())
        published = reference[f"customer_id_avg_amount_{d}day_window"].to_numpy()
        assert published.dtype == np.float32
        assert np.array_equal(mean.astype(np.float32), published)
