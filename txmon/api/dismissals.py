"""Many alerts dismissed for one reason: proposed by one person, carried out when another approves it.

Each alert is named with the version that was read. Those that can be dismissed are proposed together, an open
one is taken up by that; each of the others is told with its cause. What has new evidence or another state by
the time of the approval is left as it is. Two journal rows tell of all: that they were taken up, and that
they were dismissed. Owns this route and its kind of proposal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response

from txmon.api.changes import change
from txmon.api.context import Parts
from txmon.api.pages import plain
from txmon.api.personal import Asked
from txmon.api.problems import Problem
from txmon.api.shapes import Dismissals
from txmon.cases import queue
from txmon.cases.sight import shut_alerts
from txmon.errors import StoreConflict
from txmon.store import Tx, workflow
from txmon.store.decisions import decided
from txmon.store.foureyes import APPROVED, Proposal
from txmon.store.identity import Principal
from txmon.store.schema import alerts

KIND = "bulk_dismissal"
_PROPOSED = "proposed"


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the route."""

    @router.post("/v1/alerts:dismiss")
    def dismiss_alerts(exchange: Asked, asked: Dismissals) -> Response:
        return plain(change(parts, lambda tx: _propose(tx, parts, exchange.who, asked)), 202)


def _propose(tx: Tx, parts: Parts, who: Principal, asked: Dismissals) -> dict[str, Any]:
    who.require_person()
    versions = {each.alert_id: each.version for each in asked.alerts}
    rows = _rows(tx.conn, versions)
    for name in shut_alerts(tx.conn, who, rows):
        del rows[name]
    results = [_looked_at(rows.get(name), who, name, version) for name, version in versions.items()]
    fit = [rows[each["alert_id"]] for each in results if each["result"] == _PROPOSED]
    if not fit:
        raise Problem("state", "none of these alerts can be dismissed", more={"results": results})
    places = {(row["entity"], row["mode"]) for row in fit}
    if len(places) > 1:
        raise Problem("invalid", "name alerts of one entity and one mode; ask once for each")
    _take_up(tx, who, [row for row in fit if row["state"] == "open"], asked.reason)
    for each in results:
        if each["result"] == _PROPOSED:
            each["version"] += rows[each["alert_id"]]["state"] == "open"
            each["state"] = "in_review"
    ((entity, mode),) = places
    named = [{"alert_id": row["alert_id"], "revision": row["revision"]} for row in fit]
    body = {"alerts": named, "reason": asked.reason, "code": asked.code, "entity": entity, "mode": mode}
    return {"proposal_id": parts.access.proposals.propose(tx, KIND, body, who), "results": results}


def _rows(conn: sa.Connection, names: Iterable[str]) -> dict[str, sa.RowMapping]:
    query = sa.select(alerts).where(alerts.c.alert_id.in_(list(names)))
    return {row["alert_id"]: row for row in conn.execute(query).mappings()}


def _looked_at(row: sa.RowMapping | None, who: Principal, name: str, version: int) -> dict[str, Any]:
    """What becomes of one of the alerts: proposed, or the code of what is in the way."""
    if row is None or not who.may_touch(row["mode"], row["entity"]):
        return {"alert_id": name, "result": "not_found", "state": None, "version": None}
    result = _PROPOSED
    if row["version"] != version:
        result = "conflict"
    elif row["state"] not in ("open", "in_review"):
        result = "transition"
    return {"alert_id": name, "result": result, "state": row["state"], "version": row["version"]}


def _take_up(tx: Tx, who: Principal, rows: list[sa.RowMapping], reason: str) -> None:
    if rows:
        names = [row["alert_id"] for row in rows]
        seq = decided(tx, "alerts.taken_up", who, alerts=names, reason=reason)
        for row in rows:
            _set(tx, row, "in_review", None, seq)


def _set(tx: Tx, row: sa.RowMapping, state: str, reason: str | None, seq: int) -> None:
    workflow.set_alert_state(
        tx, row["alert_id"], state, reason=reason, version=row["version"], journal_seq=seq
    )


def dismissed(tx: Tx, proposal: Proposal, by: Principal) -> None:
    """What the approval leads to.

    Raises:
        StoreConflict: none of the alerts is as it was proposed.
    """
    if proposal.state != APPROVED:
        return
    body = proposal.body
    revisions = {each["alert_id"]: each["revision"] for each in body["alerts"]}
    rows = _rows(tx.conn, revisions)
    still = [
        row
        for row in rows.values()
        if row["state"] == "in_review"
        and row["revision"] == revisions[row["alert_id"]]
        and by.may_touch(row["mode"], row["entity"])
    ]
    if not still:
        raise StoreConflict("every alert has new evidence or another state since; reject this and look again")
    names = [row["alert_id"] for row in still]
    left = sorted(revisions.keys() - set(names))
    code = body.get("code")  # proposals of earlier versions have none
    facts = {"proposal": proposal.id, "author": proposal.author, "reason": body["reason"], "code": code}
    seq = decided(tx, "alerts.dismissed", by, alerts=names, left=left, **facts)
    for row in still:
        _set(tx, row, "dismissed", body["reason"], seq)
        queue.note(tx, row["alert_id"], seq, dismissal=code)


def outcome(conn: sa.Connection, proposal: Proposal) -> dict[str, Any]:
    """Return which alerts of an approved proposal are dismissed, and which were left as they are."""
    names = [each["alert_id"] for each in proposal.body["alerts"]]
    rows = _rows(conn, names)
    done = {name for name, row in rows.items() if row["state"] == "dismissed"}
    return {"dismissed": sum(name in done for name in names), "left": [n for n in names if n not in done]}
