"""Links: which outside account is which person; proposed, listed, ended.

Owns these routes; what a link is and who may make one are `txmon.store.access`'s part.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from txmon.api.changes import change
from txmon.api.context import Parts
from txmon.api.pages import cached, plain
from txmon.api.personal import Asked
from txmon.api.problems import Problem
from txmon.api.shapes import NewLink, OurId
from txmon.clock import rfc3339
from txmon.store import Tx
from txmon.store.links import REVOKED, Link, list_links


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""

    @router.get("/v1/links")
    def list_all_links(exchange: Asked) -> Response:
        with parts.store.read() as conn:
            found = list_links(conn)
        return cached(exchange, {"items": [_shown(each) for each in found], "next_cursor": None})

    @router.post("/v1/people/{person_id}/links")
    def propose_link(exchange: Asked, person_id: OurId, new: NewLink) -> Response:
        issuer = new.issuer or parts.settings.oidc_issuer
        if issuer is None:
            raise Problem("state", "no issuer is set; name one, or set TXMON_OIDC_ISSUER")

        def propose(tx: Tx) -> tuple[str, str]:
            return parts.access.propose_link(tx, exchange.who, person_id, issuer, new.subject)

        link_id, grant = change(parts, propose)
        return plain({"link_id": link_id, "person_id": person_id, "proposal_id": grant}, 202)

    @router.delete("/v1/links/{link_id}")
    def end_link(exchange: Asked, link_id: OurId) -> Response:
        change(parts, lambda tx: parts.access.revoke_link(tx, exchange.who, link_id))
        return plain({"link_id": link_id, "state": REVOKED})


def _shown(link: Link) -> dict[str, Any]:
    return {
        "link_id": link.id,
        "person_id": link.person_id,
        "issuer": link.issuer,
        "subject": link.subject,
        "state": link.state,
        "created": rfc3339(link.created_us),
        "created_by": link.created_by,
        "revoked": None if link.revoked_us is None else rfc3339(link.revoked_us),
    }
