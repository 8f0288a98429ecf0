"""Card numbers in what people write: found and refused, never stored and never repeated.

Events are tokenised where they are decoded; texts of people (reasons, purposes, names, filters) are not
events and have no reason to hold a card number. Owns the search; holds no key.
"""

from __future__ import annotations

from txmon.model.keys import PanKey
from txmon.model.pan import Tokeniser

# any key finds the same numbers, and what it makes of them is thrown away
_FINDER = Tokeniser(PanKey("00000000", bytes(32)))
_BLANK = "(a card number)"


def holds_card(text: str, *, is_id: bool = False) -> bool:
    """Say whether a text holds a card number; `is_id`: only of a known scheme."""
    return _FINDER.text(text, id_field=is_id) != text


def blanked(text: str) -> str:
    """Return a text, or a remark in its place if it holds a card number."""
    return _BLANK if holds_card(text) else text
