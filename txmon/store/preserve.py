"""Preservation orders: what an authority asks to be kept, for how long, and who may know of it.

    order_id = make(tx, who, Terms("Police of ...", "ref 12", why, subjects=("acct-1",)), people=())
    renew(tx, who, order_id, version, days, why); grant(tx, who, order_id, version, person_id, True)
    propose_release(tx, proposals, who, order_id, why)      a second person ends it

An order may be secret: it is known to its author, to whom the author named, and to whom somebody on its list
who decides (approver, safeguarding) lets in. For everybody else there is none. It runs for 90 days unless
said otherwise, and ends by itself; before that it takes two people. The journal holds a hash of what an order
says, never whom it names. Owns the orders; what they hold is `txmon.store.preserved`'s part.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from txmon.errors import Forbidden, InputError, NotFound, StoreConflict, WrongState
from txmon.store.accounts import person_of as stored_person
from txmon.store.casetables import cases
from txmon.store.db import Tx
from txmon.store.decisions import decided
from txmon.store.foureyes import APPROVED, Proposal, Proposals
from txmon.store.identity import Principal, new_id
from txmon.store.preservetables import preservation, preservation_access
from txmon.store.retention import DAY_US
from txmon.store.texts import as_json, clean

RELEASE = "hold_release"
DAYS, DAYS_MAX = 90, 366
DECIDERS = frozenset(("approver", "safeguarding"))
_MOST = 1000


@dataclass(frozen=True)
class Terms:
    """What an order says. from_us, to_us: event times, microseconds UTC; the second is not included."""

    authority: str
    reference: str
    reason: str
    subjects: tuple[str, ...] = ()
    events: tuple[tuple[str, str], ...] = ()
    cases: tuple[str, ...] = ()
    from_us: int | None = None
    to_us: int | None = None

    def check(self) -> None:
        """Raises: InputError: nothing is held, too much is named, or a time that cannot be."""
        if not (self.subjects or self.events or self.cases):
            raise InputError("name what is held: subjects, events or cases")
        if len(self.subjects) + len(self.events) + len(self.cases) > _MOST:
            raise InputError(f"an order names at most {_MOST} subjects, events and cases")
        if any(not text.strip() for text in (self.authority, self.reference, self.reason, *self.subjects)):
            raise InputError("authority, reference, reason and subjects are not empty")
        if self.from_us is not None and self.to_us is not None and self.from_us >= self.to_us:
            raise InputError("the range of time ends before it begins")


@dataclass(frozen=True)
class Order:
    """An order as it stands. Times in microseconds UTC."""

    order_id: str
    authority: str
    reference: str
    reason: str
    subjects: tuple[str, ...]
    events: tuple[tuple[str, str], ...]
    cases: tuple[str, ...]
    from_us: int | None
    to_us: int | None
    author: str
    created_us: int
    until_us: int
    ended_us: int | None
    copied_until_us: int | None
    version: int
    journal_seq: int

    def in_force(self, now_us: int) -> bool:
        """Whether it holds anything at a moment."""
        return self.ended_us is None and now_us < self.until_us


def make(tx: Tx, who: Principal, terms: Terms, days: int = DAYS, people: Collection[str] = ()) -> str:
    """Make an order; returns its id. It is in force at once: what is asked for must not be lost meanwhile.

    Args:
        people: ids of persons who may know of it, besides the author.

    Raises:
        FourEyes: a service. Forbidden: takes approver or safeguarding. NotFound: no such person or case.
        InputError: see `Terms.check`; days beyond 366.
    """
    _decides(who)
    terms.check()
    _check_days(days)
    for person in people:
        stored_person(tx.conn, person)
    query = sa.select(cases.c.case_id).where(cases.c.case_id.in_(terms.cases))
    if len(set(tx.conn.execute(query).scalars())) < len(set(terms.cases)):
        raise NotFound("there is no such case")
    now, order_id = tx.clock.now_us(), new_id("pro", tx.random_bytes)
    until = now + days * DAY_US
    salt = tx.random_bytes(16).hex()
    seq = decided(tx, "preservation.made", who, order=order_id, until_us=until, terms=_digest(terms, salt))
    texts = {name: clean(getattr(terms, name)) for name in ("authority", "reference", "reason")}
    lists = {name: as_json(getattr(terms, name)) for name in ("subjects", "events", "cases")}
    row: dict[str, Any] = {
        "order_id": order_id,
        **texts,
        **lists,
        "from_us": terms.from_us,
        "to_us": terms.to_us,
    }
    row |= {"author": who.identity, "created_us": now, "until_us": until, "version": 1, "journal_seq": seq}
    tx.conn.execute(sa.insert(preservation).values(row))
    for person in sorted({str(who.person_id), *people}):
        _let_in(tx, who, order_id, person)
    return order_id


def renew(tx: Tx, who: Principal, order_id: str, version: int, days: int, reason: str) -> int:
    """Let an order run for so many days from now; returns its new version.

    Raises:
        FourEyes, Forbidden, NotFound, StoreConflict, InputError. WrongState: it has ended.
    """
    _decides(who)
    order = _taken(tx, who, order_id, version)
    _check_days(days)
    until = max(order.until_us, tx.clock.now_us() + days * DAY_US)
    seq = decided(tx, "preservation.renewed", who, order=order_id, until_us=until, reason=reason)
    return _put(tx, order, seq, until_us=until)


def grant(tx: Tx, who: Principal, order_id: str, version: int, person_id: str, allowed: bool) -> int:
    """Let a person know of an order, or no longer; returns the order's version.

    Raises:
        FourEyes, Forbidden, NotFound, StoreConflict. InputError: its author.
    """
    _decides(who)
    order = _taken(tx, who, order_id, version)
    stored_person(tx.conn, person_id)
    if not allowed and order.author == f"person:{person_id}":
        raise InputError("the author of an order always knows of it")
    seq = decided(tx, "preservation.access", who, order=order_id, person=person_id, allowed=allowed)
    where = (preservation_access.c.order_id == order_id, preservation_access.c.person_id == person_id)
    tx.conn.execute(sa.delete(preservation_access).where(*where))
    if allowed:
        _let_in(tx, who, order_id, person_id)
    return _put(tx, order, seq)


def propose_release(
    tx: Tx, proposals: Proposals, who: Principal, order_id: str, version: int, reason: str
) -> str:
    """Propose to end an order before its time; returns the proposal's id.

    Raises:
        FourEyes, NotFound, StoreConflict. WrongState: it has ended.
    """
    order = _taken(tx, who, order_id, version)
    body = {"order_id": order_id, "version": order.version, "reason": reason}
    return proposals.propose(tx, RELEASE, body, who)


def released(tx: Tx, proposal: Proposal, by: Principal) -> None:
    """What the approval leads to."""
    if proposal.state != APPROVED:
        return
    order = _taken(tx, by, proposal.body["order_id"], proposal.body["version"])
    facts = {"order": order.order_id, "proposal": proposal.id, "author": proposal.author}
    seq = decided(tx, "preservation.released", by, reason=proposal.body["reason"], **facts)
    _put(tx, order, seq, ended_us=tx.clock.now_us())


def seen_by(who: Principal) -> sa.ColumnElement[bool]:
    """Return the condition on `preservation` that leaves the orders this one may know of."""
    listed = sa.exists().where(
        preservation_access.c.order_id == preservation.c.order_id,
        preservation_access.c.person_id == (who.person_id or ""),
    )
    if who.past is None:
        return listed
    ended = sa.func.coalesce(preservation.c.ended_us, preservation.c.until_us)
    return sa.and_(listed, ended > who.past.before("orders"))


def find(conn: sa.Connection, who: Principal, order_id: str) -> Order:
    """Return an order.

    Raises:
        NotFound: there is none, or none that this one may know of.
    """
    query = sa.select(preservation).where(preservation.c.order_id == order_id, seen_by(who))
    row = conn.execute(query).mappings().first()
    if row is None:
        raise NotFound("there is no such order")
    return _order(row)


def listed(conn: sa.Connection, who: Principal, after: tuple[int, str] | None, limit: int) -> list[Order]:
    """Return the orders that this one may know of, the newest first, behind a key."""
    query = sa.select(preservation).where(seen_by(who))
    if after is not None:
        here = sa.tuple_(preservation.c.created_us, preservation.c.order_id)
        query = query.where(here < sa.tuple_(*map(sa.literal, after)))
    query = query.order_by(preservation.c.created_us.desc(), preservation.c.order_id.desc()).limit(limit)
    return [_order(row) for row in conn.execute(query).mappings()]


def people_of(conn: sa.Connection, order_id: str) -> list[str]:
    """Return who may know of an order."""
    query = sa.select(preservation_access.c.person_id).where(preservation_access.c.order_id == order_id)
    return sorted(conn.execute(query).scalars())


def hidden_orders(conn: sa.Connection, who: Principal, names: Collection[str]) -> frozenset[str]:
    """Return which of these ids are orders that are not this one's to know."""
    query = sa.select(preservation.c.order_id).where(
        preservation.c.order_id.in_(list(names)), sa.not_(seen_by(who))
    )
    return frozenset(conn.execute(query).scalars())


def in_force(conn: sa.Connection, now_us: int) -> list[Order]:
    """Return the orders that hold something at a moment, the oldest first."""
    query = sa.select(preservation).where(preservation.c.ended_us.is_(None), preservation.c.until_us > now_us)
    query = query.order_by(preservation.c.created_us, preservation.c.order_id)
    return [_order(row) for row in conn.execute(query).mappings()]


def _order(row: sa.RowMapping) -> Order:
    values = dict(row)
    values |= {name: tuple(json.loads(values[name])) for name in ("subjects", "cases")}
    values["events"] = tuple((source, event_id) for source, event_id in json.loads(values["events"]))
    return Order(**values)


def _decides(who: Principal) -> None:
    who.require_person()
    if not who.roles & DECIDERS:
        raise Forbidden("orders are made by an approver or by safeguarding; ask one of them")


def _check_days(days: int) -> None:
    if not 1 <= days <= DAYS_MAX:
        raise InputError(f"an order runs for 1 to {DAYS_MAX} days, and may be renewed")


def _digest(terms: Terms, salt: str) -> str:
    return sha256(as_json([salt, asdict(terms)]).encode()).hexdigest()


def _let_in(tx: Tx, by: Principal, order_id: str, person_id: str) -> None:
    row = {"order_id": order_id, "person_id": person_id, "granted_by": by.identity}
    tx.conn.execute(sa.insert(preservation_access).values(row | {"granted_us": tx.clock.now_us()}))


def _taken(tx: Tx, who: Principal, order_id: str, version: int) -> Order:
    who.require_person()
    order = find(tx.conn, who, order_id)
    if order.version != version:
        raise StoreConflict("the order is not in this version any more; read it again")
    if not order.in_force(tx.clock.now_us()):
        raise WrongState("the order has ended; make a new one")
    return order


def _put(tx: Tx, order: Order, seq: int, **values: Any) -> int:
    version = order.version + 1
    where = (preservation.c.order_id == order.order_id, preservation.c.version == order.version)
    values |= {"version": version, "journal_seq": seq}
    if tx.conn.execute(sa.update(preservation).where(*where).values(values)).rowcount != 1:
        raise StoreConflict("the order is not in this version any more; read it again")
    return version
