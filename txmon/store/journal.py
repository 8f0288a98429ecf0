"""The journal: append a row, read rows, where it ends.

    head = SHA-256( previous head, 32 bytes; 32 zero bytes before the first row
                    seq, 8 bytes big end first
                    length of kind in UTF-8, 1 byte; kind
                    received_at, 8 bytes big end first, two's complement
                    root, 32 bytes )

An ``events`` row holds a batch in order of arrival; its events are numbered on from `first_event_seq`.
Other rows hold a document or a table and number no events. Owns the chain; what rows mean is their
writers' part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from txmon.errors import InputError, StoreCorrupt
from txmon.model.schema import CANONICAL
from txmon.store import codec, merkle
from txmon.store.db import Store, Tx
from txmon.store.schema import journal, payload_schemas

EVENTS = "events"
KINDS = (EVENTS, "decision", "config", "quarantine", "erasure", "activation", "bootstrap")
_INSERT, _INSERT_SCHEMA = sa.insert(journal), sa.insert(payload_schemas)
_PAGE_ROWS, _PAGE_BYTES = 4096, 8 << 20


@dataclass(frozen=True)
class Entry:
    """A row of the journal.

    payload: a table (without `ingest_seq`) or the bytes of a document. rows: place of each row of the
    table in the batch as it was appended, so an event's `ingest_seq` is ``first_event_seq + rows[i]``;
    places that are missing were erased.
    """

    seq: int
    kind: str
    received_at_us: int
    first_event_seq: int
    event_count: int
    root: bytes
    head: bytes
    payload: pa.Table | bytes
    rows: npt.NDArray[np.int64]
    entity: str | None = None
    mode: str | None = None

    @property
    def table(self) -> pa.Table:
        """The payload of a row that holds a table."""
        if isinstance(self.payload, bytes):
            raise StoreCorrupt(f"journal row {self.seq} ({self.kind}) holds a document where a table is due")
        return self.payload

    @property
    def document(self) -> bytes:
        """The payload of a row that holds a document."""
        if not isinstance(self.payload, bytes):
            raise StoreCorrupt(f"journal row {self.seq} ({self.kind}) holds a table where a document is due")
        return self.payload


def next_head(previous: bytes, seq: int, kind: str, received_at_us: int, root: bytes) -> bytes:
    """Return the head of a row; see the module for the bytes."""
    name = kind.encode()
    return sha256(
        previous
        + seq.to_bytes(8, "big")
        + len(name).to_bytes(1, "big")
        + name
        + received_at_us.to_bytes(8, "big", signed=True)
        + root
    ).digest()


def append(tx: Tx, kind: str, payload: pa.Table | bytes, received_at_us: int) -> Entry:
    """Append a row to the journal, in the caller's transaction.

    Args:
        payload: a table, with any columns that have canonical text (dictionaries are decoded,
            `ingest_seq` is dropped), or the bytes of a document.
        received_at_us: microseconds UTC at which it came in.

    Raises:
        InputError: a kind that is not in KINDS, a table without rows, a column without canonical text.
    """
    if kind not in KINDS:
        raise InputError(f"journal kind {kind!r} is not known; use one of {', '.join(KINDS)}")
    row: dict[str, Any] = {"entity": None, "mode": None, "schema_hash": None}
    count = 0
    if isinstance(payload, bytes):
        if kind == EVENTS:
            raise InputError("an events row holds a table of events, not a document")
        row["salts"] = tx.random_bytes(merkle.SALT)
        row["leaves"] = merkle.bytes_leaf(row["salts"], payload)
        row["payload"] = codec.pack(payload)
        rows = 1
    else:
        rows = len(payload)
        if rows == 0:
            raise InputError("a journal row without rows says nothing; leave it out")
        if "ingest_seq" in payload.column_names:
            payload = payload.drop_columns(["ingest_seq"])
        form = tx.forms.of(payload.schema)
        payload = codec.plain_table(payload, form)
        row |= _table_row(tx, payload, form)
        count = rows if kind == EVENTS else 0
    marks = tx.marks
    root = merkle.root_of(row["leaves"])
    seq, first = marks.seq + 1, marks.events
    head = next_head(marks.head, seq, kind, received_at_us, root)
    row |= {"seq": seq, "kind": kind, "received_at": received_at_us, "root": root, "head": head}
    row |= {"first_event_seq": first, "event_count": count}
    row["checksum"] = checksum(row)
    tx.conn.execute(_INSERT, row)
    marks.seq, marks.head, marks.events = seq, head, first + count
    places = np.arange(rows, dtype=np.int64)
    return Entry(
        seq, kind, received_at_us, first, count, root, head, payload, places, row["entity"], row["mode"]
    )


def checksum(row: sa.Row[Any] | Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of the columns that the chain reaches only through their meaning.

    The chain binds what events say, not how their bytes are compressed. This tells any other damage; it
    is no secret and proves nothing against a person.
    """
    values = row if isinstance(row, Mapping) else row._asdict()
    digest = sha256(values["payload"])
    digest.update(values["salts"])
    for name in ("first_event_seq", "event_count", "schema_hash", "entity", "mode"):
        value = values[name]
        digest.update(value if isinstance(value, bytes) else repr(value).encode())
        digest.update(b"\0")
    return digest.digest()


def _table_row(tx: Tx, table: pa.Table, form: codec.Form) -> dict[str, Any]:
    salts = tx.random_bytes(merkle.SALT * len(table))
    if form.named not in tx.known_schemas and form.named not in tx.new_schemas:
        tx.conn.execute(_INSERT_SCHEMA, {"hash": form.named, "bytes": form.stored})
        tx.new_schemas.add(form.named)
    return {
        "schema_hash": form.named,
        "payload": codec.pack_table(table),
        "leaves": merkle.table_leaves(table, salts),
        "salts": salts,
        "entity": same_text(table, "entity"),
        "mode": same_text(table, "mode"),
    }


def same_text(table: pa.Table, name: str) -> str | None:
    """Return the value that a column has in every row, None where rows differ or it is absent."""
    if name not in table.column_names:
        return None
    values = pc.unique(table.column(name))
    found: str | None = values[0].as_py() if len(values) == 1 else None
    return found


def warm() -> None:
    """Compile the kernels that hash events, or load them from disk: seconds once, then a moment."""
    row = {
        "event_id": "e",
        "event_time": 0,
        "lat": 0.5,
        "unconverted": False,
        "amount_minor": 1,
        "memo": None,
    }
    holder = {"party": "p", "role": None, "valid_from": 0, "valid_to": None}
    more = {"holders": [holder], "attributes": [("a", None)]}
    schema = pa.schema([field.with_nullable(True) for field in CANONICAL])
    table = pa.Table.from_pylist([row | more, row | {"memo": "m"}], schema=schema)
    merkle.table_leaves(table, bytes(2 * merkle.SALT))


def head(store: Store) -> tuple[int, bytes]:
    """Return number and head of the newest row in the database; (0, 32 zero bytes) if none."""
    with store.read() as conn:
        last = conn.execute(
            sa.select(journal.c.seq, journal.c.head).order_by(journal.c.seq.desc()).limit(1)
        ).first()
    return (int(last.seq), bytes(last.head)) if last is not None else (0, bytes(32))


def read(
    store: Store, from_seq: int = 1, to_seq: int | None = None, kinds: Sequence[str] | None = None
) -> Iterator[Entry]:
    """Yield rows in order, both ends included. Pages are read in transactions of their own.

    Raises:
        StoreCorrupt: a payload cannot be read; `verify` finds what else is wrong.
    """
    for row in raw_rows(store, from_seq, to_seq, kinds):
        yield entry_of(store, row)


def raw_rows(
    store: Store, from_seq: int = 1, to_seq: int | None = None, kinds: Sequence[str] | None = None
) -> Iterator[sa.Row[Any]]:
    """Yield database rows in order, a page of a few MiB at a time."""
    at, page = from_seq, 16
    while True:
        query = sa.select(journal).where(journal.c.seq >= at).order_by(journal.c.seq).limit(page)
        if to_seq is not None:
            query = query.where(journal.c.seq <= to_seq)
        if kinds is not None:
            query = query.where(journal.c.kind.in_(kinds))
        with store.read() as conn:
            rows = conn.execute(query).all()
        yield from rows
        if len(rows) < page:
            return
        at = int(rows[-1].seq) + 1
        size = sum(len(r.payload) + len(r.leaves) for r in rows)
        page = min(max(page * _PAGE_BYTES // max(size, 1), 1), page * 4, _PAGE_ROWS)


def entry_of(store: Store, row: sa.Row[Any]) -> Entry:
    """Return a database row as an entry.

    Raises:
        StoreCorrupt: its payload cannot be read.
    """
    payload: pa.Table | bytes
    try:
        if row.schema_hash is None:
            payload = bytes(codec.unpack(row.payload))
        else:
            payload = codec.unpack_table(row.payload, payload_schema(store, row.schema_hash))
    except StoreCorrupt as error:
        raise StoreCorrupt(f"journal row {row.seq}: {error.detail}") from error
    return Entry(
        row.seq, row.kind, row.received_at, row.first_event_seq, row.event_count, row.root, row.head,
        payload, present(row.salts), row.entity, row.mode,
    )  # fmt: skip


def present(salts: bytes) -> npt.NDArray[np.int64]:
    """Return the places whose salt is still there: the rows that were not erased."""
    words = np.frombuffer(salts, np.uint64).reshape(-1, 2)
    return np.flatnonzero(words.any(axis=1))


def payload_schema(store: Store, named: bytes) -> pa.Schema:
    """Return a payload schema.

    Raises:
        StoreCorrupt: it is missing or changed.
    """
    found = store.schema(named)
    if found is None:
        with store.read() as conn:
            stored = conn.execute(
                sa.select(payload_schemas.c.bytes).where(payload_schemas.c.hash == named)
            ).scalar()
        if stored is None:
            raise StoreCorrupt(f"payload schema {named.hex()[:16]} is missing; restore it from a backup")
        found = codec.read_schema(stored, named)
        store.keep_schema(named, found)
    return found
