"""Names as numbers: every text of the simulation is an int32 code into a vocabulary.

Owns the vocabularies and the spelling of ids; never decides who exists.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_BASE32 = np.frombuffer(b"0123456789abcdefghjkmnpqrstvwxyz", np.uint8)
_EVENT_BITS = 40
_EVENT_CHARS = _EVENT_BITS // 5
# odd, so that multiplication modulo 2^40 never maps two event numbers to one id
_MIX = 0x5851F42D4D


def _strings(matrix: npt.NDArray[np.uint8]) -> pa.StringArray:
    rows, width = matrix.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(width)
    data = pa.py_buffer(np.ascontiguousarray(matrix))
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), data)


def numbered(prefix: str, first: int, count: int, width: int = 7) -> pa.StringArray:
    """Return ``prefix0000001`` and so on: `count` names from number `first`."""
    head = np.frombuffer(prefix.encode("ascii"), np.uint8)
    matrix = np.empty((count, head.size + width), np.uint8)
    matrix[:, : head.size] = head
    rest = np.arange(first, first + count, dtype=np.int64)
    for column in range(width - 1, -1, -1):
        rest, digit = np.divmod(rest, 10)
        matrix[:, head.size + column] = digit + 48
    return _strings(matrix)


def event_ids(numbers: npt.NDArray[np.int64], salt: int = 0) -> pa.StringArray:
    """Spell event numbers as nine-character ids that tell nothing about their order or origin."""
    mixed = (numbers.astype(np.uint64) * np.uint64(_MIX) + np.uint64(salt)) & np.uint64(
        (1 << _EVENT_BITS) - 1
    )
    matrix = np.empty((numbers.size, _EVENT_CHARS + 1), np.uint8)
    matrix[:, 0] = ord("e")
    for column in range(_EVENT_CHARS):
        shift = np.uint64(5 * (_EVENT_CHARS - 1 - column))
        matrix[:, column + 1] = _BASE32[(mixed >> shift) & np.uint64(31)]
    return _strings(matrix)


@dataclass
class Vocabulary:
    """Grows by single words (`code`, each once) and by blocks of numbered names (`block`)."""

    prefix: str = ""
    _chunks: list[pa.StringArray] = field(default_factory=list)
    _pending: list[str] = field(default_factory=list)
    _codes: dict[str, int] = field(default_factory=dict)
    _size: int = 0
    _numbered: int = 0

    def code(self, word: str | None) -> int:
        """Return the code of a word, -1 for none."""
        if word is None:
            return -1
        known = self._codes.get(word)
        if known is None:
            known = self._codes[word] = self._size
            self._pending.append(word)
            self._size += 1
        return known

    def block(self, count: int) -> npt.NDArray[np.int32]:
        """Return the codes of `count` new numbered names."""
        self._flush()
        self._chunks.append(numbered(self.prefix, self._numbered + 1, count))
        first = self._size
        self._size += count
        self._numbered += count
        return np.arange(first, first + count, dtype=np.int32)

    def new(self) -> int:
        """Return the code of one new numbered name."""
        self._numbered += 1
        self._pending.append(f"{self.prefix}{self._numbered:07d}")
        self._size += 1
        return self._size - 1

    def name(self, code: int) -> str:
        """Spell one code."""
        start = self._size - len(self._pending)
        if code >= start:
            return self._pending[code - start]
        text: str = self.names()[code].as_py()
        return text

    def names(self) -> pa.StringArray:
        """Return all names, by code."""
        self._flush()
        if len(self._chunks) != 1:
            self._chunks = [pa.concat_arrays([pa.array([], pa.string()), *self._chunks])]
        return self._chunks[0]

    def _flush(self) -> None:
        if self._pending:
            self._chunks.append(pa.array(self._pending, pa.string()))
            self._pending = []


class Vocabularies:
    """One vocabulary for each domain of names."""

    def __init__(self) -> None:
        self.account = Vocabulary("acc_")
        self.merchant = Vocabulary("mer_")
        self.card = Vocabulary("card_")
        self.device = Vocabulary("dev_")
        self.ip = Vocabulary()
        self.bin = Vocabulary()
        self.country = Vocabulary()
        self.city = Vocabulary()
        self.word = Vocabulary()

    def of(self, domain: str) -> Vocabulary:
        """Return the vocabulary of a domain named in `txmon.simulate.rows.TEXT`."""
        vocabulary: Vocabulary = getattr(self, domain)
        return vocabulary
