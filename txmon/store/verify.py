"""Checks a whole journal: every row, leaf, root and head, the order, the log of heads, and what refers to it.

Rows of many small batches are hashed together, which their leaves allow. Reads page by page and may run
beside the writer. Names every bad row it meets up to a bound, the first one first; repairs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from txmon.errors import StoreCorrupt, StoreError
from txmon.store import codec, dialects, journal, merkle
from txmon.store.db import GENESIS, Store
from txmon.store.granted import check_granted
from txmon.store.heads import check_lines
from txmon.store.names import RowErasure, by_row, read_erasure
from txmon.store.references import check_references
from txmon.store.schema import journal as journal_table
from txmon.store.schema import payload_schemas

MOST_FINDINGS = 100
_TOGETHER = 20_000  # table rows hashed at once

Progress = Callable[[int, int], None]  # journal rows done, events done


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was written. seq: the journal row, None where it is none's."""

    seq: int | None
    what: str

    def __str__(self) -> str:
        return self.what if self.seq is None else f"journal row {self.seq}: {self.what}"


@dataclass
class Report:
    """Outcome of a check. erased: rows that erasures account for."""

    rows: int = 0
    events: int = 0
    erased: int = 0
    seq: int = 0
    head: bytes = GENESIS
    head_lines: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing was found."""
        return not self.findings

    @property
    def first_bad_row(self) -> int | None:
        """The lowest journal row that is not as it was written."""
        return min((f.seq for f in self.findings if f.seq is not None), default=None)

    def add(self, seq: int | None, what: str) -> None:
        """Note a finding."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(seq, what))


@dataclass
class _Waiting:
    """Tables of one schema that wait for being hashed together."""

    tables: list[pa.Table] = field(default_factory=list)
    salts: list[bytes] = field(default_factory=list)
    expected: list[tuple[int, bytes]] = field(default_factory=list)  # journal row, its leaves
    size: int = 0


def verify(store: Store, heads: Path | None = None, progress: Progress | None = None) -> Report:
    """Check a store; `heads` names another log of heads than the store's own."""
    report = Report()
    try:
        _Check(store, report, progress).run()
        log = heads or store.files.heads
        if log is not None and log.exists():
            _check_heads(store, log, report)
        with store.read() as conn:
            for seq, what in check_references(conn):
                report.add(seq, what)
            for what in dialects.damage(conn):
                report.add(None, what)
        for seq, what in check_granted(store):
            report.add(seq, what)
    except StoreError as error:
        report.add(report.seq + 1, error.detail)
    report.findings.sort(key=lambda f: (f.seq is None, f.seq or 0))
    return report


def _check_heads(store: Store, log: Path, report: Report) -> None:
    def heads_of(seqs: list[int]) -> dict[int, bytes]:
        columns = journal_table.c
        with store.read() as conn:
            rows = conn.execute(sa.select(columns.seq, columns.head).where(columns.seq.in_(seqs))).all()
        return {row.seq: bytes(row.head) for row in rows}

    for found in check_lines(log, heads_of):
        if found is None:
            report.head_lines += 1
        else:
            report.add(min(found[0], report.seq + 1), found[1])


class _Check:
    """One pass over the journal."""

    def __init__(self, store: Store, report: Report, progress: Progress | None) -> None:
        self._store, self._report, self._progress = store, report, progress
        self._events = 0
        self._waiting: dict[bytes, _Waiting] = {}
        self._named: dict[int, RowErasure] = {}

    def run(self) -> None:
        report = self._report
        self._check_schemas()
        self._named = self._read_erasures()
        for row in journal.raw_rows(self._store):
            if row.seq != report.seq + 1:
                report.add(report.seq + 1, f"missing; the next row is {row.seq}")
                self._events = row.first_event_seq
            else:
                self._link(row, report.head)
            report.seq, report.head = row.seq, bytes(row.head)
            self._content(row)
            self._events += row.event_count
            report.rows += 1
            report.events += row.event_count
            if self._progress is not None:
                self._progress(report.rows, report.events)
        for waiting in self._waiting.values():
            self._hash(waiting)
        for seq in sorted(set(self._named)):
            if seq > report.seq:
                report.add(seq, "named by an erasure, but missing")

    def _check_schemas(self) -> None:
        self._store.forget_schemas()
        with self._store.read() as conn:
            rows = conn.execute(sa.select(payload_schemas)).all()
        for row in rows:
            if codec.schema_hash(row.bytes) != row.hash:
                self._report.add(None, f"payload schema {bytes(row.hash).hex()[:16]} was changed")

    def _read_erasures(self) -> dict[int, RowErasure]:
        """What all erasures name; one that cannot be read names nothing and is found by itself."""
        found = []
        for row in journal.raw_rows(self._store, kinds=["erasure"]):
            try:
                entry = journal.entry_of(self._store, row)
                found.append(read_erasure(entry.document, f"journal row {row.seq}"))
            except StoreCorrupt as error:
                self._report.add(row.seq, error.detail)
        return by_row(found)

    def _link(self, row: Any, previous: bytes) -> None:
        """Check what the row says of its place in the chain."""
        try:
            head = journal.next_head(previous, row.seq, row.kind, row.received_at, row.root)
        except (OverflowError, TypeError, AttributeError):
            self._report.add(row.seq, "kind, time or root are of no valid form")
            return
        if head != row.head:
            self._report.add(row.seq, "head does not follow from the row before, its kind, time and root")
        if row.first_event_seq != self._events:
            self._report.add(row.seq, f"events are numbered from {row.first_event_seq}, not {self._events}")

    def _content(self, row: Any) -> None:
        """Check what the row says of its content."""
        report, seq = self._report, row.seq
        try:
            if journal.checksum(row) != row.checksum:
                report.add(seq, "payload, salts or numbers are not what was written")
                return
            count, rest = divmod(len(row.leaves), merkle.HASH)
            if rest or len(row.salts) != count * merkle.SALT or count == 0:
                report.add(seq, "leaves and salts are not of one number")
            elif row.event_count != (count if row.kind == journal.EVENTS else 0):
                report.add(seq, f"says it has {row.event_count} events, but has {count} leaves")
            elif merkle.root_of(row.leaves) != row.root:
                report.add(seq, "root is not that of its leaves")
            else:
                self._payload(row, count)
        except StoreCorrupt as error:
            report.add(seq, error.detail)
        except TypeError:
            report.add(seq, "a column holds a value of another type")

    def _payload(self, row: Any, count: int) -> None:
        """Check the rows that are there, and that erasures name those that are not."""
        seq, report = row.seq, self._report
        present = journal.present(row.salts)
        if not self._accounted(row, count, present):
            return
        salts = b"".join(row.salts[i * merkle.SALT : (i + 1) * merkle.SALT] for i in present.tolist())
        leaves = self._expected(row, present)
        if row.schema_hash is None:
            content = bytes(codec.unpack(row.payload))
            if (merkle.bytes_leaf(salts, content) if salts else b"") != leaves or (content and not salts):
                report.add(seq, "document is not what was journaled")
            return
        table = codec.unpack_table(row.payload, journal.payload_schema(self._store, row.schema_hash))
        if len(table) != len(present):
            report.add(seq, f"payload has {len(table)} rows, but {len(present)} salts")
            return
        if len(present) == count and (
            journal.same_text(table, "entity") != row.entity or journal.same_text(table, "mode") != row.mode
        ):
            report.add(seq, "entity or mode is not that of its events")
        self._queue(row.schema_hash, seq, table, salts, leaves)

    def _accounted(self, row: Any, count: int, present: Any) -> bool:
        """Compare the places that are empty with those that erasures name."""
        named = self._named.get(row.seq)
        missing = np.setdiff1d(np.arange(count), present).tolist()
        if named is not None and (named.root != row.root or row.kind == "erasure"):
            self._report.add(row.seq, "an erasure names a row of another root in its place")
            return False
        unnamed = [p for p in missing if named is None or not named.is_gone(p)]
        if unnamed:
            self._report.add(row.seq, f"row {unnamed[0]} of its payload is gone, and no erasure names it")
            return False
        back = [] if named is None else [p for p in present.tolist() if named.is_gone(p)]
        if back:
            self._report.add(row.seq, f"row {back[0]} of its payload was erased, but is there again")
            return False
        self._report.erased += len(missing)
        return True

    def _expected(self, row: Any, present: Any) -> bytes:
        """Leaves that the rows present must have: those of the tree, or those that an erasure names."""
        named = self._named.get(row.seq)
        if len(present) * merkle.HASH == len(row.leaves) and (named is None or not named.new):
            return bytes(row.leaves)
        new = named.new if named is not None else {}
        size = merkle.HASH
        return b"".join(new.get(p) or row.leaves[p * size : (p + 1) * size] for p in present.tolist())

    def _queue(self, schema: bytes, seq: int, table: pa.Table, salts: bytes, leaves: bytes) -> None:
        if not len(table):
            return
        waiting = self._waiting.setdefault(schema, _Waiting())
        waiting.tables.append(table)
        waiting.salts.append(salts)
        waiting.expected.append((seq, leaves))
        waiting.size += len(table)
        if waiting.size >= _TOGETHER:
            self._hash(waiting)
            del self._waiting[schema]

    def _hash(self, waiting: _Waiting) -> None:
        found = merkle.table_leaves(pa.concat_tables(waiting.tables), b"".join(waiting.salts))
        at = 0
        for seq, leaves in waiting.expected:
            part = found[at : at + len(leaves)]
            if part != leaves:
                bad = next(_differences(part, leaves))
                self._report.add(seq, f"row {bad} of its payload is not what was journaled")
            at += len(leaves)


def _differences(found: bytes, expected: bytes) -> Iterator[int]:
    for i in range(len(expected) // merkle.HASH):
        place = slice(i * merkle.HASH, (i + 1) * merkle.HASH)
        if found[place] != expected[place]:
            yield i
