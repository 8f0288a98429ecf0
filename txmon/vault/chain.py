"""Whether a vault is as it was written: the log's chain, every seal, and each record by the log's word.

The chain tells a row of the log that was changed, taken out or put in; the sealed mark of the newest row a
log that was cut; the digests in the log a record that was swapped, brought back or taken out. A whole file
that was exchanged for an older one is told by a head that was noted elsewhere. Owns the check alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from txmon.errors import StoreCorrupt
from txmon.vault.db import GENESIS, Reader, VaultFile, log, next_head, records

MOST = 100


@dataclass(frozen=True)
class Verified:
    """What was found. findings name places, never content; at most `MOST`."""

    rows: int
    records: int
    seq: int
    head: bytes
    findings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def verify(file: VaultFile, noted: tuple[int, bytes] | None = None) -> Verified:
    """Check everything, beside a running service too.

    Args:
        noted: number and head of a row that were noted elsewhere; the log must go on from it.
    """
    with file.read() as reader:
        last: dict[tuple[str, str], tuple[int, str | None]] = {}
        found = list(_chain(reader, last, noted))
        found += _mark(reader, file)
        count = 0
        for row in reader.conn.execute(sa.select(records).order_by(records.c.kind, records.c.id)):
            count += 1
            found += _record(reader, row, last.pop((row.kind, row.id), None))
        found += [f"record {kind} {name}: is gone" for (kind, name), (_, digest) in last.items() if digest]
        seq, head = reader.last()
        rows = reader.conn.execute(sa.select(sa.func.count()).select_from(log)).scalar_one()
    return Verified(rows, count, seq, head, tuple(found[:MOST]))


def _chain(
    reader: Reader, last: dict[tuple[str, str], tuple[int, str | None]], noted: tuple[int, bytes] | None
) -> Iterator[str]:
    head, number = GENESIS, 0
    for row in reader.conn.execute(sa.select(log).order_by(log.c.seq)):
        number += 1
        if row.seq != number:
            yield f"log: row {number} is missing before row {row.seq}"
            number = row.seq
        head = next_head(head, row.seq, row.owner, row.sealed)
        if head != row.head:
            yield f"log: row {row.seq} does not fit the chain"
            head = bytes(row.head)
        try:
            for kind, name, version, digest in reader.row(row).entry["rows"]:
                last[kind, name] = (version, digest)
        except StoreCorrupt:
            yield f"log: row {row.seq} does not open"
        if noted is not None and noted == (row.seq, head):
            noted = None
    if noted is not None:
        yield f"log: row {noted[0]} has not the head that was noted; the vault was exchanged or written anew"


def _mark(reader: Reader, file: VaultFile) -> Iterator[str]:
    sealed, (seq, head) = reader.meta("mark"), reader.last()
    try:
        mark = file.sealer.open(("meta", "mark"), sealed or b"")
    except StoreCorrupt:
        yield "mark of the newest row: is missing or was changed"
        return
    if mark != seq.to_bytes(8, "big") + head:
        yield f"log: ends at row {seq}, and row {int.from_bytes(mark[:8], 'big')} was the newest"


def _record(reader: Reader, row: Any, known: tuple[int, str | None] | None) -> Iterator[str]:
    where = f"record {row.kind} {row.id}"
    try:
        reader.opened(row)
    except StoreCorrupt:
        yield f"{where}: does not open"
    if known is None or known[1] is None:
        yield f"{where}: the log knows of none"
    elif known != (row.version, sha256(row.sealed).hexdigest()):
        yield f"{where}: is not in the version that the log left it in"
