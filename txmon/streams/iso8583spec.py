"""Reads the file that says how an acquirer writes ISO 8583 messages, in the terms of pyiso8583.

    {"doc": "...", "defaults": {"data_enc": "ascii", "len_enc": "ascii"},
     "fields": {"h": {"max_len": 0}, "t": {"max_len": 4}, "p": {"max_len": 16},
                "2": {"len_type": 2, "max_len": 19}, "3": {"max_len": 6}, ...}}

What a field does not say is taken from `defaults`; without `len_type` it has a fixed length. Owns the file's
form and its checks; decodes nothing.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

Spec = Mapping[str, Mapping[str, Any]]
REQUIRED = ("h", "t", "p")
# card data that is of no use to rules: expiry, tracks, PIN, security data, chip data; never read
SECRET = frozenset((14, 35, 36, 45, 52, 53, 55, 96))
MADE = ("mti", "sent", "card_bin", "card_last4")  # columns that are made, see `txmon.streams.readers.iso8583`
_COLUMN = re.compile(r"f([0-9]{1,3})")
_NAMES = frozenset((*REQUIRED, *(str(n) for n in range(1, 129))))
_KEYS = frozenset(
    ("data_enc", "len_enc", "len_type", "max_len", "len_count", "left_pad", "right_pad", "desc")
)
_NUMBERS = ("len_type", "max_len")
_USUAL: Mapping[str, Any] = {"data_enc": "ascii", "len_enc": "ascii", "len_type": 0, "desc": ""}


def column_fault(name: str) -> str | None:
    """Return why a feed cannot have a column of this name, or None."""
    if name in MADE:
        return None
    match = _COLUMN.fullmatch(name)
    number = int(match[1]) if match else 0
    if not 2 <= number <= 128:
        return f"{name} is not mti, sent, card_bin, card_last4 or f2 to f128"
    return f"{name} is never read: it holds card data" if number in SECRET else None


def read_spec(path: Path) -> Spec:
    """Read a file.

    Raises:
        ValueError: names the field that is wrong and what to write.
    """
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ValueError(f"{path.name} cannot be read as JSON: {error}") from error
    fields = document.get("fields") if isinstance(document, dict) else None
    if not isinstance(fields, dict):
        raise ValueError(
            f"{path.name} has no fields; write {{'fields': {{'2': {{'len_type': 2, 'max_len': 19}}}}}}"
        )
    defaults = document.get("defaults", {})
    missing = [name for name in REQUIRED if name not in fields]
    if missing:
        raise ValueError(f"{path.name}: field {', '.join(missing)} is missing (h header, t type, p bitmap)")
    return {str(name): _field(path, str(name), defaults, found) for name, found in fields.items()}


def _field(path: Path, name: str, defaults: Any, found: Any) -> Mapping[str, Any]:
    if name not in _NAMES or not isinstance(found, dict) or not isinstance(defaults, dict):
        raise ValueError(f"{path.name}: field '{name}' is not h, t, p or 1 to 128 with its properties")
    made = {**_USUAL, **defaults, **found}
    unknown = sorted(set(made) - _KEYS)
    if unknown:
        raise ValueError(
            f"{path.name}: field {name}: {', '.join(unknown)} is none of {', '.join(sorted(_KEYS))}"
        )
    for key in _NUMBERS:
        if type(made.get(key)) is not int or made[key] < 0:
            raise ValueError(f"{path.name}: field {name}: {key} must be a whole number from 0")
    for key in ("data_enc", "len_enc"):
        try:
            _ = made[key] in ("b", "bcd") or codecs.lookup(made[key])
        except (LookupError, TypeError):
            raise ValueError(
                f"{path.name}: field {name}: {key} is not b, bcd or an encoding such as cp500"
            ) from None
    return made
