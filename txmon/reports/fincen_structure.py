"""Whether a SARX batch has the form that FinCEN takes: names, order, numbers, counts and single values.

Works on the text alone and without the schema file; a batch with a fault of form is refused as a whole.
"""

from __future__ import annotations

from typing import Final

from txmon.reports.fincen_codes import NAMESPACE, SUBJECT
from txmon.reports.fincen_read import Element, Faults, all_of, elements, local, text
from txmon.reports.fincen_shape import ROOT_ATTRIBUTES, Item, items
from txmon.reports.fincen_values import fault

_ROOT: Final = f"{{{NAMESPACE}}}EFilingBatchXML"
_LOCATION: Final = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"


def check_structure(root: Element, faults: Faults) -> bool:
    """Add every fault of form; return whether the root is a batch at all."""
    if root.tag != _ROOT:
        faults.error(
            "root",
            root,
            f"the root is not EFilingBatchXML in the namespace {NAMESPACE}",
            "give it this namespace",
        )
        return False
    _check_root(root, faults)
    _check_children(root, items("Batch"), faults)
    _check_numbers(root, faults)
    return True


def _check_root(root: Element, faults: Faults) -> None:
    for name in sorted(set(map(str, root.attrib)) - {*ROOT_ATTRIBUTES, _LOCATION}):
        faults.error("attribute", root, f"the attribute {name} is unknown", "remove it")
    activities = all_of(root, "Activity")
    parties = [p for a in activities for p in all_of(a, "Party")]
    documents = sum(len(all_of(a, "ActivitySupportDocument")) for a in activities)
    amounts = [
        text(s, "TotalSuspiciousAmountText") for a in activities for s in all_of(a, "SuspiciousActivity")
    ]
    counted = {
        "TotalAmount": sum(int(a) for a in amounts if a.isascii() and a.isdigit()),
        "PartyCount": sum(text(p, "ActivityPartyTypeCode") == SUBJECT for p in parties),
        "ActivityCount": len(activities),
        "ActivityAttachmentCount": documents,
        "AttachmentCount": documents,
    }
    for name in ROOT_ATTRIBUTES:
        stated = root.get(name)
        if stated is None:
            faults.error("count", root, f"the attribute {name} is missing", f"state {name}={counted[name]}")
        elif not (stated.isascii() and stated.isdigit() and int(stated) == counted[name]):
            faults.error(
                "count",
                root,
                f"{name} states another number than the {counted[name]} in the file",
                f"state {name}={counted[name]}",
            )


def _check_children(parent: Element, order: tuple[Item, ...], faults: Faults) -> None:
    """Judge the children of an element by the shape of it, and theirs."""
    places = {item.name: place for place, item in enumerate(order)}
    counts = dict.fromkeys(places, 0)
    reached = 0
    for child in elements(parent):
        name = local(child)
        if child.tag != f"{{{NAMESPACE}}}{name}" or name not in places:
            faults.error(
                "element", child, f"{name} has no place here", "remove it, or check its name and namespace"
            )
            continue
        if places[name] < reached:
            faults.error(
                "order", child, f"{name} stands after an element that follows it", "put it in its place"
            )
        reached = max(reached, places[name])
        counts[name] += 1
        _check_child(child, order[places[name]], faults)
    for item in order:
        if counts[item.name] < item.low:
            faults.error(
                "missing",
                parent,
                f"needs {item.name} at least {item.low} time(s) and has it {counts[item.name]}",
                f"add {item.name}",
                item.name,
            )
        if counts[item.name] > item.high:
            faults.error(
                "too_many",
                parent,
                f"has {item.name} {counts[item.name]} times, at most {item.high} are taken",
                "leave the rest for the narrative",
                item.name,
            )


def _check_child(child: Element, item: Item, faults: Faults) -> None:
    if item.shape:
        for name in sorted(set(map(str, child.attrib)) - {"SeqNum"}):
            faults.error("attribute", child, f"the attribute {name} is unknown", "remove it")
        if (child.text or "").strip():
            faults.error("text", child, "holds text beside its elements", "remove it")
        _check_children(child, items(item.shape), faults)
        return
    if child.attrib:
        faults.error(
            "attribute", child, "has an attribute, which only elements with children have", "remove it"
        )
    if len(child):
        faults.error("element", child, "has elements inside, where only text may be", "remove them")
        return
    wrong = fault(item.kind, child.text or "")
    if wrong is not None:
        code = {"code": "code_list", "date": "date", "birth": "date"}.get(
            item.kind.partition(":")[0].rstrip("?"), "value"
        )
        faults.error("length" if "characters" in wrong else code, child, wrong, "correct the value")


def _check_numbers(root: Element, faults: Faults) -> None:
    """SeqNum stands on each element with children, once in the file, in the order of the document."""
    seen: set[int] = set()
    last = 0
    for element in root.iter():
        if element is root or not isinstance(element.tag, str):
            continue
        stated = element.get("SeqNum")
        if stated is None:
            if len(element):
                faults.error("seqnum", element, "has no SeqNum", "number all elements with children")
            continue
        if not (stated.isascii() and stated.isdigit() and int(stated) > 0):
            faults.error(
                "seqnum", element, "has a SeqNum that is not a number above 0", "number the file anew"
            )
            continue
        number = int(stated)
        if number in seen:
            faults.error(
                "seqnum", element, f"has the SeqNum {number} of another element", "number the file anew"
            )
        elif number < last:
            faults.error(
                "seqnum", element, f"has a SeqNum below the one before, {last}", "number the file anew"
            )
        seen.add(number)
        last = max(last, number)
