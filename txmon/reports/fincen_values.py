"""Whether the text of one SARX element is what its kind allows, said in plain words.

It judges single values; what values mean together is judged in `fincen_rules`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from txmon.reports.fincen_codes import CODES, FORM_TYPE

_OUTER_OR_BREAK = re.compile(r"^\s|\s$|[\t\r\n]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]")


def fault(kind: str, text: str) -> str | None:
    """Say what is wrong with a value of a kind, or None.

    A kind ending in `?` may be blank; `sN` is text of at most N characters without outer blanks, tabs and
    line breaks; `textN` is free text.
    """
    if kind.endswith("?") and not text:
        return None
    if kind.startswith("code:"):
        return None if text in CODES[kind[5:]] else "is not in the code list"
    if kind[0] == "s" and kind[1:].isdigit():
        return _line(text, int(kind[1:]))
    if kind.startswith("text"):
        return _prose(text, int(kind[4:]))
    return _CHECKS[kind.rstrip("?")](text)


def calendar_date(text: str) -> date | None:
    """Return the day that YYYYMMDD names, or None."""
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def control_characters(text: str) -> bool:
    """Whether a text has characters that do not print; line feeds and tabs are not counted."""
    return _CONTROL.search(text) is not None


def _line(text: str, longest: int) -> str | None:
    if len(text) > longest:
        return f"has {len(text)} characters, at most {longest} are taken"
    if _OUTER_OR_BREAK.search(text):
        return "begins or ends with a blank, or holds a tab or a line break"
    return "holds a character that does not print" if control_characters(text) else None


def _prose(text: str, longest: int) -> str | None:
    if len(text) > longest:
        return f"has {len(text)} characters, at most {longest} are taken"
    if not text.strip():
        return "is empty"
    return "holds a character that does not print" if control_characters(text) else None


def _flag(text: str) -> str | None:
    return None if text in ("Y", "") else "is an indicator: Y, or blank"


def _date(text: str) -> str | None:
    day = calendar_date(text)
    if day is None:
        return "is not a day of the calendar as YYYYMMDD"
    return None if 1900 <= day.year <= 2099 else "is outside the years 1900 to 2099"


def _birth(text: str) -> str | None:
    if len(text) == 8 and text.isascii() and text.isdigit() and "1900" <= text[:4] <= "2099":
        month, day = text[4:6], text[6:]
        if month == "00":
            return None if day == "00" else "gives a day without a month"
        if day == "00":
            return None if "01" <= month <= "12" else "has no such month"
        if calendar_date(text) is not None:
            return None
    return "is not a day as YYYYMMDD (00 for an unknown month or day)"


def _time(text: str) -> str | None:
    return None if _TIME.fullmatch(text) else "is not a time as HH:MM:SS"


def _long14(text: str) -> str | None:
    good = text.isascii() and text.isdigit() and len(text) <= 14
    return None if good else "is not a number of at most 14 digits"


def _form(text: str) -> str | None:
    return None if text == FORM_TYPE else f"must be {FORM_TYPE}"


_CHECKS: dict[str, Callable[[str], str | None]] = {
    "flag": _flag,
    "date": _date,
    "birth": _birth,
    "time": _time,
    "long14": _long14,
    "form": _form,
}
