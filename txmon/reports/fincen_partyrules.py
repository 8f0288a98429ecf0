"""What FinCEN demands of the parties of an activity beyond form: roles, names, addresses, numbers, unknowns.

Works on the text alone; the subjects have a module of their own.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Final

from txmon.reports import fincen_codes as codes
from txmon.reports.fincen_partyparts import ADDRESS, check_address_codes, check_identification
from txmon.reports.fincen_read import Element, Faults, all_of, on, text
from txmon.reports.fincen_subjectrules import check_subject

_ONCE: Final = {
    codes.TRANSMITTER: "transmitter", codes.TRANSMITTER_CONTACT: "transmitter contact",
    codes.FILER: "filing institution", codes.CONTACT: "contact for assistance",
}  # fmt: skip


def check_parties(activity: Element, filed: date | None, faults: Faults) -> None:
    """Add every fault of the parties of an activity."""
    parties = all_of(activity, "Party")
    roles = Counter(text(p, "ActivityPartyTypeCode") for p in parties)
    for role, name in _ONCE.items():
        if roles[role] != 1:
            faults.error(
                "party",
                activity,
                f"has {roles[role]} parties of type {role}, {name}; it needs one",
                f"give one party of type {role}",
                "Party",
            )
    for role, name in ((codes.LOCATION, "institution where it happened"), (codes.SUBJECT, "subject")):
        if not roles[role]:
            faults.error(
                "party",
                activity,
                f"has no party of type {role}, {name}",
                f"add a party of type {role}",
                "Party",
            )
    for role in (codes.AUTHORITY, codes.AUTHORITY_PERSON):
        if roles[role] > 1:
            faults.error(
                "party",
                activity,
                f"has {roles[role]} parties of type {role}, at most one is taken",
                "tell of the others in the narrative",
                "Party",
            )
    for party in parties:
        _check_party(party, text(party, "ActivityPartyTypeCode"), filed, faults)


def _check_party(party: Element, role: str, filed: date | None, faults: Faults) -> None:
    if role in (codes.BRANCH, codes.ACCOUNT_HOLDER):
        faults.error("party", party, f"a party of type {role} stands inside another, never here", "move it")
        return
    if role == codes.SUBJECT:
        check_subject(party, filed, faults)
    else:
        _check_named(party, faults)
    if role in (codes.TRANSMITTER, codes.FILER, codes.LOCATION):
        _check_full_address(party, faults)
    if role in (codes.TRANSMITTER, codes.CONTACT) and not any(
        text(p, "PhoneNumberText") for p in all_of(party, "PhoneNumber")
    ):
        faults.error("missing", party, "has no telephone number", "add it", "PhoneNumber")
    if role == codes.TRANSMITTER:
        _check_transmitter(party, faults)
    if role in (codes.FILER, codes.LOCATION):
        _check_institution(party, role, faults)
    for phone in all_of(party, "PhoneNumber"):
        number = text(phone, "PhoneNumberText")
        if number and not (number.isascii() and number.isdigit()):
            faults.error(
                "phone", phone, "is not digits alone", "leave out blanks and signs", "PhoneNumberText"
            )
    for identification in all_of(party, "PartyIdentification"):
        check_identification(identification, faults)


def _check_named(party: Element, faults: Faults) -> None:
    legal = [n for n in all_of(party, "PartyName") if text(n, "PartyNameTypeCode") == "L"]
    if len(legal) != 1:
        faults.error(
            "name", party, f"has {len(legal)} legal names; it needs one", "give one legal name", "PartyName"
        )
    for name in all_of(party, "PartyName"):
        if not text(name, "RawPartyFullName"):
            faults.error("name", name, "has no name in it", "give the whole name", "RawPartyFullName")


def _check_full_address(party: Element, faults: Faults) -> None:
    """Institutions know their own address."""
    addresses = all_of(party, "Address")
    if len(addresses) != 1:
        faults.error(
            "address", party, f"has {len(addresses)} addresses; it needs one", "give one address", "Address"
        )
    for address in addresses:
        country = text(address, "RawCountryCodeText")
        for name, unknown in ADDRESS:
            if on(address, unknown):
                faults.error("unknown", address, f"{unknown} is for subjects only", "give the address", name)
            elif not text(address, name) and _wants(name, country):
                faults.error("address", address, f"has no {name}", "add it", name)
        check_address_codes(address, faults)


def _wants(name: str, country: str) -> bool:
    if name == "RawStateCodeText":
        return country in codes.WITH_STATES
    return name != "RawZIPCode" or country in ("US", "CA")


def _check_transmitter(party: Element, faults: Faults) -> None:
    found = {text(i, "PartyIdentificationTypeCode"): text(i, "PartyIdentificationNumberText")
             for i in all_of(party, "PartyIdentification")}  # fmt: skip
    if not found.get(codes.TIN) and not found.get(codes.FOREIGN_TIN):
        faults.error(
            "transmitter_id",
            party,
            "has no taxpayer number (type 4)",
            "give the transmitter the identifier fincen_tin_ein",
            "PartyIdentification",
        )
    code = found.get(codes.TCC, "")
    if not (len(code) == 8 and code.isascii() and code.isalnum() and code == code.upper()):
        faults.error(
            "transmitter_id",
            party,
            "has no transmitter control code (type 28) of 8 capitals and digits",
            "give the transmitter the identifier fincen_tcc",
            "PartyIdentification",
        )


def _check_institution(party: Element, role: str, faults: Faults) -> None:
    if not text(party, "PrimaryRegulatorTypeCode"):
        faults.error("regulator", party, "names no primary regulator", "name it", "PrimaryRegulatorTypeCode")
    kinds = [text(i, "PartyIdentificationTypeCode") for i in all_of(party, "PartyIdentification")]
    if sum(k in codes.TAX_IDS for k in kinds) != 1:
        faults.error(
            "institution_id",
            party,
            "needs one taxpayer number (type 1, 2, 4 or 9)",
            "give the institution the identifier fincen_tin_ein or tax",
            "PartyIdentification",
        )
    if kinds.count(codes.CONTROL_NUMBER) > (1 if role == codes.FILER else 0):
        faults.error(
            "institution_id",
            party,
            "has a control number (type 29) too many",
            "the filing institution has one, others none",
            "PartyIdentification",
        )
    organisations = all_of(party, "OrganizationClassificationTypeSubtype")
    if not organisations:
        faults.error(
            "missing",
            party,
            "does not say what kind of institution it is",
            "add it",
            "OrganizationClassificationTypeSubtype",
        )
    for node in organisations:
        _check_organisation(node, faults)
    branches = [b for a in all_of(party, "PartyAssociation") for b in all_of(a, "Party")]
    if any(text(b, "ActivityPartyTypeCode") != codes.BRANCH for b in branches):
        faults.error(
            "party", party, "holds a party that is no branch (type 46)", "remove it", "PartyAssociation"
        )
    if role == codes.LOCATION and bool(branches) == on(party, "NoBranchActivityInvolvedIndicator"):
        what = (
            "names a branch and says there is none"
            if branches
            else "neither names a branch nor says there is none"
        )
        faults.error("branch", party, what, "do one of the two", "NoBranchActivityInvolvedIndicator")


def _check_organisation(node: Element, faults: Faults) -> None:
    kind, subtype = text(node, "OrganizationTypeID"), text(node, "OrganizationSubtypeID")
    if (kind == "999") != bool(text(node, "OtherOrganizationTypeText")):
        faults.error(
            "other_text",
            node,
            "type 999 and its text go together",
            "give both or none",
            "OtherOrganizationTypeText",
        )
    if kind in ("1", "5") and not subtype:
        faults.error("organization", node, f"type {kind} needs a subtype", "add it", "OrganizationSubtypeID")
    if subtype and subtype[: -2 if subtype[-3:] != "999" else -3] != kind:
        faults.error(
            "organization", node, "the subtype is of another type", "correct one", "OrganizationSubtypeID"
        )
    if subtype.endswith("999") != bool(text(node, "OtherOrganizationSubTypeText")):
        faults.error(
            "other_text",
            node,
            "subtype other and its text go together",
            "give both or none",
            "OtherOrganizationSubTypeText",
        )
