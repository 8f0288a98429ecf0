"""The numbers of an alert: against the lines of its rules, and against what is usual for its subject.

Owns this route. All of it tells of one person's money, so it is shown for a purpose alone.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response

from txmon.api.alerts import alert_row
from txmon.api.context import Parts
from txmon.api.pages import cached
from txmon.api.personal import Asked, note_read, require_purpose
from txmon.api.shapes import OurId
from txmon.cases import usual
from txmon.clock import rfc3339
from txmon.rules.measures import measures
from txmon.store.schema import alert_hits, hits

_HITS_MAX = 200


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the route."""

    @router.get("/v1/alerts/{alert_id}/usual")
    def show_usual(exchange: Asked, alert_id: OurId) -> Response:
        require_purpose(exchange, "what is usual for the subject of an alert")
        with parts.store.read() as conn:
            row = alert_row(conn, exchange.who, alert_id)
            newest = _newest(conn, alert_id)
        note_read(parts, exchange, "alert.usual", alert_id)
        currency = parts.settings.base_currency
        found: dict[str, Any] = {
            "alert_id": alert_id, "until": rfc3339(row["last_event_time"]), "currency": currency,
            "lines": _lines(parts, newest, currency), "history": parts.warehouse is not None,
            "numbers": [], "weeks": [],
        }  # fmt: skip
        if parts.warehouse is not None:
            subject = usual.Subject(row["subject_type"], row["subject_id"], row["mode"], row["entity"])
            weeks = usual.weeks_of(parts.warehouse, subject, row["last_event_time"])
            found["numbers"] = [vars(each) for each in usual.numbers(weeks)]
            found["weeks"] = [{"until": rfc3339(week.until_us)} | week.values for week in weeks]
        return cached(exchange, found)


def _newest(conn: sa.Connection, alert_id: str) -> list[sa.RowMapping]:
    """The newest hit of each rule, in order of the rules' ids."""
    query = (
        sa.select(hits.c.rule_id, hits.c.rule_version, hits.c.features)
        .join(alert_hits, alert_hits.c.hit_id == hits.c.hit_id)
        .where(alert_hits.c.alert_id == alert_id)
        .order_by(hits.c.hit_id.desc())
        .limit(_HITS_MAX)
    )
    found: dict[str, sa.RowMapping] = {}
    for row in conn.execute(query).mappings():
        found.setdefault(row["rule_id"], row)
    return [found[name] for name in sorted(found)]


def _lines(parts: Parts, newest: list[sa.RowMapping], currency: str) -> list[dict[str, Any]]:
    """Numbers beside the lines they had to reach; of a rule that was changed since, nothing is compared."""
    rules = parts.service.rules
    found = []
    for row in newest:
        rule = rules.get(row["rule_id"])
        if rule is not None and rule.version == row["rule_version"] and row["features"].startswith("{"):
            found += [vars(each) for each in measures(rule, row["features"], currency)]
    return found
