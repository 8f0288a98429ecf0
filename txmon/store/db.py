"""The store: one database, one writer, many readers.

`Store.open` takes a folder (SQLite in DIR/txmon.db) or a ``postgresql+psycopg://`` URL, makes or upgrades
the tables, takes the writer's lock and reads where the journal stands. `write` is the only way to change
anything; `read` sees one moment. Owns transactions and the marks that a transaction continues from; the
tables belong to the modules beside it.

After a `StoreError` that is not a conflict the handle is closed for writing until `reopen`: what the
database really holds is read anew, nothing is assumed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from txmon.clock import Clock, RandomBytes
from txmon.errors import (
    CommitUnknown,
    StoreCorrupt,
    StoreError,
    StoreFatal,
    StoreUnavailable,
    WriterActive,
)
from txmon.store import codec, dialects, migrate
from txmon.store.heads import HeadsLog
from txmon.store.schema import ERASE, hits, journal, metadata, outbox, payload_schemas, quarantine

GENESIS = bytes(32)
HEADS_FILE, ERASURES_FILE = "heads.log", "erasures.log"


@dataclass
class Marks:
    """Where the next row of each kind goes. Committed with the transaction that moved them."""

    seq: int = 0  # of the newest journal row; the first row is 1
    head: bytes = GENESIS
    events: int = 0  # events journaled so far: the `ingest_seq` of the next one
    hit: int = 1
    outbox: int = 1
    quarantine: int = 1


@dataclass
class Tx:
    """An open write transaction. Never outlives its ``with``."""

    conn: sa.Connection
    marks: Marks
    clock: Clock
    random_bytes: RandomBytes
    forms: codec.Forms
    known_schemas: frozenset[bytes]
    new_schemas: set[bytes] = field(default_factory=set)


class Store:
    """See the module. `write` may be called from any thread, one at a time; `read` from any."""

    def __init__(
        self, place: str, clock: Clock, random_bytes: RandomBytes, files: SideFiles, *, read_only: bool
    ) -> None:
        self.place, self.files, self.read_only = place, files, read_only
        self.folder = Path(place) if dialects.is_folder(place) else None
        self.clock, self.random_bytes = clock, random_bytes
        self._turn = threading.Lock()
        self._writer: sa.Connection | None = None
        self._lock: dialects.WriterLock | None = None
        self._schemas: frozenset[bytes] = frozenset()
        self._forms = codec.Forms()
        self._schema_cache: dict[bytes, pa.Schema] = {}
        self._broken: StoreError | None = None
        self.marks = Marks()
        self.heads: HeadsLog | None = None

    @classmethod
    def open(
        cls,
        place: str | Path,
        *,
        clock: Clock,
        random_bytes: RandomBytes,
        heads: Path | None = None,
        erasures: Path | None = None,
        read_only: bool = False,
    ) -> Store:
        """Open a store, for writing unless `read_only`.

        Args:
            place: a folder, made if absent, or a ``postgresql+psycopg://`` URL.
            heads: file to which each head is appended; DIR/heads.log for a folder, none for a URL.
            erasures: file in which erasures are kept for the restoring of backups; likewise.

        Raises:
            WriterActive: another process writes it. StateError: tables of a newer version, or heads.log
            knows rows that the journal does not have. StoreUnavailable, StoreFatal, ConfigError.
        """
        folder = Path(place) if isinstance(place, Path) or dialects.is_folder(place) else None
        files = SideFiles(
            heads or (folder / HEADS_FILE if folder else None),
            erasures or (folder / ERASURES_FILE if folder else None),
        )
        store = cls(str(place), clock, random_bytes, files, read_only=read_only)
        try:
            store._connect()
        except BaseException:
            store.close()
            raise
        return store

    def _connect(self) -> None:
        url = self.place
        if self.folder is not None:
            if not self.read_only:
                make_folder(self.folder)
                self._lock = dialects.FolderLock(self.folder)
            elif not (self.folder / dialects.DATABASE_FILE).exists():
                raise StoreUnavailable(
                    f"{self.folder} holds no {dialects.DATABASE_FILE}; name another folder"
                )
            url = dialects.folder_url(self.folder)
        self.engine = dialects.make_engine(url, read_only=self.read_only)
        with _translated("opening the store"):
            if self.read_only:
                with self.engine.connect() as conn:
                    migrate.require_current(conn)
                    self.marks = read_marks(conn)
                return
            writer = self._writer = self.engine.connect().execution_options(txmon_writes=True)
            if self.folder is None:
                dialects.lock_session(writer)
            with writer.begin():
                migrate.upgrade(writer)
            with writer.begin():
                self.marks = read_marks(writer)
                self._schemas = frozenset(writer.execute(sa.select(payload_schemas.c.hash)).scalars())
                if self.files.heads is not None:
                    self.heads = HeadsLog(self.files.heads, self.clock)
                    self.heads.check(lambda seq: head_at(writer, seq), self.marks.seq)
                    self.heads.add(self.marks.seq, self.marks.head)  # if it was killed before it was logged

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """Open a transaction; committed when the block ends, rolled back when it raises.

        Raises:
            CommitUnknown: the connection broke in the commit. StoreFatal: disk full or failing.
            StoreUnavailable: nothing was stored. After any of these, `reopen`.
        """
        with self._turn:
            conn = self._usable()
            marks = replace(self.marks)
            tx = Tx(conn, marks, self.clock, self.random_bytes, self._forms, self._schemas)
            with self._guarded(), _translated("writing"):
                transaction = conn.begin()
                try:
                    yield tx
                except BaseException:
                    roll_back(transaction)
                    raise
                self._commit(transaction)
            self.marks = tx.marks
            self._schemas |= tx.new_schemas
            if self.heads is not None:
                self.heads.add(tx.marks.seq, tx.marks.head)

    def _usable(self) -> sa.Connection:
        if self._broken is not None:
            raise StoreUnavailable(f"the store failed before and must be reopened ({self._broken.code})")
        if self._writer is None:
            raise WriterActive("the store was opened for reading; open it for writing")
        return self._writer

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Close the handle for writing after a failure of the database."""
        try:
            yield
        except (StoreUnavailable, CommitUnknown, StoreFatal, StoreCorrupt) as error:
            self._broken = error
            raise

    def _commit(self, transaction: sa.RootTransaction) -> None:
        try:
            transaction.commit()
        except DBAPIError as error:
            found = dialects.store_error(error, "committing")
            roll_back(transaction)
            if isinstance(found, StoreFatal):
                raise found from None
            raise CommitUnknown(
                "the connection broke while committing; reopen the store and compare its head"
            ) from None

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection that sees the store as it was at one moment.

        Raises:
            StoreUnavailable, StoreFatal: the database cannot be read.
        """
        with _translated("reading"), self.engine.connect() as conn, conn.begin():
            yield conn

    def reopen(self) -> None:
        """Close and open again, whatever state the handle is in; `marks` then say what is stored.

        Raises:
            As `open`.
        """
        with self._turn:
            self._disconnect()
            self._connect()
            self._broken = None

    def schema(self, named: bytes) -> pa.Schema | None:
        """Return a payload schema that was read before."""
        return self._schema_cache.get(named)

    def keep_schema(self, named: bytes, schema: pa.Schema) -> None:
        """Remember a payload schema."""
        self._schema_cache[named] = schema

    def scrub(self) -> None:
        """Remove from the database's files what was deleted; see `dialects.scrub`.

        Raises:
            StoreUnavailable: readers were in the way; run it again.
        """
        tables = [t.name for t in metadata.sorted_tables if ERASE in t.info]
        with self._turn, _translated("emptying the log"):
            dialects.scrub(self.engine, [journal.name, *tables])

    def forget_schemas(self) -> None:
        """Read payload schemas anew from now on: for who does not trust the database."""
        self._schema_cache = {}

    def close(self) -> None:
        """Let go of the database and of the lock."""
        with self._turn:
            self._disconnect()

    def _disconnect(self) -> None:
        if self.heads is not None:
            self.heads.close()
            self.heads = None
        if self._writer is not None:
            self._writer.invalidate()  # never returned to the pool: its session holds the lock
            self._writer.close()
            self._writer = None
        if hasattr(self, "engine"):
            self.engine.dispose()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class SideFiles:
    """Files beside the database: heads as they were committed, and what was erased."""

    heads: Path | None
    erasures: Path | None


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner can read.

    Raises:
        StoreUnavailable: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreUnavailable(f"cannot make the folder {folder}: {error.strerror}; name another") from error


def roll_back(transaction: sa.RootTransaction) -> None:
    """Roll back; where the connection is gone, the database has done so itself."""
    try:
        transaction.rollback()
    except DBAPIError:
        transaction.connection.invalidate()


def head_at(conn: sa.Connection, seq: int) -> bytes | None:
    """Return the head that journal row `seq` has, None where there is no such row."""
    return conn.execute(sa.select(journal.c.head).where(journal.c.seq == seq)).scalar()


def read_marks(conn: sa.Connection) -> Marks:
    """Read where every numbered table stands."""
    last = conn.execute(
        sa.select(journal.c.seq, journal.c.head, journal.c.first_event_seq + journal.c.event_count)
        .order_by(journal.c.seq.desc())
        .limit(1)
    ).first()
    seq, head, events = tuple(last) if last is not None else (0, GENESIS, 0)

    def following(column: sa.Column[int]) -> int:
        return int(conn.execute(sa.select(sa.func.coalesce(sa.func.max(column), 0))).scalar_one()) + 1

    return Marks(
        seq, head, events, following(hits.c.hit_id), following(outbox.c.id), following(quarantine.c.id)
    )


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    """Turn the driver's errors into ours; what is our own mistake passes through."""
    try:
        yield
    except DBAPIError as error:
        raise dialects.store_error(error, doing) from None
