"""What the form takes and nobody should file: card numbers, one thing said twice, values that name nothing.

Works on the text alone.
"""

from __future__ import annotations

import re
from typing import Final

from txmon.reports import fincen_codes as codes
from txmon.reports.checksbase import card_number
from txmon.reports.fincen_read import Element, Faults, all_of, local, on, text

_PRIOR: Final = "EFilingPriorDocumentNumber"
_BSA_ID: Final = re.compile(r"[0-9]{14}")
_NAICS: Final = re.compile(r"[0-9]{2,6}")
_FORMS: Final = {
    "E": (re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+"), "an e-mail address"),
    "U": (re.compile(r"\S+\.\S+"), "an address of the web"),
}


def check_hygiene(activity: Element, faults: Faults) -> None:
    """Add what a whole activity says that it should not."""
    _check_cards(activity, faults)
    prior = text(activity, _PRIOR)
    if prior and not _BSA_ID.fullmatch(prior):
        faults.warning(
            "prior", activity, "is no BSA id of 14 digits", "copy it from the acknowledgement", _PRIOR
        )
    seen: set[tuple[tuple[str, str], ...]] = set()
    for party in all_of(activity, "Party"):
        _check_party(party, faults)
        if text(party, "ActivityPartyTypeCode") != codes.SUBJECT:
            continue
        if on(party, "AllCriticalSubjectInformationUnavailableIndicator"):
            continue
        said = _said(party)
        if said in seen:
            faults.error("duplicate", party, "is a subject that stands here already", "keep one of the two")
        seen.add(said)


def _said(element: Element) -> tuple[tuple[str, str], ...]:
    return tuple((local(e), (e.text or "").strip()) for e in element.iter() if isinstance(e.tag, str))


def _check_cards(activity: Element, faults: Faults) -> None:
    for element in activity.iter():
        if not isinstance(element.tag, str) or len(element) or local(element) == _PRIOR:
            continue
        if card_number(element.text or ""):
            remedy = "write the token, or the first six and last four digits"
            faults.error("card_number", element, "holds a whole card number", remedy)


def _check_party(party: Element, faults: Faults) -> None:
    kinds = [_said(node) for node in all_of(party, "OrganizationClassificationTypeSubtype")]
    if len(set(kinds)) != len(kinds):
        faults.error(
            "duplicate",
            party,
            "says one kind of organisation twice",
            "keep one",
            "OrganizationClassificationTypeSubtype",
        )
    for work in all_of(party, "PartyOccupationBusiness"):
        naics = text(work, "NAICSCode")
        if naics and not _NAICS.fullmatch(naics):
            faults.error(
                "naics", work, "is no NAICS code of 2 to 6 digits", "correct it, or leave it out", "NAICSCode"
            )
    for address in all_of(party, "ElectronicAddress"):
        form, what = _FORMS.get(text(address, "ElectronicAddressTypeCode"), (None, ""))
        if form is not None and not form.fullmatch(text(address, "ElectronicAddressText")):
            remedy = "correct it, or tell it in the narrative"
            faults.warning("address", address, f"is not {what}", remedy, "ElectronicAddressText")
