"""Whether one value of FINTRAC's report is what its kind allows, said in plain words."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from txmon.model.currencies import EXPONENTS
from txmon.reports.fincen_codes import COUNTRIES
from txmon.reports.fincen_values import control_characters
from txmon.reports.fintrac_codes import CODES

_AMOUNT = re.compile(r"[0-9]{1,17}(\.[0-9]{2,10})?")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9][-+](0[0-9]|1[0-4]):[0-5][0-9]")
_REFERENCE = re.compile(r"[A-Za-z0-9_-]+")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PLACEHOLDERS = frozenset(
    {"n/a", "na", "n.a.", "unknown", "none", "null", "x", "xx", "xxx", "-", "--", "tbd"}
)
_MARKUP = re.compile(r"</?[a-zA-Z][^>]*>")
_TYPES = {"type12": (1, 2), "type34": (3, 4), "type56": (5, 6), "one_two": (1, 2), "any_type": range(1, 7)}


def fault(kind: str, value: Any) -> str | None:
    """Say what is wrong with a value of a kind, or None.

    `sN` is text of at most N characters, `refN` a reference of at most N letters, digits, - and _.
    """
    if kind in _TYPES:
        return None if _whole(value) and value in _TYPES[kind] else "is not a type that may stand here"
    if kind.startswith("code:"):
        return None if _whole(value) and value in CODES[kind[5:]] else "is not in the code list"
    if kind == "bool":
        return None if isinstance(value, bool) else "is not true or false"
    if kind in ("entity", "number"):
        good = _whole(value) and 0 <= value <= (9_999_999 if kind == "entity" else 2**53)
        return None if good else "is not a number that the authority gives"
    if not isinstance(value, str):
        return "is not text; amounts are text, too"
    if control_characters(value):
        return "holds a character that does not print"
    return _text(kind, value)


def day(text: Any) -> date | None:
    """Return the day of a date as YYYY-MM-DD, or None."""
    if not isinstance(text, str) or not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(kind: str, value: str) -> str | None:
    number = re.fullmatch(r"(s|ref)([0-9]+)", kind)
    if number is None:
        return _CHECKS[kind](value)
    if len(value) > int(number[2]):
        return f"has {len(value)} characters, at most {number[2]} are taken"
    if number[1] == "ref":
        return None if _REFERENCE.fullmatch(value) else "is not letters, digits, - and _"
    if not value.strip():
        return "is empty; leave the field out"
    return "is a placeholder; leave the field out" if value.strip().casefold() in _PLACEHOLDERS else None


def _prose(value: str) -> str | None:
    if not value.strip():
        return "is empty"
    return "holds markup; write plain text" if _MARKUP.search(value) else None


def _amount(value: str) -> str | None:
    if not _AMOUNT.fullmatch(value):
        return "is not an amount as 123.45, without sign and separators"
    return None if value.strip("0.") else "is zero"


def _date(value: str) -> str | None:
    found = day(value)
    if found is None:
        return "is not a day of the calendar as YYYY-MM-DD"
    return None if found.year >= 1880 else "lies before anybody alive"


def _moment(value: str) -> str | None:
    date_part, _, time_part = value.partition("T")
    good = day(date_part) is not None and _TIME.fullmatch(time_part)
    return None if good else "is not a time as YYYY-MM-DDTHH:MM:SS+00:00"


_CHECKS: dict[str, Callable[[str], str | None]] = {
    "text": _prose,
    "amount": _amount,
    "rate": _amount,
    "date": _date,
    "time": lambda v: None if _TIME.fullmatch(v) else "is not a time as HH:MM:SS+00:00",
    "datetime": _moment,
    "country": lambda v: None if v in COUNTRIES else "is not an ISO 3166 country",
    "currency": lambda v: None if v in EXPONENTS else "is not an ISO 4217 currency",
    "alpha2": lambda v: None if len(v) == 2 and v.isalpha() else "is not two letters",
}
