"""Hits and reporting entities, as lists.

Owns these routes.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response

from txmon.api import masking
from txmon.api.context import Exchange, Parts
from txmon.api.evidence import hit_shown
from txmon.api.pages import cached, key_of, page
from txmon.api.personal import Asked, chosen, note_read, require_purpose, within
from txmon.api.shapes import HitFilter, micros, query
from txmon.cases.sight import alert_shut, hit_shut, hits_about_children
from txmon.store.schema import alert_hits, alerts, hits


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""

    @router.get("/v1/hits")
    def list_hits(exchange: Asked, which: query(HitFilter)) -> Response:  # type: ignore[valid-type]
        return _hits(parts, exchange, which)

    @router.get("/v1/entities")
    def list_entities(exchange: Asked) -> Response:
        return cached(exchange, {"items": _entities(parts, exchange), "next_cursor": None})


def _hits(parts: Parts, exchange: Exchange, which: HitFilter) -> Response:
    if which.subject is not None:
        require_purpose(exchange, "who is the subject of a hit")
    where = [
        *within(exchange.who, hits),
        sa.not_(hit_shut(exchange.who, hits.c.hit_id)),
        *chosen(
            hits,
            rule_id=which.rule,
            subject_id=which.subject,
            source=which.source,
            event_id=which.event_id,
            entity=which.entity,
            mode=which.mode,
        ),
    ]
    if which.alert is not None:
        of_alert = sa.select(alert_hits.c.hit_id).where(alert_hits.c.alert_id == which.alert)
        where.append(hits.c.hit_id.in_(of_alert))
    since, until = micros(which.since), micros(which.until)
    if since is not None:
        where.append(hits.c.event_time >= since)
    if until is not None:
        where.append(hits.c.event_time < until)
    after = key_of(which.cursor, int)
    if after is not None:
        where.append(hits.c.hit_id < after[0])
    found = sa.select(hits).where(*where).order_by(hits.c.hit_id.desc()).limit(which.limit + 1)
    with parts.store.read() as conn:
        rows = conn.execute(found).mappings().all()
    shown, more = rows[: which.limit], len(rows) > which.limit
    personal = note_read(parts, exchange, "hit.list", which.subject)
    items = [hit_shown(row, personal=personal) for row in shown]
    if personal:
        with parts.store.read() as conn:
            items = masking.of_hits(
                parts, items, hits_about_children(conn, [each["hit_id"] for each in items])
            )
    return page(exchange, items, (shown[-1]["hit_id"],) if more else None)


def _entities(parts: Parts, exchange: Exchange) -> list[dict[str, Any]]:
    who, own = exchange.who, parts.settings.entity
    groups = (alerts.c.entity, alerts.c.mode, alerts.c.state)
    counted = (
        sa.select(*groups, sa.func.count())
        .where(*within(who, alerts), ~alerts.c.historic, sa.not_(alert_shut(who, alerts.c.alert_id)))
        .group_by(*groups)
    )
    found: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    if who.entities is None or own in who.entities:
        found[own] = defaultdict(dict)
    with parts.store.read() as conn:
        for entity, mode, state, count in conn.execute(counted):
            found[entity][mode][state] = count
    return [{"entity": entity, "alerts": modes} for entity, modes in sorted(found.items())]
