"""What erasures name: the leaves whose rows are gone or rewritten, on purpose and by whom.

An erasure is a journal row with one JSON document:

    {"reason": ..., "author": ..., "approver": ..., "rows": [
       {"seq": 12, "root": "<hex>", "gone": [0, 5] or "all", "new": {"7": "<leaf in hex>"}}],
     "columns": ["memo"], "deleted": {"hits": [[7], [9]], "answers": [["key-1", "<hex>"]]},
     "blanked": {"alerts": [["al-..."]]}, "again": "<hex>"}

A leaf is named by the journal row, that row's root and its place. `gone` rows left the payload together
with their salts. `new` rows stayed with values taken out (`columns`, or words of a document): their new
leaf stands here, the old one stays in the tree. `deleted` and `blanked` list rows of other tables by
primary key, so that a restored backup can be treated alike. `again`
is the SHA-256 of the document that was carried out once more. It never holds a value. Owns the document;
`txmon.store.erase` acts on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from txmon.errors import StoreCorrupt


@dataclass
class RowErasure:
    """What became of one journal row. `gone` is None where everything went."""

    seq: int
    root: bytes
    gone: set[int] | None = field(default_factory=set)
    new: dict[int, bytes] = field(default_factory=dict)

    def is_gone(self, place: int) -> bool:
        """Say whether the row at a place was taken out."""
        return self.gone is None or place in self.gone

    def merge(self, later: RowErasure) -> None:
        """Add what a later erasure did to the same row."""
        self.gone = None if self.gone is None or later.gone is None else self.gone | later.gone
        self.new |= later.new


@dataclass(frozen=True)
class Erasure:
    """A document of erasure."""

    reason: str
    author: str
    approver: str
    rows: tuple[RowErasure, ...]
    columns: tuple[str, ...] = ()
    deleted: Mapping[str, list[list[Any]]] = field(default_factory=dict)
    blanked: Mapping[str, list[list[Any]]] = field(default_factory=dict)
    again: str = ""

    def to_json(self) -> bytes:
        """Return the document's bytes."""
        rows = [
            {
                "seq": row.seq,
                "root": row.root.hex(),
                "gone": "all" if row.gone is None else sorted(row.gone),
                "new": {str(place): leaf.hex() for place, leaf in sorted(row.new.items())},
            }
            for row in self.rows
        ]
        head = {"reason": self.reason, "author": self.author, "approver": self.approver}
        more = {"columns": self.columns, "deleted": dict(self.deleted), "blanked": dict(self.blanked)}
        document = head | {"rows": rows} | more | {"again": self.again}
        return json.dumps(document, separators=(",", ":")).encode()


def read_erasure(document: bytes, where: str) -> Erasure:
    """Read a document of erasure; `where` names it in errors.

    Raises:
        StoreCorrupt: it is none.
    """
    try:
        found = json.loads(document)
        rows = tuple(
            RowErasure(
                int(row["seq"]),
                bytes.fromhex(row["root"]),
                None if row["gone"] == "all" else {int(place) for place in row["gone"]},
                {int(place): bytes.fromhex(leaf) for place, leaf in row["new"].items()},
            )
            for row in found["rows"]
        )
        texts = [str(found[name]) for name in ("reason", "author", "approver")]
        others = (
            tuple(found["columns"]),
            dict(found["deleted"]),
            dict(found["blanked"]),
            str(found["again"]),
        )
        return Erasure(texts[0], texts[1], texts[2], rows, *others)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreCorrupt(f"{where} holds no document of erasure") from error


def by_row(erasures: Iterable[Erasure]) -> dict[int, RowErasure]:
    """Return what is named of each journal row by all erasures together, in their order."""
    found: dict[int, RowErasure] = {}
    for erasure in erasures:
        for row in erasure.rows:
            known = found.get(row.seq)
            if known is None:
                gone = None if row.gone is None else set(row.gone)
                found[row.seq] = RowErasure(row.seq, row.root, gone, dict(row.new))
            else:
                known.merge(row)
    return found
