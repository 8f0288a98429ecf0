"""Signed heads: what the journal was at a moment, for whoever must be able to show later that it was not
rewritten.

    line = {"version": 1, "seq": 12, "head": "<hex>", "events": 340, "time": "2026-01-05T12:00:00.000000Z",
            "key": "<SHA-256 of the public key>", "signature": "<hex of Ed25519>"}

A line a head, appended and synced. Signed are the bytes ``txmon-head-1`` and, each behind a line feed, seq,
head, events and time as they stand in the line. Owns the file and its check against a journal; the key is the
one that signs bundles.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from txmon.clock import rfc3339
from txmon.errors import InputError, StoreUnavailable
from txmon.evidence.signing import name_of, signed_by
from txmon.store import Store
from txmon.store.schema import journal

FILE = "signed-heads.ndjson"
_VERSION = 1
_AT_ONCE = 500
_LINE_MAX = 2000


@dataclass(frozen=True)
class SignedHead:
    """A head with its signature. events: journaled up to row `seq`."""

    seq: int
    head: str
    events: int
    time: str
    key: str
    signature: str

    @property
    def content(self) -> bytes:
        """The bytes that are signed."""
        return f"txmon-head-1\n{self.seq}\n{self.head}\n{self.events}\n{self.time}".encode()

    def document(self) -> dict[str, Any]:
        """Return it as a line of the file says it."""
        return {"version": _VERSION, **vars(self)}


def sign_head(store: Store, key: Ed25519PrivateKey, now_us: int) -> SignedHead | None:
    """Sign the newest head of the database; None while the journal is empty."""
    query = sa.select(journal.c.seq, journal.c.head, journal.c.first_event_seq + journal.c.event_count)
    with store.read() as conn:
        row = conn.execute(query.order_by(journal.c.seq.desc()).limit(1)).first()
    if row is None:
        return None
    named = name_of(key.public_key())
    made = SignedHead(int(row[0]), bytes(row[1]).hex(), int(row[2]), rfc3339(now_us), named, "")
    return SignedHead(**(vars(made) | {"signature": key.sign(made.content).hex()}))


def append(path: Path, head: SignedHead) -> None:
    """Add a line and wait until the disk has it; a line that a crash cut is ended first.

    Raises:
        StoreUnavailable: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(file).st_size
            cut = size and os.pread(file, 1, size - 1) != b"\n"
            line = json.dumps(head.document(), separators=(",", ":")).encode() + b"\n"
            os.write(file, (b"\n" if cut else b"") + line)
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise StoreUnavailable(f"cannot append to {path}: {error.strerror}; name another file") from error


def read(path: Path) -> Iterator[tuple[int, SignedHead]]:
    """Yield line number and head of a file; a line that a crash cut at its end is passed over.

    Raises:
        InputError: the file cannot be read, or a line is no signed head.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name a file of signed heads") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = _parsed(line)
        if found is not None:
            yield number, found
        elif number < len(lines) and _whole(line):
            raise InputError(f"{path}:{number}: no signed head; get the file again from where it is kept")


def _whole(line: bytes) -> bool:
    """Whether a line was written to its end, so that what is wrong with it is no crash."""
    return line.endswith(b"}") or not line.startswith(b"{")


def _parsed(line: bytes) -> SignedHead | None:
    if len(line) > _LINE_MAX:
        return None
    try:
        found = json.loads(line)
        if not isinstance(found, dict) or found.pop("version", None) != _VERSION:
            return None
        made = SignedHead(**found)
    except (ValueError, TypeError):
        return None
    numbers = all(isinstance(n, int) and not isinstance(n, bool) for n in (made.seq, made.events))
    texts = all(isinstance(t, str) for t in (made.head, made.time, made.key, made.signature))
    return made if numbers and texts else None


def is_signed(path: Path) -> bool:
    """Say whether a file is one of signed heads, and not a plain log of heads."""
    try:
        with path.open("rb") as file:
            return file.read(1) == b"{"
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name a file of heads") from error


def check(store: Store, path: Path, keys: Sequence[Ed25519PublicKey]) -> tuple[int, list[tuple[int, str]]]:
    """Hold the journal against a file of signed heads.

    Args:
        keys: whose signatures are believed.

    Returns:
        How many lines are as they should be, and for each other one the journal row and what is wrong.

    Raises:
        InputError: the file is none.
    """
    known = {name_of(key): key for key in keys}
    good, faults = 0, []
    newest = -1
    waiting: list[tuple[int, SignedHead]] = []
    for number, head in read(path):
        where = f"{path.name} line {number}"
        signer = known.get(head.key)
        if signer is None:
            faults.append((head.seq, f"{where} is signed by a key that is not known here; give it by --key"))
        elif not signed_by(signer, _bytes(head.signature), head.content):
            faults.append((head.seq, f"{where} was changed: its signature is not of what it says"))
        else:
            if head.seq < newest:
                faults.append((head.seq, f"{where} goes back from row {newest}"))
            newest = max(newest, head.seq)
            waiting.append((number, head))
    for i in range(0, len(waiting), _AT_ONCE):
        block = waiting[i : i + _AT_ONCE]
        there = _there(store, sorted({head.seq for _, head in block}))
        for number, head in block:
            fault = _fault(there.get(head.seq), head)
            if fault is None:
                good += 1
            else:
                faults.append((head.seq, fault.format(f"{path.name} line {number}")))
    return good, faults


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _fault(there: tuple[str, int] | None, head: SignedHead) -> str | None:
    if there is None:
        return "missing, but {} is a signed head of it: the journal was cut"
    if there[0] != head.head:
        return "has another head than {} says: the journal was rewritten"
    if there[1] != head.events:
        return "numbers its events otherwise than {} says"
    return None


def _there(store: Store, seqs: Sequence[int]) -> Mapping[int, tuple[str, int]]:
    end = (journal.c.first_event_seq + journal.c.event_count).label("end")
    query = sa.select(journal.c.seq, journal.c.head, end).where(journal.c.seq.in_(seqs))
    with store.read() as conn:
        return {row.seq: (bytes(row.head).hex(), int(row.end)) for row in conn.execute(query)}
