"""The open warehouse: one thread that writes, any number that read.

A step writes the events of some journal rows to new files, then commits one transaction that names the
files, adds hits and alerts, and moves the mark; so a crash between leaves files that nobody names, and they
are removed at the next opening. Owns the transactions; what goes into them is worked out beside it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa
import sqlalchemy as sa

from txmon.errors import StateError, StoreUnavailable, WarehouseDamaged
from txmon.store import journal
from txmon.store.db import Store, make_folder
from txmon.store.dialects import FolderLock
from txmon.store.journal import Entry
from txmon.store.schema import journal as journal_table
from txmon.store.warehouse import (
    catalog,
    check,
    compact,
    erased,
    files,
    layout,
    leftovers,
    seal,
    source,
    split,
    swap,
)
from txmon.store.warehouse.catalog import Mark
from txmon.store.warehouse.check import Damage
from txmon.store.warehouse.files import REMEDY, File
from txmon.store.warehouse.gate import Gate


def _never() -> bool:
    return False


def _nothing() -> None:
    return None


class Warehouse:
    """See the package. One instance a folder; what changes it is called from one thread at a time."""

    def __init__(self, folder: Path, *, memory_mb: int, threads: int, reader_wait_s: float) -> None:
        self.folder = folder
        self._memory_mb, self._threads, self._reader_wait_s = memory_mb, threads, reader_wait_s
        self._gate = Gate()
        self._turn = threading.RLock()
        self._lock: FolderLock | None = None
        self._root: Any = None  # readers' cursors come from it, the writer's own is `_con`
        self._con: Any = None
        self._mark = Mark()
        self._files: dict[int, File] = {}
        self._retired: list[str] = []

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        anew: bool = False,
        memory_mb: int = 512,
        threads: int = 2,
        reader_wait_s: float = 30.0,
    ) -> Warehouse:
        """Open a warehouse; an absent one is made.

        Args:
            folder: its own folder, `DIR/warehouse`.
            anew: throw away what is there, damaged or not, and begin at the journal's first row.
            memory_mb, threads: what DuckDB may use.
            reader_wait_s: how long an erasure waits for queries to end.

        Raises:
            WriterActive: another process has it open. WarehouseDamaged; StateError: of another version, which
            `txmon store rebuild` makes anew.
        """
        warehouse = cls(folder, memory_mb=memory_mb, threads=threads, reader_wait_s=reader_wait_s)
        make_folder(folder)
        warehouse._lock = FolderLock(folder)
        try:
            if anew:
                leftovers.discard(folder)
            warehouse._open()
        except BaseException:
            warehouse._let_go()
            raise
        return warehouse

    def _open(self) -> None:
        self._require_catalogue(there=(self.folder / layout.DATABASE).exists())
        leftovers.remove(self.folder)
        self._connect()
        seal.lift(self.folder)
        con = self._con
        with catalog.translated("opening the warehouse"):
            if catalog.is_empty(con):
                self._require_catalogue(there=False)
                with self._transaction():
                    catalog.create(con)
            catalog.require_version(con)
            catalog.create_no_events(con)
            self._mark = catalog.read_mark(con)
            self._files = {file.number: file for file in catalog.read_files(con)}
        missing = check.parquet(self.folder, list(self._files.values()), content=False)
        if missing:
            raise WarehouseDamaged(f"warehouse file {missing[0]}; {REMEDY}")
        files.remove_strangers(self.folder, {file.name for file in self._files.values()})
        with catalog.translated("opening the warehouse"), self._transaction():
            # anew each time: the views name files by their whole path, and the folder may have moved
            catalog.show(con, self.folder, self._names())

    def _require_open(self) -> None:
        if self._con is None:
            raise StoreUnavailable("the warehouse is closed; open it again")

    def _require_catalogue(self, *, there: bool) -> None:
        if not there and any((self.folder / layout.EVENTS_FOLDER).glob("day=*/*.parquet")):
            raise WarehouseDamaged(f"the warehouse's catalogue is gone, its files are there; {REMEDY}")

    def _connect(self) -> None:
        self._root = catalog.connect(self.folder, memory_mb=self._memory_mb, threads=self._threads)
        self._con = self._root.cursor()

    @property
    def mark(self) -> Mark:
        """How far it is."""
        return self._mark

    @property
    def size_bytes(self) -> int:
        """Bytes of its files on disk, the ones that queries still hold left out."""
        tables = (self.folder / name for name in (layout.DATABASE, layout.DATABASE + swap.LOG))
        own = sum(path.stat().st_size for path in tables if path.exists())
        return own + sum(file.bytes for file in list(self._files.values()))

    @contextmanager
    def read(self) -> Iterator[Any]:
        """Give a DuckDB cursor that sees the warehouse at one moment and changes nothing; any thread.

        It must not be used after the block.

        Raises:
            StoreUnavailable: it is closed.
        """
        with self._gate.reader():
            self._require_open()
            cursor = self._root.cursor()
            try:
                cursor.execute("begin transaction read only")
                yield cursor
            finally:
                cursor.close()

    def catch_up(
        self,
        store: Store,
        upto: int | None = None,
        *,
        enough: Callable[[], bool] = _never,
        applied: Callable[[], None] = _nothing,
    ) -> Mark:
        """Bring everything up to a row of the journal, the newest by default.

        Args:
            enough: asked after each step; the rest waits for the next call.
            applied: told after each step, that is a commit.

        Raises:
            StateError: it was made from another journal. WarehouseDamaged: a file that must be read again is
            damaged. StoreUnavailable: no room, or a query stood in the way of an erasure.
        """
        with self._turn, catalog.translated("writing the warehouse"):
            self._require_open()
            newest, _ = journal.head(store)
            self._require_same(store, newest)
            upto = newest if upto is None else min(upto, newest)
            if 0 < self._mark.seq < upto:
                work = erased.touched(store, self._mark.seq, upto)
                if work is not None:
                    self._erase(store, work)
            for step in split.steps(journal.read(store, self._mark.seq + 1, upto)):
                self._step(store, step)
                applied()
                if enough():
                    break
            return self._mark

    def _require_same(self, store: Store, newest: int) -> None:
        mark = self._mark
        if mark.seq == 0:
            return
        with store.read() as conn:
            query = sa.select(journal_table.c.head).where(journal_table.c.seq == mark.seq)
            head = conn.execute(query).scalar()
        if head is None or bytes(head) != mark.head:
            raise StateError(
                f"the warehouse stands at row {mark.seq} of another journal than this one, which has "
                f"{newest} rows; {REMEDY}"
            )

    def _step(self, store: Store, entries: Sequence[Entry]) -> None:
        rows = source.since(store, catalog.newest_hit(self._con), self._mark.seq, entries[-1].seq)
        self.apply(entries, rows.hits, rows.alerts, rows.links)
        self._compact()

    def apply(self, entries: Sequence[Entry], hits: pa.Table, alerts: pa.Table, links: pa.Table) -> Mark:
        """Add journal rows that follow the mark, and what they led to.

        Args:
            hits, alerts, links: `layout.HITS`, `ALERTS` as they are now, `LINKS`.

        Raises:
            StateError: the rows do not follow the mark. StoreUnavailable: no room.
        """
        with self._turn, catalog.translated("writing the warehouse"):
            self._require_open()
            if not entries or entries[0].seq != self._mark.seq + 1:
                raise StateError(f"the warehouse stands at row {self._mark.seq}; give the rows after it")
            last = entries[-1]
            mark = replace(
                self._mark, seq=last.seq, head=last.head, events=last.first_event_seq + last.event_count
            )
            with self._new_files() as new:
                days = split.by_day(split.events_of(entries))
                new += files.write_days(self.folder, days, mark.next_file)
                mark = replace(mark, next_file=mark.next_file + len(new))
                with self._transaction():
                    self._commit_files([], new, mark)
                    catalog.insert(self._con, "hits", hits)
                    catalog.replace_alerts(self._con, alerts)
                    catalog.insert(self._con, "alert_hits", links)
            self._committed([], new, mark)
            return mark

    def _compact(self) -> None:
        while groups := list(compact.choose(self._files.values())):
            for group in groups:
                mark = replace(self._mark, next_file=self._mark.next_file + 1)
                with self._new_files() as new:
                    new.append(compact.merge(self.folder, group, self._mark.next_file))
                    with self._transaction():
                        self._commit_files(group, new, mark)
                self._committed(group, new, mark)

    def _erase(self, store: Store, work: erased.Touched) -> None:
        """Take out what erasures took out of rows that are here already, and every trace of it."""
        again = source.named(store, work.hits_changed, work.alerts_changed, self._mark.seq)
        mark, gone = self._mark, []
        with self._new_files() as new:
            for file in erased.hold_any(list(self._files.values()), work.events):
                held, made = erased.rewritten(self.folder, file, work, mark.next_file)
                if held:
                    gone.append(file)
                if made is not None:
                    new.append(made)
                    mark = replace(mark, next_file=mark.next_file + 1)
            with self._gate.alone(self._reader_wait_s):
                catalog.set_mark(self._con, mark)
                swap.copy(self._con, self.folder, work, again, gone, new)
                try:
                    self._disconnect()
                    swap.exchange(self.folder)
                    new.clear()  # they count from here on, whatever comes
                finally:
                    self._open()
                self._retired = []

    @contextmanager
    def _new_files(self) -> Iterator[list[File]]:
        """Files written in the block count when it ends; when it fails they are removed."""
        new: list[File] = []
        try:
            yield new
        except BaseException:
            with contextlib.suppress(Exception):  # what is left is removed at the next opening
                files.remove(self.folder, [file.name for file in new])
            raise

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._con.execute("begin")
        try:
            yield
        except BaseException:
            with contextlib.suppress(duckdb.Error):  # a database that failed has rolled back itself
                self._con.execute("rollback")
            raise
        self._con.execute("commit")

    def _commit_files(self, gone: Sequence[File], new: Sequence[File], mark: Mark) -> None:
        catalog.replace_files(self._con, gone, new)
        catalog.set_mark(self._con, mark)
        if gone or new:
            left = {file.number: file for file in self._files.values()}
            for file in gone:
                del left[file.number]
            names = [file.name for file in (*left.values(), *new)]
            catalog.show(self._con, self.folder, names)

    def _committed(self, gone: Sequence[File], new: Sequence[File], mark: Mark) -> None:
        self._mark = mark
        for file in gone:
            del self._files[file.number]
        self._files |= {file.number: file for file in new}
        self._retired += [file.name for file in gone]
        if self._retired and self._gate.empty:
            files.remove(self.folder, self._retired)
            self._retired = []

    def _names(self) -> list[str]:
        return [file.name for file in self._files.values()]

    def check(self) -> list[Damage]:
        """Compare every file with the catalogue, and read the DuckDB file to its end."""
        with self._turn:
            self._require_open()
            return check.tables(self._con) + check.parquet(self.folder, list(self._files.values()))

    def rebuild(self, store: Store) -> Mark:
        """Throw everything away and make it anew from the journal. A rebuild that broke off is continued
        by `catch_up`."""
        with self._turn, self._gate.alone(self._reader_wait_s):
            self._disconnect()
            leftovers.discard(self.folder)
            self._mark, self._files, self._retired = Mark(), {}, []
            self._open()
        return self.catch_up(store)

    def close(self) -> None:
        """Let go of it, and seal it."""
        with self._turn:
            if self._con is None:
                return
            try:
                files.remove(self.folder, self._retired)
                with catalog.translated("closing the warehouse"):
                    self._con.execute("checkpoint")
                self._disconnect()
                seal.put(self.folder)
            finally:
                self._let_go()

    def abandon(self) -> None:
        """Let go of it as it is: who opens it next looks at what is there."""
        with self._turn, self._gate.alone(self._reader_wait_s):
            self._let_go()

    def _disconnect(self) -> None:
        for connection in (self._con, self._root):
            if connection is not None:
                connection.close()
        self._con = self._root = None

    def _let_go(self) -> None:
        self._disconnect()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()
