"""Backup of a store that is being written, and restoring of one.

    folder = txmon.db (SQLite) or txmon.dump (PostgreSQL, pg_dump's custom format),
             manifest.json (row, head, events, SHA-256 of the copy), heads.log and erasures.log as they were

A restored store treats what was erased after the backup as erased again, from the file of erasures that
goes on beside the live store. Kept answers and messages already sent are not brought back. Owns the folder.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from txmon.clock import Clock, RandomBytes
from txmon.errors import InputError, StoreCorrupt, StoreUnavailable
from txmon.store import dialects, outbox
from txmon.store.db import ERASURES_FILE, HEADS_FILE, Marks, Store, make_folder, read_marks
from txmon.store.erase import Outcome, reapply
from txmon.store.heads import HeadLine, read_lines
from txmon.store.schema import answers

MANIFEST, DUMP = "manifest.json", "txmon.dump"
_EVER_US = 1 << 62
_PAGES = 1024  # copied between two looks at whether the source changed


@dataclass(frozen=True)
class Manifest:
    """What a backup holds."""

    file: str
    sha256: str
    seq: int
    head: str
    events: int
    made_us: int


def backup(store: Store, target: Path) -> Manifest:
    """Copy a store into a new folder while it is being written.

    Raises:
        InputError: the folder holds a backup. StoreUnavailable: it cannot be written, or pg_dump is missing.
    """
    if (target / MANIFEST).exists():
        raise InputError(f"{target} holds a backup already; name a new folder")
    make_folder(target)
    if store.folder is not None:
        name = dialects.DATABASE_FILE
        marks = _copy_sqlite(store.folder / name, target / name)
    else:
        name = DUMP
        marks = _dump_postgres(store, target / name)
    _copy_side_files(store, target, marks.seq)
    manifest = Manifest(
        name, _digest(target / name), marks.seq, marks.head.hex(), marks.events, store.clock.now_us()
    )
    # written last: a folder without it is no backup
    _write_synced(target / MANIFEST, json.dumps(asdict(manifest), indent=1) + "\n")
    return manifest


def _copy_sqlite(source: Path, target: Path) -> Marks:
    try:
        reader = sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=dialects.BUSY_MS / 1000)
        writer = sqlite3.connect(target)
        try:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # the moment that is copied
            reader.backup(writer, pages=_PAGES)
            writer.execute("PRAGMA journal_mode=DELETE")
        finally:
            writer.close()
            reader.close()
        _sync(target)
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"cannot copy the database to {target}; is there room?") from error
    engine = dialects.make_engine(dialects.sqlite_url(target), read_only=True)
    try:
        with engine.connect() as conn:
            return read_marks(conn)
    finally:
        engine.dispose()


def _dump_postgres(store: Store, target: Path) -> Marks:
    with store.read() as conn:
        snapshot = str(conn.execute(sa.text("select pg_export_snapshot()")).scalar_one())
        marks = read_marks(conn)
        options = ["--format=custom", f"--snapshot={snapshot}", f"--file={target}"]
        _run_postgres("pg_dump", store.place, options)
    _sync(target)
    return marks


def _run_postgres(program: str, url: str, options: Sequence[str]) -> None:
    """Run a program of PostgreSQL on a database; the password goes by the environment."""
    found = shutil.which(program)
    if found is None:
        raise StoreUnavailable(f"{program} is not installed; install PostgreSQL's client programs")
    parts = make_url(url)
    password = str(parts.password) if parts.password else None
    plain = sa.URL.create(
        "postgresql", parts.username, None, parts.host, parts.port, parts.database, parts.query
    )
    environment = dict(os.environ) | ({"PGPASSWORD": password} if password else {})
    done = subprocess.run(  # noqa: S603 (a program of the machine, arguments of our own)
        [found, *options, f"--dbname={plain.render_as_string(hide_password=False)}"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise StoreUnavailable(f"{program} ended with status {done.returncode}; run it by hand to see why")


def _copy_side_files(store: Store, target: Path, seq: int) -> None:
    if store.files.heads is not None and store.files.heads.exists():
        lines = [h for h in read_lines(store.files.heads) if isinstance(h, HeadLine) and h.seq <= seq]
        text = "".join(f"{h.seq} {h.head.hex()} {h.time_us}\n" for h in lines)
        _write_synced(target / HEADS_FILE, text)
    if store.files.erasures is not None and store.files.erasures.exists():
        shutil.copyfile(store.files.erasures, target / ERASURES_FILE)
        _sync(target / ERASURES_FILE)


def restore(
    source: Path, place: str | Path, *, clock: Clock, random_bytes: RandomBytes, erasures: Path | None = None
) -> Outcome:
    """Make a store from a backup; returns what was erased again.

    Args:
        place: a folder without a store, or the URL of an empty database.
        erasures: the live store's file of erasures, which knows what was erased since the backup.

    Raises:
        InputError: no backup, or the place is taken. StoreCorrupt: the copy is not what was made.
    """
    manifest = _read_manifest(source)
    if _digest(source / manifest.file) != manifest.sha256:
        raise StoreCorrupt(f"{source / manifest.file} is not what was backed up; take another backup")
    folder = Path(place) if dialects.is_folder(str(place)) else None
    if (folder is None) != (manifest.file == DUMP):
        raise InputError(f"{source} is a backup of the other kind of database; name a matching place")
    side = _gather_erasures(source, folder, erasures)
    if folder is not None:
        _restore_folder(source, folder, manifest)
    else:
        _run_postgres("pg_restore", str(place), ["--no-owner", "--exit-on-error", str(source / DUMP)])
    with Store.open(place, clock=clock, random_bytes=random_bytes, erasures=side) as store:
        if (store.marks.seq, store.marks.head.hex()) != (manifest.seq, manifest.head):
            raise StoreCorrupt(f"{source} ends at another row than its manifest says; take another backup")
        with store.write() as tx:
            tx.conn.execute(sa.delete(answers))
            outbox.forget(tx, _EVER_US)
        return reapply(store)


def _restore_folder(source: Path, folder: Path, manifest: Manifest) -> None:
    make_folder(folder)
    if (folder / dialects.DATABASE_FILE).exists():
        raise InputError(f"{folder} holds a store; name an empty folder")
    if (source / HEADS_FILE).exists():
        shutil.copyfile(source / HEADS_FILE, folder / HEADS_FILE)
    made = folder / (dialects.DATABASE_FILE + ".new")
    shutil.copyfile(source / manifest.file, made)
    _sync(made)
    made.replace(folder / dialects.DATABASE_FILE)


def _gather_erasures(source: Path, folder: Path | None, given: Path | None) -> Path | None:
    """Put what the backup and the live store know of erasures into the file of the new store."""
    target = folder / ERASURES_FILE if folder is not None else given
    if target is None:
        return None  # what the backup knows of is in its journal
    lines: dict[bytes, None] = {}
    for file in (source / ERASURES_FILE, given, target):
        if file is not None and file.exists():
            lines |= dict.fromkeys(file.read_bytes().splitlines(keepends=True))
    make_folder(target.parent)
    target.write_bytes(b"".join(line for line in lines if line.endswith(b"\n")))
    _sync(target)
    return target


def _read_manifest(source: Path) -> Manifest:
    try:
        return Manifest(**json.loads((source / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{source} holds no whole backup ({MANIFEST}); name the folder of one") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _write_synced(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    _sync(path)


def _sync(path: Path) -> None:
    """Wait until the disk has a file and its name."""
    for place in (path, path.parent):
        file = os.open(place, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
