"""Reads hits, alerts and what alerts rest on from the store, as tables of the warehouse.

Hits are numbered on in journal order, so those after the newest one at hand are those that came since.
Owns the queries; changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from txmon.store.db import Store
from txmon.store.schema import alert_hits, alerts, hits
from txmon.store.warehouse import layout

_PAGE, _BLOCK = 10_000, 500


@dataclass(frozen=True)
class Rows:
    """Rows of the three tables."""

    hits: pa.Table
    alerts: pa.Table
    links: pa.Table


def since(store: Store, newest_hit: int, after_seq: int, upto_seq: int) -> Rows:
    """Return what journal rows `after_seq` < seq <= `upto_seq` led to, hits above number `newest_hit`."""
    with store.read() as conn:
        found: list[sa.Row[Any]] = []
        last = newest_hit
        while True:
            query = sa.select(hits).where(hits.c.hit_id > last).order_by(hits.c.hit_id).limit(_PAGE)
            page = conn.execute(query).all()
            found += [row for row in page if row.journal_seq <= upto_seq]
            if len(page) < _PAGE or page[-1].journal_seq > upto_seq:
                break
            last = page[-1].hit_id
        changed = sa.select(alerts).where(alerts.c.changed_seq > after_seq, alerts.c.changed_seq <= upto_seq)
        rows = conn.execute(changed.order_by(alerts.c.alert_id)).all()
        links: Sequence[sa.Row[Any]] = []
        if found:
            between = alert_hits.c.hit_id.between(found[0].hit_id, found[-1].hit_id)
            links = conn.execute(sa.select(alert_hits).where(between)).all()
    return Rows(_hits(found), _alerts(rows), _table(links, layout.LINKS))


def named(store: Store, hit_ids: Collection[int], alert_ids: Collection[str], upto_seq: int) -> Rows:
    """Return those of these hits and alerts that are there and came with journal rows up to `upto_seq`."""
    with store.read() as conn:
        found = [
            row
            for block in _blocks(sorted(hit_ids))
            for row in conn.execute(sa.select(hits).where(hits.c.hit_id.in_(block))).all()
        ]
        rows = [
            row
            for block in _blocks(sorted(alert_ids))
            for row in conn.execute(sa.select(alerts).where(alerts.c.alert_id.in_(block))).all()
        ]
    return Rows(
        _hits([row for row in found if row.journal_seq <= upto_seq]),
        _alerts([row for row in rows if row.journal_seq <= upto_seq]),
        layout.LINKS.empty_table(),
    )


def _blocks(keys: list[Any]) -> list[list[Any]]:
    return [keys[i : i + _BLOCK] for i in range(0, len(keys), _BLOCK)]


def _hits(rows: Sequence[sa.Row[Any]]) -> pa.Table:
    columns = _columns(rows, layout.HITS)
    columns["leg"] = [leg or None for leg in columns["leg"]]
    return _made(columns, layout.HITS)


def _alerts(rows: Sequence[sa.Row[Any]]) -> pa.Table:
    columns = {layout.shown_as(c.name): [getattr(row, c.name) for row in rows] for c in alerts.columns}
    for name in ("typologies", "rule_ids"):
        columns[name] = [json.loads(text) for text in columns[name]]
    return _made(columns, layout.ALERTS)


def _columns(rows: Sequence[sa.Row[Any]], schema: pa.Schema) -> dict[str, list[Any]]:
    return {name: [getattr(row, name) for row in rows] for name in schema.names}


def _table(rows: Sequence[sa.Row[Any]], schema: pa.Schema) -> pa.Table:
    return _made(_columns(rows, schema), schema)


def _made(columns: dict[str, list[Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_arrays([pa.array(columns[f.name], f.type) for f in schema], schema=schema)
