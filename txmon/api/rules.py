"""The rules at work, and the way of new ones into force: proposed by one person, approved by another.

What is activated is a config by its id: the rule files as they were when it was proposed, or the config in
force with one rule's status changed. If it cannot be made any more when it is approved, nothing happens.
Owns these routes and what an approval leads to; the warming and the switch are the pipeline's.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response

from txmon.api.changes import change
from txmon.api.context import Exchange, Parts
from txmon.api.pages import cached, plain
from txmon.api.personal import Asked, require_whole, within
from txmon.api.ruleconfig import changes, staged_as, with_status
from txmon.api.shapes import Activation, NewStatus, RuleFilter, RuleId, query
from txmon.errors import NotFound
from txmon.pipeline.config import Config
from txmon.rules.ir import Rule
from txmon.store.foureyes import Proposal
from txmon.store.schema import hits

ACTIVATION = "rule_activation"
_DAY_US = 86_400_000_000


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""

    @router.get("/v1/rules")
    def list_rules(exchange: Asked, which: query(RuleFilter)) -> Response:  # type: ignore[valid-type]
        fired = _fired(parts, exchange, which.days)
        rules = [_line(rule, fired.get(rule.id, 0)) for rule in list(parts.service.rules.values())]
        return cached(
            exchange,
            {
                "items": sorted(rules, key=lambda rule: str(rule["rule_id"])),
                "next_cursor": None,
                "days": which.days,
                "config": parts.service.config.id,
                "pack_hash": parts.service.config.plan.pack_hash,
            },
        )

    @router.get("/v1/rules/{rule_id}")
    def show_rule(exchange: Asked, rule_id: RuleId, which: query(RuleFilter)) -> Response:  # type: ignore[valid-type]
        rule = parts.service.rules.get(rule_id)
        if rule is None:
            raise NotFound("no rule of this id is at work")
        fired = _fired(parts, exchange, which.days, rule_id)
        return cached(
            exchange,
            _line(rule, fired.get(rule_id, 0)) | {"days": which.days, "rule": _words(rule.document)},
        )

    @router.get("/v1/rules:staged")
    def show_staged(exchange: Asked) -> Response:
        staged = parts.service.stage()
        now = parts.service.config
        found: dict[str, Any] = {"in_force": now.id, "staged": None, "changes": []}
        if staged is not None:
            found |= {"staged": staged.id, "changes": changes(now, staged)}
        return cached(exchange, found)

    @router.post("/v1/rules:activate")
    def propose_activation(exchange: Asked, wanted: Activation) -> Response:
        require_whole(exchange.who)
        staged = staged_as(parts, wanted.config)
        return _propose(parts, exchange, staged, {"reason": wanted.reason})

    @router.post("/v1/rules/{rule_id}/status")
    def propose_status(exchange: Asked, rule_id: RuleId, wanted: NewStatus) -> Response:
        require_whole(exchange.who)
        base = parts.service.config
        config = with_status(base, rule_id, wanted.status)
        body = {"base": base.id, "rule_id": rule_id, "status": wanted.status, "reason": wanted.reason}
        return _propose(parts, exchange, config, body)


def _propose(parts: Parts, exchange: Exchange, config: Config, body: dict[str, Any]) -> Response:
    body |= {
        "config": config.id,
        "pack_hash": config.plan.pack_hash,
        "changes": changes(parts.service.config, config),
    }
    number = change(parts, lambda tx: parts.access.proposals.propose(tx, ACTIVATION, body, exchange.who))
    return plain({"proposal_id": number, "changes": body["changes"]}, 202)


def activate(parts: Parts, proposal: Proposal, config: Config) -> None:
    """Begin to put an approved config in force.

    Raises:
        StateError: another activation is under way, or it is in force already.
    """
    decision = {"decision": "rules.activated", "proposal": proposal.id, "author": proposal.author}
    future = parts.service.activate(config, decision | {"approver": proposal.decided_by})

    def told(done: Any) -> None:
        error = done.exception()
        if error is not None:
            parts.log.error("activation.failed", proposal_id=proposal.id, exc_info=error)

    future.add_done_callback(told)


def _line(rule: Rule, fired: int) -> dict[str, Any]:
    return {
        "rule_id": rule.id,
        "version": rule.version,
        "title": rule.title,
        "status": rule.status,
        "typology": rule.typology,
        "severity": rule.severity,
        "subject": rule.subject,
        "score": float(rule.score),
        "protect": rule.protect,
        "signal": rule.signal,
        "fired": fired,
    }


def _fired(parts: Parts, exchange: Exchange, days: int, rule_id: str | None = None) -> dict[str, int]:
    since = parts.clock.now_us() - days * _DAY_US
    where = [hits.c.event_time >= since, *within(exchange.who, hits)]
    if exchange.who.past is not None:
        where.append(sa.not_(exchange.who.past.hit()))
    if rule_id is not None:
        where.append(hits.c.rule_id == rule_id)
    counted = sa.select(hits.c.rule_id, sa.func.count()).where(*where).group_by(hits.c.rule_id)
    with parts.store.read() as conn:
        return {row[0]: row[1] for row in conn.execute(counted)}


def _words(value: Any) -> Any:
    """A rule file's content as plain JSON values."""
    if isinstance(value, dict):
        return {str(k): _words(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_words(each) for each in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
