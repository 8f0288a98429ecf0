"""Money in integer minor units: exact conversion from what sources send, exact rounding at rates.

Every function works on whole arrays; rows that cannot be converted are marked, never raised on. Floats
appear only where the source itself has floats, and then each must lie within 1e-6 of a minor unit.
"""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

INT64_MAX = 2**63 - 1
FLOAT_TOLERANCE = 1e-6  # of a minor unit
TEXT_SCALE = 6  # decimals that the fast path for text and JSON numbers keeps
MAX_TEXT = 64  # a longer number text is not an amount
_POW10 = np.array([10**k for k in range(19)], np.int64)
_NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"


class Fault(IntEnum):
    """Why an amount was not converted."""

    NONE = 0
    NULL = 1
    NOT_A_NUMBER = 2
    FRACTION = 3  # finer than the currency's minor unit
    TOO_LARGE = 4


Minor = tuple[np.ndarray, np.ndarray]  # int64 minor units, uint8 Fault


def minor_units(amount: pa.Array, exponent: np.ndarray) -> Minor:
    """Convert amounts in major units to minor units.

    Args:
        amount: integer, decimal, float or text array; text must be a plain or exponent-form number.
        exponent: int8 decimals of each row's currency, negative where unknown.

    Returns:
        int64 minor units (0 where not converted) and a `Fault` per row. A negative exponent counts as
        `Fault.NULL`: whoever knows the currency reports it.
    """
    kind = amount.type
    if pa.types.is_dictionary(kind):
        return minor_units(amount.dictionary_decode(), exponent)
    if pa.types.is_floating(kind):
        minor, fault = _from_float(amount, exponent)
    elif pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        minor, fault = _from_exact(amount, exponent)
    else:
        minor, fault = _from_text(amount, exponent)
    fault[exponent < 0] = Fault.NULL
    if amount.null_count:
        fault[_nulls(amount)] = Fault.NULL
    minor[fault != Fault.NONE] = 0
    return minor, fault


def format_minor(minor: int, exponent_: int) -> str:
    """Return minor units as exact decimal text in major units, e.g. ``1050, 2`` -> ``10.50``."""
    return str(Decimal(minor).scaleb(-exponent_)) if exponent_ else str(minor)


def scale_half_even(
    minor: np.ndarray, numerator: np.ndarray, denominator: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``minor * numerator / denominator`` rounded half to even, exactly, and where it fits int64.

    `minor` and `numerator` are int64 arrays of one length, `numerator` positive. Rows whose product
    leaves 64 bits are computed with Python's integers.
    """
    fits = np.ones(len(minor), bool)
    narrow = np.abs(minor) <= INT64_MAX // np.maximum(numerator, 1)
    if denominator > INT64_MAX:
        narrow[:] = False
    product = np.where(narrow, minor, 0) * numerator
    divisor = np.int64(min(denominator, INT64_MAX))
    out, rest = np.divmod(product, divisor)
    # rest and divisor - rest are compared, because doubling the rest could leave 64 bits
    out += (rest > divisor - rest) | ((rest == divisor - rest) & (out % 2 != 0))
    for i in np.flatnonzero(~narrow):
        value = divide_half_even(int(minor[i]) * int(numerator[i]), denominator)
        fits[i] = -INT64_MAX <= value <= INT64_MAX
        out[i] = value if fits[i] else 0
    return out, fits


def divide_half_even(numerator: int, denominator: int) -> int:
    """Return the integer nearest to a quotient, half to even; `denominator` is positive."""
    quotient, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and quotient % 2):
        quotient += 1
    return quotient


def _nulls(values: pa.Array) -> np.ndarray:
    out: np.ndarray = values.is_null().to_numpy(zero_copy_only=False)
    return out


def _from_float(amount: pa.Array, exponent: np.ndarray) -> Minor:
    numbers = amount.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    fault = np.zeros(len(numbers), np.uint8)
    finite = np.isfinite(numbers)
    scaled = np.where(finite, numbers, 0.0) * _POW10[np.maximum(exponent, 0)]
    small = np.abs(scaled) < 9.0e18
    scaled = np.where(small, scaled, 0.0)
    nearest = np.rint(scaled)
    fault[np.abs(scaled - nearest) > FLOAT_TOLERANCE] = Fault.FRACTION
    fault[~small] = Fault.TOO_LARGE
    fault[~finite] = Fault.NOT_A_NUMBER
    return nearest.astype(np.int64), fault


def _from_exact(amount: pa.Array, exponent: np.ndarray) -> Minor:
    """Integers and decimals: through one int64 of unscaled digits, wider rows one by one."""
    unscaled, scale, wide = _unscaled(amount)
    fault = np.zeros(len(unscaled), np.uint8)
    minor = np.zeros(len(unscaled), np.int64)
    for e in np.unique(exponent):
        if e < 0:
            continue
        rows = exponent == e
        digits = unscaled[rows]
        shift = int(e) - scale
        if shift >= 0:
            factor = _POW10[min(shift, 18)]
            over = np.abs(digits) > INT64_MAX // factor
            minor[rows] = np.where(over, 0, digits) * factor
            fault[rows] = np.where(over, Fault.TOO_LARGE, Fault.NONE)
        elif -shift <= 18:
            quotient, rest = np.divmod(digits, _POW10[-shift])
            minor[rows] = quotient
            fault[rows] = np.where(rest != 0, Fault.FRACTION, Fault.NONE)
        else:
            wide = wide | (rows & (unscaled != 0))
    for i in np.flatnonzero(wide):
        minor[i], fault[i] = _exact_row(Decimal(amount[i].as_py()), int(exponent[i]))
    return minor, fault


def _unscaled(amount: pa.Array) -> tuple[np.ndarray, int, np.ndarray]:
    """Return (digits as int64, scale, rows that do not fit); nulls are 0."""
    none = np.zeros(len(amount), bool)
    if pa.types.is_null(amount.type):
        return np.zeros(len(amount), np.int64), 0, none
    if pa.types.is_integer(amount.type):
        numbers = amount.fill_null(0).to_numpy(zero_copy_only=False)
        if amount.type == pa.uint64():
            over = numbers > INT64_MAX
            return np.where(over, 0, numbers).astype(np.int64), 0, over
        return numbers.astype(np.int64), 0, none
    words, width = _decimal_words(amount)
    low = words[:, 0].copy()
    wide = np.zeros(len(amount), bool)
    for w in range(1, width):
        wide |= words[:, w] != (low >> 63)  # anything but the sign in the upper words
    low[wide] = 0
    if amount.null_count:
        nulls = _nulls(amount)
        low[nulls], wide[nulls] = 0, False
    return low, amount.type.scale, wide


def _decimal_words(amount: pa.Array) -> tuple[np.ndarray, int]:
    """Return a decimal array's digits as little-endian int64 words, one row a value."""
    width = 4 if pa.types.is_decimal256(amount.type) else 2
    if amount.type.bit_width < 128:
        amount = amount.cast(pa.decimal128(38, amount.type.scale))
    words = np.frombuffer(amount.buffers()[1], np.int64, width * len(amount), 8 * width * amount.offset)
    return words.reshape(-1, width), width


def _exact_row(value: Decimal, exponent_: int) -> tuple[int, Fault]:
    """Convert one number of any size without losing a digit; the exponent is negative where unknown."""
    if exponent_ < 0:
        return 0, Fault.NULL
    sign, digits, power = value.as_tuple()
    if not isinstance(power, int):
        return 0, Fault.NOT_A_NUMBER
    if not any(digits):
        return 0, Fault.NONE
    shift = power + exponent_
    if len(digits) + shift > 19:
        return 0, Fault.TOO_LARGE
    number = int("".join(map(str, digits)))
    if shift < 0:
        number, rest = divmod(number, 10 ** min(-shift, len(digits)))
        if rest:
            return 0, Fault.FRACTION
    else:
        number *= 10**shift
    return (0, Fault.TOO_LARGE) if number > INT64_MAX else (-number if sign else number, Fault.NONE)


def _from_text(amount: pa.Array, exponent: np.ndarray) -> Minor:
    try:
        exact = amount.cast(pa.string()).cast(pa.decimal128(38, TEXT_SCALE))
    except pa.ArrowInvalid:
        return _from_texts_one_by_one(amount.cast(pa.string()), exponent)
    return _from_exact(exact, exponent)


def _from_texts_one_by_one(amount: pa.Array, exponent: np.ndarray) -> Minor:
    """Good rows still go the fast way; only rows that are no plain short number are looked at singly."""
    usable = pc.and_(
        pc.match_substring_regex(amount, r"^[+-]?[0-9]{1,18}(\.[0-9]{0,6})?$"), pc.is_valid(amount)
    ).fill_null(False)
    minor, fault = _from_exact(pc.if_else(usable, amount, None).cast(pa.decimal128(38, TEXT_SCALE)), exponent)
    number = pc.and_(
        pc.match_substring_regex(amount, _NUMBER), pc.less_equal(pc.binary_length(amount), MAX_TEXT)
    ).fill_null(False)
    texts: list[str | None] = amount.to_pylist()
    is_number = number.to_numpy(zero_copy_only=False)
    for i in np.flatnonzero(~usable.to_numpy(zero_copy_only=False)).tolist():
        text = texts[i]
        if text is None:
            continue
        minor[i], fault[i] = (
            _exact_row(Decimal(text), int(exponent[i])) if is_number[i] else (0, Fault.NOT_A_NUMBER)
        )
    return minor, fault
