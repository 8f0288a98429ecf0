"""How checks make findings, and how they read every text of a report."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from txmon.model.currencies import EXPONENTS
from txmon.model.pan import MAX_DIGITS, MIN_DIGITS, known_scheme, luhn
from txmon.reports.formats import Finding, Level
from txmon.reports.model import EventRef, Money, Report

# digits with blanks or hyphens between, or in groups of four with dots; never the digits of a decimal number
_RUN = re.compile(
    r"(?<![0-9A-Za-z])(?<![0-9][.,])(?:[0-9](?:[ -]?[0-9]){12,18}|(?:[0-9]{4}[.]){3}[0-9]{1,7})"
    r"(?![0-9A-Za-z]|[.,][0-9])"
)
_COUNTRY = re.compile(r"[A-Z]{2}")


def error(code: str, path: str, message: str, remedy: str) -> Finding:
    """Return a finding that stops release."""
    return Finding(code=code, path=path, message=message, remedy=remedy)


def warning(code: str, path: str, message: str, remedy: str) -> Finding:
    """Return a finding for a human to weigh."""
    return Finding(code=code, path=path, message=message, remedy=remedy, level=Level.WARNING)


def missing(path: str, remedy: str) -> Finding:
    """Return the finding of a field that is empty."""
    return error("missing", path, "is missing", remedy)


def card_number(text: str) -> bool:
    """Whether a text holds a whole card number: 13 to 19 digits of a card scheme, check digit right."""
    for run in _RUN.finditer(text):
        digits = re.sub(r"[^0-9]", "", run.group())
        if MIN_DIGITS <= len(digits) <= MAX_DIGITS and luhn(digits) and known_scheme(digits):
            return True
    return False


def country(path: str, code: str) -> Iterator[Finding]:
    """Find a country that is no ISO 3166-1 alpha-2 code; empty passes."""
    if code and not _COUNTRY.fullmatch(code):
        yield error("country", path, "is no country code", "write two capital letters, ISO 3166-1 alpha-2")


def money(path: str, amount: Money | None, *, zero: bool = False) -> Iterator[Finding]:
    """Find an unknown currency and an amount that is not above zero (`zero` may be allowed)."""
    if amount is None:
        return
    if amount.currency not in EXPONENTS:
        yield error("currency", f"{path}.currency", "is no currency", "write an ISO 4217 code, as EUR")
    if amount.minor < 0 or (amount.minor == 0 and not zero):
        remedy = "amounts have no sign: the sides say who paid whom"
        yield error("amount", f"{path}.minor", "is not above zero", remedy)


def not_after(path: str, time: datetime | None, report: Report) -> Iterator[Finding]:
    """Find a time later than the report's own."""
    if time is not None and time > report.prepared_at:
        remedy = "check it and prepared_at; a report tells of the past"
        yield error("date", path, "is later than the report", remedy)


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and text of every text in a report."""
    if isinstance(value, str):
        yield path, str(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for declared in dataclasses.fields(value):
            inner = f"{path}.{declared.name}" if path else declared.name
            yield from texts(getattr(value, declared.name), inner)
    elif isinstance(value, tuple):
        for i, item in enumerate(value):
            yield from texts(item, f"{path}[{i}]")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts(item, f"{path}.{key}")


def known_events(report: Report) -> frozenset[EventRef]:
    """Return every event that transactions, indicators, traces, facts and accounts rest on."""
    groups = (
        *(part.events for part in report.transactions),
        *(part.events for part in report.indicators),
        *(part.events for part in report.traces),
        *(part.events for part in report.facts),
        *(part.events for part in report.accounts),
    )
    return frozenset(event for group in groups for event in group)
