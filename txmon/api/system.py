"""What operators and auditors ask: alive, ready, how far, metrics, who read what.

Owns these routes.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from txmon.api.context import Exchange, Parts
from txmon.api.keepshapes import AuditFilter, ReadFilter
from txmon.api.pages import key_of, page, plain
from txmon.api.personal import Asked, note_read, require_purpose
from txmon.api.shapes import micros, query
from txmon.cases.sight import shut_names
from txmon.clock import rfc3339
from txmon.store import audit
from txmon.store.due import waiting
from txmon.store.identity import Principal
from txmon.store.preserve import hidden_orders

_REASONS_ONLY = ("config", "staged_config", "activation", "rules")  # of the status: about rules


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""

    @router.get("/livez")
    async def live() -> Response:
        return plain({"alive": True})

    @router.get("/readyz")
    async def ready() -> Response:
        reasons = parts.service.readiness()
        return plain({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    @router.get("/metrics")
    def metrics(exchange: Asked) -> Response:
        body, kind = parts.metrics.render(exchange.headers.get(b"accept", b"").decode("latin-1"))
        return Response(body, headers={"content-type": kind})

    @router.get("/v1/status")
    def status(exchange: Asked) -> Response:
        found = parts.service.status()
        with parts.store.read() as conn:
            found["due"] = waiting(conn, parts.past())
        if not exchange.explained:
            found = {name: value for name, value in found.items() if name not in _REASONS_ONLY}
        return plain(found)

    @router.get("/v1/audit")
    def list_reads(exchange: Asked, which: query(AuditFilter)) -> Response:  # type: ignore[valid-type]
        return _reads(parts, exchange, which)


def _reads(parts: Parts, exchange: Exchange, which: AuditFilter) -> Response:
    if which.subject is not None or which.purpose is not None:
        require_purpose(exchange, "whose data was read, and what for,")
    after = key_of(which.cursor, int)
    before = None if after is None else int(after[0])
    found, shut = reads(parts, exchange.who, which, before, which.limit + 1)
    shown, more = found[: which.limit], len(found) > which.limit
    personal = note_read(parts, exchange, "audit.read", which.subject)
    # that a case exists is not for everybody to know, not even for who looks into the record
    told = [each for each in shown if not (which.by_content and each.subject in shut)]
    items = [read_shown(each, personal=personal and each.subject not in shut) for each in told]
    return page(exchange, items, (shown[-1].id,) if more else None)


def reads(
    parts: Parts, who: Principal, which: ReadFilter, before: int | None, limit: int
) -> tuple[list[audit.Read], frozenset[str]]:
    """Return lines of the record, the newest first, and the subjects of them that this one may not know."""
    past = parts.past().before("reads")
    since = micros(which.since)
    with parts.store.read() as conn:
        found = audit.read(
            conn,
            identity=which.who,
            action=which.action,
            subject=which.subject,
            purpose=which.purpose,
            from_us=past + 1 if since is None else max(since, past + 1),
            to_us=micros(which.until),
            before=before,
            limit=limit,
        )
        named = {read.subject for read in found if read.subject}
        return found, shut_names(conn, who, named) | hidden_orders(conn, who, named)


def read_shown(read: audit.Read, *, personal: bool) -> dict[str, Any]:
    """Return a line as one may see it."""
    found: dict[str, Any] = {
        "id": read.id,
        "at": rfc3339(read.at_us),
        "identity": read.identity,
        "key_id": read.key_id,
        "action": read.action,
    }
    return found | {"subject": read.subject, "purpose": read.purpose} if personal else found
