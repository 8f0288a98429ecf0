"""Values inside compiled expressions: numpy data with a validity that is often just True.

`Vec.data` is an array of `n` rows or one scalar for all rows; `ok` is True, False or a boolean array.
Text is codes into `words`. What lies where `ok` is false is unspecified but finite. Owns the conversion
from and to Arrow; never raises on data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from txmon.rules.ir import Unit

Ok = Any  # True, False or an array of bool
_ARROW = {
    Unit.BOOL: pa.bool_(),
    Unit.COUNT: pa.int64(),
    Unit.NUMBER: pa.float64(),
    Unit.MONEY: pa.int64(),
    Unit.MONEY_F: pa.float64(),
    Unit.TIME: pa.int64(),
    Unit.SPAN: pa.int64(),
    Unit.DATE: pa.int32(),
}
_DTYPES = {
    Unit.BOOL: np.dtype(np.bool_),
    Unit.COUNT: np.dtype(np.int64),
    Unit.NUMBER: np.dtype(np.float64),
    Unit.MONEY: np.dtype(np.int64),
    Unit.MONEY_F: np.dtype(np.float64),
    Unit.TIME: np.dtype(np.int64),
    Unit.SPAN: np.dtype(np.int64),
    Unit.DATE: np.dtype(np.int32),
    Unit.TEXT: np.dtype(np.int32),
}
_WIDTHS: dict[int, Any] = {
    kind.id: width
    for kind, width in (
        (pa.int8(), np.int8),
        (pa.int16(), np.int16),
        (pa.int32(), np.int32),
        (pa.int64(), np.int64),
        (pa.float64(), np.float64),
        (pa.date32(), np.int32),
        (pa.timestamp("us"), np.int64),
    )
}


class WordList(list[str]):
    """WordList of a text, and the place of each, which is found once however often it is asked for."""

    __slots__ = ("_places",)

    @classmethod
    def of(cls, places: dict[str, int]) -> WordList:
        """Make the words of places 0, 1, 2 and so on, in this order."""
        made = cls(places)
        made._places = places
        return made

    @property
    def places(self) -> dict[str, int]:
        """Place of each word; of one that is there twice, the first."""
        found: dict[str, int] | None = getattr(self, "_places", None)
        if found is None:
            found = self._places = {word: at for at, word in reversed(list(enumerate(self)))}
        return found


@dataclass(slots=True)
class Vec:
    """A column or one scalar for all rows; `words` is set for text and only for text."""

    data: Any
    ok: Ok
    words: WordList | None = None

    @property
    def scalar(self) -> bool:
        """Tell whether one value stands for all rows."""
        return not isinstance(self.data, np.ndarray)

    @property
    def text(self) -> WordList:
        """WordList of a text."""
        return self.words if self.words is not None else WordList()


def literal(value: object, unit: Unit) -> Vec:
    """Make a scalar."""
    if unit is Unit.TEXT:
        return Vec(0, value is not None, WordList([str(value) if value is not None else ""]))
    zero = _DTYPES[unit].type(0)
    return Vec(zero if value is None else _DTYPES[unit].type(value), value is not None)


def both(left: Ok, right: Ok) -> Ok:
    """Validity of a value that needs two others."""
    if left is True:
        return right
    if right is True:
        return left
    if left is False or right is False:
        return False
    return left & right


def known(vec: Vec, condition: Any) -> Vec:
    """Keep `vec` only where `condition` (an array or a scalar) holds."""
    if isinstance(condition, np.ndarray):
        vec.ok = both(vec.ok, condition)
    elif not condition:
        vec.ok = False
    return vec


def finite(data: Any, ok: Ok) -> Vec:
    """Make a vector of doubles in which NaN and infinities are null."""
    fine = np.isfinite(data)
    if np.all(fine):
        return Vec(data, ok)
    clean = np.where(fine, data, 0.0)
    return known(
        Vec(clean if isinstance(data, np.ndarray) else np.float64(0), ok), fine if clean.ndim else bool(fine)
    )


def _bits(buffer: pa.Buffer, offset: int, n: int) -> np.ndarray:
    first = offset >> 3
    packed = np.frombuffer(buffer, np.uint8)[first : (offset + n + 7) >> 3]
    start = offset - 8 * first
    return np.unpackbits(packed, bitorder="little")[start : start + n].view(np.bool_)


def validity(array: pa.Array) -> Ok:
    """Return where an array of any type but null has values."""
    if array.null_count == 0:
        return True
    return _bits(array.buffers()[0], array.offset, len(array))


def plain(array: pa.Array) -> tuple[Any, Ok]:
    """Return data and validity of an array of bools, integers, doubles, dates or times; null reads 0.

    Read from the buffers themselves: Arrow's own functions cost more than a small batch is worth.
    """
    n, offset = len(array), array.offset
    boolean = pa.types.is_boolean(array.type)
    if n == 0:
        return np.zeros(0, np.bool_ if boolean else _WIDTHS[array.type.id]), True
    ok = validity(array)
    buffer = array.buffers()[1]
    if boolean:
        data = _bits(buffer, offset, n)
    else:
        data = np.frombuffer(buffer, _WIDTHS[array.type.id])[offset : offset + n]
    return (data, ok) if ok is True else (np.where(ok, data, data.dtype.type(0)), ok)


def from_arrow(array: pa.Array | pa.ChunkedArray, unit: Unit) -> Vec:
    """Read an Arrow array in the physical form of `unit`."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
        if isinstance(array, pa.ChunkedArray):  # no chunks, or text beyond one chunk
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if unit is Unit.TEXT:
        return _text(array)
    if array.type.id not in _WIDTHS and unit is not Unit.BOOL:
        array = array.cast(_ARROW[unit])
    data, ok = plain(array)
    data = data.astype(_DTYPES[unit], copy=False)
    return finite(data, ok) if data.dtype.kind == "f" else Vec(data, ok)


def _text(array: pa.Array) -> Vec:
    if len(array) and array.null_count == len(array):
        return Vec(np.zeros(len(array), np.int32), False, WordList([""]))
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    dictionary = array.dictionary
    if len(dictionary) == 0:
        return Vec(np.zeros(len(array), np.int32), len(array) == 0, WordList([""]))
    codes, ok = plain(array.indices)
    if len(dictionary) > len(array):
        # a long-lived dictionary: look only at the words this batch has
        used, codes = np.unique(codes, return_inverse=True)
        dictionary = dictionary.take(pa.array(used))
    words = dictionary.to_pylist()
    if None in words or len(set(words)) < len(words):
        return recode(words, codes.astype(np.int32, copy=False), ok)
    return Vec(codes.astype(np.int32, copy=False), ok, WordList(words))


def full(vec: Vec, n: int, unit: Unit) -> Vec:
    """Write a scalar out as `n` rows; anything else as it is."""
    return Vec(np.full(n, vec.data, _DTYPES[unit]), vec.ok, vec.words) if vec.scalar else vec


def take(vec: Vec, rows: Any) -> Vec:
    """Rows of a vector, by number. WordList that few rows cannot need are left behind."""
    data = vec.data if vec.scalar else vec.data[rows]
    ok = vec.ok[rows] if isinstance(vec.ok, np.ndarray) else vec.ok
    words = vec.words
    if words is not None and not vec.scalar and 4 * len(rows) < len(words):
        used, data = np.unique(data, return_inverse=True)
        words = WordList([words[code] for code in used.tolist()] or [""])
        data = data.astype(np.int32)
    return Vec(data, ok, words)


def recode(words: Sequence[str | None], codes: Any, ok: Ok) -> Vec:
    """Make text from words that may repeat or be null."""
    index: dict[str, int] = {}
    table = np.zeros(len(words), np.int32)
    for at, word in enumerate(words):
        if word is not None:
            table[at] = index.setdefault(word, len(index))
    found = WordList.of(index or {"": 0})
    vec = Vec(table[codes] if isinstance(codes, np.ndarray) else int(table[codes]), ok, found)
    if None in words:
        there = np.array([word is not None for word in words])
        known(vec, there[codes] if isinstance(codes, np.ndarray) else bool(there[codes]))
    return vec


def to_arrow(vec: Vec, unit: Unit, n: int) -> pa.Array:
    """Write a vector as an Arrow array of `n` rows."""
    data = full(vec, n, unit).data
    ok = vec.ok
    mask = None if ok is True else np.ones(n, np.bool_) if ok is False else ~ok
    if unit is not Unit.TEXT:
        return pa.array(data, _ARROW[unit], mask=mask)
    indices = pa.array(data, pa.int32(), mask=mask)
    return pa.DictionaryArray.from_arrays(indices, pa.array(vec.text, pa.string()))


def each_word(vec: Vec, function: Callable[[str], Any], dtype: Any) -> Any:
    """Apply a function to every word and return its value for every row."""
    table = np.array([function(word) for word in vec.text], dtype)
    return table[vec.data]


def choose(branches: Sequence[tuple[Any, Vec]], last: Vec, unit: Unit) -> Vec:
    """Return, row by row, the first branch whose condition (array or bool) holds, else `last`."""
    values = [value for _, value in branches] + [last]
    words: WordList | None = None
    if unit is Unit.TEXT:
        values, words = merge(values)
    data: Any = values[-1].data
    ok: Ok = values[-1].ok
    for (condition, _), value in zip(reversed(branches), reversed(values[:-1]), strict=True):
        if isinstance(condition, np.ndarray):
            data = np.where(condition, value.data, data)
            if not (ok is True and value.ok is True):
                ok = np.where(condition, value.ok, ok)
        elif condition:
            data, ok = value.data, value.ok
    if isinstance(ok, np.ndarray) and not isinstance(data, np.ndarray):
        data = np.full(len(ok), data, _DTYPES[unit])
    return Vec(data, ok, words)


def merge(values: Sequence[Vec]) -> tuple[list[Vec], WordList]:
    """Give texts one common list of words."""
    first = values[0]
    if all(value.text == first.text for value in values[1:]):
        return list(values), first.text
    index: dict[str, int] = {}
    found: list[Vec] = []
    for value in values:
        table = np.array([index.setdefault(word, len(index)) for word in value.text], np.int32)
        found.append(Vec(table[value.data], value.ok))
    words = WordList.of(index)
    for value in found:
        value.words = words
    return found, words
