"""Expressions over one text column, evaluated once per word instead of once per row.

A kind, a status or a category code has few values, which come again in every batch: what an expression
makes of each is kept. Owns the words seen of every column and the values by word; a column with many words
(an id, a memo) is given up, its expressions are evaluated row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from txmon.rules.ir import Unit
from txmon.rules.vec import Vec, WordList, full

MOST_WORDS = 1024


@dataclass
class _Seen:
    """Words of a column; the number of a word is its place in `index`, 0 is null."""

    index: dict[str, int] = field(default_factory=dict)
    wide: bool = False


class WordBook:
    """Words by column and values by expression, for one engine."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._values: dict[int, Vec] = {}

    def numbers(self, column: str, vec: Vec) -> Any:
        """Number of each row's word, new words included; None for a column with too many words."""
        seen = self._seen.get(column)
        if seen is None:
            seen = self._seen[column] = _Seen()
        if seen.wide or len(vec.text) > MOST_WORDS:
            seen.wide = True
            return None
        index = seen.index
        table = np.array([index.setdefault(word, len(index) + 1) for word in vec.text], np.int64)
        seen.wide = len(index) > MOST_WORDS
        found = table[vec.data]
        return found if vec.ok is True else np.where(vec.ok, found, 0)

    def words(self, column: str) -> Collection[str]:
        """Words seen of a column, in order of their numbers, from 1 on."""
        return self._seen[column].index

    def frame(self, column: str) -> Any:
        """A frame with a row for null and for every word seen of a column."""
        return Words(list(self._seen[column].index))

    def values(self, number: int, column: str, unit: Unit, evaluate: Callable[[Any], Vec]) -> Vec:
        """Value of expression `number` for null and for every word seen of its only column."""
        words = self._seen[column].index
        found = self._values.get(number)
        if found is None or len(found.data) <= len(words):
            frame = self.frame(column)
            found = self._values[number] = full(evaluate(frame), frame.length, unit)
        return found


class Words:
    """A frame (`txmon.rules.frame`) whose rows are null and every word of the only column."""

    book = None

    def __init__(self, words: list[str]) -> None:
        self.length = len(words) + 1
        self.memo: dict[Any, Any] = {}
        rows = np.arange(self.length, dtype=np.int32)
        self._vec = Vec(np.maximum(rows - 1, 0), rows > 0, WordList(words or [""]))

    def vec(self, name: str, unit: Unit) -> Vec:
        if unit is not Unit.TEXT:
            raise KeyError(name)
        return self._vec
