"""Checks that people, keys and links are those that the journal's decisions made.

The tables of access lie outside the chain. Who can write the database could give himself a key or a role
there; this follows every decision from the first row on and names each row that is not what they led to.
Owns the check; changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from txmon.store import journal
from txmon.store.accounts import digests, list_keys, list_people
from txmon.store.db import Store
from txmon.store.identity import ENROL, fingerprint, shown
from txmon.store.links import list_links

_Facts = dict[str, Any]


def check_granted(store: Store) -> Iterator[tuple[int | None, str]]:
    """Yield what is wrong with people and keys: journal row, or None, and the fault."""
    made = _Made()
    for entry in journal.read(store, kinds=["decision"]):
        if not made.follow(entry.document):
            yield entry.seq, "a decision on people or keys that does not follow from those before it"
    for fault in _compare(store, made):
        yield None, fault


def _compare(store: Store, made: _Made) -> Iterator[str]:
    with store.read() as conn:
        people, keys, stored, links = list_people(conn), list_keys(conn), digests(conn), list_links(conn)
    for person in people:
        is_now = {"state": person.state, "roles": sorted(person.roles), "entities": _sorted(person.entities)}
        yield from _compared("person", person.id, is_now, made.people, made.gaps)
    for key in keys:
        is_now = shown(key) | {"person": key.person_id, "state": key.state, "replaced_by": key.replaced_by}
        is_now["print"] = fingerprint(stored[key.prefix])
        yield from _compared("key", key.id, is_now, made.keys, made.gaps)
    for link in links:
        is_now = {"person": link.person_id, "state": link.state, "print": link.fingerprint}
        yield from _compared("link", link.id, is_now, made.links, made.gaps)
    for what, rows, known in (
        ("person", {p.id for p in people}, made.people),
        ("key", {k.id for k in keys}, made.keys),
        ("link", {n.id for n in links}, made.links),
    ):
        for number in sorted(set(known) - rows):
            yield f"{what} {number} was made by a decision and is not there"


def _compared(what: str, number: str, is_now: _Facts, known: dict[str, _Facts], gaps: bool) -> Iterator[str]:
    due = known.get(number)
    if due is None:
        if not gaps:
            yield f"{what} {number} was made by no decision"
        return
    wrong = sorted(name for name, value in due.items() if is_now[name] != value)
    if wrong:
        yield f"{what} {number} is not what the decisions made of it: {', '.join(wrong)}"


class _Made:
    """People and keys as the decisions leave them. Names are left out: an erasure may have changed them.

    gaps: a decision was erased wholly, so one of these may be missing here.
    """

    def __init__(self) -> None:
        self.gaps = False
        self.people: dict[str, _Facts] = {}
        self.keys: dict[str, _Facts] = {}
        self.links: dict[str, _Facts] = {}
        self._makers: dict[str, str] = {}
        self._grants: dict[str, _Facts] = {}
        self._steps: dict[str, Callable[[_Facts], None]] = {
            "access.bootstrap": self._bootstrap,
            "person.named": lambda d: self._person(d, "pending", []),
            "person.disabled": lambda d: self.people[d["person"]].update(state="disabled"),
            "proposal.proposed": self._proposed,
            "grant.applied": self._applied,
            "grant.refused": self._refused,
            "key.made": lambda d: self._key(d, d["person"], d["spec"], "pending"),
            "key.rotated": self._rotated,
            "key.revoked": lambda d: self.keys[d["revoked"]].update(state="revoked"),
            "link.made": self._link,
            "link.revoked": lambda d: self.links[d["revoked"]].update(state="revoked"),
        }

    def follow(self, document: bytes) -> bool:
        """Take a decision into account (those of other parts change nothing); False: it cannot be."""
        if not document:
            self.gaps = True
            return True
        try:
            decision = json.loads(document)
            step = self._steps.get(decision["decision"])
        except (ValueError, KeyError, TypeError):
            return True
        try:
            if step is not None:
                step(decision)
        except (KeyError, TypeError, AttributeError):
            return self.gaps
        return True

    def _person(self, d: _Facts, state: str, roles: list[str]) -> None:
        self.people[d["person"]] = {"state": state, "roles": roles, "entities": None}

    def _key(self, d: _Facts, person: str | None, spec: _Facts, state: str) -> None:
        facts = {name: value for name, value in spec.items() if name != "name"}
        more = {"person": person, "state": state, "replaced_by": None, "print": d["print"]}
        self.keys[d["made"]] = facts | more
        self._makers[d["made"]] = d["by"]

    def _link(self, d: _Facts) -> None:
        self.links[d["made"]] = {"person": d["person"], "state": "pending", "print": d["print"]}

    def _bootstrap(self, d: _Facts) -> None:
        self._person(d, "active", d["roles"])
        self._key(d, d["person"], d["spec"], "active")

    def _proposed(self, d: _Facts) -> None:
        if d["kind"] == "grant":
            self._grants[d["proposal"]] = d["body"]

    def _applied(self, d: _Facts) -> None:
        body = self._grants[d["proposal"]]
        if body["grant"] == "roles":
            facts = {"state": "active", "roles": body["roles"], "entities": body["entities"]}
            self.people[body["person"]] = facts
        elif body["grant"] == "link":
            self.links[body["made"]]["state"] = "active"
        else:
            own = body["person"] is None or self._makers[body["made"]] == f"person:{body['person']}"
            self.keys[body["made"]]["state"] = "active" if own else ENROL

    def _refused(self, d: _Facts) -> None:
        body = self._grants[d["proposal"]]
        if body["grant"] == "roles":
            facts, end = self.people[body["person"]], "disabled"
        else:
            made = self.links if body["grant"] == "link" else self.keys
            facts, end = made[body["made"]], "revoked"
        if facts["state"] == "pending":
            facts["state"] = end

    def _rotated(self, d: _Facts) -> None:
        old = self.keys[d["old"]]
        self._key(d, old["person"], old | {"expires_us": d["expires_us"]}, "active")
        old["replaced_by"] = d["made"]
        if d["old_expires_us"] is None:
            old["state"] = "revoked"
        else:
            old["expires_us"] = d["old_expires_us"]


def _sorted(values: frozenset[str] | None) -> list[str] | None:
    return None if values is None else sorted(values)
