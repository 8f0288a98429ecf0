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


@dataclass(slots=True)
class Vec:
    """A column or one scalar for all rows; `words` is set for text and only for text."""

    data: Any
    ok: Ok
    words: list[str] | None = None

    @property
    def scalar(self) -> bool:
        """Tell whether one value stands for all rows."""
        return not isinstance(self.data, np.ndarray)

    @property
    def text(self) -> list[str]:
        """Words of a text."""
        return self.words if self.words is not None else []


def literal(value: object, unit: Unit) -> Vec:
    """Make a scalar."""
    if unit is Unit.TEXT:
        return Vec(0, value is not None, [str(value) if value is not None else ""])
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


def from_arrow(array: pa.Array | pa.ChunkedArray, unit: Unit) -> Vec:
    """Read an Arrow array in the physical form of `unit`."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
        if isinstance(array, pa.ChunkedArray):  # no chunks, or text beyond one chunk
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if unit is Unit.TEXT:
        return _text(array)
    ok: Ok = True if array.null_count == 0 else array.is_valid().to_numpy(zero_copy_only=False)
    if unit is Unit.BOOL:
        filled = array if ok is True else array.fill_null(False)
        return Vec(filled.to_numpy(zero_copy_only=False).astype(np.bool_, copy=False), ok)
    wanted = _ARROW[unit]
    if array.type != wanted:
        array = array.cast(pa.int64()) if pa.types.is_timestamp(array.type) else array.cast(wanted)
    if ok is not True:
        array = array.fill_null(0)
    data = array.to_numpy(zero_copy_only=False)
    return finite(data, ok) if data.dtype.kind == "f" else Vec(data, ok)


def _text(array: pa.Array) -> Vec:
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    indices, dictionary = array.indices, array.dictionary
    ok: Ok = True if indices.null_count == 0 else indices.is_valid().to_numpy(zero_copy_only=False)
    codes = (indices if ok is True else indices.fill_null(0)).to_numpy(zero_copy_only=False)
    if len(dictionary) == 0:
        return Vec(np.zeros(len(array), np.int32), len(array) == 0, [""])
    if len(dictionary) > len(array):
        # a long-lived dictionary: look only at the words this batch has
        used, codes = np.unique(codes, return_inverse=True)
        dictionary = dictionary.take(pa.array(used))
    words = dictionary.to_pylist()
    if None in words or len(set(words)) < len(words):
        return recode(words, codes.astype(np.int32, copy=False), ok)
    return Vec(codes.astype(np.int32, copy=False), ok, words)


def recode(words: Sequence[str | None], codes: Any, ok: Ok) -> Vec:
    """Make text from words that may repeat or be null."""
    index: dict[str, int] = {}
    table = np.zeros(len(words), np.int32)
    for at, word in enumerate(words):
        if word is not None:
            table[at] = index.setdefault(word, len(index))
    vec = Vec(table[codes] if isinstance(codes, np.ndarray) else int(table[codes]), ok, list(index) or [""])
    if None in words:
        there = np.array([word is not None for word in words])
        known(vec, there[codes] if isinstance(codes, np.ndarray) else bool(there[codes]))
    return vec


def to_arrow(vec: Vec, unit: Unit, n: int) -> pa.Array:
    """Write a vector as an Arrow array of `n` rows."""
    data = vec.data if not vec.scalar else np.full(n, vec.data, _DTYPES[unit])
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
    words: list[str] | None = None
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


def merge(values: Sequence[Vec]) -> tuple[list[Vec], list[str]]:
    """Give texts one common list of words."""
    index: dict[str, int] = {}
    found: list[Vec] = []
    for value in values:
        table = np.array([index.setdefault(word, len(index)) for word in value.text], np.int32)
        found.append(Vec(table[value.data], value.ok))
    words = list(index)
    for value in found:
        value.words = words
    return found, words
