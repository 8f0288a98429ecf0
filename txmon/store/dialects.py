"""What differs between SQLite and PostgreSQL: connections, the writer's lock, and what an error means.

Owns pragmas, session settings and the reading of driver errors; never a table.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from txmon.errors import (
    ConfigError,
    StoreConflict,
    StoreCorrupt,
    StoreError,
    StoreFatal,
    StoreUnavailable,
    WriterActive,
)

DATABASE_FILE, LOCK_FILE = "txmon.db", "txmon.lock"
BUSY_MS = 10_000
_CHECKPOINT_PAGES = 4000  # 16 MiB of log between checkpoints: bulk loads sync the database file less often
_ADVISORY_KEY = 0x74786D6F6E000001
_HANDOVER = "3s"
_FATAL_SQLITE = ("disk is full", "disk i/o error", "readonly database")
_CORRUPT_SQLITE = ("malformed", "not a database", "corrupt")
# classes of SQLSTATE: insufficient resources (disk full, out of memory), system error, internal error
_FATAL_POSTGRES = ("53100", "58", "XX")


class WriterLock(Protocol):
    """Held by the one process that may write."""

    def release(self) -> None:
        """Let another process write."""
        ...


def folder_url(folder: Path) -> str:
    """Return the URL of the database file of a store's folder."""
    return sqlite_url(folder / DATABASE_FILE)


def sqlite_url(file: Path) -> str:
    """Return the URL of a database file."""
    return sa.URL.create("sqlite", database=str(file)).render_as_string(False)


def is_folder(place: str) -> bool:
    """Say whether a place is a folder rather than a database URL."""
    return "://" not in place


def make_engine(url: str, *, read_only: bool) -> sa.Engine:
    """Return an engine with txmon's settings on every connection.

    Raises:
        ConfigError: neither SQLite nor PostgreSQL by psycopg 3.
    """
    name = make_url(url).drivername
    if name == "sqlite":
        return _sqlite_engine(url, read_only=read_only)
    if name == "postgresql+psycopg":
        return _postgres_engine(url, read_only=read_only)
    raise ConfigError(
        f"store URL of kind {name!r} is not known; give a folder, or postgresql+psycopg://USER@HOST/DATABASE"
    )


def _sqlite_engine(url: str, *, read_only: bool) -> sa.Engine:
    arguments = {"timeout": BUSY_MS / 1000, "check_same_thread": False}
    engine = sa.create_engine(url, connect_args=arguments, hide_parameters=True)

    @sa.event.listens_for(engine, "connect")
    def settings(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say so, not at the first change
        for text in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
            "temp_store=MEMORY",
            f"busy_timeout={BUSY_MS}",
            f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
            *(["query_only=ON"] if read_only else []),
        ):
            connection.execute(f"PRAGMA {text}").fetchall()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        write = connection.get_execution_options().get("txmon_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _postgres_engine(url: str, *, read_only: bool) -> sa.Engine:
    options = "-c synchronous_commit=on -c timezone=UTC -c lock_timeout=10s"
    if read_only:
        options += " -c default_transaction_read_only=on"
    return sa.create_engine(
        url,
        isolation_level="REPEATABLE READ",  # a reader sees one moment
        connect_args={"options": options, "connect_timeout": 5, "application_name": "txmon"},
        pool_pre_ping=True,
        hide_parameters=True,  # an error text shall not quote an event
    )


class FolderLock:
    """An exclusive lock on a file of the store's folder; ends with the process, however it ends."""

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_FILE
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._file, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise WriterActive(
                f"{folder} is written by process {holder}; stop it, or open the store for reading"
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another process write."""
        os.close(self._file)


def lock_session(connection: sa.Connection) -> None:
    """Make a PostgreSQL session the writer; the lock ends with the session.

    The server takes a moment to end the session of a process that has just stopped: it is waited for.

    Raises:
        WriterActive: another session has it.
    """
    try:
        connection.execute(sa.text(f"set local lock_timeout = '{_HANDOVER}'"))
        connection.execute(sa.text("select pg_advisory_lock(:key)"), {"key": _ADVISORY_KEY})
        connection.commit()
    except DBAPIError as error:
        connection.rollback()
        if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
            raise
        raise WriterActive(
            "another session writes this database; stop that process, or open the store for reading"
        ) from None


def writer_session(connection: sa.Connection) -> str | None:
    """Return which session of a PostgreSQL database is the writer, None where there is none."""
    high, low = _ADVISORY_KEY >> 32, _ADVISORY_KEY & 0xFFFFFFFF
    found = connection.execute(
        sa.text(
            "select l.pid, coalesce(host(a.client_addr), 'this machine') from pg_locks l "
            "left join pg_stat_activity a on a.pid = l.pid where l.locktype = 'advisory' and l.granted "
            "and l.objsubid = 1 and l.classid::bigint = :high and l.objid::bigint = :low "
            "and l.database = (select oid from pg_database where datname = current_database())"
        ),
        {"high": high, "low": low},
    ).first()
    return None if found is None else f"session {found[0]} from {found[1]}"


def store_error(error: DBAPIError, doing: str) -> StoreError:
    """Return what a driver error means for the writer.

    The driver's text may quote values, so it never goes into ours; its class, code and statement do. Raise
    it ``from None`` for the same reason.
    """
    original: Any = error.orig
    if isinstance(error, IntegrityError):
        return StoreConflict(f"{doing}: such a row is there already, in: {error.statement}")
    found = _sqlite_error(original, doing) if isinstance(original, sqlite3.Error) else None
    if found is None and not isinstance(original, sqlite3.Error):
        found = _postgres_error(error, doing)
    code = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", "")
    return found or StoreError(f"{doing}: {type(original).__name__} {code} in: {error.statement}")


def _sqlite_error(original: sqlite3.Error, doing: str) -> StoreError | None:
    text = str(original).lower()
    code = getattr(original, "sqlite_errorname", type(original).__name__)
    if any(mark in text for mark in _FATAL_SQLITE):
        return StoreFatal(
            f"{doing}: {code}; make room or replace the disk, then reopen the store and read its head"
        )
    if any(mark in text for mark in _CORRUPT_SQLITE):
        return StoreCorrupt(f"{doing}: {code}; the database file is damaged, restore a backup")
    if isinstance(original, sqlite3.OperationalError) and ("locked" in text or "unable to open" in text):
        return StoreUnavailable(f"{doing}: {code}; end the program that holds the database file")
    return None


def _postgres_error(error: DBAPIError, doing: str) -> StoreError | None:
    original: Any = error.orig
    state = getattr(original, "sqlstate", None) or ""
    if state.startswith(_FATAL_POSTGRES):
        return StoreFatal(f"{doing}: SQLSTATE {state}; see the log of the database server")
    lost = error.connection_invalidated or isinstance(error, (OperationalError, InterfaceError))
    if lost or isinstance(original, psycopg.OperationalError):
        return StoreUnavailable(
            f"{doing}: the database cannot be reached ({state or type(original).__name__})"
        )
    return None


def damage(conn: sa.Connection) -> list[str]:
    """Return what SQLite finds wrong in its file; PostgreSQL has pg_amcheck and page checksums."""
    if conn.dialect.name != "sqlite":
        return []
    found = conn.exec_driver_sql("PRAGMA integrity_check(5)").scalars().all()
    return [] if found == ["ok"] else [f"database file: {text}" for text in found]


def scrub(engine: sa.Engine, tables: Sequence[str]) -> None:
    """Remove from the database's files what was deleted: the whole file is written anew, its log emptied.

    SQLite overwrites what it deletes (secure_delete), but a page that it rearranged earlier keeps copies of
    moved entries in its gap, which only VACUUM removes. On PostgreSQL the tables are rewritten; its own
    write-ahead log goes as the server recycles it.

    Raises:
        StoreUnavailable: readers were in the way all the time; run it again.
    """
    if engine.dialect.name == "sqlite":
        with engine.connect() as conn:
            raw: Any = conn.connection.driver_connection
            raw.execute("PRAGMA temp_store=FILE")  # the copy may be larger than memory
            try:
                raw.execute("VACUUM")
            except sqlite3.Error as error:
                raise StoreUnavailable(
                    f"erased, but the file could not be written anew ({error.sqlite_errorname}); make room "
                    "for a second copy of it, then run the erasure again"
                ) from None
            finally:
                raw.execute("PRAGMA temp_store=MEMORY")
            busy, _, _ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreUnavailable(
                "erased, but the log could not be emptied because a reader is open; end it and run "
                "`txmon store retain` or the erasure again"
            )
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        for name in tables:
            conn.exec_driver_sql(f"VACUUM (FULL) {name}")
