"""From named values to goAML's elements: in the grammar's order, each missing or wrong value found.

A `Branch` holds what is known for a type, each value with the field of the model that it comes from;
`build` puts it in order. What the grammar demands and is not there becomes a `Finding` at that field, so that
the same walk that writes a report also says what the report lacks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lxml import etree

from txmon.reports.formats import Finding
from txmon.reports.goamlprofile import Profile
from txmon.reports.goamlshape import Group, Item, Part
from txmon.reports.goamlvalues import wrong


@dataclass(frozen=True, slots=True)
class Value:
    """The text of an element, null where it is not known, and the field of the model it comes from."""

    text: str | None
    path: str


@dataclass(slots=True)
class Branch:
    """The children of an element by name; `path` is the part of the model it is made of."""

    path: str
    children: dict[str, list[Value | Branch]] = field(default_factory=dict)

    def put(self, name: str, text: str | None, path: str) -> None:
        """Give an element's text; null or empty means not known, and `path` then tells where to enter it."""
        self.children.setdefault(name, []).append(Value(text or None, self._at(path)))

    def add(self, name: str, branches: Iterable[Branch | None]) -> None:
        """Give elements with children; none at all leaves them out."""
        found = [branch for branch in branches if branch is not None]
        if found:
            self.children.setdefault(name, []).extend(found)

    def lacks(self, name: str, path: str) -> None:
        """Say where to enter an element that is not known, should it be demanded."""
        self.put(name, None, path)

    def _at(self, path: str) -> str:
        if path.startswith("/"):  # a place elsewhere in the model
            return path[1:]
        joint = "." if self.path and path and not path.startswith("[") else ""
        return self.path + joint + path


class Builder:
    """Builds one report; `findings` are what it met on the way."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.findings: list[Finding] = []

    def build(self, name: str, kind: str, branch: Branch) -> etree._Element:
        """Return an element of a type with the children that the grammar has for it."""
        element = etree.Element(name)
        for part in self.profile.shape.types[kind]:
            self._part(element, part, branch)
        return element

    def _part(self, parent: etree._Element, part: Part, branch: Branch) -> None:
        if isinstance(part, Item):
            self._item(parent, part, branch)
            return
        given = [b for b in part.branches if _present(b, branch)]
        chosen = next((b for b in given if _whole(b, branch)), given[0] if given else None)
        if chosen is None:
            if part.low:
                self._missing(part.branches, branch)
            return
        for inner in chosen:
            self._part(parent, inner, branch)

    def _item(self, parent: etree._Element, item: Item, branch: Branch) -> None:
        given = branch.children.get(item.name, [])
        known = [node for node in given if isinstance(node, Branch) or node.text is not None]
        if not known and item.low:
            path = given[0].path if given else branch.path
            self._lacking(path, item.name)
        for node in known[: item.high]:
            if isinstance(node, Branch):
                parent.append(self.build(item.name, item.type, node))
            else:
                self._leaf(parent, item, node)
        if len(known) > item.high:
            remedy = "leave some out, or file a second report"
            message = f"has {len(known)} values, goAML's {item.name} takes {item.high}"
            self.findings.append(
                Finding(code="too_many", path=known[-1].path, message=message, remedy=remedy)
            )

    def _leaf(self, parent: etree._Element, item: Item, node: Value) -> None:
        text = node.text or ""
        fault = wrong(item.kind, text, self.profile)
        if fault is not None:
            code, what, remedy = fault
            message = f"{what} (goAML's {item.name})"
            self.findings.append(Finding(code=code, path=node.path, message=message, remedy=remedy))
        etree.SubElement(parent, item.name).text = text

    def _missing(self, branches: tuple[tuple[Part, ...], ...], branch: Branch) -> None:
        names = [item.name for b in branches for item in b if isinstance(item, Item)]
        told = [name for name in names if branch.children.get(name)]
        name = told[0] if told else (names[0] if names else "")
        path = branch.children[name][0].path if told else branch.path
        self._lacking(path, " or ".join(names) if not told else name)

    def _lacking(self, path: str, name: str) -> None:
        remedy = f"record it; goAML's {name} is demanded by {self.profile.title}"
        self.findings.append(Finding(code="missing", path=path, message="is missing", remedy=remedy))


def _whole(parts: tuple[Part, ...], branch: Branch) -> bool:
    return all(part.low == 0 or _present((part,), branch) for part in parts)


def _present(parts: tuple[Part, ...], branch: Branch) -> bool:
    for part in parts:
        if isinstance(part, Group):
            if any(_present(b, branch) for b in part.branches):
                return True
        elif any(isinstance(n, Branch) or n.text is not None for n in branch.children.get(part.name, [])):
            return True
    return False
