"""The numbers of a hit against the lines of its rule.

Reads the comparisons of a rule's `when` that put a `let`, or the ratio of two, beside a parameter or a
number. Conditions of any other form (on columns, with several terms) are left to the rule's explanation.
Never evaluates a rule: a comparison is shown with what the engine measured.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from txmon.rules.ir import Rule, Unit

_NAME = r"[a-z_][a-z0-9_]*+"
_COMPARISON = re.compile(
    rf"(?<![\w:)])(?P<left>{_NAME})(?:\s*/\s*(?P<by>{_NAME}))?\s*(?P<op>>=|<=|>|<|=)\s*"
    rf"(?:(?P<param>:{_NAME})|(?P<number>[0-9]++(?:\.[0-9]++)?+)|interval\s+'(?P<span>[^']+)')(?!\s*[-+*/])"
)
_WORDS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than", "=": "exactly"}
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}


@dataclass(frozen=True)
class Measure:
    """One measured number beside its line, as text; `met` says whether the line was reached."""

    rule_id: str
    name: str
    value: str
    line: str
    met: bool | None  # None where the two cannot be compared here (unknown, another currency)
    origin: str  # where the line comes from; empty where the rule does not say


def measures(rule: Rule, features: str, currency: str) -> list[Measure]:
    """Return the comparisons of `rule.when` with the values of one hit (`features`, JSON text)."""
    values: dict[str, Any] = json.loads(features, parse_float=Decimal, parse_int=Decimal)
    units = {name: expr.unit for name, expr in rule.let}
    when = str(rule.document.get("when", ""))
    found: list[Measure] = []
    for match in _COMPARISON.finditer(when):
        left, by = match["left"], match["by"]
        if left not in units or (by is not None and by not in units):
            continue
        value = _value(values, left, by)
        unit = Unit.NUMBER if by is not None else units[left]
        limit, line, origin = _limit(rule, match, unit, currency)
        found.append(
            Measure(
                rule.id,
                f"{_words(left)} / {_words(by)}" if by is not None else _words(left),
                _shown(value, unit, currency),
                f"{_WORDS[match['op']]} {line}",
                _met(value, match["op"], limit),
                origin,
            )
        )
    return _merged(found)


def _merged(found: list[Measure]) -> list[Measure]:
    """A number that stands between two lines is one row."""
    merged: dict[str, Measure] = {}
    for measure in found:
        before = merged.get(measure.name)
        if before is not None:
            met = None if None in (before.met, measure.met) else bool(before.met and measure.met)
            line = f"{before.line}, {measure.line}"
            measure = replace(before, line=line, met=met, origin=before.origin or measure.origin)
        merged[measure.name] = measure
    return list(merged.values())


def _words(name: str) -> str:
    return name.replace("_", " ")


def _value(values: Mapping[str, Any], left: str, by: str | None) -> Any:
    first = values.get(left)
    if by is None:
        return first
    second = values.get(by)
    if not isinstance(first, Decimal) or not isinstance(second, Decimal) or second == 0:
        return None
    return first / second


def _limit(rule: Rule, match: re.Match[str], unit: Unit, currency: str) -> tuple[Decimal | None, str, str]:
    """The line as a number (None if it cannot be compared here), as text, and its origin."""
    if match["span"]:
        limit = _seconds(match["span"])
        return limit, match["span"] if limit is None else _shown(limit, Unit.SPAN, currency), ""
    if match["number"]:
        return Decimal(match["number"]), _shown(Decimal(match["number"]), unit, currency), ""
    written = (rule.document.get("params") or {}).get(match["param"][1:])
    details = written if isinstance(written, Mapping) else {"value": written}
    value = details.get("value")
    origin = str(details.get("source") or "")
    if details.get("calibrated") is False:
        origin = f"{origin}, to be calibrated" if origin else "to be calibrated"
    if not isinstance(value, (int, float, Decimal)):
        return None, str(value), origin
    limit = Decimal(str(value))
    if details.get("currency") not in (None, currency):
        return None, f"{details['currency']} {limit:,f}", origin
    return limit, _shown(limit, unit, currency), origin


def _seconds(span: str) -> Decimal | None:
    number, _, unit = span.strip().partition(" ")
    size = _SECONDS.get(unit.strip().removesuffix("s"))
    return Decimal(number) * size if size and number.isdecimal() else None


def _met(value: Any, op: str, limit: Decimal | None) -> bool | None:
    if limit is None or not isinstance(value, Decimal):
        return None
    held = {
        ">=": value >= limit,
        ">": value > limit,
        "<=": value <= limit,
        "<": value < limit,
        "=": value == limit,
    }
    return held[op]


def _shown(value: Any, unit: Unit, currency: str) -> str:
    if not isinstance(value, Decimal):
        return "unknown" if value is None else str(value)
    if unit in (Unit.MONEY, Unit.MONEY_F):
        return f"{currency} {value:,.2f}"
    if unit is Unit.SPAN:
        hours = value / 3600
        return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"
    return f"{value:,.2f}" if value % 1 else f"{value.to_integral_value():,f}"
