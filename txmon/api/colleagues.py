"""Who works here: names and roles, so that work can be given to somebody and decisions have a name.

Owns this route; keys, entities and states of people are for administrators (`txmon.api.people`).
"""

from __future__ import annotations

from fastapi import APIRouter, Response

from txmon.api.context import Parts
from txmon.api.pages import cached
from txmon.api.personal import Asked
from txmon.store.access import list_people


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the route."""

    @router.get("/v1/colleagues")
    def list_colleagues(exchange: Asked) -> Response:
        with parts.store.read() as conn:
            found = list_people(conn)
        items = [
            {"person_id": each.id, "name": each.name, "roles": sorted(each.roles), "state": each.state}
            for each in found
        ]
        return cached(exchange, {"items": items, "next_cursor": None})
