"""A report as FINTRAC's suspicious transaction report: JSON, and for each part the field that it shows."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from txmon.reports import fintrac_codes as codes
from txmon.reports.fincen_terms import mark
from txmon.reports.fincen_text import line
from txmon.reports.fintrac_actions import transaction_document
from txmon.reports.fintrac_parties import Definitions, given
from txmon.reports.model import Kind, Organisation, Report

_STEP = re.compile(r"(\.[^.\[]+|\[\d+\])$")
_CONTACT_ID = "fintrac_contact"
_ENTITY_NUMBER = "fintrac_reporting_entity"


@dataclass(frozen=True)
class WrittenJson:
    """A report as bytes, and for paths in it the field of the model."""

    json: bytes
    fields: dict[str, str]

    def field(self, path: str) -> str:
        """Return the model's field that a path shows: its own, or that of what it lies in."""
        while path:
            if path in self.fields:
                return self.fields[path]
            shorter = _STEP.sub("", path)
            path = shorter if shorter != path else ""
        return ""


def write(report: Report) -> WrittenJson:
    """Return a report; it is written whatever is missing, and the validator says where."""
    definitions = Definitions(report)
    fields = {
        "reportDetails": "report_id",
        "reportDetails.reportingEntityNumber": "filer.organisation.identifiers",
        "reportDetails.submittingReportingEntityNumber": "filer.transmitter.identifiers",
        "reportDetails.reportingEntityContactId": "filer.contact.identifiers",
        "reportDetails.activitySectorCode": "filer.organisation.kind",
        "detailsOfSuspicion": "narrative",
        "detailsOfSuspicion.suspicionTypeCode": "codes",
        "relatedReports": "prior_filing.own_reference",
        "actionTaken": "actions",
        "transactions": "transactions",
        "definitions": "parties",
    }
    told = [(i, t) for i, t in enumerate(report.transactions) if t.suspicious]
    written = []
    for place, (index, transaction) in enumerate(told):
        made, origins = transaction_document(report, index, transaction, definitions)
        written.append(made)
        prefix = f"transactions[{place}]"
        fields[prefix] = f"transactions[{index}]"
        fields |= {f"{prefix}.{path}": origin for path, origin in origins.items()}
    document = {
        "reportDetails": _details(report),
        "detailsOfSuspicion": _suspicion(report),
        "relatedReports": _related(report),
        "actionTaken": given(description=_actions(report)),
        "definitions": list(definitions.found.values()),
        "transactions": written,
    }
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return WrittenJson(text.encode("utf-8", "replace"), fields | definitions.origins)


def _details(report: Report) -> dict[str, Any]:
    filer, prior = report.filer, report.prior_filing
    corrects = report.kind is Kind.CORRECTION
    reference = prior.own_reference if corrects and prior is not None else report.report_id
    own = _number(filer.organisation.number(_ENTITY_NUMBER))
    sender: Organisation = filer.transmitter or filer.organisation
    contact = next((i.number for i in filer.contact.identifiers if i.kind == _CONTACT_ID), "")
    return given(
        reportTypeCode=codes.REPORT_TYPE,
        submitTypeCode=codes.UPDATE if corrects else codes.SUBMIT,
        activitySectorCode=_number(report.codes.get("fintrac_sector", ""))
        or codes.SECTORS.get(filer.organisation.kind),
        reportingEntityNumber=own,
        submittingReportingEntityNumber=_number(sender.number(_ENTITY_NUMBER)) or own,
        reportingEntityReportReference=line(reference),
        reportingEntityContactId=_number(contact),
    )


def _suspicion(report: Report) -> dict[str, Any]:
    projects = sorted({codes.PROJECTS[t] for t in report.activity.typologies if t in codes.PROJECTS})
    said = "\n\n".join(
        f"{p.heading}\n{p.text}" if p.heading and not p.text.startswith(p.heading) else p.text
        for p in report.narrative.paragraphs
        if p.text.strip()
    )
    tags = [codes.HASHTAGS[p] for p in projects if codes.HASHTAGS[p] not in said]
    parts = [mark(report), said.strip(), " ".join(tags)] if said.strip() else []
    return {
        "publicPrivatePartnershipProjectNameCodes": projects,
        **given(
            descriptionOfSuspiciousActivity="\n\n".join(p for p in parts if p),
            suspicionTypeCode=_number(report.codes.get("fintrac_suspicion", "1")),
        ),
    }


def _related(report: Report) -> list[dict[str, Any]]:
    prior = report.prior_filing
    if prior is None or report.kind is not Kind.CONTINUING:
        return []
    return [
        {
            "reportingEntityReportReference": line(prior.own_reference),
            "reportingEntityTransactionReferences": [],
        }
    ]


def _actions(report: Report) -> str:
    return " ".join(line(a.text) for a in report.actions if line(a.text))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
