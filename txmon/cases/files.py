"""Files that are attached to a case: taken in after a look into them, given out as they came.

Owns `case_files`; what is taken is the part of `txmon.cases.sniff`.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from txmon.cases.rows import Wanted, put, taken, told
from txmon.cases.sniff import addresses_in, kind_of
from txmon.cases.words import CHILD
from txmon.errors import InputError, NotFound, WrongState
from txmon.store import Tx
from txmon.store.casetables import case_files
from txmon.store.identity import Principal, new_id

FILES_MAX = 100  # of a case
_SHOWN = [column for column in case_files.columns if column.name != "content"]


@dataclass(frozen=True)
class Looked:
    """A file that was looked into. addresses: whether it has addresses of the web."""

    name: str
    kind: str
    content: bytes
    addresses: bool


def look(name: str, content: bytes) -> Looked:
    """Look into a file; takes its time, so never in the writer's turn.

    Raises:
        InputError: it is not taken.
    """
    kind = kind_of(name, content)
    return Looked(name, kind, content, addresses_in(kind, content))


def add(tx: Tx, who: Principal, wanted: Wanted, file: Looked) -> tuple[str, int]:
    """Attach a file; returns its id and the version of the case.

    Raises:
        FourEyes, NotFound, StoreConflict. InputError: an address of the web in a case about children.
        WrongState: so many are there.
    """
    row = taken(tx, who, wanted)
    name, kind, content = file.name, file.kind, file.content
    if row["restriction"] == CHILD and file.addresses:
        raise InputError("the file has addresses of the web; in this case they are kept as a keyed hash only")
    digest = sha256(content).digest()
    there = sa.select(case_files.c.sha256).where(case_files.c.case_id == wanted.case_id)
    hashes = {bytes(each) for each in tx.conn.execute(there).scalars()}
    if len(hashes) >= FILES_MAX or digest in hashes:
        raise WrongState(f"the case has this very file, or {FILES_MAX} of them")
    file_id = new_id("fil", tx.random_bytes)
    facts = {"file": file_id, "kind": kind, "size": len(content), "sha256": digest.hex()}
    seq = told(tx, who, "case.file_added", wanted.case_id, name=name, **facts)
    values: dict[str, Any] = {
        "file_id": file_id,
        "case_id": wanted.case_id,
        "name": name,
        "kind": kind,
        "sha256": digest,
    }
    values |= {"size": len(content), "content": content, "author": who.identity}
    values |= {"added_us": tx.clock.now_us(), "journal_seq": seq}
    tx.conn.execute(sa.insert(case_files).values(values))
    return file_id, put(tx, row, seq)


def of_case(conn: sa.Connection, who: Principal, case_id: str) -> list[sa.RowMapping]:
    """Return the files of a case without their content, the oldest first."""
    query = sa.select(*_SHOWN).where(case_files.c.case_id == case_id, *_kept(who))
    return list(conn.execute(query.order_by(case_files.c.added_us, case_files.c.file_id)).mappings())


def get(conn: sa.Connection, who: Principal, case_id: str, file_id: str) -> sa.RowMapping:
    """Return a file with its content.

    Raises:
        NotFound: the case has none of this id.
    """
    query = sa.select(case_files).where(case_files.c.case_id == case_id, case_files.c.file_id == file_id)
    row = conn.execute(query.where(*_kept(who))).mappings().first()
    if row is None:
        raise NotFound("the case has no such file")
    return row


def _kept(who: Principal) -> list[sa.ColumnElement[bool]]:
    """The condition that leaves files that are not past their retention."""
    return [] if who.past is None else [sa.not_(who.past.file())]


def require_shown(case: sa.RowMapping, file: sa.RowMapping) -> None:
    """Refuse a file that was attached before its case was about the exploitation of children.

    Raises:
        WrongState: it has addresses of the web; it is named by its hash.
    """
    if case["restriction"] == CHILD and addresses_in(file["kind"], file["content"]):
        raise WrongState(
            "the file has addresses of the web, which are not shown in a case about the exploitation of"
            f" children; it is kept for the authorities: sha256 {bytes(file['sha256']).hex()}"
        )
