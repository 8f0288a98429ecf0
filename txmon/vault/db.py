"""The vault's database file: sealed records, and the log in which every change of one is a row.

    with file.write() as tx:
        tx.put("report", report_id, content, version=2, owner=report_id)
        tx.log({"action": "edit", ...})

Records are bytes by kind and id; the log says of each change which records it left in which version with
which digest, so that a row that was swapped, brought back or taken out is found (`txmon.vault.chain`). A
transaction that changed something and logged nothing is an error of ours and is rolled back.
Owns the file, its tables and their revision; what records mean is their owners' part.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from txmon.clock import Clock, RandomBytes
from txmon.errors import ConfigError, NotFound, StateError
from txmon.store import dialects
from txmon.store.db import make_folder, roll_back
from txmon.vault.keyfiles import name_of
from txmon.vault.seal import KEY_BYTES, Sealer, unwrap, wrap

REVISION = 1
_WRAPPED = "wrapped:"
GENESIS = bytes(32)
_METADATA = sa.MetaData()
meta = sa.Table(
    "meta",
    _METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
)
records = sa.Table(
    "records",
    _METADATA,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),  # what it belongs to: an id that tells nothing
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Index("records_owner", "kind", "owner"),
)
log = sa.Table(
    "log",
    _METADATA,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("head", sa.LargeBinary, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Index("log_owner", "owner", "seq"),
)


@dataclass(frozen=True)
class Record:
    """A record as it is stored."""

    kind: str
    id: str
    owner: str
    version: int
    content: bytes


@dataclass(frozen=True)
class Row:
    """A row of the log, opened."""

    seq: int
    owner: str
    head: bytes
    entry: dict[str, Any]


def next_head(previous: bytes, seq: int, owner: str, sealed: bytes) -> bytes:
    """Return the head of a row of the log."""
    return sha256(
        b"txmon vault log\x00" + previous + seq.to_bytes(8, "big") + sha256(owner.encode()).digest() + sealed
    ).digest()


class Reader:
    """Reads sealed records over one connection."""

    def __init__(self, conn: sa.Connection, sealer: Sealer) -> None:
        self.conn, self._sealer = conn, sealer

    def find(self, kind: str, record_id: str) -> Record | None:
        """Return a record, None where there is none."""
        query = sa.select(records).where(records.c.kind == kind, records.c.id == record_id)
        row = self.conn.execute(query).first()
        return None if row is None else self.opened(row)

    def get(self, kind: str, record_id: str) -> Record:
        """Return a record.

        Raises:
            NotFound: there is none.
        """
        found = self.find(kind, record_id)
        if found is None:
            raise NotFound(f"there is no such {kind}")
        return found

    def all(self, kind: str, owner: str | None = None) -> list[Record]:
        """Return the records of a kind, in order of their ids."""
        query = sa.select(records).where(records.c.kind == kind).order_by(records.c.id)
        if owner is not None:
            query = query.where(records.c.owner == owner)
        return [self.opened(row) for row in self.conn.execute(query)]

    def opened(self, row: Any) -> Record:
        """Open a row of the table of records.

        Raises:
            StoreCorrupt: it was changed or moved.
        """
        content = self._sealer.open(_record_place(row.kind, row.id, row.owner, row.version), row.sealed)
        return Record(row.kind, row.id, row.owner, row.version, content)

    def row(self, row: Any) -> Row:
        """Open a row of the log.

        Raises:
            StoreCorrupt: it was changed or moved.
        """
        entry = json.loads(self._sealer.open(_log_place(row.seq, row.owner), row.sealed))
        return Row(row.seq, row.owner, bytes(row.head), entry)

    def last(self) -> tuple[int, bytes]:
        """Return number and head of the newest row of the log."""
        newest = sa.select(log.c.seq, log.c.head).order_by(log.c.seq.desc()).limit(1)
        found = self.conn.execute(newest).first()
        return (0, GENESIS) if found is None else (found.seq, bytes(found.head))

    def meta(self, name: str) -> bytes | None:
        """Return a value of the file itself."""
        value = self.conn.execute(sa.select(meta.c.value).where(meta.c.name == name)).scalar()
        return None if value is None else bytes(value)


class Tx(Reader):
    """An open write transaction. Never outlives its ``with``."""

    def __init__(self, conn: sa.Connection, sealer: Sealer, clock: Clock, random_bytes: RandomBytes) -> None:
        super().__init__(conn, sealer)
        self.clock, self.random_bytes = clock, random_bytes
        self.changed: dict[tuple[str, str], tuple[int, str | None]] = {}

    def put(self, kind: str, record_id: str, content: bytes, *, version: int = 1, owner: str = "") -> None:
        """Write a record, in place of an older version."""
        sealed = self._sealer.seal(_record_place(kind, record_id, owner, version), content)
        here = sa.and_(records.c.kind == kind, records.c.id == record_id)
        self.conn.execute(sa.delete(records).where(here))
        self.conn.execute(
            sa.insert(records).values(kind=kind, id=record_id, owner=owner, version=version, sealed=sealed)
        )
        self.changed[kind, record_id] = (version, sha256(sealed).hexdigest())

    def drop(self, kind: str, record_id: str) -> None:
        """Take a record out."""
        here = sa.and_(records.c.kind == kind, records.c.id == record_id)
        self.conn.execute(sa.delete(records).where(here))
        self.changed[kind, record_id] = (0, None)

    def log(self, entry: Mapping[str, Any], owner: str = "") -> int:
        """Add the row of the log for what was changed since the last one; returns its number."""
        seq, head = self.last()
        rows = [[kind, name, *change] for (kind, name), change in sorted(self.changed.items())]
        text = json.dumps({"at": self.clock.now_us()} | dict(entry) | {"rows": rows}, separators=(",", ":"))
        sealed = self._sealer.seal(_log_place(seq + 1, owner), text.encode())
        head = next_head(head, seq + 1, owner, sealed)
        self.conn.execute(sa.insert(log).values(seq=seq + 1, owner=owner, head=head, sealed=sealed))
        self.set_meta("mark", self._sealer.seal(("meta", "mark"), (seq + 1).to_bytes(8, "big") + head))
        self.changed = {}
        return seq + 1

    def set_meta(self, name: str, value: bytes) -> None:
        """Write a value of the file itself."""
        self.conn.execute(sa.delete(meta).where(meta.c.name == name))
        self.conn.execute(sa.insert(meta).values(name=name, value=value))

    def only_wrapped(self, name: str) -> list[str]:
        """Take out every wrapping of the data key but this key's; returns the names of the others."""
        others = sa.and_(meta.c.name.startswith(_WRAPPED), meta.c.name != _WRAPPED + name)
        found = [
            each.removeprefix(_WRAPPED)
            for each in self.conn.execute(sa.select(meta.c.name).where(others)).scalars()
        ]
        self.conn.execute(sa.delete(meta).where(others))
        return found


class VaultFile:
    """See the module. `write` may be called from any thread and process, one at a time; `read` from any."""

    def __init__(self, path: Path, key: bytes, clock: Clock, random_bytes: RandomBytes) -> None:
        """Open a vault's file.

        Raises:
            ConfigError: the key is another's. StateError: of a newer version.
        """
        self.path, self._clock, self._random = path, clock, random_bytes
        self._turn = threading.RLock()
        self._engine = dialects.make_engine(dialects.sqlite_url(path), read_only=False)
        try:
            with translated("opening the vault"), self._engine.connect() as conn, conn.begin():
                found = {row.name: bytes(row.value) for row in conn.execute(sa.select(meta))}
            self.vault_id = _checked(found)
            self.data_key = _unwrapped(found, key, self.vault_id)
        except BaseException:
            self.close()
            raise
        self.sealer = Sealer(self.data_key, random_bytes)

    @classmethod
    def make(cls, path: Path, key: bytes, clock: Clock, random_bytes: RandomBytes) -> VaultFile:
        """Make a vault's file, sealed by a key.

        Raises:
            ConfigError: there is one already.
        """
        make_folder(path.parent)
        if path.exists():
            raise ConfigError(f"{path} exists and is not replaced; a vault is made once")
        path.touch(0o600)
        vault_id = random_bytes(8).hex()
        wrapped = wrap(key, random_bytes(KEY_BYTES), vault_id, random_bytes)
        engine = dialects.make_engine(dialects.sqlite_url(path), read_only=False)
        values = {
            "revision": str(REVISION).encode(),
            "vault": vault_id.encode(),
            _WRAPPED + name_of(key): wrapped,
        }
        with translated("making the vault"), engine.connect() as conn, conn.begin():
            _METADATA.create_all(conn)
            conn.execute(sa.insert(meta), [{"name": n, "value": v} for n, v in values.items()])
        engine.dispose()
        return cls(path, key, clock, random_bytes)

    @staticmethod
    def rewrap(path: Path, data_key: bytes, key: bytes, random_bytes: RandomBytes) -> None:
        """Have a file that was restored open with another key, and with no other; its log is not changed."""
        engine = dialects.make_engine(dialects.sqlite_url(path), read_only=False)
        try:
            with translated("restoring the vault"), engine.connect() as conn, conn.begin():
                found = {row.name: bytes(row.value) for row in conn.execute(sa.select(meta))}
                vault_id = _checked(found)
                conn.execute(sa.delete(meta).where(meta.c.name.startswith(_WRAPPED)))
                wrapped = wrap(key, data_key, vault_id, random_bytes)
                conn.execute(sa.insert(meta).values(name=_WRAPPED + name_of(key), value=wrapped))
        finally:
            engine.dispose()

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """Open a transaction; committed and on disk when the block ends, rolled back when it raises.

        Raises:
            StoreError: nothing was stored.
        """
        with self._turn, translated("writing the vault"), self._engine.connect() as plain:
            conn = plain.execution_options(txmon_writes=True)
            transaction = conn.begin()
            try:
                tx = Tx(conn, self.sealer, self._clock, self._random)
                yield tx
                if tx.changed:
                    raise AssertionError("a change of the vault was not logged")
            except BaseException:
                roll_back(transaction)
                raise
            transaction.commit()

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """Give a reader that sees the vault as it was at one moment."""
        with translated("reading the vault"), self._engine.connect() as conn, conn.begin():
            yield Reader(conn, self.sealer)

    def scrub(self) -> None:
        """Remove from the file what was deleted; see `dialects.scrub`."""
        with self._turn:
            dialects.scrub(self._engine, ())

    def image(self) -> bytes:
        """Return the whole file as it is at one moment; its content is sealed."""
        with translated("reading the vault"), self._engine.connect() as conn:
            raw: Any = conn.connection.driver_connection
            return bytes(_image(raw))

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()


def _image(raw: Any) -> bytes:
    memory = sqlite3.connect(":memory:")
    try:
        raw.backup(memory)
        return memory.serialize()
    finally:
        memory.close()


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the driver's errors into ours, without their text."""
    try:
        yield
    except DBAPIError as error:
        raise dialects.store_error(error, doing) from None


def _checked(found: Mapping[str, bytes]) -> str:
    revision = int(found.get("revision", b"0"))
    if revision != REVISION:
        raise StateError(
            f"the vault is of revision {revision} and this program knows {REVISION}; use the one that made it"
        )
    return found["vault"].decode()


def _unwrapped(found: Mapping[str, bytes], key: bytes, vault_id: str) -> bytes:
    wrapped = found.get(_WRAPPED + name_of(key))
    return unwrap(key, wrapped if wrapped is not None else b"", vault_id)


def _record_place(kind: str, record_id: str, owner: str, version: int) -> tuple[str, ...]:
    return ("records", kind, record_id, owner, str(version), "sealed")


def _log_place(seq: int, owner: str) -> tuple[str, ...]:
    return ("log", str(seq), owner, "sealed")
