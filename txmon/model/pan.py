"""Card numbers never pass: every PAN-like run of digits becomes a keyed token at the boundary.

A run is 13-19 digits, of any script, that may be parted by spaces, dashes, dots and the like, and whose
Luhn check digit is right. A token ``pan_<keyid>_<mac>`` is the first 128 bits of HMAC-SHA256 of the plain
digits, spelled with the letters a-p so that a token never looks like a number; equal numbers give equal
tokens, so they still join. In id fields only runs with the prefix and length of a known scheme count,
because other systems number their events with as many digits.

While the key is being changed a card keeps the token it had, and its new token is noted beside it; later the
new token is looked up and the noted one given (`txmon.model.keychange`).

Never logs, returns or raises with a card number.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from txmon.model.aliases import MAC_BYTES, Aliases, NewAliases, spelled
from txmon.model.keys import PanKey

MIN_DIGITS, MAX_DIGITS = 13, 19

# ISO/IEC 7812 ranges of the large schemes: first and last prefix of a range, and its lengths.
_LONG = frozenset(range(16, 20))
SCHEMES: tuple[tuple[str, str, frozenset[int]], ...] = (
    ("4", "4", frozenset({13, 16, 19})),  # Visa
    ("51", "55", frozenset({16})),  # Mastercard
    ("2221", "2720", frozenset({16})),  # Mastercard
    ("34", "34", frozenset({15})),  # American Express
    ("37", "37", frozenset({15})),  # American Express
    ("300", "305", frozenset(range(14, 20))),  # Diners Club
    ("3095", "3095", frozenset(range(14, 20))),  # Diners Club
    ("36", "36", frozenset(range(14, 20))),  # Diners Club
    ("38", "39", frozenset(range(14, 20))),  # Diners Club
    ("3528", "3589", _LONG),  # JCB
    ("6011", "6011", _LONG),  # Discover
    ("644", "659", _LONG),  # Discover, RuPay, Elo, Verve
    ("62", "62", _LONG),  # UnionPay
    ("81", "82", _LONG),  # UnionPay, RuPay
    ("50", "50", frozenset({16, 18, 19})),  # Maestro, Elo, Verve, RuPay, Dankort
    ("56", "58", frozenset({16, 18, 19})),  # Maestro
    ("60", "60", _LONG),  # RuPay, Hipercard
    ("63", "63", frozenset({16, 18, 19})),  # Maestro, InterPayment, InstaPayment
    ("67", "67", frozenset({16, 18, 19})),  # Maestro
    ("2200", "2204", _LONG),  # Mir
    ("8600", "8600", frozenset({16})),  # Uzcard
    ("9704", "9704", frozenset({16, 19})),  # Napas
    ("9792", "9792", frozenset({16})),  # Troy
    ("9860", "9860", frozenset({16})),  # Humo
)

_DIGIT = (
    r"[\d\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468\u24ea\u24f5-\u24fd\u2776-\u277e]"
)
_SEPARATOR = (
    r"[\t \u00a0\u00ad\u1680\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff"  # spaces, also invisible ones
    r"\-\u2010-\u2015\u2212\ufe58\ufe63\uff0d"  # dashes
    r"._\u00b7\u2022\u2024\u30fb\uff0e\uff3f]"  # dots and low lines
)
_RUN = re.compile(rf"{_DIGIT}(?:{_SEPARATOR}{{0,3}}{_DIGIT}){{{MIN_DIGITS - 1},}}")
_BETWEEN = re.compile(rf"{_SEPARATOR}+")
_TOKEN = re.compile(rf"pan_[0-9a-f]{{8}}_[a-p]{{{2 * MAC_BYTES}}}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


@dataclass(frozen=True)
class Card:
    """What is kept of a card field: token, and of a full number its first six and last four digits."""

    value: str
    bin: str | None = None
    last4: str | None = None


def luhn(digits: str) -> bool:
    """Return whether the last of the ASCII `digits` is the right check digit."""
    total = sum(_DOUBLED[int(d)] if i % 2 else int(d) for i, d in enumerate(reversed(digits)))
    return total % 10 == 0


def known_scheme(digits: str) -> bool:
    """Return whether prefix and length are those of a large card scheme."""
    return any(low <= digits[: len(low)] <= high and len(digits) in lengths for low, high, lengths in SCHEMES)


class Tokeniser:
    """Replaces card numbers by tokens under one key, and notes those of its successor."""

    def __init__(self, key: PanKey, aliases: Aliases | None = None) -> None:
        """Make a tokeniser.

        Args:
            aliases: tokens that cards keep from before the key was changed. Without them a card gets the
                token of `key` whatever it was before, and nothing is noted.
        """
        self._key, self._aliases = key, aliases
        self._stays = Aliases() if aliases is None else aliases
        self._next = None if aliases is None else key.successor
        self._new: dict[str, str] = {}

    def token(self, digits: str) -> str:
        """Return the token of a number given as plain ASCII digits."""
        mac = _mac(self._key, digits)
        if self._next is None and not self._stays.any:
            return spelled(self._key.id, mac)
        token = self._stays.find(self._key.id, mac) or spelled(self._key.id, mac)
        if self._next is not None:
            new = _mac(self._next, digits)
            if self._stays.find(self._next.id, new) is None:
                self._new[spelled(self._next.id, new)] = token
        return token

    def take_new(self) -> NewAliases | None:
        """Return the aliases met since the last call and not stored by then; None if there are none."""
        if not self._new or self._aliases is None:
            return None
        new, self._new = self._new, {}
        return NewAliases(new, self._aliases)

    def text(self, value: str, *, id_field: bool = False) -> str:
        """Return `value` with every card number in it replaced; see the module for id fields."""
        if len(value) < MIN_DIGITS or (id_field and (_UUID.fullmatch(value) or _is_iban(value))):
            return value
        return _RUN.sub(lambda m: self._run(m.group(), id_field), value)

    def card(self, value: str) -> Card:
        """Return the content of a card field: here a mistyped number of a known scheme is hidden too."""
        if _TOKEN.fullmatch(value):
            return Card(self._stays.kept(value))
        digits = _digits(_BETWEEN.sub("", value))
        whole = digits is not None and MIN_DIGITS <= len(digits) <= MAX_DIGITS
        if digits is not None and whole and (luhn(digits) or known_scheme(digits)):
            return Card(self.token(digits), digits[:6], digits[-4:])
        return Card(self.text(value))

    def column(self, values: pa.Array, *, id_field: bool = False) -> pa.Array:
        """Return a text or dictionary array without card numbers; the same object if it had none."""
        if pa.types.is_dictionary(values.type):
            clean = self.column(values.dictionary, id_field=id_field)
            if clean is values.dictionary:
                return values
            # two spellings may have become one token: encode anew
            return clean.take(values.indices).dictionary_encode()
        rows = candidates(values)
        if not len(rows):
            return values
        texts: list[str] = values.take(pa.array(rows)).to_pylist()
        clean_texts = [self.text(t, id_field=id_field) for t in texts]
        changed = np.array([a != b for a, b in zip(texts, clean_texts, strict=True)], bool)
        if not changed.any():
            return values
        mask = np.zeros(len(values), bool)
        mask[rows[changed]] = True
        new = pa.array([t for t, c in zip(clean_texts, changed, strict=True) if c], values.type)
        return pc.replace_with_mask(values, pa.array(mask), new)

    def _run(self, run: str, id_field: bool) -> str:
        """Tokenise within one run of digits and separators.

        Groups of the run that form a number of a known scheme go first, so that a date or a check code
        beside the number does not hide it; else the whole run counts, except in id fields.
        """
        groups = [(m.start(), m.end()) for m in re.finditer(rf"{_DIGIT}+", run)]
        out: list[str] = []
        done = first = 0
        while first < len(groups):
            found = self._known(run, groups, first)
            if found is None:
                first += 1
                continue
            last, token = found
            out += [run[done : groups[first][0]], token]
            done, first = groups[last][1], last + 1
        if out or id_field:
            return "".join(out) + run[done:]
        digits = _digits(_BETWEEN.sub("", run)) or ""
        return self.token(digits) if len(digits) <= MAX_DIGITS and luhn(digits) else run

    def _known(self, run: str, groups: list[tuple[int, int]], first: int) -> tuple[int, str] | None:
        """Return (last group, token) of the longest known number that begins at group `first`."""
        digits, best = "", None
        for last in range(first, len(groups)):
            digits += _digits(run[slice(*groups[last])]) or ""
            if len(digits) > MAX_DIGITS:
                break
            if len(digits) >= MIN_DIGITS and known_scheme(digits) and luhn(digits):
                best = (last, self.token(digits))
        return best


def _mac(key: PanKey, digits: str) -> bytes:
    return hmac.digest(key.secret, digits.encode("ascii"), "sha256")[:MAC_BYTES]


def candidates(values: pa.Array) -> np.ndarray:
    """Return the positions of values with at least 13 characters that could be digits of any script."""
    if len(values) == values.null_count:
        return np.empty(0, np.int64)
    offset_type = np.int64 if pa.types.is_large_string(values.type) else np.int32
    offsets = np.frombuffer(values.buffers()[1], offset_type)[values.offset : values.offset + len(values) + 1]
    long = np.flatnonzero(np.diff(offsets) >= MIN_DIGITS)
    if not len(long):
        return long
    if len(long) < len(values) // 2:
        part = values.take(pa.array(long))
        found: np.ndarray = long[candidates(part)]
        return found
    data = np.frombuffer(values.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    # ASCII digits, and the first bytes of characters that are not ASCII
    hits = np.concatenate(([0], np.cumsum(((data - 48) < 10) | (data >= 0xC0), dtype=np.int64)))
    bounds = offsets - offsets[0]
    many: np.ndarray = np.flatnonzero(hits[bounds[1:]] - hits[bounds[:-1]] >= MIN_DIGITS)
    return many


def _is_iban(text: str) -> bool:
    """Return whether `text` is an account number that checks itself (ISO 13616, remainder 1 of 97)."""
    if not _IBAN.fullmatch(text):
        return False
    turned = text[4:] + text[:4]
    return int("".join(str(int(c, 36)) for c in turned)) % 97 == 1


def _digits(text: str) -> str | None:
    """Return `text` as ASCII digits, or None if a character is not a digit of any script."""
    if text.isascii():
        return text if text.isdigit() else None
    out = [unicodedata.digit(c, -1) for c in text]
    return None if -1 in out else "".join(map(str, out))
