"""People, their keys, and who may do what.

    access = Access(store)
    who = access.authenticate(token, now_us)                 no SQL; AuthError says why not
    with store.write() as tx:
        person_id, grant = access.create_person(tx, who, "Cem", {"analyst"})
        key = access.create_key(tx, who, KeySpec("Cem", frozenset({"read"}), person_id))   key.token: once
        access.decide_grant(tx, grant, other_person)         another human being

Every role, every key and every link to an outside account is a grant: it takes effect when a second person
approves it, who is neither its author nor the one it is for. The first two administrators are made by
`bootstrap`, while there are none.
A key that one person makes for another only lets its owner exchange it (`rotate_key`) for one that nobody
else has seen; so two keys are two people. What changes is a journal row in the same transaction, and the
keys in memory are read anew when that transaction has been committed, before the next one is checked.
Owns who may change people and keys; which route takes which role is the routes' part.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Sequence
from hmac import compare_digest
from math import inf
from typing import Any

from txmon.errors import AuthError, Forbidden, FourEyes, InputError, StoreConflict
from txmon.store import journal
from txmon.store.accounts import (
    KeyRow,
    Person,
    add_key,
    add_person,
    change_key,
    change_person,
    digests,
    key_of,
    list_keys,
    list_people,
    person_of,
    write_uses,
)
from txmon.store.db import Store, Tx
from txmon.store.foureyes import APPROVED, Proposal, Proposals
from txmon.store.grants import EFFECTS, entities_of
from txmon.store.identity import (
    ENROL,
    SCOPES,
    KeySpec,
    NewKey,
    Principal,
    check_entities,
    check_name,
    check_roles,
    digest,
    fingerprint,
    prefix_of,
    shown,
)
from txmon.store.known import Known, Linked, known_key, known_link
from txmon.store.links import add_link, change_link, link_of, list_links

__all__ = ["Access", "KeyRow", "KeySpec", "NewKey", "Person", "Principal", "list_keys", "list_people"]

DAY_US = 86_400_000_000
OVERLAP_MAX_US = 7 * DAY_US
_USED_EVERY_US = 60_000_000
_NOBODY = bytes(32)
_NOT_LINKED = "who signed in is no person here, or no longer; ask an administrator for a link"


class Access:
    """See the module. `authenticate` may be called from any thread; what takes a `tx` from its thread."""

    def __init__(self, store: Store, proposals: Proposals | None = None) -> None:
        self._store = store
        self._turn = threading.Lock()
        self._keys: dict[str, Known] = {}
        self._links: dict[tuple[str, str], Linked] = {}  # by issuer and subject
        self._changes: set[int] = set()  # journal rows of changes that the keys in memory may lack
        self._first_change: float = inf  # the least of them
        self._used: dict[str, int] = {}  # key id -> last use that was noted
        self._unwritten: dict[str, int] = {}
        self.proposals = proposals or Proposals()
        self.proposals.on("grant", self._granted)
        self.refresh()

    # -- who is it -----------------------------------------------------------------------------------

    def authenticate(self, token: str, now_us: int, *, noted: bool = True) -> Principal:
        """Return whom a key belongs to.

        Args:
            noted: whether this counts as a use of the key.

        Raises:
            AuthError: missing, malformed, unknown, expired or revoked.
            StoreError: keys have changed and cannot be read; nobody gets in on old knowledge.
        """
        if not token:
            raise AuthError("missing")
        prefix = prefix_of(token)
        if prefix is None:
            raise AuthError("malformed")
        if self._first_change <= self._store.marks.seq:
            self.refresh()
        known = self._keys.get(prefix)
        same = compare_digest(digest(token), _NOBODY if known is None else known.digest)
        if known is None or not same:
            raise AuthError("unknown")
        if known.fault is not None:
            raise AuthError(known.fault)
        if known.expires_us is not None and known.expires_us <= now_us:
            raise AuthError("expired")
        if noted:
            self._note_use(known.principal.key_id or "", now_us)
        return known.principal

    def recognise(self, issuer: str, subject: str) -> Principal:
        """Return who a subject of an issuer is, with all that this person may do.

        The caller has checked that the issuer says so now.

        Raises:
            AuthError: unlinked, unknown or revoked. StoreError: see `authenticate`.
        """
        if self._first_change <= self._store.marks.seq:
            self.refresh()
        linked = self._links.get((issuer, subject))
        if linked is None or linked.fault is not None:
            raise AuthError(linked.fault if linked is not None and linked.fault else "unlinked", _NOT_LINKED)
        return linked.principal

    def refresh(self) -> None:
        """Read all keys anew."""
        with self._turn:
            seq = self._store.marks.seq
            with self._store.read() as conn:
                persons = {p.id: p for p in list_people(conn)}
                stored, keys, links = digests(conn), list_keys(conn), list_links(conn)
            self._keys = {key.prefix: known_key(key, stored[key.prefix], persons) for key in keys}
            links.sort(key=lambda link: link.state != "revoked")  # of a subject at most one is not ended
            self._links = {(link.issuer, link.subject): known_link(link, persons) for link in links}
            self._changes = {change for change in self._changes if change > seq}
            self._first_change = min(self._changes, default=inf)

    @property
    def unwritten(self) -> int:
        """Return how many keys were used since it was last written."""
        return len(self._unwritten)

    def write_last_used(self, tx: Tx) -> int:
        """Write when keys were last used, where a minute has passed; returns how many."""
        with self._turn:
            noted, self._unwritten = self._unwritten, {}
        write_uses(tx, noted)
        return len(noted)

    def _note_use(self, key_id: str, now_us: int) -> None:
        if now_us - self._used.get(key_id, 0) >= _USED_EVERY_US:
            with self._turn:
                self._used[key_id] = self._unwritten[key_id] = now_us

    # -- people --------------------------------------------------------------------------------------

    def create_person(
        self, tx: Tx, by: Principal, name: str, roles: Collection[str],
        entities: Collection[str] | None = None,
    ) -> tuple[str, str]:  # fmt: skip
        """Name a new person with roles; returns the person's id and the grant's.

        Raises:
            Forbidden: not an administrator. InputError: a role that is none. StoreConflict: a name in use.
        """
        _require_admin(by)
        check_name(name)
        check_roles(roles)
        check_entities(entities)
        _within(by, entities)
        person_id = add_person(tx, name, (), "pending", by.identity)
        self._decided(tx, "person.named", by, person=person_id, name=name)
        return person_id, self._propose_roles(tx, by, person_id, roles, entities)

    def propose_grant(
        self, tx: Tx, by: Principal, person_id: str, roles: Collection[str],
        entities: Collection[str] | None = None,
    ) -> str:  # fmt: skip
        """Propose what roles a person has from now on; returns the grant's id.

        Raises:
            Forbidden, InputError, NotFound. StoreConflict: the person was disabled.
        """
        _require_admin(by)
        check_roles(roles)
        check_entities(entities)
        _within(by, entities)
        if person_of(tx.conn, person_id).state == "disabled":
            raise StoreConflict("this person was disabled; name the person anew")
        return self._propose_roles(tx, by, person_id, roles, entities)

    def decide_grant(
        self, tx: Tx, grant_id: str, approver: Principal, approve: bool = True, reason: str = ""
    ) -> Proposal:
        """Approve or reject a grant; see `Proposals.decide`."""
        return self.proposals.decide(tx, grant_id, approver, approve, reason)

    def disable_person(self, tx: Tx, by: Principal, person_id: str) -> None:
        """Lock a person out, with all keys, at once; this takes no second person.

        Raises:
            Forbidden, NotFound. InputError: oneself.
        """
        _require_admin(by)
        person_of(tx.conn, person_id)
        if by.person_id == person_id:
            raise InputError("an administrator does not lock out himself; ask another")
        change_person(tx, person_id, state="disabled")
        self._decided(tx, "person.disabled", by, person=person_id)

    # -- keys ----------------------------------------------------------------------------------------

    def create_key(self, tx: Tx, by: Principal, spec: KeySpec) -> NewKey:
        """Make a key; it works when its grant was approved.

        Raises:
            Forbidden: neither an administrator nor one's own. InputError, NotFound.
        """
        by.require_person()
        if spec.person_id is None or spec.person_id != by.person_id:
            _require_admin(by)
        spec.check()
        _within(by, spec.entities)
        if spec.expires_us is not None and spec.expires_us <= tx.clock.now_us():
            raise InputError("the key would have expired before it is made; name a later time")
        if spec.person_id is not None and person_of(tx.conn, spec.person_id).state == "disabled":
            raise InputError("this person was disabled; a key would be of no use")
        key_id, token = add_key(tx, spec, "pending", by.identity)
        facts = {"person": spec.person_id, "spec": shown(spec), "print": fingerprint(digest(token))}
        self._decided(tx, "key.made", by, made=key_id, **facts)
        body = {"grant": "key", "person": spec.person_id, "made": key_id, "spec": shown(spec)}
        return NewKey(key_id, token, self.proposals.propose(tx, "grant", body, by))

    def rotate_key(self, tx: Tx, by: Principal, key_id: str, overlap_us: int = DAY_US) -> NewKey:
        """Replace a key by a new one that may do the same; both work for `overlap_us`.

        A person's key is rotated by that person, a service's by an administrator. A key that waits for
        being exchanged ends at once.

        Raises:
            Forbidden: another's. NotFound. StoreConflict: not in use. InputError: an overlap beyond 7 days.
        """
        old = key_of(tx.conn, key_id)
        if not by.is_person or (old.person_id is not None and old.person_id != by.person_id):
            raise Forbidden("a person's key is rotated by that person alone")
        if old.person_id is None:
            _require_admin(by)
        if not 0 <= overlap_us <= OVERLAP_MAX_US:
            raise InputError("keys overlap for 0 to 7 days")
        now = tx.clock.now_us()
        if old.state not in ("active", "enrol") or old.replaced_by or (old.expires_us or now + 1) <= now:
            raise StoreConflict("this key is not in use, or was rotated before; make a new one")
        life = None if old.expires_us is None else now + old.expires_us - old.created_us
        spec = KeySpec(old.name, old.scopes, old.person_id, old.roles, old.mode, old.entities, life)
        new, token = add_key(tx, spec, "active", by.identity)
        changes: dict[str, Any] = {"replaced_by": new}
        ends = now if old.state == ENROL else min(now + overlap_us, old.expires_us or now + overlap_us)
        changes |= {"expires_us": ends} if ends > now else {"state": "revoked", "revoked_us": now}
        change_key(tx, key_id, **changes)
        facts = {"old": key_id, "old_expires_us": changes.get("expires_us"), "expires_us": life}
        self._decided(tx, "key.rotated", by, made=new, print=fingerprint(digest(token)), **facts)
        return NewKey(new, token, None)

    def revoke_key(self, tx: Tx, by: Principal, key_id: str) -> None:
        """End a key at once: one's own, or any as an administrator; this takes no second person.

        Raises:
            Forbidden, NotFound.
        """
        found = key_of(tx.conn, key_id)
        if found.person_id is None or found.person_id != by.person_id:
            _require_admin(by)
        if found.state != "revoked":
            change_key(tx, key_id, state="revoked", revoked_us=tx.clock.now_us())
            self._decided(tx, "key.revoked", by, revoked=key_id)

    # -- links ---------------------------------------------------------------------------------------

    def propose_link(
        self, tx: Tx, by: Principal, person_id: str, issuer: str, subject: str
    ) -> tuple[str, str]:
        """Propose that a subject of an issuer of tokens is a person; returns the link's id and the grant's.

        Raises:
            Forbidden: not an administrator. InputError, NotFound. StoreConflict: the subject is linked, or
                the person was disabled.
        """
        _require_admin(by)
        person = person_of(tx.conn, person_id)
        _within(by, person.entities)
        if person.state == "disabled":
            raise StoreConflict("this person was disabled; a link would be of no use")
        link = add_link(tx, person_id, issuer, subject, by.identity)
        self._decided(tx, "link.made", by, made=link.id, person=person_id, print=link.fingerprint)
        body = {"grant": "link", "person": person_id, "made": link.id, "issuer": issuer, "subject": subject}
        return link.id, self.proposals.propose(tx, "grant", body, by)

    def revoke_link(self, tx: Tx, by: Principal, link_id: str) -> None:
        """End a link at once: one's own, or any as an administrator; this takes no second person.

        Raises:
            Forbidden, NotFound.
        """
        found = link_of(tx.conn, link_id)
        if found.person_id != by.person_id:
            _require_admin(by)
        if found.state != "revoked":
            change_link(tx, link_id, state="revoked", revoked_us=tx.clock.now_us())
            self._decided(tx, "link.revoked", by, revoked=link_id)

    # -- the first -----------------------------------------------------------------------------------

    def bootstrap(self, tx: Tx, first: Sequence[tuple[str, Collection[str]]]) -> list[NewKey]:
        """Make the first administrators, two people at least, while there is none; returns a key of each.

        Args:
            first: name of each person, and roles besides that of an administrator.

        Raises:
            StoreConflict: there is an administrator with a key. InputError: fewer than two names.
        """
        now = tx.clock.now_us()
        persons = {p.id: p for p in list_people(tx.conn)}
        for key in list_keys(tx.conn):
            who = known_key(key, _NOBODY, persons)
            if not who.fault and "admin" in who.principal.roles and (key.expires_us or now + 1) > now:
                raise StoreConflict("there is an administrator already; ask that person for a grant")
        if len({name for name, _ in first}) < max(2, len(first)):
            raise InputError("name two different people at least: what matters takes a second one")
        return [self._first(tx, name, frozenset({"admin", *roles})) for name, roles in first]

    def _first(self, tx: Tx, name: str, roles: frozenset[str]) -> NewKey:
        check_name(name)
        check_roles(roles)
        person_id = add_person(tx, name, roles, "active", "bootstrap")
        spec = KeySpec(name, SCOPES, person_id)
        key_id, token = add_key(tx, spec, "active", "bootstrap")
        facts = {"person": person_id, "name": name, "roles": sorted(roles), "spec": shown(spec)}
        self._decided(tx, "access.bootstrap", None, made=key_id, print=fingerprint(digest(token)), **facts)
        return NewKey(key_id, token, None)

    # -- grants --------------------------------------------------------------------------------------

    def _propose_roles(
        self, tx: Tx, by: Principal, person_id: str, roles: Collection[str], entities: Collection[str] | None
    ) -> str:
        lists = {"roles": sorted(roles), "entities": None if entities is None else sorted(entities)}
        return self.proposals.propose(tx, "grant", {"grant": "roles", "person": person_id} | lists, by)

    def _granted(self, tx: Tx, grant: Proposal, by: Principal) -> None:
        """What the approval or the rejection of a grant leads to."""
        body, approved = grant.body, grant.state == APPROVED
        person_id = body["person"]
        if approved and person_id is not None and person_id == by.person_id:
            raise FourEyes("who is granted something does not approve it; ask a third person")
        if approved:
            _within(by, entities_of(tx, body))
        EFFECTS[body["grant"]](tx, body, approved)
        self._decided(tx, "grant.applied" if approved else "grant.refused", by, proposal=grant.id)

    def _decided(self, tx: Tx, what: str, by: Principal | None, **facts: Any) -> None:
        who = {"by": by.identity, "key": by.key_id} if by is not None else {"by": "bootstrap", "key": None}
        text = json.dumps({"decision": what} | who | facts, ensure_ascii=False, separators=(",", ":"))
        seq = journal.append(tx, "decision", text.encode(), tx.clock.now_us()).seq
        with self._turn:
            self._changes.add(seq)
            self._first_change = min(self._changes)


def _require_admin(by: Principal) -> None:
    by.require_person()
    by.require("admin", ("admin",))


def _within(by: Principal, entities: Collection[str] | None) -> None:
    if by.entities is not None and (entities is None or not frozenset(entities) <= by.entities):
        raise Forbidden("you may grant access to your own reporting entities only; name some of them")
