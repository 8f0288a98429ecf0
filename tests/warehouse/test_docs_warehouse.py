"""Every query of docs/warehouse.md runs, and on data made for it none is empty."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from txkit import DAY, HOUR, START_US, event, table
from warehousekit import add, alert_id, decide

from txmon.store import Store
from txmon.store.warehouse import Warehouse, views

PAGE = (Path(__file__).parents[2] / "docs" / "warehouse.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def filled(store: Store, warehouse: Warehouse) -> Warehouse:
    """Seven people pay one, who passes it on."""
    rows = []
    for i in range(8):
        who = f"person-{i}"
        home = [("home_country", "DE")]
        rows.append(
            event(f"o{i}", START_US, kind="account.opened", account=who, amount=None, attributes=home)
        )
    for i in range(1, 8):
        rows.append(
            event(
                f"p{i}",
                START_US + i * HOUR,
                payer=f"person-{i}",
                payee="person-0",
                amount=10_000,
                payee_country="RO",
            )
        )
    rows.append(event("q", START_US + DAY, payer="person-0", payee="far", amount=68_000, payee_country="RO"))
    add(store, table(rows), every=3)
    decide(store, alert_id("person-0"))
    warehouse.catch_up(store)
    return warehouse


def test_there_are_examples_of_every_view() -> None:
    assert len(QUERIES) >= 9
    for view in views.NAMES:
        assert any(re.search(rf"\b(from|join) {view}\b", query) for query in QUERIES), view


@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_example(filled: Warehouse, number: int) -> None:
    with filled.read() as cursor:
        rows = cursor.execute(QUERIES[number]).fetchall()
    assert rows, QUERIES[number]


def test_the_views_of_the_page_are_those_there_are(filled: Warehouse) -> None:
    table_of_views = PAGE.split("| view |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table_of_views, re.MULTILINE) == list(views.NAMES)
    with filled.read() as cursor:
        there = {
            row[0]
            for row in cursor.execute("select view_name from duckdb_views() where not internal").fetchall()
        }
        there |= {row[0] for row in cursor.execute("select table_name from duckdb_tables()").fetchall()}
    assert there == set(views.NAMES) | {"files", "mark", "layout", "no_events"}
