"""Keys and links as they are looked up: whose they are, and what their owner may do within them.

Owns this reading; who holds it in memory and when it is read anew is the part of `txmon.store.access`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from txmon.store.accounts import KeyRow, Person
from txmon.store.identity import ENROL, SCOPES, Principal
from txmon.store.links import Link


@dataclass(frozen=True)
class Known:
    """A key in memory. fault: why nobody gets in with it, whatever the time."""

    digest: bytes
    expires_us: int | None
    fault: str | None
    principal: Principal


@dataclass(frozen=True)
class Linked:
    """A link in memory. fault: why nobody gets in by it."""

    fault: str | None
    principal: Principal


def known_key(key: KeyRow, stored: bytes, persons: Mapping[str, Person]) -> Known:
    """Return a key: what its owner may do, within what the key may."""
    fault = {"pending": "unknown", "revoked": "revoked"}.get(key.state)
    roles, entities, identity = key.roles or frozenset(), key.entities, f"service:{key.id}"
    if key.person_id is not None:
        person = persons[key.person_id]
        fault = fault or _fault_of(person)
        roles, identity = person.roles, f"person:{person.id}"
        entities = both(entities, person.entities)
    kind = "service" if key.person_id is None else "person"
    who = Principal(key.id, key.person_id, key.name, kind, roles, key.scopes, key.mode, entities, identity)
    if key.state == ENROL:
        who = replace(who, roles=frozenset(), scopes=frozenset({ENROL}), entities=frozenset())
    return Known(stored, key.expires_us, fault, who)


def known_link(link: Link, persons: Mapping[str, Person]) -> Linked:
    """Return a link: what its person may do. The link stands where a key's id does."""
    person = persons[link.person_id]
    fault = {"pending": "unlinked", "revoked": "revoked"}.get(link.state) or _fault_of(person)
    who = Principal(
        link.id, person.id, person.name, "person", person.roles, SCOPES, None, person.entities,
        f"person:{person.id}",
    )  # fmt: skip
    return Linked(fault, who)


def both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """Return the reporting entities that two bounds leave; None: all."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _fault_of(person: Person) -> str | None:
    return {"pending": "unknown", "disabled": "revoked"}.get(person.state)
