"""Addresses of the web in texts that people and payments carry, also such as are written to look like none.

Owns the look; follows no address.
"""

from __future__ import annotations

import re

# scheme or www, an onion name, or a host with a path; dots may be written [.] or (dot)
_DOT = r"(?:\.|\[\.\]|\(\.\)|\[dot\]|\(dot\))"
DOTS = re.compile(_DOT, re.IGNORECASE)  # as they may be written
_REST = r"[^\s\"'<>]"
_LABELS = rf"(?<![@\w.-])[\w-]+(?:{_DOT}[\w-]+)*"
ADDRESS = re.compile(
    rf"(?:https?|ftp|hxxps?|h\*\*ps?)\s?:\s?//\s?{_REST}+"
    rf"|\bwww{_DOT}{_REST}+"
    rf"|\b[a-z2-7]{{16,56}}{_DOT}onion\b{_REST}*"
    rf"|{_LABELS}{_DOT}[a-z]{{2,24}}/{_REST}*"
    rf"|{_LABELS}{_DOT}(?:com|net|org|info|biz|xyz|top|site|online|club|onion)\b(?![\w@.-])",
    re.IGNORECASE,
)


def has_address(text: str) -> bool:
    """Whether a text has an address of the web in it."""
    return ADDRESS.search(text) is not None
