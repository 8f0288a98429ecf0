"""Who is let into the vault of reports: proposed, decided on by another person, ended.

Owns these routes; the rules are `txmon.vault.grants`'s, and nothing of it is in the main store.
"""

from __future__ import annotations

import sqlalchemy as sa
from fastapi import APIRouter, Response

from txmon.api.context import Parts
from txmon.api.pages import cached, plain
from txmon.api.personal import Asked
from txmon.api.shapes import OurId, Why
from txmon.api.vaultparts import doing, grant_shown, looking, rooms_of
from txmon.api.vaultshapes import GrantDecision, VaultGrant
from txmon.errors import InputError
from txmon.store.schema import people
from txmon.vault import grants
from txmon.vault.grants import Grant


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""

    @router.get("/v1/vault/grants")
    def list_grants(exchange: Asked) -> Response:
        caller = looking(exchange)
        with rooms_of(parts).vault.file.write() as tx:
            items = [grant_shown(grant) for grant in grants.listed(tx)]
            tx.log(grants.entry(caller, "look.grants"))
        return cached(exchange, {"items": items, "next_cursor": None})

    @router.post("/v1/vault/grants")
    def propose_grant(exchange: Asked, asked: VaultGrant) -> Response:
        _require_person(parts, asked.person_id)
        with rooms_of(parts).vault.file.write() as tx:
            return _answer(grants.propose(tx, doing(exchange), asked.new), 201)

    @router.post("/v1/vault/grants/{grant_id}/decision")
    def decide_grant(exchange: Asked, grant_id: OurId, asked: GrantDecision) -> Response:
        with rooms_of(parts).vault.file.write() as tx:
            return _answer(grants.decide(tx, doing(exchange), grant_id, asked.approve, asked.reason))

    @router.post("/v1/vault/grants/{grant_id}/revocation")
    def revoke_grant(exchange: Asked, grant_id: OurId, asked: Why) -> Response:
        with rooms_of(parts).vault.file.write() as tx:
            return _answer(grants.revoke(tx, doing(exchange), grant_id, asked.reason))


def _require_person(parts: Parts, person_id: str) -> None:
    """Raises: InputError: nobody here, or somebody who was locked out."""
    with parts.store.read() as conn:
        state = conn.execute(sa.select(people.c.state).where(people.c.id == person_id)).scalar()
    if state != "active":
        raise InputError("`person_id` is no active person of this service; look at /v1/people")


def _answer(grant: Grant, status: int = 200) -> Response:
    return plain({"grant_id": grant.grant_id, "state": grant.state}, status)
