"""Texts of a hit: the explanation with its numbers filled in, and the features as JSON.

Both are made for a whole column of hits at once. A template is a rule's `explain`: literal text and
``{name}`` placeholders, where a name is a `let`, a parameter, ``subject`` or a column of the event or
leg; ``{{`` and ``}}`` stand for braces. This module only formats values that it is given: it computes no
feature and rounds nothing that is exact. Doubles, which are averages and ratios, are shortened in the
explanation (four significant digits) and kept whole in the JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from string import Formatter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from txmon.rules.columns import columns
from txmon.rules.ir import Rule, Unit

Formatted = Callable[[Any], str | None]  # the text of one value; None where it has none
UNKNOWN = "unknown"
SUBJECT = "subject"
_DAY_MIN, _DAY_MAX = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, in days since the epoch
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_US = 1_000_000
_TIME_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def placeholders(template: str) -> list[str]:
    """Return the names a template uses, each once, in order.

    Raises:
        ValueError: a brace is not closed, a placeholder is empty or carries a format.
    """
    names: list[str] = []
    for _, name, spec, conversion in Formatter().parse(template):
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            shown = "{" + name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "") + "}"
            raise ValueError(f"placeholder {shown} is not a plain name in braces")
        names.append(name)
    return list(dict.fromkeys(names))


@dataclass(frozen=True)
class Explain:
    """A compiled template. `columns` are the names the caller has to bring: lets, columns, `subject`."""

    columns: tuple[str, ...]
    pieces: tuple[str | tuple[str, Formatted], ...]

    def __call__(self, values: Mapping[str, Any], n: int) -> Any:
        """Return `n` texts (a string array). A name that is absent or null reads 'unknown'."""
        texts: list[Any] = []
        constant = True
        for piece in self.pieces:
            if isinstance(piece, str):
                texts.append(piece)
            elif piece[0] not in values:
                texts.append(UNKNOWN)
            else:
                texts.append(pc.fill_null(_by_value(_plain(values[piece[0]]), piece[1]), UNKNOWN))
                constant = False
        if constant:
            return pa.array(["".join(texts)] * n, pa.string())
        return pc.binary_join_element_wise(*texts, "")


def compile_explain(
    rule: Rule, money_scale: int, currency: str = "", *, units: Mapping[str, Unit] | None = None
) -> Explain:
    """Compile `rule.explain`.

    Args:
        rule: its lets bring their own units; its parameters are filled in here, once.
        money_scale: decimals of the base currency.
        currency: shown before every sum of base money; nothing is shown if empty.
        units: units of the pack's derived columns.

    Raises:
        ValueError: the template is malformed, see `placeholders`.
    """
    placeholders(rule.explain)
    let_units = {name: expr.unit for name, expr in rule.let}
    column_units = {SUBJECT: Unit.TEXT, **columns(rule.on), **(units or {}), **let_units}
    pieces: list[str | tuple[str, Formatted]] = []
    for literal, name, _, _ in Formatter().parse(rule.explain):
        if literal:
            pieces.append(literal)
        if name is None:
            continue
        if name in rule.params and name not in let_units:
            pieces.append(_parameter_text(rule.params[name]))
        elif name == "amount_original":
            # A double by unit, but a sum of money to the reader: whole, and in a currency of its own.
            pieces.append((name, _formatter(Unit.MONEY_F, money_scale, "")))
        else:
            pieces.append((name, _formatter(column_units.get(name, Unit.TEXT), money_scale, currency)))
    needed = dict.fromkeys(piece[0] for piece in pieces if isinstance(piece, tuple))
    return Explain(tuple(needed), tuple(pieces))


def features_json(lets: Mapping[str, tuple[Unit, Any]], scale: int, n: int) -> Any:
    """Return `n` JSON objects (a string array) with every let, keys in the order of `lets`.

    Money is a number with exactly `scale` decimals; doubles are the shortest text that reads back to the
    same double (NaN and infinities, which JSON lacks, are null); a span is its seconds, exact; a time is
    RFC 3339 in UTC, a date ISO 8601; null is null.
    """
    if not lets:
        return pa.array(["{}"] * n, pa.string())
    texts: list[Any] = []
    for position, (name, (unit, values)) in enumerate(lets.items()):
        texts.append(pa.scalar(("{" if position == 0 else ", ") + json.dumps(name) + ": "))
        texts.append(pc.fill_null(_json_text(unit, _plain(values), scale), "null"))
    return pc.binary_join_element_wise(*texts, pa.scalar("}"), "")


def _json_text(unit: Unit, values: Any, scale: int) -> Any:
    if unit is Unit.MONEY:
        return decimal_text(values, scale)
    if unit is Unit.COUNT:
        return pc.cast(pc.cast(values, pa.int64()), pa.string())
    if unit in (Unit.NUMBER, Unit.MONEY_F):
        doubles = pc.cast(values, pa.float64())
        return pc.cast(pc.if_else(pc.is_finite(doubles), doubles, None), pa.string())
    if unit is Unit.BOOL:
        return pc.if_else(values, "true", "false")
    if unit is Unit.SPAN:
        return _by_value(values, _seconds_text)
    if unit is Unit.TIME:
        return _by_value(values, lambda value: _quoted(_time_text(value)))
    if unit is Unit.DATE:
        return _by_value(values, lambda value: _quoted(_date_text(value)))
    return _by_value(values, _quoted)


def decimal_text(values: Any, scale: int) -> Any:
    """Return integers of 10^-scale as decimal texts, exact: -5 with scale 2 is ``-0.05``."""
    if scale == 0:
        return pc.cast(values, pa.string())
    sign = pc.if_else(pc.less(values, 0), "-", "")
    digits = pc.utf8_lpad(pc.utf8_ltrim(pc.cast(values, pa.string()), "-"), scale + 1, "0")
    whole, part = pc.utf8_slice_codeunits(digits, 0, -scale), pc.utf8_slice_codeunits(digits, -scale)
    return pc.binary_join_element_wise(sign, whole, ".", part, "")


def _plain(values: Any) -> Any:
    """One array; times and dates as the integers of `ir`'s physical form."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_timestamp(values.type):
        return pc.cast(pc.cast(values, pa.timestamp("us", tz=values.type.tz)), pa.int64())
    if pa.types.is_date32(values.type):
        return pc.cast(values, pa.int32())
    return values


def _by_value(values: Any, text: Formatted) -> Any:
    """Format each distinct value once: amounts, counts and names repeat much among hits."""
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    texts = [None if value is None else text(value) for value in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)


def _formatter(unit: Unit, scale: int, currency: str) -> Formatted:
    prefix = f"{currency} " if currency else ""
    texts: dict[Unit, Formatted] = {
        Unit.MONEY: lambda v: prefix + f"{Decimal(v).scaleb(-scale):,.{scale}f}",
        Unit.MONEY_F: lambda v: prefix + (f"{v:,.{scale}f}" if math.isfinite(v) else UNKNOWN),
        Unit.COUNT: lambda v: f"{v:,}",
        Unit.NUMBER: _number_text,
        Unit.BOOL: lambda v: "yes" if v else "no",
        Unit.TIME: _time_text,
        Unit.SPAN: _span_text,
        Unit.DATE: _date_text,
        Unit.TEXT: str,
    }
    return texts[unit]


def _number_text(value: float) -> str:
    if not math.isfinite(value):
        return UNKNOWN
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _time_text(value: int) -> str | None:
    if not _DAY_MIN <= value // (86_400 * _SECOND_US) <= _DAY_MAX:
        return None
    moment = _EPOCH + timedelta(microseconds=value)
    return moment.isoformat().replace("+00:00", "Z")


def _date_text(value: int) -> str | None:
    if not _DAY_MIN <= value <= _DAY_MAX:
        return None
    return (_EPOCH + timedelta(days=value)).date().isoformat()


def _quoted(text: str | None) -> str | None:
    return None if text is None else json.dumps(text, ensure_ascii=False)


def _seconds_text(value: int) -> str:
    whole, rest = divmod(abs(value), _SECOND_US)
    part = f".{rest:06d}".rstrip("0") if rest else ""
    return ("-" if value < 0 else "") + f"{whole}{part}"


def _span_text(value: int) -> str:
    """The two largest units that are not zero: ``2 d 3 h``, ``12 min``, ``0.5 s``."""
    sign = "-" if value < 0 else ""
    seconds, rest = divmod(abs(value), _SECOND_US)
    if seconds == 0:
        return f"{sign}{rest / _SECOND_US:g} s"
    parts: list[str] = []
    for size, name in _TIME_UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
        elif parts:
            break
    return sign + " ".join(parts[:2])


def _parameter_text(parameter: Any) -> str:
    """A parameter as its author wrote it: a scalar or a list, with its currency if it has one."""
    if isinstance(parameter, Mapping):
        text, currency = _parameter_text(parameter.get("value")), parameter.get("currency")
        return f"{currency} {text}" if currency else text
    if isinstance(parameter, bool):
        return "yes" if parameter else "no"
    if isinstance(parameter, (int, float, Decimal)):
        return f"{Decimal(str(parameter)):,f}"
    if isinstance(parameter, (list, tuple)):
        return ", ".join(_parameter_text(item) for item in parameter)
    return UNKNOWN if parameter is None else str(parameter)
