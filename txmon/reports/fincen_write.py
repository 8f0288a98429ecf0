"""A report as FinCEN's SAR: one activity, or a batch of several."""

from __future__ import annotations

from collections.abc import Sequence

from txmon.reports.fincen_activity import (
    add_assets,
    add_association,
    add_ip_addresses,
    add_narrative,
    add_support_document,
    add_suspicious_activity,
    total_dollars,
)
from txmon.reports.fincen_parties import add_filer_parties
from txmon.reports.fincen_subjects import add_subjects
from txmon.reports.fincen_terms import note
from txmon.reports.fincen_tree import Node, Written, render
from txmon.reports.model import Report


def write(report: Report) -> Written:
    """Return the batch of one report.

    It is written whatever is missing: the validator then says where, and `Written` what that is in the model.
    """
    return write_batch([report])


def write_batch(reports: Sequence[Report]) -> Written:
    """Return one batch of several reports; all are of one transmitter, and none or all are live."""
    total = sum(total_dollars(report) or 0 for report in reports)
    return render([activity(report) for report in reports], total)


def activity(report: Report) -> Node:
    """Return one report as an activity."""
    node = Node("Activity", origin="report_id")
    node.origins |= {
        "ActivityNarrativeInformation": "narrative",
        "Party": "subjects",
        "Assets": "activity.products",
    }
    node.put("FilingDateText", f"{report.prepared_at:%Y%m%d}", "prepared_at")
    node.put("FilingInstitutionNotetoFinCEN", note(report), "activity.key_terms")
    add_association(node, report)
    add_support_document(node, report)
    add_filer_parties(node, report)
    add_subjects(node, report)
    add_suspicious_activity(node, report)
    add_ip_addresses(node, report)
    add_assets(node, report)
    add_narrative(node, report)
    return node
