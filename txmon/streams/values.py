"""Turns columns of any source type into text, numbers and flags; rows that do not fit are faults.

Owns conversion of one column at a time; never knows which canonical columns depend on which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from txmon.model import pictures
from txmon.model.pan import candidates
from txmon.streams.faults import Faults, Reason
from txmon.streams.jsontext import plain_text

MAX_TEXT_BYTES = 65_536
_SMALL = 1024  # rows


def mask_of(values: pa.Array) -> np.ndarray:
    """Return a boolean array as a numpy mask; null is false."""
    whole = values.fill_null(False) if values.null_count else values
    out: np.ndarray = whole.to_numpy(zero_copy_only=False)
    return out


def coded_index(coded: pa.DictionaryArray) -> np.ndarray:
    """Return the index of each row's word; that of a null is one behind the last word."""
    indices = coded.indices
    if indices.null_count:
        indices = indices.fill_null(len(coded.dictionary))
    out: np.ndarray = indices.to_numpy(zero_copy_only=False)
    return out


def constant(value: str | None, rows: int) -> pa.Array:
    """Return a text column that is the same in every row, at the price of its indices."""
    if value is None:
        return pa.nulls(rows, pa.string())
    return _small_constant(value, rows) if rows <= _SMALL else _constant(value, rows)


def _constant(value: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value]))


# arrays never change, and small batches have few sizes
_small_constant = lru_cache(maxsize=1024)(_constant)


def value_text(values: pa.Array, row: int) -> str | None:
    """Return one value as text for a message; bytes that are not UTF-8 are shown escaped."""
    try:
        value = values[row].as_py()
    except UnicodeDecodeError:
        raw: bytes = values.cast(pa.binary())[row].as_py()
        return raw.decode("utf-8", "backslashreplace")
    return None if value is None else plain_text(value)


def to_text(values: pa.Array, field: str, faults: Faults, *, repeats: bool = True) -> pa.Array:
    """Return a column as string or dictionary<int32, string>; empty text becomes null.

    Integers become their digits, floats only if whole (a table of ids with gaps often has them), flags
    ``true`` or ``false``. `repeats` says that values recur, so integers are encoded as a dictionary.
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _dictionary_text(values, field, faults)
    if pa.types.is_null(kind):
        return pa.nulls(len(values), pa.string())
    if pa.types.is_integer(kind) and repeats:
        coded = values.dictionary_encode()
        return pa.DictionaryArray.from_arrays(coded.indices, coded.dictionary.cast(pa.string()))
    return _checked(_plain_text(values, field, faults), field, faults)


def to_bool(values: pa.Array, field: str, faults: Faults) -> pa.Array:
    """Return a column as bool: flags, 0 and 1, or the texts true, false, 1, 0."""
    kind = values.type
    if pa.types.is_boolean(kind):
        return values
    if pa.types.is_null(kind):
        return pa.nulls(len(values), pa.bool_())
    text = to_text(values, field, faults)
    text = text.dictionary_decode() if pa.types.is_dictionary(text.type) else text
    lower = pc.utf8_lower(text)
    true, false = pc.is_in(lower, pa.array(["true", "1"])), pc.is_in(lower, pa.array(["false", "0"]))
    bad = mask_of(pc.and_(pc.is_valid(text), pc.invert(pc.or_(true, false))))
    faults.add(bad, field, Reason.BAD_TYPE, says(values, "is not true or false"))
    return pc.if_else(pc.is_valid(text), true, None)


def to_float(values: pa.Array, field: str, limit: float, faults: Faults) -> pa.Array:
    """Return a column as float64 within +-limit; NaN is null. For coordinates, never for money."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return to_float(values.dictionary_decode(), field, limit, faults)
    if pa.types.is_null(kind):
        return pa.nulls(len(values), pa.float64())
    try:
        numbers = values.cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        numbers = _float_rows(values, field, faults)
    numbers = pc.if_else(pc.is_nan(numbers), None, numbers)
    outside = mask_of(pc.greater(pc.abs(numbers), limit))
    faults.add(outside, field, Reason.OUT_OF_RANGE, says(values, f"is outside -{limit:g}..{limit:g}"))
    return numbers


def one_of(values: pa.Array, field: str, allowed: Callable[[str], bool], faults: Faults, remedy: str) -> None:
    """Record the rows whose text is not allowed; nulls pass."""
    coded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    texts = coded.dictionary.to_pylist()
    wrong = [t is not None and not allowed(t) for t in texts]
    if not any(wrong):
        return
    faults.add(
        np.array([*wrong, False], bool)[coded_index(coded)],
        field,
        Reason.UNKNOWN_VALUE,
        says(values, f"is not known; {remedy}"),
    )


def lookup(values: pa.Array, table: Callable[[str | None], bool]) -> np.ndarray:
    """Return a predicate of the text per row as a mask, one call a distinct value."""
    coded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    texts: Sequence[str | None] = coded.dictionary.to_pylist()
    answers = [table(t) for t in texts]
    if len(answers) == 1 and not coded.null_count:
        return np.full(len(coded), answers[0])
    out: np.ndarray = np.array([*answers, table(None)], bool)[coded_index(coded)]
    return out


def says(values: pa.Array, message: str) -> Callable[[int], tuple[str | None, str]]:
    """Return a describer that quotes the row's value."""

    def describe(row: int) -> tuple[str | None, str]:
        text = value_text(values, row)
        return text, message

    return describe


def given(value: str | None, message: str) -> Callable[[int], tuple[str | None, str]]:
    """Return a describer that says the same of every row."""
    return lambda _: (value, message)


def nothing(message: str) -> Callable[[int], tuple[str | None, str]]:
    """Return a describer for a value that is absent."""
    return given(None, message)


def _dictionary_text(values: pa.DictionaryArray, field: str, faults: Faults) -> pa.Array:
    """Convert the distinct values only."""
    inner = Faults(len(values.dictionary))
    words = to_text(values.dictionary, field, inner, repeats=False)
    if inner.by_row:
        index = values.indices.fill_null(0).to_numpy(zero_copy_only=False)
        used = np.isin(index, list(inner.by_row)) & values.is_valid().to_numpy(zero_copy_only=False)
        for row in np.flatnonzero(used).tolist():
            fault = inner.by_row[int(index[row])]
            one = np.zeros(len(values), bool)
            one[row] = True
            faults.add(one, field, fault.reason, given(fault.value, fault.message))
    if words.null_count:  # an empty text, or a value that is no text: null in the indices instead
        return words.take(values.indices).dictionary_encode()
    indices = values.indices if values.indices.type == pa.int32() else values.indices.cast(pa.int32())
    return pa.DictionaryArray.from_arrays(indices, words)


def _plain_text(values: pa.Array, field: str, faults: Faults) -> pa.Array:
    kind = values.type
    if pa.types.is_string(kind):
        return values
    if pa.types.is_floating(kind):
        whole = mask_of(pc.and_(pc.equal(values, pc.floor(values)), pc.less(pc.abs(values), 2.0**53)))
        bad = ~whole & values.is_valid().to_numpy(zero_copy_only=False)
        gap = mask_of(pc.is_nan(values))
        faults.add(bad & ~gap, field, Reason.BAD_TYPE, says(values, "is a fraction where text is expected"))
        return pc.if_else(pa.array(whole), values, None).cast(pa.int64()).cast(pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return values.cast(pa.binary()).view(pa.string())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return pa.array([None if v is None else plain_text(v) for v in values.to_pylist()], pa.string())
    try:
        return values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        bad = values.is_valid().to_numpy(zero_copy_only=False)
        faults.add(bad, field, Reason.BAD_TYPE, says(values, f"is {kind} where text is expected"))
        return pa.nulls(len(values), pa.string())


def _checked(text: pa.Array, field: str, faults: Faults) -> pa.Array:
    """Look for bytes that are not UTF-8, NUL, overlong and empty text; each check is one pass."""
    if len(text) == text.null_count:
        return text
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        text = _without_bad_utf8(text, field, faults)
    offsets = np.frombuffer(text.buffers()[1], np.int32)[text.offset : text.offset + len(text) + 1]
    lengths = np.diff(offsets)
    data = np.frombuffer(text.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    if len(data) and not data.all():
        nul = mask_of(pc.match_substring(text, "\0"))
        faults.add(nul, field, Reason.NUL, says(text, "holds a NUL character; remove it"))
    if (lengths > MAX_TEXT_BYTES).any():
        faults.add(
            lengths > MAX_TEXT_BYTES,
            field,
            Reason.TOO_LONG,
            says(text, f"is longer than {MAX_TEXT_BYTES:,} bytes; shorten it"),
        )
    add_pictures(text, lengths, field, faults)
    if not lengths.all() and mask_of(pc.equal(text, "")).any():
        text = pc.if_else(pc.equal(text, ""), None, text)
    return text


def add_pictures(text: pa.Array, lengths: np.ndarray, field: str, faults: Faults) -> None:
    """Refuse texts with bytes of pictures; only those that are long enough are looked at."""
    long = lengths >= pictures.SHORTEST
    if not long.any():
        return
    mask = np.zeros(len(text), bool)
    for row in np.flatnonzero(long & mask_of(pc.match_substring_regex(text, pictures.SUSPECT))).tolist():
        value = text[row].as_py()
        mask[row] = value is not None and pictures.found_in(value.encode()) is not None
    faults.add(mask, field, Reason.PICTURE, held)


def held(_row: int) -> tuple[str | None, str]:
    """Describe a value that is not kept."""
    return None, f"holds a picture or film. {pictures.DUTY}"


def unremarkable(columns: Mapping[str, pa.Array]) -> frozenset[str]:
    """Return the columns that `to_text` and a search for card numbers would leave as they are.

    Columns are looked at together, in one pass over their bytes; only plain text is ever named.
    """
    plain = [(name, c) for name, c in columns.items() if c.type == pa.string() and c.null_count < len(c)]
    clean = {n for n, c in columns.items() if c.type == pa.string() and c.null_count == len(c)}
    if not plain:
        return frozenset(clean)
    rows = len(plain[0][1])
    text = pa.concat_arrays([column for _, column in plain])
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return frozenset(clean)
    offsets = np.frombuffer(text.buffers()[1], np.int32)[text.offset : text.offset + len(text) + 1]
    lengths = np.diff(offsets)
    data = np.frombuffer(text.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    nul = np.concatenate(([0], np.cumsum(data == 0)))
    bad = (lengths > MAX_TEXT_BYTES) | (np.diff(nul[offsets - offsets[0]]) > 0)
    bad |= lengths >= pictures.SHORTEST
    bad |= (lengths == 0) & text.is_valid().to_numpy(zero_copy_only=False)
    bad[candidates(text)] = True
    wrong = bad.reshape(len(plain), rows).any(axis=1)
    return frozenset(clean | {name for (name, _), found in zip(plain, wrong, strict=True) if not found})


def _without_bad_utf8(text: pa.Array, field: str, faults: Faults) -> pa.Array:
    raw: list[bytes | None] = text.view(pa.binary()).to_pylist()
    bad = np.zeros(len(raw), bool)
    for i, value in enumerate(raw):
        try:
            _ = value is None or value.decode("utf-8")
        except UnicodeDecodeError:
            bad[i] = True

    def describe(row: int) -> tuple[str | None, str]:
        return (raw[row] or b"").decode("utf-8", "backslashreplace"), "is not UTF-8; re-encode it"

    faults.add(bad, field, Reason.BAD_UTF8, describe)
    return pa.array([None if b else v for v, b in zip(raw, bad, strict=True)], pa.binary()).view(pa.string())


def _float_rows(values: pa.Array, field: str, faults: Faults) -> pa.Array:
    out: list[float | None] = []
    bad = np.zeros(len(values), bool)
    for i, value in enumerate(values.to_pylist()):
        try:
            out.append(None if value in (None, "") else float(value))
        except (TypeError, ValueError):
            out.append(None)
            bad[i] = True
    faults.add(bad, field, Reason.BAD_TYPE, says(values, "is not a number"))
    return pa.array(out, pa.float64())
