"""Sums as the demo shows them. Only formats exact integers; never converts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from txmon.model.currencies import exponent


def money(minor: int, currency: str, *, whole: bool = False) -> str:
    """Return ``EUR 1,234.50``; with `whole`, decimals that are all zero are left out."""
    scale = exponent(currency)
    units, rest = divmod(abs(minor), 10**scale)
    tail = f".{rest:0{scale}d}" if scale and not (whole and rest == 0) else ""
    return f"{currency} {'-' if minor < 0 else ''}{units:,}{tail}"


def plural(count: int, one: str, many: str = "") -> str:
    """Return ``1 payment`` or ``3 payments``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def day(moment: datetime) -> str:
    """Return ``5 January 2026``."""
    return f"{moment.day} {moment:%B %Y}"


def listed(words: Iterable[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    *head, last = list(words) or [""]
    return f"{', '.join(head)} and {last}" if head else last
