"""Collects the fields of a row of XML in one walk through it.

The paths of a feed become a tree of names, so that each element is looked at once; what belongs to the
message or to the holder of rows is walked once for all rows. Owns the walk; parses and checks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree

from txmon.streams.paths import Path

Row = dict[str, str | None]
Found = dict[int, str]  # number of a path -> text


@dataclass
class _Node:
    """Names below a place, and the paths that end there."""

    below: dict[str, _Node] = field(default_factory=dict)
    texts: list[tuple[int, bool]] = field(default_factory=list)  # path, whether all elements are joined
    attributes: list[tuple[int, str]] = field(default_factory=list)


class XmlPlan:
    """The walk of one feed through messages of one namespace."""

    def __init__(self, paths: Mapping[str, Sequence[Path]], namespace: str) -> None:
        self._trees: dict[int, _Node] = {}  # by levels above the row, -1 for the message
        self._specials: dict[int, str] = {}
        self._fields: list[tuple[str, list[int]]] = []
        self._held: dict[int, tuple[etree._Element, Found]] = {}
        number = 0
        for name, alternatives in paths.items():
            own = list(range(number, number + len(alternatives)))
            for path in alternatives:
                self._add(number, path, namespace)
                number += 1
            self._fields.append((name, own))

    def row(self, element: etree._Element, top: etree._Element, specials: Mapping[str, str]) -> Row:
        """Return every field of the row that `element` is, null where its paths lead nowhere.

        Args:
            element: the row.
            top: the message's own element.
            specials: values of the paths that are no places.
        """
        found: Found = {n: specials[kind] for n, kind in self._specials.items()}
        for up, tree in self._trees.items():
            if up == 0:
                _walk(element, tree, found)
                continue
            holder: etree._Element | None = top if up < 0 else element
            for _ in range(up):
                holder = None if holder is None else holder.getparent()
            if holder is not None:
                found.update(self._of_holder(up, holder, tree))
        out: Row = {}
        for name, numbers in self._fields:
            out[name] = next((text for n in numbers if (text := found.get(n))), None)
        return out

    def _of_holder(self, up: int, holder: etree._Element, tree: _Node) -> Found:
        held = self._held.get(up)
        if held is None or held[0] is not holder:
            held = self._held[up] = (holder, {})
            _walk(holder, tree, held[1])
        return held[1]

    def _add(self, number: int, path: Path, namespace: str) -> None:
        if path.special:
            self._specials[number] = path.special
            return
        node = self._trees.setdefault(path.up, _Node())
        for step in path.steps:
            node = node.below.setdefault(f"{{{namespace}}}{step}", _Node())
        if path.attribute:
            node.attributes.append((number, path.attribute))
        else:
            node.texts.append((number, path.every))


def _walk(element: etree._Element, node: _Node, found: Found) -> None:
    """Collect the texts below an element; of elements of one name the first that has a text counts."""
    for number, name in node.attributes:
        value = element.get(name)
        if value and number not in found:
            found[number] = value.strip()
    if node.texts and element.text:
        text = element.text.strip()
        if text:
            for number, every in node.texts:
                if number not in found:
                    found[number] = text
                elif every:
                    found[number] += " " + text
    if node.below:
        for child in element:
            below = node.below.get(child.tag)
            if below is not None:
                _walk(child, below, found)
