"""Text operations on `Vec`: done on the distinct words and taken through the codes.

Owns the meaning of each text function in memory; words are compared by code point, as DuckDB does.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from txmon.rules.ir import Call, Unit
from txmon.rules.vec import Vec, both, each_word, finite, known, merge, recode

Operation = Callable[[Call, list[Vec]], Vec]
NUMBER_TEXT = r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?"
COUNT_TEXT = r"[+-]?[0-9]{1,18}"
_NUMBER, _COUNT = re.compile(NUMBER_TEXT), re.compile(COUNT_TEXT)
_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def equal_text(left: Vec, right: Vec) -> Any:
    """Where two texts are equal, nulls aside."""
    if right.scalar:
        return np.equal(left.data, left.text.places.get(right.text[int(right.data)], -1))
    if left.scalar:
        return np.equal(right.data, right.text.places.get(left.text[int(left.data)], -1))
    few, many = sorted((left, right), key=lambda vec: len(vec.text))
    places = many.text.places
    table = np.array([places.get(word, -1) for word in few.text], np.int32)
    return np.equal(table[few.data], many.data)


def compare_text(op: str, left: Vec, right: Vec) -> Any:
    """Order of two texts by code point."""
    if right.scalar:
        word = right.text[int(right.data)]
        return each_word(left, lambda w: _ORDER[op](w, word), np.bool_)
    (a, b), words = merge((left, right))
    rank = np.empty(len(words), np.int64)
    rank[np.array(sorted(range(len(words)), key=words.__getitem__))] = np.arange(len(words))
    return _ORDER[op](rank[a.data], rank[b.data])


def in_text(value: Vec, items: Sequence[Vec]) -> Any:
    """Where a text is one of some constants."""
    wanted = {item.text[0] for item in items}
    return each_word(value, lambda word: word in wanted, np.bool_)


def _mapped(function: Callable[[Any], Any]) -> Operation:
    """Function of words to words, given an Arrow array of the distinct words."""

    def apply(_call: Call, args: list[Vec]) -> Vec:
        words = function(pa.array(args[0].text, pa.string())).to_pylist()
        return recode(words, args[0].data, args[0].ok)

    return apply


def _length(_call: Call, args: list[Vec]) -> Vec:
    return Vec(each_word(args[0], len, np.int64), args[0].ok)


def _pairs(left: Vec, right: Vec) -> tuple[list[tuple[str, str]], Any]:
    """Distinct pairs of words of two columns, and the pair each row has."""
    width = max(len(right.text), 1)
    combined = np.asarray(left.data, np.int64) * width + right.data
    used, codes = np.unique(combined, return_inverse=True)
    pairs = [(left.text[int(c) // width], right.text[int(c) % width]) for c in used]
    return pairs, codes.reshape(np.shape(combined))


def _tested(function: Callable[[str, str], bool]) -> Operation:
    def apply(_call: Call, args: list[Vec]) -> Vec:
        left, right = args
        ok = both(left.ok, right.ok)
        if right.scalar:
            part = right.text[int(right.data)]
            return Vec(each_word(left, lambda word: function(word, part), np.bool_), ok)
        pairs, codes = _pairs(left, right)
        table = np.array([function(a, b) for a, b in pairs], np.bool_)
        return Vec(table[codes], ok)

    return apply


def _concat(_call: Call, args: list[Vec]) -> Vec:
    left, right = args
    ok = both(left.ok, right.ok)
    if right.scalar:
        end = right.text[int(right.data)]
        return recode([word + end for word in left.text], left.data, ok)
    if left.scalar:
        start = left.text[int(left.data)]
        return recode([start + word for word in right.text], right.data, ok)
    pairs, codes = _pairs(left, right)
    return recode([a + b for a, b in pairs], codes, ok)


def _substr(_call: Call, args: list[Vec]) -> Vec:
    start = int(args[1].data) - 1
    end = start + int(args[2].data) if len(args) > 2 else None
    return recode([word[start:end] for word in args[0].text], args[0].data, args[0].ok)


def like_pattern(pattern: str) -> re.Pattern[str]:
    """Regular expression of a LIKE pattern: % any run, _ any character, no escape."""
    parts = [".*" if c == "%" else "." if c == "_" else re.escape(c) for c in re.sub("%+", "%", pattern)]
    return re.compile("".join(parts), re.DOTALL)


def _like(_call: Call, args: list[Vec]) -> Vec:
    pattern = like_pattern(args[1].text[0])
    return Vec(each_word(args[0], lambda word: pattern.fullmatch(word) is not None, np.bool_), args[0].ok)


def _text_number(_call: Call, args: list[Vec]) -> Vec:
    """Text to double; null where it is not a plain number."""
    values = [float(w) if _NUMBER.fullmatch(w) else None for w in args[0].text]
    table = np.array([0.0 if v is None else v for v in values])
    there = np.array([v is not None for v in values])
    return known(finite(table[args[0].data], args[0].ok), there[args[0].data])


def _text_count(_call: Call, args: list[Vec]) -> Vec:
    values = [int(w) if _COUNT.fullmatch(w) else None for w in args[0].text]
    table = np.array([0 if v is None else v for v in values], np.int64)
    there = np.array([v is not None for v in values])
    return known(Vec(table[args[0].data], args[0].ok), there[args[0].data])


def _to_text(call: Call, args: list[Vec]) -> Vec:
    values, codes = np.unique(np.asarray(args[0].data), return_inverse=True)
    codes = codes.reshape(np.shape(args[0].data))
    words = [_written(value, call.args[0].unit) for value in values.tolist()]
    return recode(words or [""], codes if codes.ndim else int(codes), args[0].ok)


def _written(value: Any, unit: Unit) -> str | None:
    if unit is Unit.BOOL:
        return "true" if value else "false"
    if unit is Unit.DATE:
        try:
            return (date(1970, 1, 1) + timedelta(days=value)).isoformat()
        except OverflowError:
            return None
    return str(value)


OPERATIONS: dict[str, Operation] = {
    "lower": _mapped(pc.utf8_lower),
    "upper": _mapped(pc.utf8_upper),
    "trim": _mapped(lambda words: pc.utf8_trim(words, characters=" ")),
    "length": _length,
    "contains": _tested(lambda word, part: part in word),
    "starts_with": _tested(str.startswith),
    "ends_with": _tested(str.endswith),
    "substr": _substr,
    "like": _like,
    "||": _concat,
    "text_number": _text_number,
    "text_count": _text_count,
    "to_text": _to_text,
}
