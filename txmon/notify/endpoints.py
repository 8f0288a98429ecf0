"""Who is told: endpoints, their secrets and states, and the log of deliveries.

    endpoint, secret = endpoints.add(tx, master, Wanted(url, scope="neutral"), by="person:psn_...")
    endpoints.rotate_secret(tx, master, id, by=); endpoints.retire_old_secret(tx, id, by=)
    endpoints.disable(tx, id, by=); endpoints.enable(tx, id, by=)
    endpoints.replay(tx, id, [outbox ids], by=)          again, with the same webhook-id
    endpoints.listed(conn) -> [Endpoint]; endpoints.find(conn, id); endpoints.log(conn, id, limit, before)

What a person does is a journal row in the same transaction. Who may do it is the caller's to check. Owns the
tables `endpoints` and `deliveries`; never sends.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from txmon.errors import InputError, NotFound, StoreConflict
from txmon.notify.guard import check_url
from txmon.notify.message import FULL, NEUTRAL
from txmon.notify.signing import NONCE_BYTES, Master, Secret, secrets_of
from txmon.store import Tx, journal, offsets
from txmon.store.identity import new_id
from txmon.store.schema import deliveries, endpoints, outbox

ACTIVE, DISABLED = "active", "disabled"
TOPICS = ("alerts",)
REPLAY = "replay"
REPLAY_MAX = 10_000
ENDPOINTS_MAX = 200


@dataclass(frozen=True)
class Wanted:
    """An endpoint that is asked for."""

    url: str
    scope: str = NEUTRAL
    mode: str | None = None
    entities: frozenset[str] | None = None
    topics: frozenset[str] = frozenset(TOPICS)
    loopback: bool = False  # for tests only


@dataclass(frozen=True)
class Endpoint:
    """A receiver. mode, entities: None means all."""

    id: str
    url: str
    scope: str
    mode: str | None
    entities: frozenset[str] | None
    topics: frozenset[str]
    state: str
    failures: int
    created_us: int
    created_by: str
    nonce: bytes = field(repr=False)

    @property
    def secrets(self) -> int:
        """How many secrets sign its messages: two while receivers change to the newer one."""
        return len(self.nonce) // NONCE_BYTES

    def wants(self, topic: str, mode: str, entity: str) -> bool:
        """Say whether a message is for this receiver."""
        return (
            topic in self.topics
            and self.mode in (None, mode)
            and (self.entities is None or entity in self.entities)
        )


@dataclass(frozen=True)
class Delivery:
    """A line of the log."""

    id: int
    endpoint_id: str
    outbox_id: int
    attempt: int
    at_us: int
    outcome: str
    status: int | None
    duration_ms: int
    error: str | None


def add(tx: Tx, master: Master, wanted: Wanted, *, by: str) -> tuple[Endpoint, Secret]:
    """Add an endpoint; it is told what happens from now on. The secret is returned this once.

    Raises:
        Blocked, InputError: the URL, or another field. StoreConflict: there are too many.
    """
    check_url(wanted.url, loopback=wanted.loopback)
    if wanted.scope not in (NEUTRAL, FULL):
        raise InputError(f"scope {wanted.scope!r} is neither {NEUTRAL} nor {FULL}")
    if wanted.mode not in (None, "live", "test"):
        raise InputError("mode is live, test, or left out for both")
    if not wanted.topics or not wanted.topics <= set(TOPICS):
        raise InputError(f"topics are {', '.join(TOPICS)}; name at least one of them")
    if wanted.entities is not None and not wanted.entities:
        raise InputError("name at least one reporting entity, or leave entities out for all")
    count = tx.conn.execute(sa.select(sa.func.count()).select_from(endpoints)).scalar_one()
    if count >= ENDPOINTS_MAX:
        raise StoreConflict(f"there are {count} endpoints, which is the most; remove one")
    made = Endpoint(
        id=new_id("hook", tx.random_bytes),
        url=wanted.url,
        scope=wanted.scope,
        mode=wanted.mode,
        entities=wanted.entities,
        topics=wanted.topics,
        state=ACTIVE,
        failures=0,
        created_us=tx.clock.now_us(),
        created_by=by,
        nonce=tx.random_bytes(NONCE_BYTES),
    )
    seq = _decided(tx, "webhook.added", by, endpoint=made.id, url=made.url, scope=made.scope)
    row = {name: getattr(made, name) for name in ("id", "url", "scope", "mode", "state", "failures")}
    row |= {"created_us": made.created_us, "created_by": by, "secret_nonce": made.nonce}
    row |= {"topics": _texts(made.topics), "entities": _texts(made.entities)}
    tx.conn.execute(sa.insert(endpoints), row)
    set_position(tx, made.id, newest(tx.conn), seq)
    return made, secrets_of(master, made.nonce)[0]


def remove(tx: Tx, endpoint_id: str, *, by: str) -> None:
    """Remove an endpoint; the log of its deliveries stays.

    Raises:
        NotFound: there is none of this id.
    """
    find(tx.conn, endpoint_id)
    _decided(tx, "webhook.removed", by, endpoint=endpoint_id)
    tx.conn.execute(sa.delete(endpoints).where(endpoints.c.id == endpoint_id))
    offsets.reset(tx, _consumer(endpoint_id))


def enable(tx: Tx, endpoint_id: str, *, by: str) -> None:
    """Deliver again, from where it stopped.

    Raises:
        NotFound: there is none of this id.
    """
    find(tx.conn, endpoint_id)
    _decided(tx, "webhook.enabled", by, endpoint=endpoint_id)
    change(tx, endpoint_id, state=ACTIVE, failures=0)


def disable(tx: Tx, endpoint_id: str, *, by: str) -> None:
    """Stop delivering; what comes meanwhile is delivered when it is enabled again.

    Raises:
        NotFound: there is none of this id.
    """
    find(tx.conn, endpoint_id)
    _decided(tx, "webhook.disabled", by, endpoint=endpoint_id)
    change(tx, endpoint_id, state=DISABLED)


def rotate_secret(tx: Tx, master: Master, endpoint_id: str, *, by: str) -> Secret:
    """Make a new secret; until `retire_old_secret` messages are signed with both. Returned this once.

    Raises:
        NotFound: there is none of this id.
    """
    found = find(tx.conn, endpoint_id)
    nonce = tx.random_bytes(NONCE_BYTES) + found.nonce[:NONCE_BYTES]
    _decided(tx, "webhook.secret_rotated", by, endpoint=endpoint_id)
    change(tx, endpoint_id, secret_nonce=nonce)
    return secrets_of(master, nonce)[0]


def retire_old_secret(tx: Tx, endpoint_id: str, *, by: str) -> None:
    """Sign with the newest secret only.

    Raises:
        NotFound: there is none of this id.
    """
    found = find(tx.conn, endpoint_id)
    _decided(tx, "webhook.secret_retired", by, endpoint=endpoint_id)
    change(tx, endpoint_id, secret_nonce=found.nonce[:NONCE_BYTES])


def replay(tx: Tx, endpoint_id: str, outbox_ids: Iterable[int], *, by: str) -> int:
    """Deliver messages again; returns how many of them are still there and for this receiver's topics.

    Raises:
        NotFound: no such endpoint. StoreConflict: it is disabled. InputError: too many at once.
    """
    found, wanted = find(tx.conn, endpoint_id), sorted(set(outbox_ids))
    if found.state != ACTIVE:
        raise StoreConflict("the endpoint is disabled; enable it first")
    if len(wanted) > REPLAY_MAX:
        raise InputError(f"{len(wanted)} messages at once; replay at most {REPLAY_MAX}")
    there = [
        int(number)
        for part in _parts(wanted)
        for number in tx.conn.execute(
            sa.select(outbox.c.id)
            .where(outbox.c.id.in_(part), outbox.c.topic.in_(sorted(found.topics)))
            .order_by(outbox.c.id)
        ).scalars()
    ]
    _decided(tx, "webhook.replayed", by, endpoint=endpoint_id, messages=len(there))
    now = tx.clock.now_us()
    write_log(tx, [Delivery(0, endpoint_id, n, 0, now, "retry", None, 0, REPLAY) for n in there])
    return len(there)


def replay_range(tx: Tx, endpoint_id: str, from_us: int, to_us: int, *, by: str) -> int:
    """Deliver again what was written from one time to another (exclusive); see `replay`."""
    query = (
        sa.select(outbox.c.id)
        .where(outbox.c.created_us >= from_us, outbox.c.created_us < to_us)
        .order_by(outbox.c.id)
        .limit(REPLAY_MAX + 1)
    )
    return replay(tx, endpoint_id, [int(n) for n in tx.conn.execute(query).scalars()], by=by)


def find(conn: sa.Connection, endpoint_id: str) -> Endpoint:
    """Return an endpoint.

    Raises:
        NotFound: there is none of this id.
    """
    row = conn.execute(sa.select(endpoints).where(endpoints.c.id == endpoint_id)).mappings().first()
    if row is None:
        raise NotFound("there is no such webhook endpoint; list them")
    return _endpoint(row)


def listed(conn: sa.Connection) -> list[Endpoint]:
    """Return all endpoints, oldest first."""
    query = sa.select(endpoints).order_by(endpoints.c.created_us, endpoints.c.id)
    return [_endpoint(row) for row in conn.execute(query).mappings()]


def log(
    conn: sa.Connection, endpoint_id: str, *, limit: int = 100, before: int | None = None
) -> list[Delivery]:
    """Return deliveries of an endpoint, newest first; `before` is the id of the last one seen."""
    query = sa.select(deliveries).where(deliveries.c.endpoint_id == endpoint_id)
    if before is not None:
        query = query.where(deliveries.c.id < before)
    rows = conn.execute(query.order_by(deliveries.c.id.desc()).limit(limit)).mappings()
    return [Delivery(**row) for row in rows]


def change(tx: Tx, endpoint_id: str, **values: Any) -> bool:
    """Change columns of an endpoint; False where there is none of this id."""
    query = sa.update(endpoints).where(endpoints.c.id == endpoint_id).values(**values)
    return tx.conn.execute(query).rowcount == 1


def write_log(tx: Tx, made: Sequence[Delivery]) -> None:
    """Append to the log of deliveries; ids are given here."""
    if not made:
        return
    first = int(tx.conn.execute(sa.select(sa.func.coalesce(sa.func.max(deliveries.c.id), 0))).scalar_one())
    rows = [vars(delivery) | {"id": first + i} for i, delivery in enumerate(made, 1)]
    tx.conn.execute(sa.insert(deliveries), rows)


def position(conn: sa.Connection, endpoint_id: str) -> tuple[int, int]:
    """Return how far an endpoint has come: journal row and number of the last message it needs no more."""
    found = offsets.get(conn, _consumer(endpoint_id))
    return found.get("seq", 0), found.get("id", 0)


def set_position(tx: Tx, endpoint_id: str, place: tuple[int, int], seq: int) -> None:
    """Note how far an endpoint has come."""
    consumer = _consumer(endpoint_id)
    if (
        offsets.get(tx.conn, consumer).get("id", 0) > place[1]
    ):  # numbers began anew after the outbox was emptied
        offsets.reset(tx, consumer)
    offsets.put(tx, consumer, {"seq": place[0], "id": place[1]}, seq)


def newest(conn: sa.Connection) -> tuple[int, int]:
    """Return journal row and number of the newest message."""
    query = sa.select(outbox.c.created_seq, outbox.c.id).order_by(
        outbox.c.created_seq.desc(), outbox.c.id.desc()
    )
    row = conn.execute(query.limit(1)).first()
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


def _endpoint(row: Any) -> Endpoint:
    return Endpoint(
        **{name: row[name] for name in ("id", "url", "scope", "mode", "state", "created_us", "created_by")},
        failures=int(row["failures"]),
        topics=frozenset(json.loads(row["topics"])),
        entities=None if row["entities"] is None else frozenset(json.loads(row["entities"])),
        nonce=bytes(row["secret_nonce"]),
    )


def _texts(values: frozenset[str] | None) -> str | None:
    return None if values is None else json.dumps(sorted(values))


def _parts(numbers: list[int]) -> Iterable[list[int]]:
    return (numbers[start : start + 500] for start in range(0, len(numbers), 500))


def _consumer(endpoint_id: str) -> str:
    return f"webhook:{endpoint_id}"


def _decided(tx: Tx, what: str, by: str, **facts: Any) -> int:
    text = json.dumps({"decision": what, "by": by} | facts, ensure_ascii=False, separators=(",", ":"))
    return journal.append(tx, "decision", text.encode(), tx.clock.now_us()).seq
