"""Copies that stay when the main store's retention takes the originals: what a report or an order rests on.

    keep(tx, Keeping("report", report_id, keep_until_us, "released", person), items)
    kept(reader, owner)

A copy is plain JSON values; `what` says of what (``event``, ``bundle``, ...). The main store is never asked
and never told: its retention is the same whether a copy exists or not. A copy leaves when its time is over
(`retain`), and then its bytes leave the file. Owns these records.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from txmon.store.identity import new_id
from txmon.vault.db import Reader, Record, Tx

KIND = "copy"
Item = Mapping[str, Any]


@dataclass(frozen=True)
class Kept:
    """A copy. kind: of the owner (``report``, ``preservation``, ...); times are UTC microseconds."""

    copy_id: str
    kind: str
    owner: str
    item: Item
    kept_us: int
    keep_until_us: int
    why: str
    who: str

    @property
    def name(self) -> str:
        """What a person calls it."""
        if "event_id" in self.item:
            return f"{self.item['source']}/{self.item['event_id']}"
        return str(self.item.get("name", self.item.get("what", "")))

    @property
    def content(self) -> bytes:
        """The copy as JSON, always the same bytes."""
        return _canonical(self.item)

    @property
    def sha256(self) -> str:
        """Digest of the content, hexadecimal; of a bundle, of the bundle itself."""
        return str(self.item.get("sha256") or sha256(self.content).hexdigest())


@dataclass(frozen=True)
class Keeping:
    """For whom copies are kept, until when (UTC microseconds), why, and by whom."""

    kind: str
    owner: str
    keep_until_us: int
    why: str
    who: str


def bundle(name: str, content: bytes) -> Item:
    """Return an evidence bundle as it is kept."""
    digest = sha256(content).hexdigest()
    return {"what": "bundle", "name": name, "sha256": digest, "content": b64encode(content).decode()}


def keep(tx: Tx, keeping: Keeping, items: Iterable[Item]) -> int:
    """Keep copies; the caller logs. Returns how many are new.

    What the owner has already is not kept twice; it stays longer if that is asked.
    """
    there = {_canonical(json.loads(r.content)["item"]): r for r in tx.all(KIND, keeping.owner)}
    new = 0
    for item in items:
        old = there.get(_canonical(item))
        facts = {
            "kind": keeping.kind, "item": dict(item), "why": keeping.why, "who": keeping.who,
            "kept_us": tx.clock.now_us(), "keep_until_us": keeping.keep_until_us,
        }  # fmt: skip
        if old is None:
            tx.put(KIND, new_id("cpy", tx.random_bytes), json.dumps(facts).encode(), owner=keeping.owner)
            new += 1
            continue
        stored = json.loads(old.content)
        if stored["keep_until_us"] < keeping.keep_until_us:
            facts = stored | {"keep_until_us": keeping.keep_until_us}
            content = json.dumps(facts).encode()
            tx.put(KIND, old.id, content, version=old.version + 1, owner=keeping.owner)
    return new


def kept(reader: Reader, owner: str) -> list[Kept]:
    """Return the copies of an owner, in order of keeping."""
    found = [_loads(record) for record in reader.all(KIND, owner)]
    return sorted(found, key=lambda copy: (copy.kept_us, copy.name, copy.copy_id))


def retain(tx: Tx, now_us: int) -> dict[str, int]:
    """Take out the copies whose time is over; the caller logs. Returns how many of each owner."""
    gone: dict[str, int] = {}
    for record in tx.all(KIND):
        copy = _loads(record)
        if copy.keep_until_us <= now_us:
            tx.drop(KIND, copy.copy_id)
            gone[copy.owner] = gone.get(copy.owner, 0) + 1
    return gone


def _canonical(item: Item) -> bytes:
    return json.dumps(dict(item), sort_keys=True, separators=(",", ":")).encode()


def _loads(record: Record) -> Kept:
    found: dict[str, Any] = json.loads(record.content)
    return Kept(record.id, owner=record.owner, **found)
