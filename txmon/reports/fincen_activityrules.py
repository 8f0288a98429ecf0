"""What FinCEN demands of an activity beyond form and parties: kind, dates, amounts, boxes, terms, narrative.

Works on the text alone.
"""

from __future__ import annotations

import ipaddress
from datetime import date
from typing import Final

from txmon.reports import fincen_codes as codes
from txmon.reports.fincen_read import Element, Faults, all_of, on, one, text
from txmon.reports.fincen_terms import subtype_kind
from txmon.reports.fincen_values import calendar_date

_TERM_BOX: Final = {
    codes.HUMAN_TRAFFICKING: ("927", ""),
    codes.CHILD_EXPLOITATION: ("9999", "OCSE"),
    codes.SEXTORTION: ("9999", "SEXTORTION"),
}
_SHORTEST: Final = 100  # characters below which a narrative tells nothing
_ATTACHED: Final = ("see attached", "see attachment", "see enclosed")
_OTHER_ASSETS: Final = frozenset({"1", "30", "41"})


def check_activity(activity: Element, today: date | None, faults: Faults) -> None:
    """Add every fault of an activity's own elements.

    Args:
        today: the day that no filing may lie after; None where that is not known
    """
    filed = calendar_date(text(activity, "FilingDateText"))
    if filed is not None and today is not None and filed > today:
        faults.error("date", activity, "is filed in the future", "use the day of filing", "FilingDateText")
    _check_kind(activity, faults)
    suspicious = one(activity, "SuspiciousActivity")
    if suspicious is not None:
        _check_dates(suspicious, filed, faults)
        _check_amounts(suspicious, activity, faults)
        _check_boxes(suspicious, faults)
        _check_terms(activity, suspicious, faults)
    _check_technical(activity, filed, faults)
    _check_assets(activity, faults)
    _check_narrative(activity, faults)
    _check_test(activity, faults)


def narrative_text(activity: Element) -> str:
    """Return the narrative, its blocks joined."""
    return "".join(text(n, "ActivityNarrativeText") for n in all_of(activity, "ActivityNarrativeInformation"))


def _check_kind(activity: Element, faults: Faults) -> None:
    node = one(activity, "ActivityAssociation")
    if node is None:
        return
    initial = on(node, "InitialReportIndicator")
    later = on(node, "CorrectsAmendsPriorReportIndicator") or on(node, "ContinuingActivityReportIndicator")
    if initial == later:
        what = (
            "is initial, and corrects or continues"
            if initial
            else "is none of initial, correction, continuing"
        )
        faults.error("association", node, what, "say one", "InitialReportIndicator")
    prior = text(activity, "EFilingPriorDocumentNumber")
    if later and not prior:
        faults.error(
            "prior",
            activity,
            "corrects or continues a report and does not name it",
            "give the BSA id of its acknowledgement",
            "EFilingPriorDocumentNumber",
        )
    if prior and not later:
        faults.error(
            "prior",
            activity,
            "names a prior report and neither corrects nor continues it",
            "remove the number, or say which",
            "EFilingPriorDocumentNumber",
        )
    if on(node, "JointReportIndicator") and "joint" not in narrative_text(activity).casefold():
        faults.error(
            "joint",
            node,
            "is a joint report whose narrative names no other filer",
            "name the joint filers in the narrative",
            "JointReportIndicator",
        )


def _check_dates(node: Element, filed: date | None, faults: Faults) -> None:
    first = calendar_date(text(node, "SuspiciousActivityFromDateText"))
    last = calendar_date(text(node, "SuspiciousActivityToDateText"))
    if first and last and last < first:
        faults.error(
            "date", node, "ends before it begins", "correct the dates", "SuspiciousActivityToDateText"
        )
    for name, day in (("SuspiciousActivityFromDateText", first), ("SuspiciousActivityToDateText", last)):
        if filed and day and day > filed:
            faults.error("date", node, "lies after the day of filing", "correct the date", name)


def _check_amounts(node: Element, activity: Element, faults: Faults) -> None:
    total = text(node, "TotalSuspiciousAmountText")
    said = [n for n in ("AmountUnknownIndicator", "NoAmountInvolvedIndicator") if on(node, n)]
    if len(said) + bool(total) != 1:
        faults.error(
            "amount",
            node,
            "needs one of: an amount, amount unknown, no amount involved",
            "give a total in US dollars, or say which holds",
            "TotalSuspiciousAmountText",
        )
    cumulative = text(node, "CumulativeTotalViolationAmountText")
    for name, amount in (
        ("TotalSuspiciousAmountText", total),
        ("CumulativeTotalViolationAmountText", cumulative),
    ):
        if amount and not (amount.isascii() and amount.isdigit() and not amount.startswith("0")):
            faults.error(
                "amount", node, "is not whole US dollars above 0, in digits alone", "correct it", name
            )
    association = one(activity, "ActivityAssociation")
    continuing = association is not None and on(association, "ContinuingActivityReportIndicator")
    if continuing != bool(cumulative):
        what = (
            "continues a report and has no cumulative amount"
            if continuing
            else "has a cumulative amount and continues no report"
        )
        faults.error(
            "amount", node, what, "give it for continuing activity only", "CumulativeTotalViolationAmountText"
        )
    if cumulative.isdigit() and total.isdigit() and int(cumulative) < int(total):
        faults.error(
            "amount",
            node,
            "is below the amount of this report alone",
            "add up all reports",
            "CumulativeTotalViolationAmountText",
        )


def _check_boxes(node: Element, faults: Faults) -> None:
    seen: set[str] = set()
    for box in all_of(node, "SuspiciousActivityClassification"):
        kind, subtype = text(box, "SuspiciousActivityTypeID"), text(box, "SuspiciousActivitySubtypeID")
        if subtype in seen:
            faults.error(
                "duplicate", box, f"ticks {subtype} once more", "tick it once", "SuspiciousActivitySubtypeID"
            )
        seen.add(subtype)
        if subtype in codes.CODES["subactivity"] and subtype_kind(subtype) != kind:
            faults.error(
                "classification",
                box,
                f"{subtype} is no subtype of {kind or 'nothing'}",
                f"use type {subtype_kind(subtype)}",
                "SuspiciousActivityTypeID",
            )
        if subtype.endswith("999") != bool(text(box, "OtherSuspiciousActivityTypeText")):
            faults.error(
                "other_text",
                box,
                "subtype other and its text go together",
                "give both or none",
                "OtherSuspiciousActivityTypeText",
            )


def _check_terms(activity: Element, suspicious: Element, faults: Faults) -> None:
    """An advisory's key term stands in the note and the narrative, and its box is ticked."""
    said = text(activity, "FilingInstitutionNotetoFinCEN"), narrative_text(activity)
    ticked = {
        text(b, "SuspiciousActivitySubtypeID"): text(b, "OtherSuspiciousActivityTypeText")
        for b in all_of(suspicious, "SuspiciousActivityClassification")
    }
    for term, (subtype, words) in _TERM_BOX.items():
        sign = codes.ADVISORY_MARK[term]
        boxed = subtype in ticked and words in ticked[subtype]
        if sign in said[0] + said[1] and not boxed:
            faults.error(
                "key_term",
                suspicious,
                f"has the key term {term}, and {subtype} {words}".rstrip() + " is not ticked",
                "tick it",
                "SuspiciousActivityClassification",
            )
        if boxed and sign not in said[1]:
            faults.error(
                "key_term",
                activity,
                f"ticks {subtype} {words}".rstrip() + f"; the narrative lacks {sign}",
                f"put {term} into the narrative",
                "ActivityNarrativeInformation",
            )
        if boxed and sign not in said[0]:
            faults.warning(
                "key_term",
                activity,
                f"ticks {subtype} {words}".rstrip() + f"; the note lacks {sign}",
                f"put {term} into the note",
                "FilingInstitutionNotetoFinCEN",
            )


def _check_technical(activity: Element, filed: date | None, faults: Faults) -> None:
    for node in all_of(activity, "ActivityIPAddress"):
        try:
            ipaddress.ip_address(text(node, "IPAddressText"))
        except ValueError:
            faults.error("ip", node, "is no IP address", "correct it", "IPAddressText")
        day = calendar_date(text(node, "ActivityIPAddressDateText"))
        if day and filed and day > filed:
            faults.error(
                "date", node, "lies after the day of filing", "correct it", "ActivityIPAddressDateText"
            )
        if text(node, "ActivityIPAddressTimeStampText") and not text(node, "ActivityIPAddressDateText"):
            faults.error("date", node, "has a time without a day", "add the day", "ActivityIPAddressDateText")
    for node in all_of(activity, "CyberEventIndicators"):
        if (text(node, "CyberEventIndicatorsTypeCode") == "999") != bool(
            text(node, "CyberEventTypeOtherText")
        ):
            faults.error(
                "other_text",
                node,
                "type 999 and its text go together",
                "give both or none",
                "CyberEventTypeOtherText",
            )
    for node in all_of(activity, "ActivitySupportDocument"):
        if not text(node, "OriginalAttachmentFileName").lower().endswith(".csv"):
            faults.error(
                "attachment",
                node,
                "is no CSV file",
                "attach one CSV of at most 1 MB",
                "OriginalAttachmentFileName",
            )


def _check_assets(activity: Element, faults: Faults) -> None:
    seen: set[str] = set()
    for node in all_of(activity, "Assets"):
        kind, subtype = text(node, "AssetTypeID"), text(node, "AssetSubtypeID")
        if subtype in seen:
            faults.error("duplicate", node, f"names {subtype} once more", "name it once", "AssetSubtypeID")
        seen.add(subtype)
        if subtype != "1" and kind in ("5", "6") and (subtype in codes.INSTRUMENTS) != (kind == "6"):
            faults.error(
                "asset", node, f"{subtype} is not of type {kind}", "use the other type", "AssetTypeID"
            )
        if (subtype in _OTHER_ASSETS) != bool(text(node, "OtherAssetSubtypeText")):
            faults.error(
                "other_text",
                node,
                "other and its text go together",
                "give both or none",
                "OtherAssetSubtypeText",
            )


def _check_narrative(activity: Element, faults: Faults) -> None:
    nodes = all_of(activity, "ActivityNarrativeInformation")
    numbers = [text(n, "ActivityNarrativeSequenceNumber") for n in nodes]
    if numbers != [str(n + 1) for n in range(len(nodes))]:
        faults.error(
            "narrative",
            activity,
            "the blocks of the narrative are not numbered 1, 2, 3 ...",
            "number them in order",
            "ActivityNarrativeInformation",
        )
    whole = narrative_text(activity)
    if len(whole) > codes.NARRATIVE_TOTAL:
        faults.error(
            "narrative",
            activity,
            f"the narrative has {len(whole)} characters, at most {codes.NARRATIVE_TOTAL} are taken",
            "shorten it",
            "ActivityNarrativeInformation",
        )
    for node in nodes:
        block = text(node, "ActivityNarrativeText")
        if any(c in block for c in "\n\r\t"):
            faults.error(
                "narrative", node, "has a line break or a tab", "put it on one line", "ActivityNarrativeText"
            )
        elif block != block.strip():
            faults.error(
                "narrative", node, "begins or ends with a blank", "cut it elsewhere", "ActivityNarrativeText"
            )
    for node in nodes[:-1]:
        if len(text(node, "ActivityNarrativeText")) < codes.NARRATIVE_BLOCK // 2:
            faults.warning(
                "narrative",
                node,
                "is less than half full, and another block follows",
                "fill it first",
                "ActivityNarrativeText",
            )
    if nodes and len(whole.strip()) < _SHORTEST:
        faults.warning(
            "narrative",
            activity,
            "the narrative is too short to tell who, what, when, where, why and how",
            "tell it",
            "ActivityNarrativeInformation",
        )
    if len(whole) < 3 * _SHORTEST and any(phrase in whole.casefold() for phrase in _ATTACHED):
        faults.error(
            "narrative",
            activity,
            "the narrative refers to an attachment instead of telling",
            "tell it",
            "ActivityNarrativeInformation",
        )


def _check_test(activity: Element, faults: Faults) -> None:
    """A simulated or test report goes under the test code, and what goes under it says so."""
    under_test = any(
        text(i, "PartyIdentificationNumberText") == codes.TEST_TCC
        for p in all_of(activity, "Party")
        for i in all_of(p, "PartyIdentification")
    )
    marked = codes.SIMULATED in text(activity, "FilingInstitutionNotetoFinCEN") or narrative_text(
        activity
    ).startswith(codes.SIMULATED)
    if marked and not under_test:
        faults.error(
            "simulated",
            activity,
            f"is simulated and not under the test code {codes.TEST_TCC}",
            "it must never be filed",
            "Party",
        )
    if under_test and not marked:
        faults.warning(
            "simulated",
            activity,
            "is under the test code and does not say that it is simulated",
            f"begin the narrative with {codes.SIMULATED}",
            "ActivityNarrativeInformation",
        )
