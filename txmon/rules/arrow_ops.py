"""Logic, comparison, arithmetic, time and choice on `Vec`; text is in `txmon.rules.arrow_text`.

Every function takes the call and the values of its arguments. Integers that overflow,
doubles that are not finite, and x/0 or x%0 are null. Owns the meaning of each operation in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from txmon.rules import zones
from txmon.rules.arrow_text import compare_text, equal_text, in_text
from txmon.rules.ir import Call, Unit
from txmon.rules.ops import DOUBLES
from txmon.rules.vec import Ok, Vec, both, choose, finite, known

Operation = Callable[[Call, list[Vec]], Vec]
EARTH_RADIUS_KM = 6371.0088
_MIN64 = np.iinfo(np.int64).min
_COMPARE: dict[str, Any] = {
    "=": np.equal,
    "<>": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def truth(vec: Vec) -> Any:
    """Where a truth value is known to be true."""
    return vec.data if vec.ok is True else vec.data & vec.ok


def _falsehood(vec: Vec) -> Any:
    negated = ~vec.data if isinstance(vec.data, np.ndarray) else not vec.data
    return negated if vec.ok is True else negated & vec.ok


def _and(_call: Call, args: list[Vec]) -> Vec:
    return _kleene(args, any_of=False)


def _or(_call: Call, args: list[Vec]) -> Vec:
    return _kleene(args, any_of=True)


def _kleene(args: list[Vec], any_of: bool) -> Vec:
    """And, or of three-valued truths: a deciding side decides even beside null."""
    if all(arg.ok is True for arg in args):
        data = args[0].data
        for arg in args[1:]:
            data = data | arg.data if any_of else data & arg.data
        return Vec(data, True)
    deciding: Any = False
    other: Any = True
    for arg in args:
        yes, no = truth(arg), _falsehood(arg)
        deciding = deciding | (yes if any_of else no)
        other = other & (no if any_of else yes)
    return Vec(deciding if any_of else other, _ok(deciding | other))


def _ok(value: Any) -> Ok:
    return value if isinstance(value, np.ndarray) else bool(value)


def _not(_call: Call, args: list[Vec]) -> Vec:
    data = args[0].data
    return Vec(~data if isinstance(data, np.ndarray) else np.bool_(not data), args[0].ok)


def _is_null(_call: Call, args: list[Vec]) -> Vec:
    ok = args[0].ok
    return Vec(~ok if isinstance(ok, np.ndarray) else np.bool_(not ok), True)


def _compare(call: Call, args: list[Vec]) -> Vec:
    left, right = args
    if call.args[0].unit is Unit.TEXT:
        if call.op in ("=", "<>"):
            data = equal_text(left, right)
            data = data if call.op == "=" else ~data
        else:
            data = compare_text(call.op, left, right)
    else:
        data = _COMPARE[call.op](left.data, right.data)
    return Vec(data, both(left.ok, right.ok))


def _is_not_distinct(call: Call, args: list[Vec]) -> Vec:
    left, right = args
    same = equal_text(left, right) if call.args[0].unit is Unit.TEXT else np.equal(left.data, right.data)
    return Vec(_shape(np.where(both(left.ok, right.ok), same, np.equal(left.ok, right.ok))), True)


def _in(call: Call, args: list[Vec]) -> Vec:
    value, items = args[0], args[1:]
    if call.args[0].unit is Unit.TEXT:
        return Vec(in_text(value, items), value.ok)
    data: Any = np.bool_(False)
    for item in items:
        data = data | np.equal(value.data, item.data)
    return Vec(data, value.ok)


def _add(call: Call, args: list[Vec]) -> Vec:
    left, right = args
    ok = both(left.ok, right.ok)
    plus = call.op == "+"
    if call.unit in DOUBLES:
        return finite(left.data + right.data if plus else left.data - right.data, ok)
    a, b = np.asarray(left.data, np.int64), np.asarray(right.data, np.int64)
    result = a + b if plus else a - b
    over = (a ^ result) & (b ^ result) if plus else (a ^ b) & (a ^ result)
    return known(Vec(_shape(result), ok), _shape(over >= 0))


def _shape(data: Any) -> Any:
    """Scalars stay scalars."""
    return data if isinstance(data, np.ndarray) and data.ndim else data[()]


def _multiply(call: Call, args: list[Vec]) -> Vec:
    left, right = args
    ok = both(left.ok, right.ok)
    if call.unit in DOUBLES:
        return finite(left.data * right.data, ok)
    return product(left.data, right.data, ok)


def product(left: Any, right: Any, ok: Ok) -> Vec:
    """Multiply 64-bit integers; null where the result does not fit."""
    a, b = np.asarray(left, np.int64), np.asarray(right, np.int64)
    result = a * b
    divisor = np.where(a == 0, 1, a)
    # -1 times the lowest integer wraps onto itself and would divide back
    fits = (a == 0) | ((result // divisor == b) & (result % divisor == 0) & ~((a == -1) & (b == _MIN64)))
    return known(Vec(_shape(result), ok), _shape(fits))


def _divide(_call: Call, args: list[Vec]) -> Vec:
    left, right = args
    zero = np.equal(right.data, 0)
    divisor = np.where(zero, 1, right.data)
    quotient = np.asarray(left.data, np.float64) / np.asarray(divisor, np.float64)
    return known(finite(_shape(quotient), both(left.ok, right.ok)), _shape(~zero))


def _modulo(call: Call, args: list[Vec]) -> Vec:
    """Remainder with the sign of the dividend."""
    left, right = args
    ok = both(left.ok, right.ok)
    zero = np.equal(right.data, 0)
    if call.unit in DOUBLES:
        result = finite(np.fmod(left.data, _shape(np.where(zero, 1.0, right.data))), ok)
        return known(result, _shape(~zero))
    # the remainder by -1 is 0; asked of the lowest integer, the processor would fault
    divisor = np.where(zero | np.equal(right.data, -1), 1, right.data)
    return known(Vec(np.fmod(left.data, _shape(divisor)), ok), _shape(~zero))


def _negate(call: Call, args: list[Vec]) -> Vec:
    data = args[0].data
    vec = Vec(-data, args[0].ok)
    return vec if call.unit in DOUBLES else known(vec, _shape(np.not_equal(data, _MIN64)))


def _absolute(call: Call, args: list[Vec]) -> Vec:
    data = args[0].data
    vec = Vec(np.abs(data), args[0].ok)
    return vec if call.unit in DOUBLES else known(vec, _shape(np.not_equal(data, _MIN64)))


def half_away(data: Any) -> Any:
    """Round doubles to whole numbers, halves away from zero."""
    whole = np.trunc(data)
    return np.where(np.abs(data - whole) >= 0.5, whole + np.sign(data), whole)


def _round(call: Call, args: list[Vec]) -> Vec:
    """Floor, ceil or round; of money to whole major units, the second argument."""
    data, ok = args[0].data, args[0].ok
    if call.unit in DOUBLES:
        rounding: dict[str, Callable[[Any], Any]] = {"floor": np.floor, "ceil": np.ceil, "round": half_away}
        function = rounding[call.op]
        return Vec(_shape(np.asarray(function(data))), ok)
    if call.unit is Unit.COUNT:
        return Vec(data, ok)
    step = int(args[1].data)
    a = np.asarray(data, np.int64)
    down = a // step
    rest = a - down * step
    if call.op == "ceil":
        down = down + (rest > 0)
    elif call.op == "round":
        up = np.where(a >= 0, 2 * rest >= step, 2 * rest > step)
        down = down + up
    return product(_shape(down), step, ok)


def _function(function: Callable[[Any], Any]) -> Operation:
    def apply(_call: Call, args: list[Vec]) -> Vec:
        return finite(function(args[0].data), args[0].ok)

    return apply


def _to_double(_call: Call, args: list[Vec]) -> Vec:
    return Vec(_shape(np.asarray(args[0].data).astype(np.float64)), args[0].ok)


def _to_major(call: Call, args: list[Vec]) -> Vec:
    """Money as a double in major units; the second argument is 10^scale."""
    data = np.asarray(args[0].data).astype(np.float64)
    if call.args[0].unit is Unit.MONEY:
        data = data / np.float64(args[1].data)
    return Vec(_shape(data), args[0].ok)


def _number_count(_call: Call, args: list[Vec]) -> Vec:
    """Double to whole number, halves to even."""
    data = np.rint(np.asarray(args[0].data))
    fits = (data >= -(2.0**63)) & (data < 2.0**63)
    return known(Vec(_shape(np.where(fits, data, 0).astype(np.int64)), args[0].ok), _shape(fits))


def _bool_count(_call: Call, args: list[Vec]) -> Vec:
    return Vec(_shape(np.asarray(args[0].data).astype(np.int64)), args[0].ok)


def _case(call: Call, args: list[Vec]) -> Vec:
    pairs = [(truth(args[i]), args[i + 1]) for i in range(0, len(args) - 1, 2)]
    return choose(pairs, args[-1], call.unit)


def _coalesce(call: Call, args: list[Vec]) -> Vec:
    asked = [arg for arg in args if arg.ok is not False] or args[-1:]
    last = next((n for n, arg in enumerate(asked) if arg.ok is True), len(asked) - 1)
    return choose([(arg.ok, arg) for arg in asked[:last]], asked[last], call.unit)


def _nullif(call: Call, args: list[Vec]) -> Vec:
    left, right = args
    same = equal_text(left, right) if call.args[0].unit is Unit.TEXT else np.equal(left.data, right.data)
    equal = same & both(left.ok, right.ok)
    vec = Vec(left.data, left.ok, left.words)
    if isinstance(equal, np.ndarray) and equal.ndim and vec.scalar:
        vec.data = np.full(len(equal), vec.data)
    return known(vec, ~equal if isinstance(equal, np.ndarray) else not equal)


def _extreme(call: Call, args: list[Vec]) -> Vec:
    """Least or greatest of the values that are not null."""
    best = args[0]
    better = np.less if call.op == "least" else np.greater
    for arg in args[1:]:
        wins = better(arg.data, best.data) & both(arg.ok, best.ok)
        take = wins | (np.asarray(arg.ok) & ~np.asarray(best.ok))
        best = choose(
            [(take if isinstance(take, np.ndarray) and take.ndim else bool(take), arg)], best, call.unit
        )
    return best


def _date_part(call: Call, args: list[Vec]) -> Vec:
    days = np.asarray(args[0].data).astype(np.int64)
    if call.op == "isodow":
        return Vec(_shape((days + 3) % 7 + 1), args[0].ok)
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    if call.op == "day":
        part = (dates - months).astype(np.int64) + 1
    elif call.op == "month":
        part = months.astype(np.int64) % 12 + 1
    else:
        part = dates.astype("datetime64[Y]").astype(np.int64) + 1970
    return Vec(_shape(part), args[0].ok)


def _date_diff(call: Call, args: list[Vec]) -> Vec:
    """Whole days from the first to the second, towards zero."""
    first, second = (np.asarray(arg.data).astype(np.int64) for arg in args)
    distance = second - first
    if call.args[0].unit is Unit.TIME:
        distance = np.sign(distance) * (np.abs(distance) // zones.DAY_US)
    return Vec(_shape(distance), both(args[0].ok, args[1].ok))


def _local(call: Call, args: list[Vec]) -> Vec:
    """Local hour or date; null where the zone is unknown or the time is beyond the calendar."""
    times, zone = args
    ok = both(times.ok, zone.ok)
    shape = np.broadcast(np.asarray(times.data), np.asarray(zone.data), np.asarray(ok)).shape
    moment = np.broadcast_to(np.asarray(times.data, np.int64), shape)
    codes = np.broadcast_to(np.asarray(zone.data), shape)
    good = (
        np.broadcast_to(np.asarray(ok, np.bool_), shape) & (moment >= zones.MIN_US) & (moment < zones.MAX_US)
    )
    local, found = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
    for code in np.unique(codes[good]):
        name = zone.text[int(code)]
        if zones.zone(name) is not None:
            rows = good & (codes == code)
            local[rows], found[rows] = zones.local_us(moment[rows], name), True
    if call.op == "local_hour":
        return Vec(_shape(local // 3_600_000_000 % 24), _ok(_shape(found)))
    return Vec(_shape((local // zones.DAY_US).astype(np.int32)), _ok(_shape(found)))


def _distance(_call: Call, args: list[Vec]) -> Vec:
    """Great-circle distance on a sphere, to the metre."""
    lat1, lon1, lat2, lon2 = (np.radians(arg.data) for arg in args)
    half = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    metres = np.floor(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0))) * 1000 + 0.5)
    ok: Ok = True
    for arg in args:
        ok = both(ok, arg.ok)
    return finite(_shape(np.asarray(metres / 1000)), ok)


def _fx_compare(_call: Call, args: list[Vec]) -> Vec:
    """Amount against a limit in a named currency: as it is where the event has that currency."""
    sign, amount, currency, minor, code, limit_minor, limit = args
    compare = _COMPARE[sign.text[0]]
    own = equal_text(currency, code) & np.asarray(currency.ok)
    here = Vec(compare(minor.data, limit_minor.data), minor.ok)
    there = Vec(compare(amount.data, limit.data), both(amount.ok, limit.ok))
    return choose([(own if isinstance(own, np.ndarray) and own.ndim else bool(own), here)], there, Unit.BOOL)


OPERATIONS: dict[str, Operation] = {
    "and": _and,
    "or": _or,
    "not": _not,
    "is_null": _is_null,
    **dict.fromkeys(_COMPARE, _compare),
    "is_not_distinct": _is_not_distinct,
    "in": _in,
    "+": _add,
    "-": _add,
    "*": _multiply,
    "/": _divide,
    "%": _modulo,
    "neg": _negate,
    "abs": _absolute,
    **dict.fromkeys(("floor", "ceil", "round"), _round),
    "sqrt": _function(np.sqrt),
    "ln": _function(np.log),
    "exp": _function(np.exp),
    "to_number": _to_double,
    "to_money_f": _to_major,
    "money_number": _to_major,
    "number_count": _number_count,
    "bool_count": _bool_count,
    "case": _case,
    "coalesce": _coalesce,
    "nullif": _nullif,
    "least": _extreme,
    "greatest": _extreme,
    **dict.fromkeys(("day", "month", "year", "isodow"), _date_part),
    "date_diff_days": _date_diff,
    "local_hour": _local,
    "local_date": _local,
    "distance_km": _distance,
    "fx_compare": _fx_compare,
}
