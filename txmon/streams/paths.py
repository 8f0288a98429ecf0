"""Paths into nested messages: where each field of a feed is found in XML or nested JSON.

``PmtId/EndToEndId`` goes down by names, ``@Ccy`` is an attribute, ``../`` goes to what holds the row,
``/GrpHdr/MsgId`` begins at the message, ``Ustrd*`` joins all of a name by a space, ``#`` is the number of
the row in its message and ``$message`` the message's definition. Of details, ``$index`` is the number in what
holds them and ``$only`` is 1 where there are no others. Alternatives stand between ``|``; the
first that is there counts. A list in JSON stands for its first element. Owns the notation only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

NUMBER, MESSAGE, INDEX, ONLY = "#", "$message", "$index", "$only"
SPECIALS = (NUMBER, MESSAGE, INDEX, ONLY)
_NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"
_PATH = re.compile(rf"(/|(?:\.\./)*)((?:{_NAME}/)*)({_NAME}\*?|@{_NAME})")


@dataclass(frozen=True)
class Path:
    """One alternative.

    up: levels above the row, -1 for the message itself. steps: names to go down. attribute: of the last
    element. every: join all elements of the last name. special: one of `SPECIALS`, no place.
    """

    steps: tuple[str, ...] = ()
    up: int = 0
    attribute: str = ""
    every: bool = False
    special: str = ""


@dataclass(frozen=True)
class Nested:
    """How a feed's messages are flattened.

    of: ``xml`` or ``json``. messages: definitions that are read, ``pacs.008.001.08``; xml only. rows:
    names from the message's own element to the element of a row, one way for each message's own element;
    empty where a message is one row. details: names from there to what is a row instead, once for each; where
    there is none, an empty one stands in, so that paths begin at the same depth.
    """

    of: str
    messages: frozenset[str]
    rows: tuple[tuple[str, ...], ...]
    paths: Mapping[str, tuple[Path, ...]]
    details: tuple[str, ...] = ()


def parse_path(text: str) -> tuple[Path, ...]:
    """Read the alternatives of a field.

    Raises:
        ValueError: names the alternative that is no path.
    """
    return tuple(_one(part.strip()) for part in text.split("|"))


def _one(text: str) -> Path:
    if text in SPECIALS:
        return Path(special=text)
    match = _PATH.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is no path; write a/b/c, a/@b, ../a, /a/b, a*, #, $message")
    lead, names, last = match.groups()
    steps = tuple(n for n in names.split("/") if n)
    up = -1 if lead == "/" else len(lead) // 3
    if last.startswith("@"):
        return Path(steps, up, attribute=last[1:])
    return Path((*steps, last.removesuffix("*")), up, every=last.endswith("*"))
