"""What the approval or the rejection of a grant does to roles, keys and links.

Owns the effects; who may propose and decide is the part of `txmon.store.access`, and of the proposals.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from txmon.errors import StoreConflict
from txmon.store.accounts import as_list, change_key, change_person, key_of, person_of
from txmon.store.db import Tx
from txmon.store.identity import ENROL, shown
from txmon.store.links import change_link, link_of


def entities_of(tx: Tx, body: dict[str, Any]) -> Collection[str] | None:
    """The reporting entities that a grant gives access to."""
    if body["grant"] == "link":
        return person_of(tx.conn, body["person"]).entities
    found: list[str] | None = body["entities"] if body["grant"] == "roles" else body["spec"]["entities"]
    return found


def grant_roles(tx: Tx, body: dict[str, Any], approved: bool) -> None:
    """Give a person roles, or lock out one who got none.

    Raises:
        StoreConflict: what was granted is not there any more.
    """
    person_id = body["person"]
    person = person_of(tx.conn, person_id)
    if approved and person.state == "disabled":
        raise StoreConflict("this person was disabled meanwhile; reject the grant")
    changes: dict[str, Any] = {"state": "disabled"} if person.state == "pending" else {}
    if approved:
        changes = {
            "state": "active",
            "roles": as_list(body["roles"]),
            "entities": as_list(body["entities"]),
        }
    if changes:
        change_person(tx, person_id, **changes)


def grant_key(tx: Tx, body: dict[str, Any], approved: bool) -> None:
    """Let a key work, or end it.

    Raises:
        StoreConflict: what was granted is not there any more.
    """
    key = key_of(tx.conn, body["made"])
    if key.state != "pending":
        if approved:
            raise StoreConflict("this key was revoked meanwhile; reject the grant")
        return
    changes: dict[str, Any] = {"state": "revoked", "revoked_us": tx.clock.now_us()}
    if approved:
        if shown(key) != body["spec"]:
            raise StoreConflict("this key is not what the grant says; reject it")
        own = key.person_id is None or key.created_by == f"person:{key.person_id}"
        changes = {"state": "active" if own else ENROL}
    change_key(tx, key.id, **changes)


def grant_link(tx: Tx, body: dict[str, Any], approved: bool) -> None:
    """Let a link work, or end it.

    Raises:
        StoreConflict: what was granted is not there any more.
    """
    link = link_of(tx.conn, body["made"])
    if link.state != "pending":
        if approved:
            raise StoreConflict("this link was ended meanwhile; reject the grant")
        return
    if not approved:
        change_link(tx, link.id, state="revoked", revoked_us=tx.clock.now_us())
        return
    if (link.issuer, link.subject, link.person_id) != (body["issuer"], body["subject"], body["person"]):
        raise StoreConflict("this link is not what the grant says; reject it")
    if person_of(tx.conn, link.person_id).state == "disabled":
        raise StoreConflict("this person was disabled meanwhile; reject the grant")
    change_link(tx, link.id, state="active")


# what a grant is of -> its effect: (tx, body of the proposal, whether it was approved)
EFFECTS: dict[str, Callable[[Tx, dict[str, Any], bool], None]] = {
    "roles": grant_roles,
    "key": grant_key,
    "link": grant_link,
}
