"""Helpers of the tests of access: two administrators, and more people with keys of their own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from txmon.store import Store
from txmon.store.access import Access, KeySpec, NewKey, Principal

READ = frozenset({"read"})


@dataclass
class Office:
    """Ana and Ben administer; `hire` brings others in by the proper way."""

    store: Store
    access: Access
    ana: Principal
    ben: Principal
    keys: list[NewKey]

    def now(self) -> int:
        return self.store.clock.now_us()

    def who(self, token: str) -> Principal:
        return self.access.authenticate(token, self.now())

    def hire(self, name: str, roles: Collection[str], scopes: Collection[str] = READ, **more: Any) -> tuple[Principal, NewKey]:  # fmt: skip
        """A person who exchanged the key that others made."""
        with self.store.write() as tx:
            person, grant = self.access.create_person(
                tx, self.ana, name, roles, more.pop("person_entities", None)
            )
            self.access.decide_grant(tx, grant, self.ben)
            first = self.access.create_key(tx, self.ana, KeySpec(name, frozenset(scopes), person, **more))
            assert first.grant_id is not None
            self.access.decide_grant(tx, first.grant_id, self.ben)
        enrolled = self.who(first.token)
        with self.store.write() as tx:
            key = self.access.rotate_key(tx, enrolled, first.key_id)
        return self.who(key.token), key

    def service(self, name: str = "gateway", roles: Collection[str] = ("ingest",), scopes: Collection[str] = ("ingest",), **more: Any) -> NewKey:  # fmt: skip
        """An approved key of a service."""
        spec = KeySpec(name, frozenset(scopes), None, frozenset(roles), **more)
        with self.store.write() as tx:
            key = self.access.create_key(tx, self.ana, spec)
            assert key.grant_id is not None
            self.access.decide_grant(tx, key.grant_id, self.ben)
        return key


def open_office(store: Store) -> Office:
    access = Access(store)
    with store.write() as tx:
        keys = access.bootstrap(tx, [("Ana", ["analyst"]), ("Ben", ["approver"])])
    ana, ben = (access.authenticate(key.token, store.clock.now_us()) for key in keys)
    return Office(store, access, ana, ben, keys)
