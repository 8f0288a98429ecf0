"""Any batch split and any snapshot in between give the same alerts; and the fold is quick."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from alerts_kit import DAY_US, Pack, anomaly_rule, hit, hits, rule
from hypothesis import given
from hypothesis import strategies as st

from txmon.alerts import AlertBook, Suppressor
from txmon.errors import StateError

PACK = Pack(
    (
        rule("a", dedup_us=3 * DAY_US), rule("b", score=0.5, typology="mule-layering"), rule("s", score=0.3),
        rule("t", score=0.4, protect=True, dedup_us=DAY_US),
        rule("w", score=0.4, signal=False, typology="general-aml"),
        rule("shadow", status="shadow"), anomaly_rule("x", score=0.55),
    )
)  # fmt: skip
SUPPRESSORS = [Suppressor("account", "ac-2", 0.2, "licence", 0, 9 * DAY_US)]
SCORES = {r.id: r.score for r in PACK.rules}


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    rule_id = draw(st.sampled_from(sorted(SCORES)))
    as_of = draw(st.none() | st.integers(0, 20))
    return hit(
        rule_id,
        draw(st.integers(0, 20)),
        draw(st.sampled_from(["ac-1", "ac-2"])),
        score=SCORES[rule_id],
        as_of=None if as_of is None else as_of * DAY_US,
        dedup_key=draw(st.sampled_from([None, "x", "y"])),
        subject_type=draw(st.sampled_from(["account", "payer", "card"])),
        holders=draw(st.sampled_from([[], [{"party": "p", "role": "owner"}], None])),
        explanation=draw(st.sampled_from(["one", "two", None])),
    )


@given(st.lists(rows(), max_size=40), st.lists(st.integers(0, 40), max_size=6), st.booleans())
def test_splits_and_snapshots_change_nothing(
    drawn: list[dict[str, Any]], cuts: list[int], save: bool
) -> None:
    table = hits(drawn)
    whole = AlertBook(PACK, SUPPRESSORS)
    changes = whole.apply(table).to_pylist()
    parts = AlertBook(PACK, SUPPRESSORS)
    seen: list[dict[str, Any]] = []
    edges = [0, *sorted(min(c, table.num_rows) for c in cuts), table.num_rows]
    for start, end in pairwise(edges):
        batch = parts.apply(table.slice(start, end - start)).to_pylist()
        seen += [change | {"hit": change["hit"] + start} for change in batch]
        if save:
            parts = AlertBook.restore(PACK, parts.snapshot(), SUPPRESSORS)
    assert parts.table().equals(whole.table())
    assert parts.suppressed == whole.suppressed
    assert seen == changes
    ids = whole.table()["alert_id"].to_pylist()
    assert len(set(ids)) == len(ids)


def test_a_snapshot_of_another_version_or_pack_is_refused() -> None:
    book = AlertBook(PACK)
    book.apply(hits([hit("a", 1)]))
    saved = book.snapshot()
    with pytest.raises(StateError, match="names rule a"):
        AlertBook.restore(Pack(()), saved)
    bare = {**saved, "groups": saved["groups"].replace_schema_metadata({})}
    with pytest.raises(StateError, match="of version None"):
        AlertBook.restore(PACK, bare)


def test_the_hash_seed_changes_nothing() -> None:
    script = (
        "from test_book_is_deterministic import *\n"
        "book = AlertBook(PACK, SUPPRESSORS)\n"
        "rows = [hit(r, d, f'ac-{d % 3}', score=SCORES[r]) for d in range(20) for r in sorted(SCORES)]\n"
        "book.apply(hits(rows))\n"
        "print(book.table().to_pylist())\n"
    )
    here = str(Path(__file__).parent)
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed, "PYTHONPATH": here},
            check=True, capture_output=True, text=True,
        ).stdout
        for seed in ("0", "1")
    }  # fmt: skip
    assert len(outputs) == 1
    assert "al-" in outputs.pop()


def many_hits(n: int) -> pa.Table:
    """`n` hits of the pack's rules on a tenth as many subjects, in time order over 90 days."""
    random = np.random.default_rng(1)
    ids = np.array(sorted(SCORES))[random.integers(0, len(SCORES), n)]
    subjects = random.integers(0, n // 10, n)
    times = np.sort(random.integers(0, 90 * DAY_US, n))
    text = pa.array(["x"] * n)
    return pa.table(
        {
            "source": text, "event_id": pa.array([f"e{i}" for i in range(n)]), "leg": text,
            "event_time": pa.array(times, pa.timestamp("us", tz="UTC")), "rule_id": pa.array(ids),
            "subject_type": pa.array(["account"] * n), "subject_id": pa.array([f"ac-{s}" for s in subjects]),
            "score": pa.array([SCORES[i] for i in ids]), "trigger": text,
            "as_of": pa.nulls(n, pa.timestamp("us", tz="UTC")), "explanation": text,
        }
    )  # fmt: skip


def test_thirty_thousand_hits_are_folded_quickly() -> None:
    table = many_hits(30_000)
    book = AlertBook(PACK)
    started = time.perf_counter()
    book.apply(table)
    # Measured at about 0.15 s; the bound only has to catch work that grows with the square of the hits.
    assert time.perf_counter() - started < 3.0
    assert book.table().num_rows > 1000
