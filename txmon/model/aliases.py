"""Which token a card keeps under another key: new token -> the token that the card has been known by.

Pairs of tokens, never of numbers. Held in memory for every card (about 45 bytes each), because a decoder
asks for each number it meets. Owns the lookup; where pairs are stored is the store's part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

MAC_BYTES = 16
_ID, _LETTERS_AT, _LENGTH = slice(4, 12), 13, 13 + 2 * MAC_BYTES  # of pan_<id>_<letters>
_TO_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
_TO_HEX = str.maketrans("abcdefghijklmnop", "0123456789abcdef")
_END = b"\x01"  # numpy cuts zero bytes off the end of a value, so none ends with one
_KEY, _VALUE = f"S{MAC_BYTES + 1}", f"S{8 + MAC_BYTES + 1}"
_RECENT = 65_536


def spelled(key_id: str, mac: bytes) -> str:
    """Return the token of a MAC: with letters a-p, so that it never looks like a number."""
    return f"pan_{key_id}_{mac.hex().translate(_TO_LETTERS)}"


class _Table:
    """Aliases of the tokens of one new key: a sorted array, and what came since."""

    def __init__(self) -> None:
        self.settled = (np.empty(0, _KEY), np.empty(0, _VALUE))
        self.recent: dict[bytes, bytes] = {}

    def find(self, mac: bytes) -> bytes | None:
        found = self.recent.get(mac)  # before `settled`: what leaves the one is in the other already
        if found is not None:
            return found
        keys, values = self.settled
        wanted = mac + _END
        at = int(keys.searchsorted(wanted))
        return bytes(values[at]) if at < len(keys) and keys[at] == wanted else None

    def settle(self) -> None:
        """Move recent ones into the array."""
        recent = sorted(self.recent.items())
        fresh = np.array([mac + _END for mac, _ in recent], _KEY)
        self.merge(fresh, np.array([value for _, value in recent], _VALUE))
        self.recent = {}

    def merge(self, fresh: np.ndarray, fresh_values: np.ndarray) -> None:
        """Add sorted pairs; one that is there stays as it is."""
        keys, values = self.settled
        at = keys.searchsorted(fresh)
        if len(keys):
            new = keys[np.minimum(at, len(keys) - 1)] != fresh
            at, fresh, fresh_values = at[new], fresh[new], fresh_values[new]
        self.settled = (np.insert(keys, at, fresh), np.insert(values, at, fresh_values))


class Aliases:
    """See the module. One thread adds; any may ask."""

    def __init__(self) -> None:
        self._tables: dict[str, _Table] = {}
        self.any = False  # so that who never changed a key pays nothing

    def __len__(self) -> int:
        return sum(len(t.settled[0]) + len(t.recent) for t in self._tables.values())

    def find(self, key_id: str, mac: bytes) -> str | None:
        """Return the token that a card keeps, whose MAC under a key is this; None if it is not known."""
        table = self._tables.get(key_id)
        found = None if table is None else table.find(mac)
        return None if found is None else spelled(found[:8].decode(), found[8:-1])

    def lead_from(self, key_id: str) -> bool:
        """Return whether a card is known by this key beside the token that it keeps."""
        return key_id in self._tables

    def kept(self, token: str) -> str:
        """Return the token that the card of a token keeps: mostly the token itself."""
        return (self.find(token[_ID], _mac(token)) or token) if self.any else token

    def add(self, pairs: Mapping[str, str]) -> None:
        """Add pairs of tokens, new -> kept; a pair that is known stays as it is."""
        for new, kept in pairs.items():
            table, mac = self._table(new[_ID]), _mac(new)
            if table.find(mac) is None:
                table.recent[mac] = kept[_ID].encode() + _mac(kept) + _END
                if len(table.recent) > _RECENT + len(table.settled[0]) // 8:
                    table.settle()
            self.any = True

    def load(self, pairs: bytes) -> None:
        """Add many pairs at once, as `add` does: new, kept, new, kept, ... without anything between."""
        if not pairs:
            return
        text = np.frombuffer(pairs, np.uint8).reshape(-1, 2, _LENGTH)
        ids, macs = _taken_apart(text[:, 0])
        kept_ids, kept_macs = _taken_apart(text[:, 1])
        ends = np.full((len(text), 1), _END[0], np.uint8)
        keys = _joined(_KEY, macs, ends)
        values = _joined(_VALUE, kept_ids, kept_macs, ends)
        names = _joined("S8", ids)
        for name in np.unique(names):
            mine = names == name
            # of two equal ones the first counts: `unique` returns it
            some, first = np.unique(keys[mine], return_index=True)
            table = self._table(bytes(name).decode())
            table.settle()
            table.merge(some, values[mine][first])
        self.any = True

    def _table(self, key_id: str) -> _Table:
        return self._tables.setdefault(key_id, _Table())


@dataclass(frozen=True)
class NewAliases:
    """Pairs that a decoder met and that were not stored yet; they are known once they are stored."""

    pairs: Mapping[str, str]
    known: Aliases

    def stored(self) -> None:
        """The transaction that holds them was committed."""
        self.known.add(self.pairs)


def _mac(token: str) -> bytes:
    return bytes.fromhex(token[_LETTERS_AT:].translate(_TO_HEX))


def _taken_apart(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bytes of key ids and of MACs, a row each."""
    letters = tokens[:, _LETTERS_AT:] - ord("a")
    return tokens[:, _ID], (letters[:, 0::2] << 4) | letters[:, 1::2]


def _joined(kind: str, *parts: np.ndarray) -> np.ndarray:
    whole = np.ascontiguousarray(np.hstack(parts))
    return whole.view(kind)[:, 0]
