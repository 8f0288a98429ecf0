"""The canonical bytes that verify.sql writes are those of the journal, on events with everything in them."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import pyarrow as pa

sys.path.append(str(Path(__file__).parents[1] / "store"))

from storekit import events
from txkit import event, table

from txmon.evidence.canonicalsql import CANONICAL_TEXT
from txmon.store.proof import content_of


def test_every_type_of_column() -> None:
    odd = table(
        [
            event("a", 1, lat=-0.1, lon=5e-324, memo="lat=16:0000000000000000;", city="Köln;=:"),
            event("b", 2, attributes=[("k", None), ("", "ü")], holders=[{"party": "p"}, None], lat=0.0),
            event("c", -3, attributes=[], holders=[], card_prepaid=False, amount=-5, lon=1e300),
        ]
    )
    for given in (odd, events(40)):
        rows = given.append_column("content", pa.array([content_of(given, i) for i in range(len(given))]))
        with duckdb.connect() as con:
            con.register("rows", rows)
            wrong = con.execute(f"select content, {CANONICAL_TEXT} from rows").fetchall()
        for content, found in wrong:
            assert found == content


def test_a_double_that_was_journaled_otherwise() -> None:
    given = table([event("a", 1), event("b", 2, lat=1.0), event("c", 3, lat=1.0)])
    content = pa.array([content_of(given, i) for i in range(3)])
    changed = table([event("a", 1, lat=2.0), event("b", 2, lat=2.0), event("c", 3)])
    with duckdb.connect() as con:
        con.register("rows", changed.append_column("content", content))
        wrong = con.execute(f"select count(*) from rows where content = {CANONICAL_TEXT}").fetchone()
    assert wrong == (0,)
