"""The marks of reports that are not live, read from written bytes alone.

Each format that can be filed has a reader here; a format without one cannot be filed. What a reader does not
understand is an error of its own, never a report without a mark. Owns reading; decides nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from lxml import etree

from txmon.reports import fincen_codes, sheets
from txmon.reports.goamlmap import MARK_SUBJECT
from txmon.reports.model import SIMULATED_MARK, TEST_MARK

_MARKS = (SIMULATED_MARK, TEST_MARK)
_WORD = re.compile(rf"(?<![A-Za-z]){SIMULATED_MARK}(?![A-Za-z])")
_OPENING = re.compile(rf"\W*({SIMULATED_MARK}(?![A-Za-z])|{TEST_MARK}(?=\s*[:.\-_/]))")


class Unreadable(ValueError):
    """Bytes that are not of their format, so that nobody can say which marks they carry."""


def marks(form: str, content: bytes) -> list[str]:
    """Return the places at which a written report says that it is not live.

    Raises:
        Unreadable: the bytes are not of this format. KeyError: the format cannot be filed.
    """
    return list(_READERS[form](content))


def formats() -> tuple[str, ...]:
    """Return the formats that can be filed."""
    return tuple(sorted(_READERS))


def _xml(content: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"line {error.lineno}: no well-formed XML") from error


def _goaml(content: bytes) -> Iterator[str]:
    root = _xml(content)
    if root.tag != "report":
        raise Unreadable("the outermost element is not report")
    comments: Any = root.xpath("//comment()")  # those before the outermost element, too
    for comment in comments:
        if any(mark in (comment.text or "") for mark in _MARKS):
            yield "comment"
    for name in ("entity_reference", "reason", "action"):
        if _OPENING.match(root.findtext(name) or ""):
            yield name
    for told in root.iter("info_subject"):
        if (told.text or "").strip() == MARK_SUBJECT:
            yield "additional_info"


def _fincen(content: bytes) -> Iterator[str]:
    root = _xml(content)
    prefix = f"{{{fincen_codes.NAMESPACE}}}"
    if root.tag != f"{prefix}EFilingBatchXML":
        raise Unreadable("the outermost element is not EFilingBatchXML")
    for number in root.iter(f"{prefix}PartyIdentificationNumberText"):
        if (number.text or "").strip().upper() == fincen_codes.TEST_TCC:
            yield "PartyIdentificationNumberText"
    for note in root.iter(f"{prefix}FilingInstitutionNotetoFinCEN"):
        if _WORD.search(note.text or "") or _OPENING.match(note.text or ""):
            yield "FilingInstitutionNotetoFinCEN"
    for told in root.iter(f"{prefix}ActivityNarrativeText"):
        if _OPENING.match(told.text or ""):
            yield "ActivityNarrativeText"


def _fintrac(content: bytes) -> Iterator[str]:
    try:
        document: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Unreadable("no JSON") from error
    if not isinstance(document, dict):
        raise Unreadable("no JSON object")
    told = document.get("detailsOfSuspicion")
    text = told.get("descriptionOfSuspiciousActivity") if isinstance(told, dict) else None
    if isinstance(text, str) and _OPENING.match(text):
        yield "detailsOfSuspicion.descriptionOfSuspiciousActivity"


def _sheet(content: bytes) -> Iterator[str]:
    if not content.strip():
        raise Unreadable("the sheet is empty")
    sheet = sheets.read(content)
    if _OPENING.match(sheet.mark) or _OPENING.match(sheet.title):
        yield "the first line"


_READERS: dict[str, Callable[[bytes], Iterator[str]]] = {
    "cybertip": _sheet,
    "fincen": _fincen,
    "fintrac": _fintrac,
    "goaml": _goaml,
    "uk": _sheet,
}
