"""Checks of the store: it opens, who writes it, files beside it, how long a start will take, the warehouse.

Owns the estimate of a start. Never writes, takes no lock that anyone waits for, and leaves it to `txmon store
verify` to look at every row.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from txmon.clock import rfc3339
from txmon.doctor.ground import SNAPSHOTS, Ground
from txmon.doctor.report import FAIL, OK, SKIPPED, WARN, Finding
from txmon.errors import StoreError, TxmonError
from txmon.pipeline.snapshots import Snapshots
from txmon.store.db import head_at
from txmon.store.dialects import LOCK_FILE, writer_session
from txmon.store.heads import last_line
from txmon.store.schema import journal as rows
from txmon.store.warehouse import catalog, layout

# docs/capacity.md says how they were measured
START_S = 5.0  # the program, its rules and compiled code
READ_AGAIN_PER_S = 20_000.0  # events of the journal behind the snapshot
SNAPSHOT_BYTES_PER_S = 60e6
_SLOW_START_S = 60.0
_BEHIND = 50_000  # events that the warehouse may be behind while nobody writes


def opens(ground: Ground) -> Iterator[Finding]:
    """Open the store and read where it stands."""
    place = ground.settings.shown()["store"]
    if ground.store_problem is not None:
        text, _, remedy = str(ground.store_problem).partition("; ")
        yield Finding(FAIL, f"{place}: {text}", remedy or "see docs/operations.md")
        return
    if ground.store is None:
        text = f"there is no store in {place} yet"
        yield Finding(WARN, text, "name its folder with --store, or make it: `txmon keys bootstrap`")
        return
    if not ground.settings.store_is_database and (owner := ground.folder.stat().st_uid) != os.geteuid():
        text = f"{place} belongs to user {owner}, this is user {os.geteuid()}"
        yield Finding(WARN, text, "run this, and every command on the store, as the service's user")
    with ground.store.read() as conn:
        revision = conn.execute(sa.text("select version_num from alembic_version")).scalar()
    marks = ground.store.marks
    yield Finding(OK, f"{place}: revision {revision}, {marks.seq:,} rows, {marks.events:,} events")


def writer(ground: Ground) -> Iterator[Finding]:
    """Say who holds the lock of the writer."""
    holder = held_by(ground)
    yield Finding(OK, f"written by {holder}" if holder else "nobody writes it now")


def held_by(ground: Ground) -> str | None:
    """Return who writes the store; None: nobody does."""
    if ground.settings.store_is_database:
        with ground.opened.read() as conn:
            return writer_session(conn)
    try:
        file = os.open(ground.folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # given back at once, by the closing
    except OSError:
        pid = os.read(file, 32).decode("ascii", "replace").strip()
        return f"process {pid or 'unknown'}{_command(pid)}"
    finally:
        os.close(file)
    return None


def _command(pid: str) -> str:
    """Return the command of a process of txmon, without its arguments."""
    path = Path("/proc") / pid / "cmdline"
    if not pid.isdecimal() or not path.exists():
        return ""
    words = path.read_bytes().split(b"\0")
    known = [w.decode() for w in words if w in (b"serve", b"stream", b"keys", b"store", b"replay")]
    return f" (txmon {known[0]})" if known else ""


def heads(ground: Ground) -> Iterator[Finding]:
    """Look whether the log of heads can be written, and whether its last line is the journal's."""
    path = ground.heads
    if path is None:
        text = "a database's heads are logged nowhere: a cut tail cannot be shown"
        yield Finding(WARN, text, "name a file with TXMON_HEADS_FILE, on another disk or machine")
        return
    yield from _writable(path, "log of heads")
    line = last_line(path) if path.exists() else None
    if line is None:
        yield Finding(OK, f"{path} has no line yet")
        return
    with ground.opened.read() as conn:
        head = head_at(conn, line.seq)
    if head == line.head:
        yield Finding(OK, f"{path} ends with row {line.seq:,}, at {rfc3339(line.time_us)}")
    else:
        what = "is another one" if head is not None else "is not there"
        text = f"{path} says that row {line.seq:,} was committed; in the journal it {what}"
        yield Finding(FAIL, text, "keep both as evidence, and run `txmon store verify`")


def erasures(ground: Ground) -> Iterator[Finding]:
    """Look whether the file of erasures can be written."""
    path = ground.erasures
    yield from _writable(path, "file of erasures")
    count = path.read_bytes().count(b"\n") if path.exists() else 0
    yield Finding(OK, f"{path} holds {count} erasures")


def _writable(path: Path, what: str) -> Iterator[Finding]:
    try:
        if path.exists():
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))
            return
        folder = next(p for p in path.absolute().parents if p.exists())
        if os.access(folder, os.W_OK | os.X_OK):
            return
        reason = f"{folder} cannot be written"
    except OSError as error:
        reason = error.strerror or type(error).__name__
    yield Finding(FAIL, f"{what} {path}: {reason}", "make it writable for the service's user")


def start(ground: Ground) -> Iterator[Finding]:
    """Estimate a start: the newest snapshot that fits is read, then the journal behind it again."""
    marks = ground.opened.marks
    folder = ground.folder / SNAPSHOTS
    active = ground.in_force
    if active is None:
        yield Finding(OK, "nothing is to be read at a start")
        return
    found = Snapshots(folder)
    fitting = [seq for seq in found.places() if (folder / _name(seq, active.essence)).exists()]
    seq = next((seq for seq in fitting if seq <= marks.seq), 0)
    events, size, age = 0, 0, ""
    if seq:
        file = (folder / _name(seq, active.essence)).stat()
        size = file.st_size
        age = f", {max(ground.clock.now_us() / 1e6 - file.st_mtime, 0) / 60:,.0f} min old"
        query = sa.select(rows.c.first_event_seq + rows.c.event_count).where(rows.c.seq == seq)
        with ground.opened.read() as conn:
            events = int(conn.execute(query).scalar() or 0)
    tail = marks.events - events
    seconds = START_S + size / SNAPSHOT_BYTES_PER_S + tail / READ_AGAIN_PER_S
    place = f"behind row {seq:,}{age}" if seq else "there is none that fits"
    text = f"newest snapshot {place}; {tail:,} events to read again: a start takes about {seconds:,.0f} s"
    if seconds <= _SLOW_START_S:
        yield Finding(OK, text)
    else:
        yield Finding(WARN, text, "stop the service by SIGTERM, which saves its state; see docs/capacity.md")


def _name(seq: int, essence: str) -> str:
    return f"{seq:020d}-{essence[:16]}.arrow"


def warehouse(ground: Ground) -> Iterator[Finding]:
    """Compare the warehouse's mark with the journal, where no service has it open."""
    folder = layout.folder_of(ground.folder)
    if not ground.settings.warehouse:
        yield Finding(SKIPPED, "switched off: TXMON_WAREHOUSE=false")
        return
    if not (folder / layout.DATABASE).exists():
        yield Finding(OK, "there is none yet; the service makes it")
        return
    if held_by(ground) is not None:
        yield Finding(SKIPPED, "the service has it open; reach.service asks for its mark")
        return
    try:
        con = catalog.connect(folder, read_only=True)
    except StoreError as error:
        yield Finding(FAIL, error.detail, "run `txmon store rebuild`")
        return
    try:
        mark = catalog.read_mark(con)
    except TxmonError as error:
        yield Finding(FAIL, error.detail, "run `txmon store rebuild`")
        return
    finally:
        con.close()
    yield from _behind(ground, mark)


def _behind(ground: Ground, mark: catalog.Mark) -> Iterator[Finding]:
    marks = ground.opened.marks
    with ground.opened.read() as conn:
        head = head_at(conn, mark.seq)
    behind = marks.events - mark.events
    if mark.seq and head != mark.head:
        text = f"the warehouse stands at row {mark.seq:,} of another journal"
        yield Finding(FAIL, text, "run `txmon store rebuild`")
    elif behind > _BEHIND:
        text = f"the warehouse is {behind:,} events behind the journal"
        yield Finding(WARN, text, "the service brings it up to date; or `txmon store rebuild`")
    else:
        yield Finding(OK, f"at row {mark.seq:,} of {marks.seq:,}, {behind:,} events behind")
