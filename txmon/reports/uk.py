"""The UK's suspicious activity report as a template: text, or one HTML page, to be entered by a human.

There is no public file format, so the template follows the parts of the unit's form; glossary codes stand in
the reason for suspicion, and a request for a defence is a statement of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Final

from txmon.reports.fincen import names_of, protected
from txmon.reports.fincen_terms import mark
from txmon.reports.fincen_text import line
from txmon.reports.fincen_values import control_characters
from txmon.reports.formats import Finding, Format, Level, Options
from txmon.reports.model import Kind, Report
from txmon.reports.sheetlines import (
    LINK,
    account_lines,
    address_text,
    fault,
    party_lines,
    subject_faults,
    transaction_lines,
    unlinked,
)
from txmon.reports.sheets import Section, Sheet, read, to_html, to_text
from txmon.reports.uk_codes import (
    ADULTS,
    CHILDREN,
    CODE,
    KNOWN,
    NONE_APPLY,
    RETURN_TO_GOVERNMENT,
    RETURN_TO_VICTIM,
    TYPOLOGIES,
)

_TITLE: Final = "Suspicious activity report (UK)"
_FIXED: Final = ("SOURCE", "DEFENCE", "MAIN SUBJECT", "ACCOUNTS AND TRANSACTIONS", "REASON FOR SUSPICION")
_REQUIRED: Final = {
    "SOURCE": ("Reporter", "Reference", "Date", "Report type", "Contact"),
    "DEFENCE": ("Requested",),
    "MAIN SUBJECT": ("Name",),
    "REASON FOR SUSPICION": ("Glossary codes", "Text"),
}
_ORIGINS: Final = {
    "SOURCE/Reporter": "filer.organisation.name",
    "SOURCE/Reference": "report_id",
    "SOURCE/Date": "prepared_at",
    "SOURCE/Contact": "filer.contact.name",
    "SOURCE/Previous reference": "prior_filing.reference",
    "DEFENCE/Act": "consent.act",
    "DEFENCE/Property": "consent.property_text",
    "DEFENCE/Value": "consent.value",
    "REASON FOR SUSPICION/Text": "narrative",
    "REASON FOR SUSPICION/Glossary codes": "activity.classifications",
}


def glossary_codes(report: Report) -> tuple[str, ...]:
    """Return the codes that apply: a human's choice (`classifications["uk"]`) and those of the typologies."""
    found = dict.fromkeys(c.strip().upper() for c in report.activity.classifications.get("uk", ()))
    found |= dict.fromkeys(TYPOLOGIES[t] for t in report.activity.typologies if t in TYPOLOGIES)
    if report.possible_victims and CHILDREN not in found:
        found[ADULTS] = None
    return tuple(found)


def sheet_of(report: Report) -> Sheet:
    """Return a report as a sheet."""
    links = CHILDREN not in glossary_codes(report)
    sheet = Sheet(_TITLE, mark(report))
    _source(sheet.add("SOURCE"), report)
    _defence(sheet.add("DEFENCE"), report)
    named = [p for s in report.nameable_subjects if (p := report.party(s.party_id)) is not None]
    for number, party in enumerate(named):
        section = sheet.add("MAIN SUBJECT" if number == 0 else f"ASSOCIATED SUBJECT {number}")
        party_lines(section, report, party, links=links)
    if not named:
        sheet.add("MAIN SUBJECT").put("Name", "unknown", "subjects")
    moved = sheet.add("ACCOUNTS AND TRANSACTIONS")
    account_lines(moved, report, links=links)
    transaction_lines(moved, report, links=links)
    _reason(sheet.add("REASON FOR SUSPICION"), report, links=links)
    return sheet


def to_bytes(report: Report, options: Options) -> bytes:
    """Return a report as text, or as a page where the profile is ``html``."""
    sheet = sheet_of(report)
    return to_html(sheet) if options.profile == "html" else to_text(sheet)


def check(report: Report, options: Options) -> list[Finding]:
    """Return what the model lacks, each at its field."""
    sheet = sheet_of(report)
    origins = {f"{s.title}/{one.label}": one.origin for s in sheet.sections for one in s.lines if one.origin}
    found = judge(read(to_text(sheet)), tuple(protected(report)), _codes(options))
    return [
        Finding(
            code=f.code,
            path=origins.get(f.path) or _ORIGINS.get(f.path) or "subjects",
            message=f"{f.message} (UK: {f.path})",
            remedy=f.remedy,
            level=f.level,
        )
        for f in found
    ]


def validate(text: bytes, options: Options) -> list[Finding]:
    """Return what is wrong in a template's text or page alone."""
    return judge(read(text), names_of(options), _codes(options))


def judge(sheet: Sheet, protected_names: Collection[str], known: Collection[str]) -> list[Finding]:
    """Return every fault of a sheet."""
    found: list[Finding] = []
    titles = [s.title for s in sheet.sections if not s.title.startswith("ASSOCIATED SUBJECT")]
    if titles != list(_FIXED):
        found.append(
            fault(
                "uk_sections",
                "report",
                0,
                "does not have the parts of the template in their order",
                "write it anew",
            )
        )
    for title, labels in _REQUIRED.items():
        section = sheet.section(title)
        found += [
            fault("uk_missing", f"{title}/{label}", section.number, "is missing", "give it")
            for label in labels
            if not section.value(label).strip()
        ]
    found += [
        fault(
            "uk_value",
            f"{s.title}/{one.label}",
            one.number,
            "holds a character that does not print",
            "remove it",
        )
        for s in sheet.sections
        for one in s.lines
        if control_characters(one.value)
    ]
    found += _source_faults(sheet.section("SOURCE"))
    found += _defence_faults(sheet.section("DEFENCE"))
    found += _code_faults(sheet, known)
    said = " ".join(one.value for one in sheet.section("REASON FOR SUSPICION").values("Text"))
    found += subject_faults(sheet, said, protected_names, "uk")
    return found


def _codes(options: Options) -> frozenset[str]:
    return KNOWN | frozenset(options.extra.get("uk_codes", "").upper().split())


def _source(section: Section, report: Report) -> None:
    filer, prior = report.filer, report.prior_filing
    section.put("Reporter", filer.organisation.name, "filer.organisation.name")
    section.put(
        "Reporter number", filer.organisation.number("nca_reporter"), "filer.organisation.identifiers"
    )
    section.put("Address", address_text(filer.organisation.address) if filer.organisation.address else "")
    section.put("Reference", report.report_id, "report_id")
    section.put("Date", f"{report.prepared_at:%Y-%m-%d}", "prepared_at")
    later = report.kind in (Kind.CORRECTION, Kind.CONTINUING)
    section.put("Report type", "update to an earlier report" if later else "new")
    if later:
        section.put("Previous reference", prior.reference if prior else "", "prior_filing.reference")
    contact = filer.contact
    parts = [contact.name, contact.email, contact.phone.number if contact.phone else ""]
    section.put("Contact", "; ".join(line(p) for p in parts if line(p)), "filer.contact.name")
    for organisation in report.joint_filers:
        section.put("Filed jointly with", organisation.name, "joint_filers")


def _defence(section: Section, report: Report) -> None:
    consent = report.consent
    section.put("Requested", "no" if consent is None else "yes", "consent")
    if consent is not None:
        section.put("Act", consent.act, "consent.act")
        section.put("Property", consent.property_text, "consent.property_text")
        section.put("Value", consent.value.text if consent.value else "", "consent.value")


def _reason(section: Section, report: Report, *, links: bool) -> None:
    codes = glossary_codes(report)
    section.put("Glossary codes", " ".join(codes) or NONE_APPLY, "activity.classifications")
    first = True
    for paragraph in report.narrative.paragraphs:
        text = unlinked(line(paragraph.text), links)
        if not text:
            continue
        if line(paragraph.heading):
            text = f"{line(paragraph.heading)}: {text}"
        if first and codes:
            text = f"{' '.join(codes)} {text}"
        first = False
        section.put("Text", text, "narrative")


def _source_faults(section: Section) -> list[Finding]:
    found = []
    day = section.value("Date")
    if day:
        try:
            date.fromisoformat(day)
        except ValueError:
            found.append(fault("uk_date", "SOURCE/Date", 0, "is not a day as YYYY-MM-DD", "correct it"))
    later = section.value("Report type").startswith("update")
    if later != bool(section.value("Previous reference")):
        found.append(
            fault(
                "uk_prior",
                "SOURCE/Previous reference",
                section.number,
                "an update names the earlier report, a new one none",
                "give it for updates only",
            )
        )
    return found


def _defence_faults(section: Section) -> list[Finding]:
    asked = section.value("Requested")
    if asked not in ("yes", "no"):
        return [fault("uk_defence", "DEFENCE/Requested", section.number, "is not yes or no", "say one")]
    if asked == "no":
        return []
    return [
        fault(
            "uk_defence",
            f"DEFENCE/{label}",
            section.number,
            "is missing in a request for a defence",
            "name the act, the property and its value",
        )
        for label in ("Act", "Property", "Value")
        if not section.value(label)
    ]


def _code_faults(sheet: Sheet, known: Collection[str]) -> list[Finding]:
    section = sheet.section("REASON FOR SUSPICION")
    stated, said = section.value("Glossary codes"), " ".join(one.value for one in section.values("Text"))
    codes, at = CODE.findall(stated), "REASON FOR SUSPICION/Glossary codes"
    found = []
    if stated and not codes and stated != NONE_APPLY:
        found.append(fault("uk_codes", at, section.number, "holds no code", f"give codes, or: {NONE_APPLY}"))
    for code in codes:
        if code not in said:
            found.append(
                fault(
                    "uk_codes",
                    "REASON FOR SUSPICION/Text",
                    section.number,
                    f"lacks the code {code}",
                    "begin the text with the codes",
                )
            )
    for code in sorted(set(CODE.findall(said)) | set(codes)):
        if code not in known:
            found.append(
                fault(
                    "uk_codes",
                    at,
                    section.number,
                    f"{code} is not in the list of codes",
                    "check the unit's newest list",
                    Level.WARNING,
                )
            )
    if {RETURN_TO_VICTIM, RETURN_TO_GOVERNMENT} <= set(codes):
        found.append(fault("uk_codes", at, section.number, "states two ways to return money", "choose one"))
    if CHILDREN in codes:
        found += [
            fault(
                "uk_link",
                f"{s.title}/{one.label}",
                one.number,
                "holds a link in a case of children at risk",
                "give the hotline's reference instead",
            )
            for s in sheet.sections
            for one in s.lines
            if s.title != "SOURCE" and LINK.search(one.value)
        ]
    return found


FORMAT = Format(
    name="uk",
    title="UK suspicious activity report (template)",
    suffix=".txt",
    check=check,
    write=to_bytes,
    validate=validate,
)
