"""Proof that an event stands in the journal, for someone who has only a head.

A proof holds the event, its salt, the hashes beside its way to the root of its batch, and kind, time and
root of the journal rows after it up to the head. Nothing in it tells anything of another customer: the
other leaves are salted hashes. Owns making and checking of proofs; the file format is JSON.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from txmon.errors import InputError, StoreCorrupt
from txmon.store import journal, merkle
from txmon.store.canonical import canonical_rows
from txmon.store.db import GENESIS, Store, head_at
from txmon.store.schema import journal as journal_table


@dataclass(frozen=True)
class Link:
    """A journal row as the chain sees it."""

    seq: int
    kind: str
    received_at_us: int
    root: str  # hexadecimal, like every hash here


@dataclass(frozen=True)
class Proof:
    """See the module. `links` starts with the event's own row; `content` is the event's canonical bytes."""

    ingest_seq: int
    content: str
    salt: str
    path: tuple[tuple[bool, str], ...]  # is the sibling on the right, and its hash
    previous: str  # head before the event's row
    links: tuple[Link, ...]

    def verify(self, head: bytes) -> bool:
        """Say whether the event stands in the journal that ends with `head`."""
        try:
            leaf = merkle.bytes_leaf(bytes.fromhex(self.salt), self.content.encode())
            path = [(right, bytes.fromhex(sibling)) for right, sibling in self.path]
            at = bytes.fromhex(self.previous)
            if not self.links or merkle.root_from(leaf, path) != bytes.fromhex(self.links[0].root):
                return False
            for number, link in enumerate(self.links, self.links[0].seq):
                if link.seq != number:
                    return False
                at = journal.next_head(at, link.seq, link.kind, link.received_at_us, bytes.fromhex(link.root))
        except (ValueError, OverflowError):
            return False
        return at == head

    def to_json(self) -> str:
        """Return the proof as a JSON object."""
        return json.dumps(asdict(self), ensure_ascii=False)


def read_proof(text: str) -> Proof:
    """Read what `Proof.to_json` wrote.

    Raises:
        InputError: it is no proof.
    """
    try:
        found: dict[str, Any] = json.loads(text)
        found["links"] = tuple(Link(**link) for link in found["links"])
        found["path"] = tuple((bool(right), str(sibling)) for right, sibling in found["path"])
        return Proof(**found)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("the file holds no inclusion proof; export it again") from error


def prove(store: Store, ingest_seq: int, upto: int | None = None) -> Proof:
    """Prove that the event numbered `ingest_seq` is in the journal, up to row `upto` (default: the newest).

    Raises:
        InputError: there is no such event, or `upto` is before it. StoreCorrupt: the event was erased.
    """
    with store.read() as conn:
        row = conn.execute(
            sa.select(journal_table).where(
                journal_table.c.kind == journal.EVENTS,
                journal_table.c.first_event_seq <= ingest_seq,
                journal_table.c.first_event_seq + journal_table.c.event_count > ingest_seq,
            )
        ).first()
        if row is None:
            raise InputError(f"event {ingest_seq} is not in the journal")
        query = sa.select(
            journal_table.c.seq, journal_table.c.kind, journal_table.c.received_at, journal_table.c.root
        ).where(journal_table.c.seq >= row.seq)
        query = query if upto is None else query.where(journal_table.c.seq <= upto)
        links = tuple(
            Link(r.seq, r.kind, r.received_at, r.root.hex())
            for r in conn.execute(query.order_by(journal_table.c.seq))
        )
        previous = head_at(conn, row.seq - 1) or GENESIS
    if not links:
        raise InputError(f"event {ingest_seq} came with row {row.seq}, after row {upto}")
    entry = journal.entry_of(store, row)
    place = ingest_seq - entry.first_event_seq
    found = [i for i, p in enumerate(entry.rows.tolist()) if p == place]
    if not found:
        raise StoreCorrupt(f"event {ingest_seq} was erased; only its leaf is left")
    salt = row.salts[place * merkle.SALT : (place + 1) * merkle.SALT]
    path = tuple((right, sibling.hex()) for right, sibling in merkle.path_of(row.leaves, place))
    content = content_of(entry.table, found[0])
    return Proof(ingest_seq, content, salt.hex(), path, previous.hex(), links)


def content_of(table: pa.Table, row: int) -> str:
    """Return the canonical bytes of a row, which are UTF-8 text for canonical events."""
    rows = canonical_rows(table.slice(row, 1))
    return bytes(rows.data[: int(rows.edges[1])]).decode("utf-8")
