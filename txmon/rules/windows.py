"""Window names: ``payer_7d``, ``card_merchant_24h``, ``account_month_prior``.

Owns the name's grammar and the bounds 1m to 1100d. A window whose key starts with `account` runs over
legs and serves only rules on legs; every other window runs over events, in every rule.
"""

from __future__ import annotations

import difflib
import re
from typing import Literal

from txmon.rules.columns import key_columns
from txmon.rules.ir import On, Window

MAX_NAME = 100
MINUTE_US = 60_000_000
_UNITS = {"m": MINUTE_US, "h": 60 * MINUTE_US, "d": 1440 * MINUTE_US}
MAX_US = 1100 * _UNITS["d"]
_NAME = re.compile(r"(.+?)_(?:([1-9][0-9]{0,6})([mhd])|(prev_month|month))(_prior)?")
FORM = "<key>_<n><m|h|d>, <key>_month or <key>_prev_month, each also with _prior, such as payer_7d"


class WindowError(Exception):
    """A window's name is refused; the text says why and how to write it."""


def parse_window(name: str, on: On) -> Window:
    """Return the window that a rule evaluated on `on` means by `name`.

    Raises:
        WindowError: not of the form, unknown key, out of bounds, or a key that the rule cannot use.
    """
    match = _NAME.fullmatch(name) if len(name) <= MAX_NAME else None
    if match is None:
        raise WindowError(f"`{name[:MAX_NAME]}` is not a window; write {FORM}")
    key_text, number, unit, calendar, prior = match.groups()
    span = int(number) * _UNITS[unit] if number else 0
    if number and span > MAX_US:
        raise WindowError(f"window `{name}` is longer than 1100d")
    legs = key_text == "account" or key_text.startswith("account_")
    if legs and on == "events":
        raise WindowError(
            f"window `{name}`: account windows run over legs and serve only rules with `subject: account`; "
            "write payer_... or payee_..., or change the subject"
        )
    kind: On = "legs" if legs else "events"
    key = _split(key_text, kind, name)
    month: Literal["", "month", "prev_month"] = ""
    if calendar:
        month = "month" if calendar == "month" else "prev_month"
    return Window(name, kind, key, span, month, prior is not None)


def _split(text: str, on: On, name: str) -> tuple[str, ...]:
    known = key_columns(on)
    parts = _greedy(text.split("_"), known)
    if parts is None:
        leg_only = key_columns("legs") - key_columns("events")
        if on == "events" and text.split("_")[0] in leg_only:
            raise WindowError(f"window `{name}`: `{text}` is a leg's column; start the key with account_")
        close = difflib.get_close_matches(text, sorted(known), 1)
        hint = f"; did you mean `{close[0]}`?" if close else "; a key is one or two text columns of the event"
        raise WindowError(f"window `{name}`: key `{text}` is not made of known columns{hint}")
    if len(parts) > 2:
        raise WindowError(f"window `{name}`: a key has one or two columns, not {len(parts)}")
    if len(set(parts)) != len(parts):
        raise WindowError(f"window `{name}`: column `{parts[0]}` twice in the key")
    return parts


def _greedy(words: list[str], known: frozenset[str]) -> tuple[str, ...] | None:
    """Split words into known names, the longest first; None if impossible."""
    if not words:
        return ()
    for size in range(len(words), 0, -1):
        name = "_".join(words[:size])
        if name in known:
            rest = _greedy(words[size:], known)
            if rest is not None:
                return (name, *rest)
    return None
