"""A SARX batch as a tree that knows where each value comes from in the model, and its XML.

The tree is filled in any order; `render` puts elements in the schema's order, numbers them in the order of
the document and counts what the root states. It knows no report: `fincen_write` fills the tree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from lxml import etree

from txmon.reports.fincen_codes import NAMESPACE, SUBJECT
from txmon.reports.fincen_shape import ROOT_ATTRIBUTES, items

_PREFIX = "{" + NAMESPACE + "}"
_SCHEMA = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"


@dataclass
class Node:
    """An element with children. `origin` is the field of the model that it was made from."""

    shape: str
    origin: str = ""
    values: dict[str, str] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    children: dict[str, list[Node]] = field(default_factory=dict)

    def put(self, name: str, text: str, origin: str = "") -> None:
        """Set a simple element; an empty text leaves it out."""
        if text:
            self.values[name] = text
        if origin:
            self.origins[name] = origin

    def flag(self, name: str, on: bool = True, origin: str = "") -> None:
        """Set an indicator to Y, or leave it out."""
        self.put(name, "Y" if on else "", origin)

    def known(self, name: str, text: str, unknown: str, origin: str = "") -> None:
        """Set a value, or say by its indicator that it is unknown."""
        self.put(name, text, origin)
        self.flag(unknown, not text, origin)

    def add(self, name: str, shape: str = "", origin: str = "") -> Node:
        """Append a child element and return it."""
        child = Node(shape or name, origin or self.origin)
        self.children.setdefault(name, []).append(child)
        return child


@dataclass(frozen=True)
class Written:
    """A batch as bytes, and for `SeqNum` and `SeqNum/Element` the field of the model that it shows."""

    xml: bytes
    fields: dict[str, str]

    def field(self, number: int | None, element: str) -> str:
        """Return the model's field that an element of a numbered parent shows, empty where it is none."""
        return self.fields.get(f"{number}/{element}") or self.fields.get(str(number), "")


def render(activities: list[Node], total_amount: int) -> Written:
    """Return the batch of some activities.

    Args:
        total_amount: the sum of the total suspicious amounts, whole dollars
    """
    root = etree.Element(_PREFIX + "EFilingBatchXML", nsmap={"fc2": NAMESPACE})
    root.set(_SCHEMA, f"{NAMESPACE} EFL_SARXBatchSchema.xsd")
    parties = [p for a in activities for p in a.children.get("Party", [])]
    documents = sum(len(a.children.get("ActivitySupportDocument", [])) for a in activities)
    subjects = sum(p.values.get("ActivityPartyTypeCode") == SUBJECT for p in parties)
    counts = (total_amount, subjects, len(activities), documents, documents)
    for name, number in zip(ROOT_ATTRIBUTES, counts, strict=True):
        root.set(name, str(number))
    etree.SubElement(root, _PREFIX + "FormTypeCode").text = "SARX"
    fields: dict[str, str] = {}
    numbers = count(1)
    for activity in activities:
        _render(root, "Activity", activity, numbers, fields)
    etree.indent(root)
    xml: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return Written(xml, fields)


def _render(
    parent: etree._Element, name: str, node: Node, numbers: count[int], fields: dict[str, str]
) -> None:
    """Append an element and all below it."""
    number = next(numbers)
    element = etree.SubElement(parent, _PREFIX + name, SeqNum=str(number))
    fields[str(number)] = node.origin
    fields |= {f"{number}/{leaf}": origin for leaf, origin in node.origins.items()}
    order = items(node.shape)
    unknown = (node.values.keys() | node.children.keys()) - {i.name for i in order}
    if unknown:
        raise ValueError(f"{node.shape} has no element {sorted(unknown)}")
    for item in order:
        for child in node.children.get(item.name, []):
            _render(element, item.name, child, numbers, fields)
        if item.name in node.values:
            etree.SubElement(element, _PREFIX + item.name).text = node.values[item.name]
