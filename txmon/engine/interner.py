"""Key interning: texts and pairs of codes become small dense integers, the same on every run.

Codes are given in order of first appearance, so they depend on the order of arrival alone, never on
how the stream was cut into batches. Owns the tables; never forgets a code.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from txmon.engine.hashing import Words, first_seen, intern_words, rehash, text_hashes
from txmon.rules.vec import Vec, WordList, plain, recode

Codes = npt.NDArray[np.int64]
NULL_CODE = -1
_FEW_CODES, _MOST_KEPT = 64, 4096
_K0, _K1 = 0x7478_6D6F_6E5F_6B65, 0x795F_7461_626C_6573


def new_table(slots: int) -> Words:
    """Return an empty table of `slots` (a power of two) entries: two words and a code each."""
    table = np.empty((slots, 3), np.int64)
    table[:, 2] = -1
    return table


class PairInterner:
    """Codes for pairs of words; grows by doubling at 60 % full."""

    def __init__(self) -> None:
        self.table = new_table(64)
        self.size = 0

    def codes(self, words: Words) -> tuple[Codes, Codes]:
        """Return (codes, rows of first appearances) of an (n, 2) array of words."""
        need = self.size + len(words)
        slots = self.table.shape[0]
        while need > slots * 0.6:
            slots *= 2
        if slots != self.table.shape[0]:
            table = new_table(slots)
            rehash(self.table, table)
            self.table = table
        codes = np.empty(len(words), np.int64)
        fresh = np.empty(len(words), np.int64)
        count = intern_words(self.table, words, self.size, codes, fresh)
        self.size += count
        return codes, fresh[:count]

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return the table's entries in order of their codes."""
        used = self.table[self.table[:, 2] >= 0]
        return {"words": np.ascontiguousarray(used[np.argsort(used[:, 2]), :2])}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Replace the content by a snapshot's."""
        self.table, self.size = new_table(64), 0
        self.codes(np.ascontiguousarray(arrays["words"]))


class TextInterner:
    """Codes for texts; one interner serves one domain of ids (accounts, merchants, ...)."""

    def __init__(self) -> None:
        self.pairs = PairInterner()
        self._chunks: list[pa.Array] = []
        self._kept: dict[int, str | None] = {}

    def __len__(self) -> int:
        return self.pairs.size

    def codes(self, values: pa.Array, scope: int = 0) -> Codes:
        """Return the codes of a string or dictionary array, NULL_CODE where null.

        `scope` keeps the same text apart in different entities and modes.
        """
        if values.null_count == len(values):
            return np.full(len(values), NULL_CODE, np.int64)
        if not pa.types.is_dictionary(values.type):
            values = values.dictionary_encode()
        words = text_hashes(values.dictionary, _K0 ^ scope, _K1)
        indices = values.indices
        # Codes follow the order of first appearance in the stream, not in the dictionary: a dictionary
        # may hold values that no row uses, in any order.
        data, ok = plain(indices)
        raw = np.where(ok, data, -1).astype(np.int64, copy=False)
        used = first_seen(raw, len(words))
        codes, fresh = self.pairs.codes(words[used])
        if len(fresh):
            self._append(values.dictionary.take(pa.array(used[fresh])).cast(pa.string()))
        lookup = np.full(len(words) + 1, NULL_CODE, np.int64)
        lookup[used] = codes
        found: Codes = lookup[raw]
        return found

    def _append(self, texts: pa.Array) -> None:
        """Add a chunk, each less than half as long as the one before: they are few, and copied rarely."""
        while self._chunks and len(self._chunks[-1]) <= 2 * len(texts):
            texts = pa.concat_arrays([self._chunks.pop(), texts])
        self._chunks.append(texts)

    def texts(self) -> pa.Array:
        """Return all texts, in order of their codes."""
        return pa.concat_arrays(self._chunks) if self._chunks else pa.array([], pa.string())

    def text(self, codes: Codes) -> pa.Array:
        """Return the texts of `codes`, null where negative."""
        chunks = pa.chunked_array(self._chunks, pa.string())
        return chunks.take(pa.array(codes, mask=codes < 0)).combine_chunks()

    def vec(self, codes: Codes) -> Vec:
        """Return the texts of `codes` as a vector over only those that occur, null where negative."""
        known = codes >= 0
        if not known.any():
            return Vec(np.zeros(len(codes), np.int32), False, WordList([""]))
        used, position = np.unique(codes[known], return_inverse=True)
        data = np.zeros(len(codes), np.int32)
        data[known] = position
        words = self._words(used)
        # the same text has a code in every scope
        return recode(words, data, True if known.all() else known)

    def _words(self, codes: Codes) -> list[str | None]:
        """Texts of distinct codes. Those of small batches are kept: values of profiles come again."""
        if len(codes) > _FEW_CODES:
            found: list[str | None] = self.text(codes).to_pylist()
            return found
        listed = codes.tolist()
        missing = [code for code in listed if code not in self._kept]
        if missing:
            if len(self._kept) > _MOST_KEPT:
                self._kept, missing = {}, listed
            self._kept.update(zip(missing, self.text(np.array(missing)).to_pylist(), strict=True))
        return [self._kept[code] for code in listed]

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return words, and the texts as bytes with offsets."""
        texts = pc.cast(self.texts(), pa.large_binary())
        joined = b"".join(v.as_py() for v in texts) if len(texts) else b""
        lengths = pc.binary_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)
        return {
            **self.pairs.snapshot(),
            "lengths": lengths,
            "bytes": np.frombuffer(joined, np.uint8),
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Replace the content by a snapshot's."""
        self.pairs.restore({"words": arrays["words"]})
        offsets = np.concatenate([[0], np.cumsum(arrays["lengths"])]).astype(np.int64)
        data = arrays["bytes"].tobytes()
        self._kept = {}
        self._chunks = [pa.array([data[a:b].decode() for a, b in pairwise(offsets)], pa.string())]
