"""FinCEN's acknowledgement of a batch: the BSA id of each report, and each error at the field of the model.

The acknowledgement names an element by the sequence numbers of the file that was sent; writing the same
report again gives the same numbers, and `Written` the field of each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from txmon.errors import InputError
from txmon.reports.fincen_read import Element, elements, local
from txmon.reports.fincen_tree import Written
from txmon.reports.formats import Finding, Level

_STEP = re.compile(r"(?P<name>\w+)(?:\[(?P<number>\d+)\])?")
_REMEDIES = {
    "B7": "give the value, or say that it is unknown",
    "B9": "give the value, or say that it is unknown",
    "C4": "give the first name, or leave it empty so that it is said to be unknown",
    "C21": "check the number with the customer's record",
    "C25": "give the state",
    "D46": "give the state",
    "G14": "check the transmitter's taxpayer number",
    "G15": "check the transmitter's control code",
}


@dataclass(frozen=True)
class Acknowledged:
    """What FinCEN says of one report; `bsa_id` is the prior document number of the next one on the matter."""

    accepted: bool
    bsa_id: str
    findings: tuple[Finding, ...]


def read_acknowledgement(xml: bytes, sent: Written | None = None) -> tuple[Acknowledged, ...]:
    """Return what an acknowledgement says of each report of a batch, in the batch's order.

    Args:
        sent: the batch as it was sent, for the fields of the model; without it a place in the XML is named

    Raises:
        InputError: this is no acknowledgement.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root: Element = etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InputError(
            "the acknowledgement is not well-formed XML; export it from BSA E-Filing anew"
        ) from error
    if root.getroottree().docinfo.internalDTD is not None or local(root) != "EFilingBatchXML":
        raise InputError("this is no acknowledgement of a FinCEN batch; its root must be EFilingBatchXML")
    submissions = _below(root, "EFilingSubmissionXML")
    if not submissions:
        raise InputError("this is a batch, not its acknowledgement; it has no EFilingSubmissionXML")
    accepted = all(e.get("StatusCode", "A") == "A" for e in (root, *submissions))
    activities = [a for s in submissions for a in _below(s, "EFilingActivityXML")]
    if not activities and not accepted:
        refused = Finding(
            code="fincen_ack_refused",
            path="report",
            message="FinCEN refused the whole batch for its form",
            remedy="validate it against the schema, and file it anew",
        )
        return (Acknowledged(False, "", (refused,)),)
    return tuple(_activity(node, accepted, sent) for node in activities)


def fatal(findings: Sequence[Finding]) -> bool:
    """Whether FinCEN calls any of its findings fatal; the others ask for a correction."""
    return any(f.level is Level.ERROR for f in findings)


def _activity(node: Element, accepted: bool, sent: Written | None) -> Acknowledged:
    found = [_finding(error, sent) for error in _below(node, "EFilingActivityErrorXML") if len(error)]
    bsa_id = _text(node, "BSAID")
    return Acknowledged(accepted and bool(bsa_id.strip("0")) and not fatal(found), bsa_id, tuple(found))


def _finding(error: Element, sent: Written | None) -> Finding:
    context, name = _text(error, "ErrorContextText"), _text(error, "ErrorElementNameText")
    code = _text(error, "ErrorTypeCode")
    level = Level.WARNING if _text(error, "ErrorLevelText").upper() == "WARN" else Level.ERROR
    number = _number(context)
    where = sent.field(number, name) if sent is not None and number is not None else ""
    return Finding(
        code=f"fincen_ack_{code.lower() or 'unknown'}",
        path=where or context or name or "report",
        message=f"FinCEN: {_text(error, 'ErrorText') or 'no reason given'} ({context or name})",
        remedy=_REMEDIES.get(code, "correct the field and file a correction that names the BSA id"),
        level=level,
    )


def _number(context: str) -> int | None:
    """Return the sequence number of the innermost element with children that an error names."""
    steps = [m for m in map(_STEP.fullmatch, context.strip("/").split("/")) if m is not None]
    numbers = [int(m["number"]) for m in steps if m["number"]]
    return numbers[-1] if numbers else None


def _below(parent: Element, name: str) -> list[Element]:
    return [c for c in elements(parent) if local(c) == name]


def _text(parent: Element, name: str) -> str:
    return next(((c.text or "").strip() for c in elements(parent) if local(c) == name), "")
