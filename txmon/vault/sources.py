"""What the vault reads of the main store: a case's bounds, who may not know of it, and cited events.

Reading leaves no trace there: nothing is written, counted, audited or logged. Owns the two questions and the
copies of events, each with what proves that it stands in the journal: leaf, salt, way to the root, the row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from txmon.cases.sight import case_row, shut_names
from txmon.reports.model import EventRef, Report
from txmon.store import Store, journal, merkle
from txmon.store.casetables import case_parties
from txmon.store.db import GENESIS, head_at
from txmon.store.identity import Principal
from txmon.store.proof import content_of
from txmon.store.schema import hits
from txmon.store.schema import journal as rows
from txmon.vault.copies import Item

# case, id of the report, now in UTC microseconds, jurisdiction (None: that of the formats), formats
Drafter = Callable[[str, str, int, str | None, tuple[str, ...]], Report]
Copier = Callable[[Collection[EventRef]], "Copied"]


@dataclass(frozen=True)
class CaseFacts:
    """What of a case bounds a report of it. barred: people of ours who are parties of the case."""

    mode: str
    entity: str
    barred: frozenset[str]


@dataclass(frozen=True)
class Copied:
    """Copies of events, and which events the journal does not have (any more)."""

    items: tuple[Item, ...]
    missing: tuple[str, ...]


class Cases(Protocol):
    """What the vault asks of cases."""

    def facts(self, who: Principal, case_id: str) -> CaseFacts:
        """Return the bounds of a case.

        Raises:
            NotFound: there is none, or none that this one may know of.
        """
        ...

    def shut(self, who: Principal, case_ids: Collection[str]) -> frozenset[str]:
        """Return which of these cases are shut to somebody; one that is gone is not."""
        ...


class StoreCases:
    """Cases of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def facts(self, who: Principal, case_id: str) -> CaseFacts:
        """Return the bounds of a case; see `Cases`."""
        with self._store.read() as conn:
            row = case_row(conn, who, case_id)
            named = sa.select(case_parties.c.user_id).where(
                case_parties.c.case_id == case_id, case_parties.c.user_id.is_not(None)
            )
            barred = frozenset(conn.execute(named).scalars())
        return CaseFacts(row["mode"], row["entity"], barred)

    def shut(self, who: Principal, case_ids: Collection[str]) -> frozenset[str]:
        """Return which cases are shut to somebody; see `Cases`."""
        with self._store.read() as conn:
            return shut_names(conn, who, case_ids)


def copier_of(store: Store) -> Copier:
    """Return what copies events of a store."""
    return lambda refs: copy_events(store, refs)


def copy_events(store: Store, refs: Collection[EventRef]) -> Copied:
    """Copy events with their proofs.

    Most are found by their hits; for the others the journal is read from its newest row back until all are
    found.
    """
    wanted = {(ref.source, ref.event_id) for ref in refs}
    items: list[Item] = []
    seqs = _by_hits(store, wanted)
    for seq in sorted(seqs):
        items += _of_row(store, seq, wanted)
    if wanted:
        for seq in _event_rows(store):
            if seq not in seqs:
                items += _of_row(store, seq, wanted)
            if not wanted:
                break
    return Copied(tuple(items), tuple(sorted(f"{source}/{event}" for source, event in wanted)))


def _by_hits(store: Store, wanted: Collection[tuple[str, str]]) -> frozenset[int]:
    found: set[int] = set()
    names = sorted(wanted)
    with store.read() as conn:
        for start in range(0, len(names), 200):
            here = sa.tuple_(hits.c.source, hits.c.event_id).in_(names[start : start + 200])
            found |= set(conn.execute(sa.select(hits.c.journal_seq).where(here).distinct()).scalars())
    return frozenset(found)


def _event_rows(store: Store) -> Iterable[int]:
    with store.read() as conn:
        query = sa.select(rows.c.seq).where(rows.c.kind == journal.EVENTS).order_by(rows.c.seq.desc())
        return list(conn.execute(query).scalars())


def _of_row(store: Store, seq: int, wanted: set[tuple[str, str]]) -> Sequence[Item]:
    """Copy the wanted events of a row of the journal, and take them off the list."""
    with store.read() as conn:
        row = conn.execute(sa.select(rows).where(rows.c.seq == seq)).one()
        previous = head_at(conn, seq - 1) or GENESIS
    entry = journal.entry_of(store, row)
    here = pc.is_in(entry.table["event_id"], value_set=pa.array([event for _, event in wanted], pa.string()))
    found: list[Item] = []
    for i in pc.indices_nonzero(here).to_pylist():
        ref = (entry.table["source"][i].as_py(), entry.table["event_id"][i].as_py())
        if ref not in wanted:
            continue
        wanted.discard(ref)
        proof = _proof(row, int(entry.rows[i]), content_of(entry.table, i))
        found.append(proof | {"source": ref[0], "event_id": ref[1], "previous": previous.hex()})
    return found


def _proof(row: Any, place: int, content: str) -> dict[str, Any]:
    """Return the copy of an event; `salt` is null where values of it were erased: then it proves nothing."""
    size, salt = merkle.HASH, merkle.SALT
    own = bytes(row.salts[place * salt : (place + 1) * salt])
    leaf = bytes(row.leaves[place * size : (place + 1) * size])
    whole = merkle.bytes_leaf(own, content.encode()) == leaf  # else values of it were erased since
    path = [[right, sibling.hex()] for right, sibling in merkle.path_of(row.leaves, place)]
    return {
        "what": "event", "ingest_seq": row.first_event_seq + place, "seq": row.seq, "place": place,
        "kind": row.kind, "received_at_us": row.received_at, "root": bytes(row.root).hex(),
        "leaf": leaf.hex(), "salt": own.hex() if whole else None, "path": path, "content": content,
    }  # fmt: skip
