"""Whether a text is a value of a kind of goAML's grammar, and if not, why not in plain words."""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime
from decimal import Decimal

from txmon.reports.goamlprofile import Profile

FIRST_TIME = datetime(1753, 1, 1)  # noqa: DTZ001 - goAML's times carry no zone
MONEY_LIMIT = Decimal(7_900_000_000_000_000)
_TEXT = re.compile(r"(text|name)(?:(\d+)-)?(\d+)(_?)(?:~(\d+))?")
_RANGE = re.compile(r"(int|dec(\d+))\[(-?\d*)\.\.(-?\d*)\]")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})?")
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
_EMAIL = re.compile(r"[_a-zA-Z0-9+-]+(\.[_a-zA-Z0-9+-]+)*@[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)*(\.[a-zA-Z]{2,15})")
_IPV6 = re.compile(r"([A-Fa-f0-9]{1,4}:){7}[A-Fa-f0-9]{1,4}")
_INT32 = 2**31

Wrong = tuple[str, str, str]  # code, what is wrong, remedy


def wrong(kind: str, text: str, profile: Profile) -> Wrong | None:
    """Say what is wrong with a text as a value of `kind`, or null; the text itself is never repeated."""
    if kind.startswith("#"):
        return _code(kind[1:], text, profile)
    if sized := _TEXT.fullmatch(kind):
        return _text(sized, text, profile)
    if bounded := _RANGE.fullmatch(kind):
        return _number(text.strip(), bounded)
    plain = text.strip()
    if kind == "time":
        return _time(plain)
    if kind == "money":
        return _money(plain)
    if kind == "bool":
        return (
            None if plain in ("true", "false", "1", "0") else ("type", "is not true or false", "write true")
        )
    if kind == "one":
        return None if plain == "1" else ("type", "may only be 1", "write 1, or leave the element out")
    if kind == "email":
        ok = len(text) <= 255 and _EMAIL.fullmatch(text)
        return None if ok else ("pattern", "is no e-mail address that goAML takes", "write name@host.tld")
    if kind == "ipv4":
        return None if _ipv4(text) else ("pattern", "is no IPv4 address", "write four numbers with dots")
    if kind == "ipv6":
        ok = _IPV6.fullmatch(text)
        return None if ok else ("pattern", "is no full IPv6 address", "write all eight groups, no ::")
    return None


def _text(sized: re.Match[str], text: str, profile: Profile) -> Wrong | None:
    word, least, most, empty, pattern = sized.groups()
    if len(text) > int(most):
        return "length", f"has {len(text)} characters, at most {most} are taken", "shorten it"
    if len(text) < int(least or (0 if empty else 1)):
        return (
            "empty",
            "is empty or too short",
            f"give at least {least or 1} character(s), or leave the element out",
        )
    if word == "name" and not profile.name_pattern.fullmatch(text):
        remedy = "write it in plain Latin letters; the original spelling goes into full_name_frn"
        return "pattern", "has letters or signs that names may not have", remedy
    if pattern and not profile.shape.patterns[pattern].fullmatch(text):
        return (
            "pattern",
            "has signs that this element may not have",
            f"write it plainly, as {profile.title} takes it",
        )
    return None


def _code(table: str, text: str, profile: Profile) -> Wrong | None:
    known = profile.codes[table]
    if text in known:
        return None
    some = ", ".join(sorted(known)[:12]) + (", ..." if len(known) > 12 else "")
    code = "unknown_indicator" if table == "report_indicator" else "code"
    return code, f"is not in the list {table} of {profile.title}", f"use one of {some}"


def _time(text: str) -> Wrong | None:
    try:
        if not _TIME.fullmatch(text):
            raise ValueError
        found = datetime.fromisoformat(text)
    except ValueError:
        return "date", "is no date and time", "write 2026-01-05T12:00:00"
    early = found.replace(tzinfo=None) < FIRST_TIME
    return ("date", "is before 1753", "give the right date, or leave an optional one out") if early else None


def _money(text: str) -> Wrong | None:
    if not _DECIMAL.fullmatch(text):
        return "amount", "is no decimal number", "write 1200.50, without currency and separators"
    if abs(Decimal(text)) > MONEY_LIMIT:
        return "amount", "is beyond what goAML takes (7.9e15)", "check the amount"
    if len(text.partition(".")[2]) > 13:
        return "amount", "has more than 13 decimals", "round to the currency's decimals"
    return None


def _number(text: str, bounded: re.Match[str]) -> Wrong | None:
    word, digits, low, high = bounded.groups()
    whole = word == "int" or digits == "0"
    if not re.fullmatch(r"[+-]?\d+" if whole else _DECIMAL.pattern, text):
        return "type", "is no " + ("whole number" if whole else "decimal number"), "write digits alone"
    value = Decimal(text)
    bound = _INT32 if word == "int" else MONEY_LIMIT
    least, most = Decimal(low or -bound), Decimal(high or bound - 1)
    if not least <= value <= most:
        return "range", f"is not between {least} and {most}", "check the number"
    if not whole and len(text.partition(".")[2].rstrip("0")) > int(digits):
        return "range", f"has more than {digits} decimals", "round it"
    return None


def _ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
