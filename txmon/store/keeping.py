"""Copies of what is held, made before it leaves the store, and what can be proved with one.

    item = event_item(store, row, place)      an event with its leaf, salt and place in the journal
    proof_of(store, item)                     its inclusion, though the journal holds only the leaf any more

A keeper is where copies go: it says that they are durable by returning. Owns the form of a copy, which is
plain JSON values, and the protocol; the encrypted vault is a keeper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from txmon.errors import InputError
from txmon.store import journal, merkle
from txmon.store.db import GENESIS, Store, head_at
from txmon.store.eventrows import plain
from txmon.store.proof import Link, Proof, content_of
from txmon.store.schema import journal as journal_table

Item = Mapping[str, Any]
ORDER = "preservation"  # the kind of copies that an order keeps


class Keeper(Protocol):
    """Where copies are kept: durable, and closed to every other route."""

    def keep(self, kind: str, owner: str, items: Sequence[Item], keep_until: int, why: str, who: str) -> Any:
        """Keep copies for an owner until a moment, microseconds UTC; durable when it returns."""
        ...

    def kept(self, owner: str) -> Sequence[Item]:
        """Return the copies that are kept for an owner."""
        ...


def event_items(store: Store, entry: journal.Entry, row: Any, chosen: Sequence[int]) -> list[dict[str, Any]]:
    """Return copies of the events at these indexes of a journal row's table.

    Args:
        row: the journal row as the database has it.
    """
    with store.read() as conn:
        previous = head_at(conn, entry.seq - 1) or GENESIS
    found = []
    for index in chosen:
        place = int(entry.rows[index])
        salt = row.salts[place * merkle.SALT : (place + 1) * merkle.SALT]
        leaf = row.leaves[place * merkle.HASH : (place + 1) * merkle.HASH]
        path = merkle.path_of(row.leaves, place)
        found.append({
            "what": "event", "ingest_seq": entry.first_event_seq + place, "seq": entry.seq, "place": place,
            "kind": entry.kind, "received_at_us": entry.received_at_us, "previous": previous.hex(),
            "root": entry.root.hex(), "leaf": leaf.hex(), "salt": salt.hex(),
            "path": [[right, sibling.hex()] for right, sibling in path],
            "content": content_of(entry.table, index),
            "event": plain(entry.table.slice(index, 1).to_pylist()[0]),
        })  # fmt: skip
    return found


def document_item(row: Any, content: bytes) -> dict[str, Any]:
    """Return a copy of a decision, with its leaf and salt."""
    return {
        "what": "document", "seq": row.seq, "kind": row.kind, "received_at_us": row.received_at,
        "root": row.root.hex(), "leaf": row.leaves.hex(), "salt": row.salts.hex(),
        "content": content.decode("utf-8", "replace"),
    }  # fmt: skip


def row_item(table: sa.Table, row: sa.RowMapping) -> dict[str, Any]:
    """Return a copy of a row of a table; bytes as ``{"hex": ...}``."""
    values = {name: {"hex": bytes(v).hex()} if isinstance(v, bytes) else v for name, v in row.items()}
    return {"what": "row", "table": table.name, "row": values}


def identity_of(item: Item) -> tuple[Any, ...]:
    """Return what tells a copy from others, so that a run which broke off copies nothing twice."""
    if item["what"] == "event":
        return ("event", item["ingest_seq"], item["salt"])
    if item["what"] == "document":
        return ("document", item["seq"])
    return ("row", item["table"], repr(sorted(item["row"].items())))


def proof_of(store: Store, item: Item, upto: int | None = None) -> Proof:
    """Prove from a copy that its event stands in the journal, up to row `upto` (default: the newest).

    Raises:
        InputError: the copy is of no event, or of another journal.
    """
    if item.get("what") != "event":
        raise InputError("only a copy of an event can be proved to stand in the journal")
    columns = journal_table.c
    query = sa.select(columns.seq, columns.kind, columns.received_at, columns.root).where(
        columns.seq >= item["seq"]
    )
    query = query if upto is None else query.where(columns.seq <= upto)
    with store.read() as conn:
        links = tuple(
            Link(row.seq, row.kind, row.received_at, row.root.hex())
            for row in conn.execute(query.order_by(columns.seq))
        )
    if not links or links[0].root != item["root"]:
        raise InputError("the copy is of another journal, or of a row after the one that is asked for")
    path = tuple((bool(right), str(sibling)) for right, sibling in item["path"])
    return Proof(item["ingest_seq"], item["content"], item["salt"], path, item["previous"], links)
