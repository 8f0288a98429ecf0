"""Checks of what is written: narrative and signature, facts, attachments, marks, forbidden content."""

from __future__ import annotations

import re
from collections.abc import Iterator

from txmon.reports import victimwords
from txmon.reports.checksbase import card_number, error, known_events, missing, not_after, texts, warning
from txmon.reports.formats import Finding, Level
from txmon.reports.model import SIMULATED_MARK, TEST_MARK, Mode, Report

MEDIA = frozenset({"application/pdf", "text/csv", "text/plain", "message/rfc822"})
_PICTURES = ("image/", "video/", "audio/")
_HASH = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
LINK = re.compile(r"(?i)\b(?:https?|hxxps?|ftp|onion)\b\s*:|\bwww\.|\.onion\b")
_CHILD = "child-exploitation"


def narrative(report: Report) -> Iterator[Finding]:
    """Check the free text: there, resting on events of this report, read and signed by a human."""
    told = report.narrative
    if not told.text.strip():
        yield missing("narrative.paragraphs", "draft it from the recorded facts, then read and complete it")
        return
    known = known_events(report)
    for i, paragraph in enumerate(told.paragraphs):
        if any(event not in known for event in paragraph.events):
            remedy = "cite events that transactions, indicators or facts of this report rest on"
            yield error("reference", f"narrative.paragraphs[{i}].events", "cites an unknown event", remedy)
    if not any(paragraph.events for paragraph in told.paragraphs):
        remedy = "cite the events that the account rests on"
        yield missing("narrative.paragraphs[0].events", remedy)
    yield from _signature(report)
    yield from _called_victims(report)
    text = told.text.casefold()
    for i, party in enumerate(report.parties):
        name = party.name.casefold().strip()
        if party.possible_victim and " " in name and name in text:
            remedy = "say `the possible victim` or a letter; names of victims go to the authority on request"
            path = f"parties[{i}]"
            yield warning("victim_named", path, "may be a victim and is named in the narrative", remedy)


def _called_victims(report: Report) -> Iterator[Finding]:
    """Find subjects whom the narrative itself calls possible victims."""
    said = victimwords.told(report.narrative.text)
    for i, subject in enumerate(report.subjects):
        party = report.party(subject.party_id)
        if party is None or party.possible_victim:
            continue  # what a role says is found with the subjects
        names = [party.name, *(party.person.aliases if party.person else ())]
        if party.person is not None:
            names += [f"{party.person.first_name} {party.person.last_name}"]
            names += [f"{party.person.last_name} {party.person.first_name}"]
        ways = {name for name in map(victimwords.plain, names) if " " in name}
        if any(victimwords.called_victim(name, said) for name in ways):
            message = "is called a possible victim by the narrative"
            remedy = "give the party that role and file another subject, or mend the narrative"
            yield error("victim_as_subject", f"subjects[{i}]", message, remedy)


def _signature(report: Report) -> Iterator[Finding]:
    signed = report.narrative.signed
    if signed is None:
        remedy = "a person reads the narrative and signs it"
        found = missing("narrative.signed", remedy)
        level = Level.ERROR if report.mode is Mode.LIVE else Level.WARNING
        yield Finding(code="unsigned", path=found.path, message=found.message, remedy=remedy, level=level)
        return
    if not signed.signer.strip():
        yield missing("narrative.signed.signer", "name the person who signed")
    yield from not_after("narrative.signed.at", signed.at, report)
    if report.facts_known_at is not None and signed.at < report.facts_known_at.at:
        remedy = "nobody signs before the facts are known: check both times"
        yield error("date", "narrative.signed.at", "is before the facts were known", remedy)


def facts(report: Report) -> Iterator[Finding]:
    """Check that each fact rests on something."""
    for i, fact in enumerate(report.facts):
        if not fact.text.strip():
            yield missing(f"facts[{i}].text", "write the fact, or take it out")
        if not fact.events and not fact.author.strip():
            remedy = "name the events it rests on, or the person who recorded it"
            yield error("unfounded", f"facts[{i}].events", "rests on nothing", remedy)
        yield from not_after(f"facts[{i}].at", fact.at, report)


def attachments(report: Report) -> Iterator[Finding]:
    """Check attachments: documents only; pictures of any kind never go along."""
    seen: set[str] = set()
    for i, attached in enumerate(report.attachments):
        path = f"attachments[{i}]"
        if attached.media_type.startswith(_PICTURES):
            remedy = "take it out and report it to the hotline that the law names; it may not be kept here"
            yield error("media", f"{path}.media_type", "is a picture, film or sound", remedy)
        elif attached.media_type not in MEDIA:
            yield error(
                "media", f"{path}.media_type", "is not taken", f"use one of {', '.join(sorted(MEDIA))}"
            )
        if not _HASH.fullmatch(attached.sha256):
            yield error(
                "hash", f"{path}.sha256", "is no SHA-256", "write 64 hexadecimal digits in lower case"
            )
        if attached.size_bytes <= 0:
            yield error("size", f"{path}.size_bytes", "is not above zero", "attach the file anew")
        name = attached.name.casefold()
        if name in seen or not name.strip() or "/" in name or "\\" in name:
            yield error(
                "duplicate", f"{path}.name", "is empty, a path or another's", "give a plain name of its own"
            )
        seen.add(name)


def marks(report: Report) -> Iterator[Finding]:
    """Check that what is simulated or a test can't be taken for live, nor the reverse."""
    for mark in (SIMULATED_MARK, TEST_MARK):
        if report.mode is Mode.LIVE and report.report_id.upper().startswith(mark):
            remedy = "set the mode, or give the report another id"
            yield error("contradiction", "report_id", f"says {mark} though the mode is live", remedy)
    if report.mark:
        remedy = "it is written with the mark and no transport sends it"
        yield warning("marked", "mode", f"is {report.mode}: the report carries {report.mark}", remedy)


def about_children(report: Report) -> bool:
    """Say whether a report is about the exploitation of children, where no address may stand."""
    return _CHILD in report.activity.typologies or any(i.typology == _CHILD for i in report.indicators)


def hygiene(report: Report) -> Iterator[Finding]:
    """Check every text for whole card numbers, control characters, links to suspected material."""
    child = about_children(report)
    for path, text in texts(report):
        if card_number(text):
            yield error(
                "card_number",
                path,
                "holds a whole card number",
                "write the token, or first six and last four",
            )
        if _CONTROL.search(text):
            yield error("control", path, "has control characters", "take them out")
        own = path.startswith(("filer.", "joint_filers"))
        if child and not own and LINK.search(text):
            remedy = "write the keyed hash of the address and the hotline's reference, never a link"
            yield error("link", path, "holds an internet address in a case of child exploitation", remedy)
