"""What waits for a second person: listed, shown, decided on.

Owns these routes, and what follows an approval outside its transaction: a corrected row is sent, a config is
put in force. Who may decide is the proposals' own part; what a kind means is its owner's.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response

from txmon.api import dismissals, masking
from txmon.api.changes import change
from txmon.api.context import Exchange, Parts
from txmon.api.pages import cached, key_of, page, plain
from txmon.api.personal import Asked, note_read, require_whole
from txmon.api.quarantine import FIX, fixed
from txmon.api.ruleconfig import agreed
from txmon.api.rules import ACTIVATION, activate
from txmon.api.shapes import Decision, OurId, ProposalFilter, query
from txmon.cases.sight import sees
from txmon.clock import rfc3339
from txmon.errors import NotFound, StoreConflict
from txmon.store import Tx, foureyes, preserve
from txmon.store.foureyes import Proposal
from txmon.store.identity import Principal
from txmon.store.preserve import RELEASE
from txmon.store.retention import AGED, Past
from txmon.store.schema import alerts, proposals, quarantine

# a reason may name people, too
_REASONED = (
    "alert_dismissal", "bulk_dismissal", "severity_lowering", "restriction_lifting", "protect_clearing",
    "hold_release",
)  # fmt: skip
_PERSONAL = (FIX, "erasure", "account_action", "subject_export")  # kinds whose body may name people


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""

    @router.get("/v1/proposals")
    def list_proposals(exchange: Asked, which: query(ProposalFilter)) -> Response:  # type: ignore[valid-type]
        return _listed(parts, exchange, which)

    @router.get("/v1/proposals/{proposal_id}")
    def show_proposal(exchange: Asked, proposal_id: OurId) -> Response:
        found = _get(parts, exchange.who, proposal_id)
        told = found.kind not in (*_PERSONAL, *_REASONED)
        personal = told or note_read(parts, exchange, "proposal.read", proposal_id)
        with parts.store.read() as conn:
            shown = masking.of_proposal(parts, conn, _shown(found, personal=personal))
        return cached(exchange, shown)

    @router.post("/v1/proposals/{proposal_id}/decision")
    def decide_proposal(exchange: Asked, proposal_id: OurId, decision: Decision) -> Response:
        return plain(_decide(parts, exchange, proposal_id, decision))

    @router.post("/v1/proposals/{proposal_id}/withdrawal")
    def withdraw_proposal(exchange: Asked, proposal_id: OurId) -> Response:
        def withdraw(tx: Tx) -> Proposal:
            return parts.access.proposals.withdraw(tx, proposal_id, exchange.who)

        return plain(_shown(change(parts, withdraw), personal=False))


def _listed(parts: Parts, exchange: Exchange, which: ProposalFilter) -> Response:
    where = [proposals.c.state == which.state]
    if which.kind is not None:
        where.append(proposals.c.kind == which.kind)
    after = key_of(which.cursor, int, str)
    if after is not None:
        here = sa.tuple_(proposals.c.created_us, proposals.c.id)
        where.append(here < sa.tuple_(*map(sa.literal, after)))
    order = (proposals.c.created_us.desc(), proposals.c.id.desc())
    found = sa.select(proposals.c.id).where(*where).order_by(*order).limit(which.limit + 1)
    with parts.store.read() as conn:
        numbers = conn.execute(found).scalars().all()
        shown = [foureyes.get(conn, number) for number in numbers[: which.limit]]
    more = len(numbers) > which.limit
    last = (shown[-1].created_us, shown[-1].id) if more else None
    with parts.store.read() as conn:
        mine = [each for each in shown if _touches(conn, exchange.who, each)]
    asked = note_read(parts, exchange, "proposal.list", None)
    told = [_shown(each, personal=asked or each.kind not in (*_PERSONAL, *_REASONED)) for each in mine]
    with parts.store.read() as conn:
        items = [masking.of_proposal(parts, conn, each) for each in told]
    return page(exchange, items, last)


def _get(parts: Parts, who: Principal, proposal_id: str) -> Proposal:
    with parts.store.read() as conn:
        found = foureyes.get(conn, proposal_id)
        touches = _touches(conn, who, found)
    if not touches:
        raise NotFound("there is no such proposal")
    return found


def _touches(conn: sa.Connection, who: Principal, proposal: Proposal) -> bool:
    """Whether a proposal is about what this one may see."""
    case_id = proposal.body.get("case_id")
    if case_id is not None and not sees(conn, who, case_id):
        return False
    if who.past is not None and _past(conn, who.past, proposal):
        return False
    if over(who.past, proposal):
        return False
    if proposal.kind == RELEASE and not _order_known(conn, who, proposal):
        return False
    mode, entity = proposal.body.get("mode"), proposal.body.get("entity")
    return not isinstance(mode, str) or not isinstance(entity, str) or who.may_touch(mode, entity)


def over(past: Past | None, proposal: Proposal) -> bool:
    """Whether a proposal that is about no alert or case is past its retention by itself."""
    if past is None or proposal.kind not in AGED:
        return False
    since = proposal.created_us if proposal.decided_us is None else proposal.decided_us
    return since <= past.before("reads")


def _order_known(conn: sa.Connection, who: Principal, proposal: Proposal) -> bool:
    try:
        preserve.find(conn, who, str(proposal.body.get("order_id")))
    except NotFound:
        return False
    return True


def _past(conn: sa.Connection, past: Past, proposal: Proposal) -> bool:
    """Whether all that a proposal is about is past its retention, or gone by it."""
    body = proposal.body
    if proposal.kind == FIX:
        there = sa.select(quarantine.c.id).where(
            quarantine.c.id == body.get("row"), quarantine.c.received_us > past.before("quarantine")
        )
    else:
        listed = body.get("alerts")
        named = [each.get("alert_id") for each in listed] if isinstance(listed, list) else []
        named += [body["alert_id"]] if isinstance(body.get("alert_id"), str) else []
        if not named:
            return False
        there = sa.select(alerts.c.alert_id).where(alerts.c.alert_id.in_(named), sa.not_(past.alert()))
    return conn.execute(there.limit(1)).first() is None


def _shown(proposal: Proposal, *, personal: bool) -> dict[str, Any]:
    return {
        "proposal_id": proposal.id,
        "kind": proposal.kind,
        "state": proposal.state,
        "version": proposal.version,
        "author": proposal.author,
        "editors": sorted(proposal.editors),
        "created": rfc3339(proposal.created_us),
        "decided": None if proposal.decided_us is None else rfc3339(proposal.decided_us),
        "decided_by": proposal.decided_by,
        "reason": proposal.reason if personal else None,
        "body": _body(proposal, personal),
    }


def _body(proposal: Proposal, personal: bool) -> dict[str, Any] | None:
    if personal:
        return proposal.body
    if proposal.kind in _REASONED:
        return {name: value for name, value in proposal.body.items() if name != "reason"}
    return None


def _decide(parts: Parts, exchange: Exchange, proposal_id: str, decision: Decision) -> dict[str, Any]:
    found = _get(parts, exchange.who, proposal_id)
    if found.kind in (FIX, ACTIVATION):
        require_whole(exchange.who)
    config = None
    if decision.approve and found.kind == ACTIVATION and found.state == foureyes.PENDING:
        config = agreed(parts, found.body)

    def decide(tx: Tx) -> Proposal:
        return parts.access.proposals.decide(
            tx,
            proposal_id,
            exchange.who,
            decision.approve,
            decision.reason or "",
            version=decision.version,
        )

    settled = change(parts, decide)
    answer = _shown(settled, personal=False)
    if decision.approve and settled.kind == FIX:
        try:
            answer["outcome"] = fixed(parts, exchange, settled.body, settled.id)
        except StoreConflict as error:
            answer["outcome"] = {"state": "unchanged", "detail": error.detail}
    if decision.approve and settled.kind == dismissals.KIND:
        with parts.store.read() as conn:
            answer["outcome"] = dismissals.outcome(conn, settled)
    if config is not None:
        activate(parts, settled, config)
        answer["outcome"] = {"state": "warming", "config": config.id}
    return answer
