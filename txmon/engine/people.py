"""Who stands behind accounts as of an event: profiles by role, holders, transfers to oneself.

Owns the two profile books and answers for a batch; an account's holder may be a victim, so nothing here
ever reaches a log.
"""

from __future__ import annotations

from operator import methodcaller

import numpy as np
import pyarrow as pa

from txmon.engine.frames import EventFrame
from txmon.engine.hits import HOLDERS
from txmon.engine.keys import KeySpace
from txmon.engine.profiles import ProfileBook, current_holders
from txmon.engine.state import I64
from txmon.rules.ir import Unit
from txmon.rules.vec import Vec, each_word

_ROLES = {"account": ("payer", "payee"), "merchant": ("merchant",)}


class People:
    """Profiles of accounts and merchants."""

    def __init__(self, keys: KeySpace) -> None:
        self._keys = keys
        self.books = {name: ProfileBook(name) for name in _ROLES}

    def apply(self, frame: EventFrame) -> dict[str, I64]:
        """Set profile columns and `own_transfer` on a batch; returns holders' codes by role."""
        kind = frame.vec("kind", Unit.TEXT)
        time = frame.time()
        holders: dict[str, I64] = {}
        for entity, roles in _ROLES.items():
            prefix = f"{entity}."
            setting = each_word(kind, methodcaller("startswith", prefix), np.bool_) & kind.ok
            column = self._keys.column_codes(frame, entity)
            setter = np.where(setting, column, -1)
            wanted = np.stack([self._keys.column_codes(frame, role) for role in roles])
            book = self.books[entity]
            found = book.look_up(setter, wanted, time, frame.events)
            for r, role in enumerate(roles):
                looked_up = None if found is None else found[r]
                frame.set_profiles(role, book, looked_up)
                if entity == "account":
                    holders[role] = (
                        np.full(frame.length, -1, np.int64) if found is None else book.holders(found[r])
                    )
        frame.set_own_transfer(self._own_transfer(frame, holders, time))
        return holders

    def holders_of(self, codes: I64, time: I64) -> pa.Array:
        """Holders (party, role) as of each event; null where unknown."""
        if len(codes) == 0 or codes.max() < 0:
            return pa.nulls(len(codes), HOLDERS)
        texts = self.books["account"].texts.text(codes).to_pylist()
        rows = [
            None if t is None else [{"party": p, "role": r} for p, r in current_holders(t, int(at))]
            for t, at in zip(texts, time, strict=True)
        ]
        return pa.array(rows, HOLDERS)

    def _own_transfer(self, frame: EventFrame, holders: dict[str, I64], time: I64) -> Vec:
        """True where both accounts are one or share a current holder, false where known not to; else null."""
        payer, payee = (self._keys.column_codes(frame, role) for role in ("payer", "payee"))
        a, b = holders["payer"], holders["payee"]
        own = (payer >= 0) & (payer == payee)
        known = own | ((a >= 0) & (b >= 0))
        check = np.flatnonzero(known & ~own)
        if len(check):
            pairs, position = np.unique(np.stack([a[check], b[check]], axis=1), axis=0, return_inverse=True)
            texts = self.books["account"].texts
            left, right = texts.text(pairs[:, 0]).to_pylist(), texts.text(pairs[:, 1]).to_pylist()
            dated = np.array([not _undated(x) or not _undated(y) for x, y in zip(left, right, strict=True)])
            shared = np.array([_share(x, y, 0) for x, y in zip(left, right, strict=True)])
            position = position.reshape(-1)
            own[check] = shared[position]
            for row in check[dated[position]]:
                at = int(np.searchsorted(check, row))
                own[row] = _share(left[position[at]], right[position[at]], int(time[row]))
        return Vec(own, known)

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return both books."""
        return {f"{name}|{k}": v for name, book in self.books.items() for k, v in book.snapshot().items()}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Replace both books by a snapshot's."""
        for name, book in self.books.items():
            prefix = f"{name}|"
            book.restore({k[len(prefix) :]: v for k, v in arrays.items() if k.startswith(prefix)})


def _undated(text: str) -> bool:
    return all(line.endswith("||") for line in text.split("\n"))


def _share(left: str, right: str, time_us: int) -> bool:
    first = {party for party, _ in current_holders(left, time_us)}
    return bool(first & {party for party, _ in current_holders(right, time_us)})
