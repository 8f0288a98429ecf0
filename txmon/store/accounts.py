"""The tables of people and of their keys: rows in and out.

Owns `people` and `api_keys`; who may change them is the part of `txmon.store.access`. What is stored of a
key's text never leaves but by `digests`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from txmon.errors import NotFound, StoreConflict
from txmon.store.db import Tx
from txmon.store.identity import KeySpec, digest, new_id, new_token, prefix_of
from txmon.store.schema import api_keys, people


@dataclass(frozen=True)
class Person:
    """A human being who works with the service."""

    id: str
    name: str
    roles: frozenset[str]
    entities: frozenset[str] | None
    state: str  # pending | active | disabled
    created_us: int
    created_by: str


@dataclass(frozen=True)
class KeyRow:
    """A key as lists show it: never its text, nor what is stored of it."""

    id: str
    prefix: str
    person_id: str | None
    name: str
    roles: frozenset[str] | None
    scopes: frozenset[str]
    mode: str | None
    entities: frozenset[str] | None
    state: str  # pending | enrol | active | revoked
    created_us: int
    created_by: str
    expires_us: int | None
    last_used_us: int | None
    revoked_us: int | None
    replaced_by: str | None


_SHOWN = [c for c in api_keys.columns if c.name != "sha256"]


def list_people(conn: sa.Connection) -> list[Person]:
    """Return all people, the oldest first."""
    rows = conn.execute(sa.select(people).order_by(people.c.created_us, people.c.id))
    return [Person(**_sets(row, ("roles", "entities"))) for row in rows]


def list_keys(conn: sa.Connection, person_id: str | None = None) -> list[KeyRow]:
    """Return all keys, or a person's, the oldest first."""
    query = sa.select(*_SHOWN).order_by(api_keys.c.created_us, api_keys.c.id)
    if person_id is not None:
        query = query.where(api_keys.c.person_id == person_id)
    return [KeyRow(**_sets(row, ("roles", "scopes", "entities"))) for row in conn.execute(query)]


def person_of(conn: sa.Connection, person_id: str) -> Person:
    """Return a person.

    Raises:
        NotFound: there is none of this id.
    """
    row = conn.execute(sa.select(people).where(people.c.id == person_id)).first()
    if row is None:
        raise NotFound("there is no such person")
    return Person(**_sets(row, ("roles", "entities")))


def key_of(conn: sa.Connection, key_id: str) -> KeyRow:
    """Return a key.

    Raises:
        NotFound: there is none of this id.
    """
    row = conn.execute(sa.select(*_SHOWN).where(api_keys.c.id == key_id)).first()
    if row is None:
        raise NotFound("there is no such key")
    return KeyRow(**_sets(row, ("roles", "scopes", "entities")))


def as_list(values: Collection[str] | None) -> str | None:
    """Return a set as it is stored."""
    return None if values is None else json.dumps(sorted(values))


def _sets(row: sa.Row[Any], names: Sequence[str]) -> dict[str, Any]:
    values = row._asdict()
    return values | {n: None if values[n] is None else frozenset(json.loads(values[n])) for n in names}


def digests(conn: sa.Connection) -> dict[str, bytes]:
    """Return what is stored of every key's text, by prefix."""
    rows = conn.execute(sa.select(api_keys.c.prefix, api_keys.c.sha256))
    return {row.prefix: bytes(row.sha256) for row in rows}


def add_person(tx: Tx, name: str, roles: Collection[str], state: str, by: str) -> str:
    """Add a person; returns the id.

    Raises:
        StoreConflict: the name is in use.
    """
    if tx.conn.execute(sa.select(people.c.id).where(people.c.name == name)).first():
        raise StoreConflict("there is a person of this name; tell them apart")
    person_id = new_id("psn", tx.random_bytes)
    values = {"id": person_id, "name": name, "roles": as_list(roles), "entities": None, "state": state}
    tx.conn.execute(sa.insert(people), values | {"created_us": tx.clock.now_us(), "created_by": by})
    return person_id


def change_person(tx: Tx, person_id: str, **changes: Any) -> None:
    """Change a person's row."""
    tx.conn.execute(sa.update(people).where(people.c.id == person_id).values(changes))


def add_key(tx: Tx, spec: KeySpec, state: str, by: str) -> tuple[str, str]:
    """Add a key; returns its id and its text, which is nowhere else."""
    key_id, token = new_id("key", tx.random_bytes), new_token(spec.mode, tx.random_bytes)
    values: dict[str, Any] = {"id": key_id, "prefix": prefix_of(token), "sha256": digest(token)}
    values |= {"person_id": spec.person_id, "name": spec.name, "roles": as_list(spec.roles)}
    values |= {"scopes": as_list(spec.scopes), "mode": spec.mode, "entities": as_list(spec.entities)}
    values |= {"state": state, "created_us": tx.clock.now_us(), "created_by": by}
    tx.conn.execute(sa.insert(api_keys), values | {"expires_us": spec.expires_us})
    return key_id, token


def change_key(tx: Tx, key_id: str, **changes: Any) -> None:
    """Change a key's row."""
    tx.conn.execute(sa.update(api_keys).where(api_keys.c.id == key_id).values(changes))


def write_uses(tx: Tx, used: dict[str, int]) -> None:
    """Write when keys were last used."""
    rows = [{"number": key_id, "at": at_us} for key_id, at_us in used.items()]
    if rows:
        changed = sa.update(api_keys).where(api_keys.c.id == sa.bindparam("number"))
        tx.conn.execute(changed.values(last_used_us=sa.bindparam("at")), rows)
