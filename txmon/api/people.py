"""People and keys: named, granted, made, rotated and ended.

Owns these routes; who may do what to whom, and the four eyes behind it, are `txmon.store.access`'s part. A
key's text is in the answer that made it and nowhere else.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from txmon.api.changes import change
from txmon.api.context import Parts
from txmon.api.pages import cached, plain
from txmon.api.personal import Asked
from txmon.api.shapes import Grant, NewKey, NewPerson, OurId, Rotation, micros
from txmon.clock import rfc3339
from txmon.store import Tx
from txmon.store.access import KeyRow, KeySpec, Person, list_keys, list_people
from txmon.store.identity import NewKey as Made

_SECOND_US = 1_000_000


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""

    @router.get("/v1/people")
    def list_all_people(exchange: Asked) -> Response:
        with parts.store.read() as conn:
            found = list_people(conn)
        return cached(exchange, {"items": [_person_shown(each) for each in found], "next_cursor": None})

    @router.post("/v1/people")
    def name_person(exchange: Asked, new: NewPerson) -> Response:
        def name(tx: Tx) -> tuple[str, str]:
            return parts.access.create_person(tx, exchange.who, new.name, new.roles, new.entities)

        person_id, grant = change(parts, name)
        return plain({"person_id": person_id, "proposal_id": grant}, 202)

    @router.post("/v1/people/{person_id}/grants")
    def propose_grant(exchange: Asked, person_id: OurId, grant: Grant) -> Response:
        def propose(tx: Tx) -> str:
            return parts.access.propose_grant(tx, exchange.who, person_id, grant.roles, grant.entities)

        return plain({"person_id": person_id, "proposal_id": change(parts, propose)}, 202)

    @router.delete("/v1/people/{person_id}")
    def disable_person(exchange: Asked, person_id: OurId) -> Response:
        change(parts, lambda tx: parts.access.disable_person(tx, exchange.who, person_id))
        return plain({"person_id": person_id, "state": "disabled"})

    @router.get("/v1/keys")
    def list_all_keys(exchange: Asked) -> Response:
        who = exchange.who
        with parts.store.read() as conn:
            found = list_keys(conn)
        if not ("admin" in who.roles and "admin" in who.scopes):
            found = [
                key
                for key in found
                if key.id == who.key_id or (who.person_id and key.person_id == who.person_id)
            ]
        return cached(exchange, {"items": [_key_shown(each) for each in found], "next_cursor": None})

    @router.post("/v1/keys")
    def make_key(exchange: Asked, new: NewKey) -> Response:
        spec = KeySpec(
            new.name,
            frozenset(new.scopes),
            new.person_id,
            None if new.roles is None else frozenset(new.roles),
            new.mode,
            None if new.entities is None else frozenset(new.entities),
            micros(new.expires),
        )
        return plain(_made(change(parts, lambda tx: parts.access.create_key(tx, exchange.who, spec))), 201)

    @router.post("/v1/keys/{key_id}/rotation")
    def rotate_key(exchange: Asked, key_id: OurId, how: Rotation) -> Response:
        def rotate(tx: Tx) -> Made:
            return parts.access.rotate_key(tx, exchange.who, key_id, how.overlap_s * _SECOND_US)

        return plain(_made(change(parts, rotate)), 201)

    @router.delete("/v1/keys/{key_id}")
    def revoke_key(exchange: Asked, key_id: OurId) -> Response:
        change(parts, lambda tx: parts.access.revoke_key(tx, exchange.who, key_id))
        return plain({"key_id": key_id, "state": "revoked"})


def _made(key: Made) -> dict[str, Any]:
    return {"key_id": key.key_id, "token": key.token, "proposal_id": key.grant_id}


def _person_shown(person: Person) -> dict[str, Any]:
    return {
        "person_id": person.id,
        "name": person.name,
        "roles": sorted(person.roles),
        "entities": None if person.entities is None else sorted(person.entities),
        "state": person.state,
        "created": rfc3339(person.created_us),
        "created_by": person.created_by,
    }


def _key_shown(key: KeyRow) -> dict[str, Any]:
    return {
        "key_id": key.id,
        "prefix": key.prefix,
        "person_id": key.person_id,
        "name": key.name,
        "roles": None if key.roles is None else sorted(key.roles),
        "scopes": sorted(key.scopes),
        "mode": key.mode,
        "entities": None if key.entities is None else sorted(key.entities),
        "state": key.state,
        "created": rfc3339(key.created_us),
        "expires": _time(key.expires_us),
        "last_used": _time(key.last_used_us),
        "revoked": _time(key.revoked_us),
        "replaced_by": key.replaced_by,
    }


def _time(time_us: int | None) -> str | None:
    return None if time_us is None else rfc3339(time_us)
