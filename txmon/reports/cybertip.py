"""A facts sheet from which a human files with the CyberTipline: facts only, in the order of its form.

It never holds media, links or a victim's name: a URL is its keyed hash with the hotline's reference, victims
are counted. It sends nothing; the report itself is made by an approved person on the line's own form.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Final

from txmon.reports.fincen import names_of, protected
from txmon.reports.fincen_terms import mark
from txmon.reports.fincen_text import line
from txmon.reports.formats import Finding, Format, Options
from txmon.reports.model import Report
from txmon.reports.sheetlines import (
    LINK,
    MEDIA,
    account_lines,
    fault,
    party_lines,
    subject_faults,
    transaction_lines,
    unlinked,
)
from txmon.reports.sheets import Section, Sheet, read, to_html, to_text
from txmon.reports.victimwords import plain

INCIDENT_TYPES: Final = (
    "Child Pornography (possession, manufacture, and distribution)",
    "Child Sex Trafficking",
    "Child Sex Tourism",
    "Child Sexual Molestation",
    "Misleading Domain Name",
    "Misleading Words or Digital Images on the Internet",
    "Online Enticement of Children for Sexual Acts",
    "Unsolicited Obscene Material Sent to a Child",
)
_BY_TYPOLOGY: Final = {
    "sextortion": INCIDENT_TYPES[6],
    "child-exploitation": INCIDENT_TYPES[0],
    "child-sexual-exploitation": INCIDENT_TYPES[0],
}
_TITLE: Final = "Facts for a CyberTipline report"
_SECTIONS: Final = (
    "INCIDENT SUMMARY",
    "INTERNET DETAILS",
    "LAW ENFORCEMENT",
    "REPORTER",
    "PERSON OR USER REPORTED",
    "VICTIMS",
    "ADDITIONAL INFORMATION",
)
_REQUIRED: Final = {
    "INCIDENT SUMMARY": ("Incident type", "Incident time"),
    "REPORTER": ("Name", "E-mail", "Reference"),
    "VICTIMS": ("Number known",),
    "ADDITIONAL INFORMATION": ("Fact",),
}
_ORIGINS: Final = {
    "INCIDENT SUMMARY/Incident type": "activity.classifications",
    "INCIDENT SUMMARY/Incident time": "activity.first",
    "INTERNET DETAILS/Hotline reference": "tips",
    "REPORTER/E-mail": "filer.contact.email",
    "REPORTER/Name": "filer.contact.name",
    "ADDITIONAL INFORMATION/Fact": "facts",
}
_HASH: Final = re.compile(r"(?:[a-z0-9_-]+:)?[0-9a-f]{32,128}", re.IGNORECASE)
_TECHNICAL: Final = frozenset({"email", "phone", "device", "user_agent", "handle", "ip", "wallet", "port"})


def sheet_of(report: Report) -> Sheet:
    """Return the facts of a report as a sheet."""
    sheet = Sheet(_TITLE, mark(report))
    _summary(sheet.add("INCIDENT SUMMARY"), report)
    _internet(sheet.add("INTERNET DETAILS"), report)
    police = sheet.add("LAW ENFORCEMENT")
    for index, contact in enumerate(report.law_enforcement):
        parts = (contact.agency, contact.contact, contact.email, contact.reference)
        text = "; ".join(line(p) for p in parts if line(p))
        police.put("Contact", text, f"law_enforcement[{index}]")
    _reporter(sheet.add("REPORTER"), report)
    subjects = sheet.add("PERSON OR USER REPORTED")
    _persons(subjects, report)
    victims = sheet.add("VICTIMS")
    victims.put("Number known", str(len(report.possible_victims)), "parties")
    victims.put("Names", "kept by the reporter; given to the authority that asks")
    _facts(sheet.add("ADDITIONAL INFORMATION"), report)
    return sheet


def to_bytes(report: Report, options: Options) -> bytes:
    """Return the sheet as text, or as a page where the profile is ``html``."""
    sheet = sheet_of(report)
    return to_html(sheet) if options.profile == "html" else to_text(sheet)


def check(report: Report, _: Options) -> list[Finding]:
    """Return what the model lacks or must not hold, each at its field."""
    sheet = sheet_of(report)
    origins = {f"{s.title}/{one.label}": one.origin for s in sheet.sections for one in s.lines if one.origin}
    found = [
        Finding(
            code=f.code,
            path=_ORIGINS.get(f.path) or origins.get(f.path) or "activity",
            message=f"{f.message} (CyberTipline: {f.path})",
            remedy=f.remedy,
            level=f.level,
        )
        for f in judge(read(to_text(sheet)), tuple(protected(report)))
    ]
    return found + list(_model_faults(report))


def validate(text: bytes, options: Options) -> list[Finding]:
    """Return what is wrong in a sheet's text or page alone."""
    return judge(read(text), names_of(options))


def judge(sheet: Sheet, protected_names: Collection[str]) -> list[Finding]:
    """Return every fault of a sheet."""
    found: list[Finding] = []
    if [s.title for s in sheet.sections] != list(_SECTIONS):
        found.append(
            fault("cybertip_sections", "report", 0, "does not have the parts in their order", "write it anew")
        )
    for title, labels in _REQUIRED.items():
        section = sheet.section(title)
        for label in labels:
            if not section.value(label):
                found.append(
                    fault("cybertip_missing", f"{title}/{label}", section.number, "is missing", "give it")
                )
    found += _summary_faults(sheet.section("INCIDENT SUMMARY"))
    found += _url_faults(sheet.section("INTERNET DETAILS"))
    found += _forbidden(sheet, protected_names)
    said = " ".join(one.value for one in sheet.section("ADDITIONAL INFORMATION").lines)
    renamed = Sheet("", sections=[Section("SUBJECTS", sheet.section("PERSON OR USER REPORTED").lines)])
    found += subject_faults(renamed, said, protected_names, "cybertip")
    return found


def _incident_type(report: Report) -> str:
    """Return a human's choice (a phrase, or its number from 1), else what the typology says."""
    for choice in report.activity.classifications.get("cybertip", ()):
        if choice.isdigit() and 1 <= int(choice) <= len(INCIDENT_TYPES):
            return INCIDENT_TYPES[int(choice) - 1]
        return choice
    return next((_BY_TYPOLOGY[t] for t in report.activity.typologies if t in _BY_TYPOLOGY), "")


def _summary(section: Section, report: Report) -> None:
    section.put("Incident type", _incident_type(report), "activity.classifications")
    first = report.activity.first or min((t.at for t in report.transactions), default=None)
    section.put("Incident time", f"{first:%Y-%m-%dT%H:%M:%S}+00:00" if first else "", "activity.first")
    last = report.activity.last
    section.put("Last seen", f"{last:%Y-%m-%dT%H:%M:%S}+00:00" if last else "", "activity.last")
    section.put("Escalation", unlinked(report.codes.get("cybertip_escalate", "")), "codes")


def _internet(section: Section, report: Report) -> None:
    """URLs as keyed hashes with the hotline's reference; other traces as they are."""
    for index, tip in enumerate(report.tips):
        text = unlinked(f"{line(tip.source)} {line(tip.reference)}")
        section.put("Hotline reference", text, f"tips[{index}].reference")
        if _HASH.fullmatch(tip.url_hash):
            section.put("URL (keyed hash)", tip.url_hash, f"tips[{index}].url_hash")
    for index, trace in enumerate(report.traces):
        at = f" at {trace.at:%Y-%m-%dT%H:%M:%S}+00:00" if trace.at else ""
        if trace.kind in ("url", "domain"):
            if _HASH.fullmatch(trace.value):
                section.put("URL (keyed hash)", f"{trace.value}{at}", f"traces[{index}].value")
        elif trace.kind in _TECHNICAL:
            text = f"{trace.kind.replace('_', ' ')} {unlinked(line(trace.value))}{at}"
            section.put("Trace", text, f"traces[{index}].value")


def _reporter(section: Section, report: Report) -> None:
    contact = report.filer.contact
    section.put("Organisation", report.filer.organisation.name, "filer.organisation.name")
    section.put("Reporter number", report.filer.organisation.number("ncmec_esp"))
    section.put("Name", contact.name, "filer.contact.name")
    section.put("E-mail", contact.email, "filer.contact.email")
    section.put("Telephone", contact.phone.number if contact.phone else "", "filer.contact.phone")
    section.put("Reference", report.report_id, "report_id")


def _persons(section: Section, report: Report) -> None:
    named = [p for s in report.nameable_subjects if (p := report.party(s.party_id)) is not None]
    for party in named:
        party_lines(section, report, party, links=False)
    if not named:
        section.put("Name", "unknown", "subjects")
    account_lines(section, report, links=False)


def _facts(section: Section, report: Report) -> None:
    """Recorded facts with what each rests on; no narrative, no opinion."""
    for index, fact in enumerate(report.facts):
        rests = ", ".join(e.text for e in fact.events) or (
            f"recorded by {fact.author}" if fact.author else ""
        )
        text = unlinked(line(fact.text))
        section.put("Fact", f"{text} [{rests}]" if rests else text, f"facts[{index}].text")
    transaction_lines(section, report, links=False)


def _summary_faults(section: Section) -> Iterator[Finding]:
    kind, time = section.value("Incident type"), section.value("Incident time")
    if kind and kind not in INCIDENT_TYPES:
        yield fault(
            "cybertip_code_list",
            "INCIDENT SUMMARY/Incident type",
            section.number,
            "is not one of the eight types",
            "choose one of the form's types",
        )
    if time:
        try:
            known = datetime.fromisoformat(time).tzinfo is not None
        except ValueError:
            known = False
        if not known:
            yield fault(
                "cybertip_time",
                "INCIDENT SUMMARY/Incident time",
                section.number,
                "is not a time with its zone",
                "give YYYY-MM-DDTHH:MM:SS+00:00",
            )


def _url_faults(section: Section) -> Iterator[Finding]:
    urls = section.values("URL (keyed hash)")
    for one in urls:
        if not _HASH.fullmatch(one.value.partition(" ")[0]):
            yield fault(
                "cybertip_link",
                "INTERNET DETAILS/URL (keyed hash)",
                one.number,
                "is not a keyed hash",
                "give the hash, never the address",
            )
    if urls and not section.value("Hotline reference"):
        yield fault(
            "cybertip_hotline",
            "INTERNET DETAILS/Hotline reference",
            section.number,
            "is missing beside a hash",
            "give the reference under which a hotline knows it",
        )


def _forbidden(sheet: Sheet, protected_names: Collection[str]) -> Iterator[Finding]:
    """No links outside the reporter's own address, no media and no victim's name anywhere."""
    names = {n for name in protected_names if " " in (n := plain(name))}
    for section in sheet.sections:
        for one in section.lines:
            path = f"{section.title}/{one.label}"
            if section.title != "REPORTER" and LINK.search(one.value):
                yield fault("cybertip_link", path, one.number, "holds a link", "give its keyed hash")
            if MEDIA.search(one.value):
                yield fault("cybertip_media", path, one.number, "holds encoded content", "remove it")
            told = f" {plain(one.value)} "
            if any(f" {name} " in told for name in names):
                yield fault(
                    "cybertip_victim", path, one.number, "names a possible victim", "write: a possible victim"
                )


def _model_faults(report: Report) -> Iterator[Finding]:
    """What the sheet leaves out on purpose is told, so that it is recorded rightly."""
    remedy = "record the keyed hash and the hotline's reference"
    for index, trace in enumerate(report.traces):
        if trace.kind in ("url", "domain") and not _HASH.fullmatch(trace.value):
            yield fault("cybertip_link", f"traces[{index}].value", 0, "is no keyed hash", remedy)
    for index, tip in enumerate(report.tips):
        if tip.url_hash and not _HASH.fullmatch(tip.url_hash):
            yield fault("cybertip_link", f"tips[{index}].url_hash", 0, "is no keyed hash", remedy)
    for index, fact in enumerate(report.facts):
        if LINK.search(fact.text):
            yield fault("cybertip_link", f"facts[{index}].text", 0, "holds a link", remedy)
    for index, file in enumerate(report.attachments):
        if file.media_type.partition("/")[0] in ("image", "video", "audio"):
            yield fault(
                "cybertip_media",
                f"attachments[{index}].media_type",
                0,
                "is media",
                "media never goes along; report it as the law of your country says",
            )


FORMAT = Format(
    name="cybertip",
    title="Facts for a CyberTipline report (sheet)",
    suffix=".txt",
    check=check,
    write=to_bytes,
    validate=validate,
)
