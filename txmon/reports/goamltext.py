"""goAML as text: parsed safely, then every element judged by the grammar, with its line.

Needs no schema file. Finds what is out of order, missing, too many or unknown, and every value that is not of
its kind. What several elements say together is `goamlrules`'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from lxml import etree

from txmon.reports.formats import Finding, Level
from txmon.reports.goamlprofile import Profile
from txmon.reports.goamlshape import Item, Misfit
from txmon.reports.goamlvalues import wrong
from txmon.reports.xmltext import utf8

MAX_BYTES = 5 * 2**20  # of a file, as the reference unit's channel takes it
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


@dataclass(frozen=True, slots=True)
class Node:
    """An element with its place in the grammar; `type` is empty for a value."""

    element: etree._Element
    path: str
    type: str

    @property
    def name(self) -> str:
        """Return the element's name."""
        return str(self.element.tag)

    @property
    def text(self) -> str:
        """Return its text without outer blanks."""
        return (self.element.text or "").strip()

    def value(self, path: str) -> str:
        """Return the text of the first element on a path below, empty where there is none."""
        return (self.element.findtext(path) or "").strip()

    def finding(self, code: str, message: str, remedy: str, level: Level = Level.ERROR) -> Finding:
        """Return a finding at this element."""
        line = line_of(self.element)
        return Finding(code=code, path=self.path, message=message, remedy=remedy, line=line, level=level)


def line_of(element: etree._Element) -> int:
    """Return the line of an element in its text, from 1; 0 where it was not parsed."""
    return cast(Any, element).sourceline or 0


def parse(data: bytes) -> tuple[etree._Element | None, list[Finding]]:
    """Return the root of a report's text, or null and why it cannot be read."""
    if len(data) > MAX_BYTES:
        message = f"the file has {len(data)} bytes, {MAX_BYTES} are taken"
        return None, [_whole("size", message, "split the report, or attach less text")]
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line = error.lineno or 0
        return None, [_whole("xml", "the text is no well-formed XML", "mend it at this line", line)]
    if not utf8(data):
        return None, [
            _whole("encoding", "the text is not in UTF-8", "write it in UTF-8, and declare no other")
        ]
    if cast(Any, root).getroottree().docinfo.doctype:
        return None, [_whole("doctype", "the text has a DOCTYPE", "take it out; goAML knows none")]
    if root.tag != "report":
        message = "the outermost element is not report (without a namespace)"
        return None, [_whole("root", message, "write <report> without xmlns", line_of(root))]
    return root, []


def _whole(code: str, message: str, remedy: str, line: int = 0) -> Finding:
    return Finding(code=code, path="report", message=message, remedy=remedy, line=line)


class Walk:
    """One pass over a report; `nodes` are all elements that the grammar knows, in order of the text."""

    def __init__(self, root: etree._Element, profile: Profile) -> None:
        self.profile = profile
        self.findings: list[Finding] = []
        self.nodes: list[Node] = []
        self._parent(Node(root, "report", "report"))

    def named(self, *names: str) -> Iterator[Node]:
        """Yield the elements of these names."""
        return (node for node in self.nodes if node.name in names)

    def typed(self, *types: str) -> Iterator[Node]:
        """Yield the elements of these types."""
        return (node for node in self.nodes if node.type in types)

    def _parent(self, node: Node) -> None:
        self.nodes.append(node)
        self._plain(node)
        children = [c for c in node.element if isinstance(c.tag, str)]
        misfit = self.profile.shape.match(node.type, [str(c.tag) for c in children])
        if misfit is not None:
            self.findings.append(self._misfit(node, children, misfit))
        stray = (node.element.text or "") + "".join(c.tail or "" for c in node.element)
        if stray.strip():
            self.findings.append(node.finding("stray_text", "has text between its elements", "take it out"))
        known = self.profile.shape.items(node.type)
        seen: dict[str, int] = {}
        totals = [str(c.tag) for c in children]
        for child in children:
            name = str(child.tag)
            seen[name] = seen.get(name, 0) + 1
            place = f"[{seen[name]}]" if totals.count(name) > 1 else ""
            path = f"{node.path}/{name}{place}"
            item = known.get(name)
            if item is not None and item.type:
                self._parent(Node(child, path, item.type))
            elif item is not None:
                self._leaf(Node(child, path, ""), item)

    def _leaf(self, node: Node, item: Item) -> None:
        self.nodes.append(node)
        self._plain(node)
        if len(node.element):
            self.findings.append(
                node.finding("unknown", "has elements inside, and holds a value", "take them out")
            )
            return
        text = node.element.text or ""
        fault = wrong(item.kind, text, self.profile)
        if fault is not None:
            self.findings.append(node.finding(*fault))
        elif not text.strip() and item.low:
            self.findings.append(node.finding("empty", "is blank, and is demanded", "record the value"))

    def _plain(self, node: Node) -> None:
        strange = [a for a in node.element.attrib if not str(a).startswith(_XSI)]
        if strange:
            self.findings.append(node.finding("attribute", "has an attribute", "take it out; goAML has none"))

    def _misfit(self, node: Node, children: list[etree._Element], misfit: Misfit) -> Finding:
        could = ", ".join(dict.fromkeys(misfit.expected[:6]))
        if misfit.why == "missing":
            return node.finding("missing", f"lacks {misfit.name}", f"put in {could}")
        child = children[misfit.index]
        at = Node(child, f"{node.path}/{child.tag}", "")
        if misfit.why == "unknown":
            near = (
                "it stands elsewhere"
                if child.tag in self.profile.shape.names
                else "there is none of this name"
            )
            return at.finding("unknown", f"has no place in {node.name}; {near}", f"known here: {could}, ...")
        if misfit.why == "many":
            return at.finding("too_many", f"stands too often in {node.name}", "leave it out here")
        remedy = f"here should stand {could}" if could else "move it to its place"
        return at.finding("order", f"is out of order in {node.name}, or excludes what stands before", remedy)
