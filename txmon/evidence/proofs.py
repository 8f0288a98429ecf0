"""Inclusion proofs of a bundle: one chain of rows for all of its events, a leaf and its way for each.

A proof that is *open* tells salt and canonical bytes; a *closed* one only the leaf, for bundles that do not
tell all of an event. Neither tells anything of other events: the neighbours are salted hashes. Owns the
tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from txmon.errors import StoreCorrupt
from txmon.evidence.tables import CHAIN, PROOFS
from txmon.store import Store, journal, merkle
from txmon.store.db import GENESIS, head_at
from txmon.store.proof import content_of
from txmon.store.schema import journal as rows


@dataclass(frozen=True)
class Proven:
    """Proofs with the chain they end in. previous: the head before the chain's first row."""

    proofs: pa.Table
    chain: pa.Table
    previous: str
    first_seq: int
    head_seq: int
    head: str


def prove_all(
    store: Store, numbers: Sequence[int], documents: Mapping[str, int], head: tuple[int, bytes]
) -> Proven:
    """Prove events and documents (file of the bundle -> row of the journal) up to a head.

    Proofs are open but for events of which values were erased since.

    Raises:
        StoreCorrupt: an event was erased.
    """
    made: list[dict[str, Any]] = []
    with store.read() as conn:
        waiting = sorted(numbers)
        while waiting:
            row = conn.execute(
                sa.select(rows).where(
                    rows.c.kind == journal.EVENTS,
                    rows.c.first_event_seq <= waiting[0],
                    rows.c.first_event_seq + rows.c.event_count > waiting[0],
                )
            ).one()
            own = [n for n in waiting if n < row.first_event_seq + row.event_count]
            made += _of_row(store, row, own)
            waiting = waiting[len(own) :]
        for file, seq in documents.items():
            row = conn.execute(sa.select(rows).where(rows.c.seq == seq)).one()
            made.append(_proof(row, 0, file) | {"content": None})
        first = min(each["journal_seq"] for each in made)
        links = conn.execute(
            sa.select(rows.c.seq, rows.c.kind, rows.c.received_at, rows.c.root)
            .where(rows.c.seq.between(first, head[0]))
            .order_by(rows.c.seq)
        ).all()
        previous = head_at(conn, first - 1) or GENESIS
    chain = [
        {"seq": r.seq, "kind": r.kind, "received_at": r.received_at, "root": bytes(r.root).hex()}
        for r in links
    ]
    return Proven(
        pa.Table.from_pylist(made, schema=PROOFS), pa.Table.from_pylist(chain, schema=CHAIN),
        previous.hex(), first, head[0], head[1].hex(),
    )  # fmt: skip


def _of_row(store: Store, row: Any, numbers: Sequence[int]) -> list[dict[str, Any]]:
    entry = journal.entry_of(store, row)
    places = {place: i for i, place in enumerate(entry.rows.tolist())}
    found = []
    for number in numbers:
        place = number - entry.first_event_seq
        if place not in places:
            raise StoreCorrupt(f"event {number} was erased; what rested on it cannot be shown any more")
        content = content_of(entry.table, places[place])
        proof = _proof(row, place, "event") | {"ingest_seq": number, "content": content}
        if merkle.bytes_leaf(bytes.fromhex(proof["salt"]), content.encode()).hex() != proof["leaf"]:
            proof |= {"salt": None, "content": None}  # values of it were erased: the leaf is that of before
        found.append(proof)
    return found


def _proof(row: Any, place: int, item: str) -> dict[str, Any]:
    size, salt = merkle.HASH, merkle.SALT
    path = [("R" if right else "L") + sibling.hex() for right, sibling in merkle.path_of(row.leaves, place)]
    return {
        "item": item,
        "ingest_seq": None,
        "journal_seq": row.seq,
        "leaf": bytes(row.leaves[place * size : (place + 1) * size]).hex(),
        "salt": bytes(row.salts[place * salt : (place + 1) * salt]).hex(),
        "path": path,
    }


def closed(proofs: pa.Table, shut: Sequence[bool]) -> pa.Table:
    """Return proofs with those in `shut` told by their leaf alone."""
    made = proofs.to_pylist()
    for row, close in zip(made, shut, strict=True):
        if close:
            row["salt"] = row["content"] = None
    return pa.Table.from_pylist(made, schema=PROOFS)
