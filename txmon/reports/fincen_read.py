"""Reading a SARX batch without trust, and what is found in it; each fault keeps its place.

Entities, DTDs and the network are refused. Nothing here knows a rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from txmon.reports.fincen_codes import NAMESPACE
from txmon.reports.formats import Finding, Level
from txmon.reports.xmltext import utf8

Element = etree._Element  # noqa: SLF001 - lxml's only name for it
_PREFIX = "{" + NAMESPACE + "}"


@dataclass(frozen=True)
class Fault:
    """Something wrong at an element, or at the child of this name that it lacks."""

    code: str
    element: Element | None
    child: str
    message: str
    remedy: str
    level: Level = Level.ERROR

    @property
    def number(self) -> int | None:
        """Return the sequence number of the element with children that the fault lies in."""
        element = self.element
        while element is not None:
            text = element.get("SeqNum", "")
            if text.isdigit():
                return int(text)
            element = element.getparent()
        return None

    @property
    def leaf(self) -> str:
        """Return the simple element that the fault is about, empty where it is about one with children."""
        if self.child or self.element is None:
            return self.child
        return "" if "SeqNum" in self.element.attrib else local(self.element)

    def finding(self, where: str = "") -> Finding:
        """Return the fault as a finding, at a field of the model or else at its place in the text."""
        place = "EFilingBatchXML" if self.element is None else path(self.element)
        line = 0 if self.element is None or where else _line(self.element)
        place = f"{place}/{self.child}" if self.child else place
        message = f"{self.message} (FinCEN: {place})" if where else self.message
        return Finding(
            code=f"fincen_{self.code}", path=where or place, message=message,
            remedy=self.remedy, line=line, level=self.level,
        )  # fmt: skip


@dataclass
class Faults:
    """The faults found so far."""

    found: list[Fault] = field(default_factory=list)

    def error(self, code: str, element: Element | None, message: str, remedy: str, child: str = "") -> None:
        """Add what FinCEN would refuse, or what must never be filed."""
        self.found.append(Fault(code, element, child, message, remedy))

    def warning(self, code: str, element: Element | None, message: str, remedy: str, child: str = "") -> None:
        """Add what a human should look at."""
        self.found.append(Fault(code, element, child, message, remedy, Level.WARNING))


def parse(xml: bytes, faults: Faults) -> Element | None:
    """Return the root of a batch, or None after adding why it cannot be read."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root: Element = etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        place = f" at line {error.lineno}" if isinstance(error, etree.XMLSyntaxError) else ""
        faults.error("xml", None, f"is not well-formed XML{place}", "write the file anew")
        return None
    info = root.getroottree().docinfo
    if info.internalDTD is not None:
        faults.error("doctype", root, "has a document type declaration", "remove it")
        return None
    if not utf8(xml):
        faults.error("encoding", root, "is not encoded in UTF-8", "write the file in UTF-8")
    return root


def _line(element: Element) -> int:
    line = element.sourceline
    return line if isinstance(line, int) else 0


def local(element: Element) -> str:
    """Return the name of an element without its namespace."""
    return str(etree.QName(element).localname)


def path(element: Element) -> str:
    """Return the way to an element; those that stand several times are counted from 1."""
    parts: list[str] = []
    current: Element | None = element
    while current is not None:
        parent = current.getparent()
        name = local(current)
        if parent is not None:
            same = [c for c in elements(parent) if c.tag == current.tag]
            if len(same) > 1 or "SeqNum" in current.attrib:
                name = f"{name}[{same.index(current) + 1}]"
        parts.append(name)
        current = parent
    return "/".join(reversed(parts))


def elements(parent: Element) -> Iterator[Element]:
    """Give the child elements, without comments and processing instructions."""
    return (c for c in parent if isinstance(c.tag, str))


def all_of(parent: Element, name: str) -> list[Element]:
    """Return the children of a name."""
    return parent.findall(_PREFIX + name)


def one(parent: Element, name: str) -> Element | None:
    """Return the first child of a name."""
    return parent.find(_PREFIX + name)


def text(parent: Element, name: str) -> str:
    """Return the text of the first child of a name, empty where there is none."""
    child = one(parent, name)
    return "" if child is None else child.text or ""


def on(parent: Element, name: str) -> bool:
    """Whether an indicator is set."""
    return text(parent, name) == "Y"
