"""Finds where persons to be erased are mentioned, in columns of events and in any text.

In id-like columns a mention is the whole value. In free text it is the value as a word of its own, plain or
as JSON escapes it. Owns the search; changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]
MARK = "[erased]"
FREE_TEXT = frozenset({"memo", "descriptor", "raw", "value", "message"})
_PER_PATTERN = 200  # alternatives in one expression; more would outgrow the matcher's memory


class Mentions:
    """The values to look for."""

    def __init__(self, values: Collection[str]) -> None:
        self._values = pa.array(sorted(values), pa.string())
        forms = sorted(
            {f for v in values for f in (v, json.dumps(v)[1:-1], json.dumps(v, ensure_ascii=False)[1:-1])}
        )
        self._patterns = [
            "|".join(_word(form) for form in forms[i : i + _PER_PATTERN])
            for i in range(0, len(forms), _PER_PATTERN)
        ]

    def rows(self, table: pa.Table) -> Mask:
        """Say which rows of a table of events or of refused rows mention one."""
        found = np.zeros(len(table), np.bool_)
        for name in table.column_names:
            column = table.column(name).combine_chunks()
            if column.null_count < len(column):
                found |= self._column(name, column)
        return found

    def _column(self, name: str, column: Any) -> Mask:
        kind = column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            if name in FREE_TEXT:
                return self.texts(column)
            return _mask(pc.is_in(column, value_set=self._values.cast(kind)))
        if pa.types.is_map(kind) or pa.types.is_list(kind):
            return self._entries(column)
        return np.zeros(len(column), np.bool_)

    def _entries(self, column: Any) -> Mask:
        """Lists and maps: a row mentions what one of its entries mentions; map values are free text."""
        edges = column.offsets.to_numpy().astype(np.int64)
        start, stop = int(edges[0]), int(edges[-1])
        inside = np.zeros(stop - start, np.bool_)
        if pa.types.is_map(column.type):
            inside |= self.texts(column.items[start:stop])
        elif pa.types.is_struct(column.type.value_type):
            entries = column.values[start:stop]
            for i, field in enumerate(entries.type):
                inside |= self._column(field.name, entries.field(i))
        else:
            inside |= self._column("", column.values[start:stop])
        before = np.concatenate([[0], np.cumsum(inside)])
        counts: Mask = before[edges[1:] - start] > before[edges[:-1] - start]
        return counts

    def texts(self, texts: Any) -> Mask:
        """Say which texts mention one; null mentions none."""
        coded = texts.dictionary_encode()
        distinct = coded.dictionary.cast(pa.string())
        hit = np.zeros(len(distinct) + 1, np.bool_)  # one more for null
        for pattern in self._patterns:
            hit[:-1] |= _mask(pc.match_substring_regex(distinct, pattern))
        codes = coded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)
        found: Mask = hit[codes]
        return found

    def replaced(self, texts: Iterable[str | None]) -> list[str | None]:
        """Return texts with every mention replaced by MARK."""
        found = pa.array(texts, pa.string())
        for pattern in self._patterns:
            found = pc.replace_substring_regex(found, pattern, MARK)
        kept: list[str | None] = found.to_pylist()
        return kept


def _word(value: str) -> str:
    """A value as an expression that matches it as a word of its own."""
    before = r"\b" if re.match(r"\w", value, re.ASCII) else ""
    after = r"\b" if re.search(r"\w$", value, re.ASCII) else ""
    return before + re.escape(value) + after


def _mask(found: Any) -> Mask:
    mask: Mask = found.fill_null(False).to_numpy(zero_copy_only=False)
    return mask
