"""Erasure of events, of everything that mentions a person, and of payloads past their retention.

An erasure is journaled by an author and an approver, who are two. It names leaves and keys, never values
(`txmon.store.names`), and is also appended to a side file, so that a restored older backup is treated
alike. Matching rows are searched while the writer goes on; payloads are rewritten in transactions of a
bounded number of journal rows. A run that broke off is simply run again. Documents of kind `config`,
`activation` and `bootstrap` are left as they are: a list is changed by a decision of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from txmon.errors import InputError, StoreCorrupt
from txmon.model.schema import FIELDS
from txmon.store import journal, sidefile
from txmon.store.db import Store, Tx
from txmon.store.mentions import Mentions
from txmon.store.names import Erasure, RowErasure, by_row, read_erasure
from txmon.store.rewrite import (
    Changed,
    blank_wholly,
    delete_hits,
    delete_rows,
    erase_mentions,
    read_keys,
    rewrite_document,
    rewrite_row,
)
from txmon.store.schema import erasures, metadata, quarantine
from txmon.store.schema import journal as journal_table

_ROWS_AT_ONCE = 256
_REQUIRED = frozenset(f.name for f in FIELDS if f.required)
_SEARCHED = (journal.EVENTS, "quarantine", "decision")


@dataclass(frozen=True)
class Why:
    """The decision behind an erasure: ids of two people and a reason that holds no personal value."""

    reason: str
    author: str
    approver: str

    def check(self) -> None:
        """Raises: InputError: not two people, or no reason."""
        if not self.author or not self.approver or self.author == self.approver:
            raise InputError("an erasure needs an author and another person as approver")
        if not self.reason:
            raise InputError("an erasure needs a reason; name the request or the retention rule")


@dataclass
class Outcome:
    """What was erased. rows: events and refused rows of the journal; journal: rows that were rewritten."""

    rows: int = 0
    journal: int = 0
    deleted: dict[str, int] = field(default_factory=dict)
    blanked: dict[str, int] = field(default_factory=dict)

    def count(self, named: list[RowErasure], sizes: dict[int, int], changed: Changed) -> None:
        """Add what one transaction did."""
        self.journal += len(named)
        self.rows += sum(sizes.get(row.seq, 0) for row in named)
        for total, keys in ((self.deleted, changed.deleted), (self.blanked, changed.blanked)):
            for name, found in keys.items():
                total[name] = total.get(name, 0) + len(found)


@dataclass(frozen=True)
class Search:
    """What to look for in journal rows.

    numbers: `ingest_seq` of events, sorted. documents: journal rows of documents that go wholly. tables: what
    else the last transaction of a run takes out.
    """

    keys: frozenset[tuple[str, str]] = frozenset()  # (source, event_id)
    mentions: Mentions | None = None
    before_us: int | None = None
    keep: frozenset[int] = frozenset()  # ingest_seq that stay whatever
    numbers: npt.NDArray[np.int64] | None = None
    documents: frozenset[int] = frozenset()
    refused_before_us: int | None = None  # refused rows that came up to then, included
    tables: Callable[[Tx, Changed], None] | None = None

    def places(self, entry: journal.Entry) -> list[int]:
        """Places of an entry's rows that match; [0] for a document that does."""
        if isinstance(entry.payload, bytes):
            if entry.seq in self.documents and entry.payload:
                return [0]
            if self.mentions is None or not entry.payload:
                return []
            text = entry.payload.decode("utf-8", "replace")
            return [0] if self.mentions.texts(pa.array([text]))[0] else []
        table = entry.table
        found = np.zeros(len(table), np.bool_)
        if self.mentions is not None:
            found |= self.mentions.rows(table)
        if entry.kind == journal.EVENTS:
            found |= self._events(table) | self._numbered(entry)
            numbers = entry.first_event_seq + entry.rows
            found &= ~np.isin(numbers, list(self.keep))
        elif self._refused(entry.received_at_us):
            found[:] = True
        places: list[int] = entry.rows[found].tolist()
        return places

    def _refused(self, received_us: int) -> bool:
        before, upto = self.before_us, self.refused_before_us
        return (before is not None and received_us < before) or (upto is not None and received_us <= upto)

    def _numbered(self, entry: journal.Entry) -> Any:
        """Which events are among the numbers."""
        if self.numbers is None:
            return np.zeros(len(entry.rows), np.bool_)
        low, high = entry.first_event_seq, entry.first_event_seq + entry.event_count
        first, last = np.searchsorted(self.numbers, [low, high])
        return np.isin(low + entry.rows, self.numbers[first:last])

    def _events(self, table: pa.Table) -> Any:
        found = np.zeros(len(table), np.bool_)
        if self.keys:
            ids = zip(table["source"].to_pylist(), table["event_id"].to_pylist(), strict=True)
            found |= np.fromiter((key in self.keys for key in ids), np.bool_, len(table))
        if self.before_us is not None:
            found |= pc.cast(table["event_time"], pa.int64()).to_numpy() < self.before_us
        return found


def erase_events(
    store: Store, keys: Collection[tuple[str, str]], why: Why, columns: Collection[str] = ()
) -> Outcome:
    """Erase events by (source, event_id); with `columns`, only these values of them.

    Raises:
        InputError: not two people; a column that every event needs.
    """
    return _Eraser(store, why, tuple(columns)).run(Search(keys=frozenset(keys)), ())


def erase_subjects(store: Store, values: Collection[str], why: Why) -> Outcome:
    """Erase every event, refused row, hit, alert, message and kept answer that mentions one of the values.

    Args:
        values: accounts, parties, cards, devices ... as the events name them.

    Raises:
        InputError: not two people; an empty value.
    """
    if any(not value.strip() for value in values):
        raise InputError("an empty value cannot be erased; name accounts, parties, cards or devices")
    search = Search(mentions=Mentions(values)) if values else Search()
    return _Eraser(store, why).run(search, values)


def retain(store: Store, before_us: int, why: Why, keep: Collection[int] = ()) -> Outcome:
    """Drop payloads of events that happened, and of refused rows that came, before a time.

    Hits, alerts and decisions stay. Refused rows that are still open stay in the table of quarantine.

    Args:
        before_us: microseconds UTC, the start of the first day that is kept.
        keep: `ingest_seq` of events that a hold or a case needs; they stay.
    """
    return _Eraser(store, why, hits_too=False).run(Search(before_us=before_us, keep=frozenset(keep)), ())


def carry_out(store: Store, search: Search, why: Why) -> Outcome:
    """Take out what a search finds, and leave hits and alerts to its `tables`.

    Raises:
        InputError: not two people.
    """
    return _Eraser(store, why, hits_too=False).run(search, ())


class _Eraser:
    """One run."""

    def __init__(
        self, store: Store, why: Why, columns: tuple[str, ...] = (), *, hits_too: bool = True
    ) -> None:
        why.check()
        needed = sorted(set(columns) & _REQUIRED)
        if needed:
            raise InputError(f"{', '.join(needed)}: every event needs these; erase the whole event")
        self._store, self._why, self._columns, self._hits_too = store, why, columns, hits_too

    def run(self, search: Search, values: Collection[str]) -> Outcome:
        """Search, rewrite, journal, and clean the files of the database."""
        outcome = Outcome()
        waiting: dict[int, list[int]] = {}
        newest = self._store.marks.seq
        for seq, places in self._find(search, 1, newest):
            waiting[seq] = places
            if len(waiting) == _ROWS_AT_ONCE:
                with self._store.write() as tx:
                    self._apply(tx, waiting, search, None, outcome)
                waiting = {}
        with self._store.write() as tx:
            # what came in during the search; nothing can come in now
            waiting |= dict(self._find(search, newest + 1, tx.marks.seq))
            self._apply(tx, waiting, search, values, outcome)
        self._store.scrub()  # though nothing was found: an earlier run may have broken off before this
        return outcome

    def _find(self, search: Search, first: int, last: int) -> Iterator[tuple[int, list[int]]]:
        if first > last:
            return
        for entry in journal.read(self._store, first, last, kinds=_SEARCHED):
            places = search.places(entry)
            if places:
                yield entry.seq, places

    def _apply(
        self, tx: Tx, waiting: dict[int, list[int]], search: Search, values: Collection[str] | None,
        outcome: Outcome,
    ) -> None:  # fmt: skip
        """Rewrite the journal rows found; `values` is None but in the last transaction of a run."""
        changed, named = Changed(), []
        for seq, places in waiting.items():
            row = tx.conn.execute(sa.select(journal_table).where(journal_table.c.seq == seq)).one()
            if row.schema_hash is None:
                named.append(self._document(tx, row, search))
                continue
            named.append(rewrite_row(self._store, tx, row, places, self._columns))
            if row.kind == journal.EVENTS and self._hits_too and not self._columns:
                delete_hits(tx, (row.first_event_seq + place for place in places), changed)
        if values and search.mentions is not None:
            erase_mentions(tx, values, search.mentions, changed)
        if values is not None and search.before_us is not None:
            _drop_settled(tx, search.before_us, changed)
        if values is not None and search.tables is not None:
            search.tables(tx, changed)
        if named or changed.deleted or changed.blanked:
            texts = (self._why.reason, self._why.author, self._why.approver)
            erasure = Erasure(*texts, tuple(named), self._columns, changed.deleted, changed.blanked)
            sizes = {seq: len(places) for seq, places in waiting.items()}
            record(self._store, tx, erasure, sum(sizes.values()))
            outcome.count(named, sizes, changed)

    def _document(self, tx: Tx, row: Any, search: Search) -> RowErasure:
        text = journal.entry_of(self._store, row).document.decode("utf-8", "replace")
        if row.seq in search.documents:
            return rewrite_document(tx, row, None)
        replaced = search.mentions.replaced([text])[0] if search.mentions is not None else None
        return rewrite_document(tx, row, (replaced or "").encode())


def _drop_settled(tx: Tx, before_us: int, changed: Changed) -> None:
    query = sa.select(quarantine.c.id).where(
        quarantine.c.received_us < before_us, quarantine.c.state != "open"
    )
    delete_rows(tx, quarantine, [[number] for number in tx.conn.execute(query).scalars()], changed)


def record(store: Store, tx: Tx, erasure: Erasure, rows: int) -> None:
    """Journal an erasure of so many payload rows, and note it in the side file before the commit."""
    document, now = erasure.to_json(), tx.clock.now_us()
    entry = journal.append(tx, "erasure", document, now)
    values = {"journal_seq": entry.seq, "reason": erasure.reason, "author": erasure.author}
    values |= {"approver": erasure.approver, "events": rows, "created_us": now}
    tx.conn.execute(sa.insert(erasures), values)
    if store.files.erasures is not None:
        sidefile.append(store.files.erasures, document)


def reapply(store: Store) -> Outcome:
    """Erase again what the side file names and this journal, restored from an older backup, still holds.

    Raises:
        StoreCorrupt: the side file is of another store, or damaged.
    """
    outcome = Outcome()
    if store.files.erasures is None:
        return outcome
    past = [(e.seq, e.document) for e in journal.read(store, kinds=["erasure"])]
    carried_out = [read_erasure(document, f"journal row {seq}") for seq, document in past]
    known = {sha256(document).hexdigest() for _, document in past} | {e.again for e in carried_out}
    done = by_row(carried_out)
    # read to its end first: what is carried out again is appended to the same file
    for number, document in list(sidefile.read(store.files.erasures)):
        named = sha256(document).hexdigest()
        if named not in known:
            erasure = read_erasure(document, f"{store.files.erasures} line {number}")
            with store.write() as tx:
                _again(store, tx, replace(erasure, again=named), done, outcome)
    if outcome.journal or outcome.deleted or outcome.blanked:
        store.scrub()
    return outcome


def _again(store: Store, tx: Tx, erasure: Erasure, done: dict[int, RowErasure], outcome: Outcome) -> None:
    changed, named, sizes = Changed(), [], {}
    for wanted in erasure.rows:
        row = tx.conn.execute(sa.select(journal_table).where(journal_table.c.seq == wanted.seq)).first()
        if row is None:
            continue  # came after the backup was made
        if row.root != wanted.root:
            raise StoreCorrupt(
                f"{store.files.erasures} names row {wanted.seq} by another root; it is another store's"
            )
        past = done.get(row.seq)
        places = [
            int(p)
            for p in journal.present(row.salts)
            if wanted.is_gone(int(p)) or (int(p) in wanted.new and (past is None or int(p) not in past.new))
        ]
        if not places:
            continue
        sizes[row.seq] = len(places)
        if row.schema_hash is None:
            named.append(rewrite_document(tx, row, None))
        else:
            named.append(rewrite_row(store, tx, row, places, erasure.columns))
    for name, keys in erasure.deleted.items():
        delete_rows(tx, metadata.tables[name], _there(tx, name, read_keys(keys)), changed)
    for name, keys in erasure.blanked.items():
        there = _there(tx, name, read_keys(keys))
        if there:
            blank_wholly(tx, metadata.tables[name], there, changed)
    if named or changed.deleted or changed.blanked:
        texts = (f"after a restore: {erasure.reason}", erasure.author, erasure.approver)
        others = (changed.deleted, changed.blanked, erasure.again)
        again = Erasure(*texts, tuple(named), erasure.columns, *others)
        record(store, tx, again, sum(sizes.values()))
        outcome.count(named, sizes, changed)


def _there(tx: Tx, name: str, keys: list[list[Any]]) -> list[list[Any]]:
    """Those keys that the table has."""
    columns = list(metadata.tables[name].primary_key.columns)
    query = sa.select(*columns).where(*(c == sa.bindparam(f"k{i}") for i, c in enumerate(columns)))
    return [
        key
        for key in keys
        if tx.conn.execute(query, {f"k{i}": part for i, part in enumerate(key)}).first() is not None
    ]
