"""What a goAML service says of a report, made into findings at the place in the report.

Services answer in text, in JSON or in both, each unit's a little differently; a line number or the name of an
element in a message leads to the element. Owns reading; sends nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from lxml import etree

from txmon.reports.formats import Finding
from txmon.reports.goamltext import line_of, parse

_MOST = 200  # errors that are shown
_LENGTH = 1000  # characters of a message
_LINE = re.compile(r"\bline(?:\s*number)?\s*[:=#]?\s*(\d{1,7})", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_MESSAGES = ("message", "errormessage", "error", "text", "description", "detail", "reason", "title")
_PLACES = ("path", "xpath", "element", "field", "node", "elementname", "property")
_NUMBERS = ("line", "linenumber")
_LISTS = ("errors", "validationerrors", "rejections", "messages", "value", "details")
REMEDY = "mend it in the report and release it anew"


def findings(said: Any, content: bytes) -> list[Finding]:
    """Return each thing that a service says, at its place in `content`; empty where it says nothing."""
    places = _Places(content)
    found = [places.finding(*one) for one in _said(said)]
    return list(dict.fromkeys(found))[:_MOST]


def _said(said: Any) -> Iterator[tuple[str, str, int]]:
    """Yield message, place and line of whatever a service says, however it wraps it."""
    if isinstance(said, str):
        for line in re.split(r"[\r\n]+", said):
            if line.strip():
                yield line.strip(), "", 0
    elif isinstance(said, list):
        for one in said:
            yield from _said(one)
    elif isinstance(said, Mapping):
        plain = {str(key).lower(): value for key, value in said.items()}
        inner = next((plain[name] for name in _LISTS if isinstance(plain.get(name), (list, Mapping))), None)
        if inner is not None:
            yield from _named(inner) if isinstance(inner, Mapping) else _said(inner)
            return
        message = next((plain[name] for name in _MESSAGES if isinstance(plain.get(name), str)), "")
        place = next((plain[name] for name in _PLACES if isinstance(plain.get(name), str)), "")
        number = next((plain[name] for name in _NUMBERS if str(plain.get(name, "")).isdigit()), 0)
        if message or place:
            yield message or "is not taken", place, int(number)


def _named(errors: Mapping[Any, Any]) -> Iterator[tuple[str, str, int]]:
    """Yield errors that are grouped by the field they are about."""
    for place, told in errors.items():
        for message, inner, line in _said(told):
            yield message, inner or str(place), line


class _Places:
    """Finds elements of a report by line, path or name."""

    def __init__(self, content: bytes) -> None:
        root, _ = parse(content)
        every = [] if root is None else [e for e in root.iter() if isinstance(e.tag, str)]
        self._by_line: dict[int, etree._Element] = {}
        for one in every:
            self._by_line[line_of(one)] = one  # the innermost that begins there
        self._by_name = {str(e.tag): e for e in reversed(every)}
        self._counts = Counter(str(e.tag) for e in every)

    def finding(self, message: str, place: str, line: int) -> Finding:
        """Return a message as a finding; a place that the report does not have is shown as it was said."""
        stated = _LINE.search(message)
        line = line or (int(stated.group(1)) if stated else 0)
        element = self._by_line.get(line) if line else None
        if element is None:
            element = self._named(place) if place else self._single(message)
        path = place if element is None else _path(element)
        where = line or (0 if element is None else line_of(element))
        return Finding(
            code="authority", path=clean(path) or "report", message=clean(message), remedy=REMEDY, line=where
        )

    def _named(self, place: str) -> etree._Element | None:
        """Return the element that a path ends in, if it is the only one of its name."""
        words = _WORD.findall(place)
        return self._by_name.get(words[-1]) if words and self._counts[words[-1]] == 1 else None

    def _single(self, message: str) -> etree._Element | None:
        """Return the element whose name stands in a message, if one alone does."""
        named = {word for word in _WORD.findall(message) if "_" in word and self._counts[word] == 1}
        return self._by_name[named.pop()] if len(named) == 1 else None


def _path(element: etree._Element) -> str:
    return str(element.getroottree().getpath(element)).lstrip("/")


def clean(text: str) -> str:
    """Return a text of somebody else's as one line without what a terminal would obey."""
    plain = "".join(c if c.isprintable() else " " for c in text[: 2 * _LENGTH])
    return " ".join(plain.split())[:_LENGTH]
