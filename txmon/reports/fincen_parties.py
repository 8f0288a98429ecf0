"""The institutions, contacts and subjects of a report as parties of a SARX activity.

A party who may be a victim is never written as subject: where nobody else is left, the subject is unknown.
"""

from __future__ import annotations

from typing import Final

from txmon.reports import fincen_codes as codes
from txmon.reports.fincen_text import digits, letters_digits, line, phone_number, shortened
from txmon.reports.fincen_tree import Node
from txmon.reports.model import Address, Contact, Mode, Organisation, Phone, Report

_REGULATORS: Final = {
    "FED": "1", "FRB": "1", "FEDERAL RESERVE": "1", "FDIC": "2", "NCUA": "3", "OCC": "4", "SEC": "6",
    "IRS": "7", "FINCEN": "7", "CFTC": "9", "FHFA": "13",
}  # fmt: skip
_NO_REGULATOR: Final = "99"
_KINDS: Final = {
    "casino": "1", "depository": "2", "insurance": "3", "money_service": "4", "payment_institution": "4",
    "securities": "5", "loan_finance": "11", "housing_gse": "12",
}  # fmt: skip
_OTHER_KIND: Final = {"card_network": "Operator of a card system", "dealer": "Dealer"}


def tax_number(organisation: Organisation) -> tuple[str, str]:
    """Return the type and number of an institution's tax identification; both empty where it has none."""
    for identifier in organisation.identifiers:
        if identifier.kind == "fincen_tin_ein" and identifier.number:
            return codes.EIN, digits(identifier.number)
    for identifier in organisation.identifiers:
        if identifier.kind == "tax" and identifier.number:
            domestic = identifier.country in ("", "US")
            number = digits(identifier.number) if domestic else letters_digits(identifier.number)
            return (codes.EIN if domestic else codes.FOREIGN_TIN), number
    return "", ""


def add_filer_parties(activity: Node, report: Report) -> None:
    """Append transmitter, its contact, the filing institution, the contact office and where it happened."""
    filer = report.filer
    at = "filer.transmitter" if filer.transmitter else "filer.organisation"
    _transmitter(activity, report, filer.transmitter or filer.organisation, at)
    who = "filer.transmitter_contact" if filer.transmitter_contact else "filer.contact"
    _contact(
        activity, codes.TRANSMITTER_CONTACT, filer.transmitter_contact or filer.contact, who, phone=False
    )
    institution = _institution(activity, codes.FILER, filer.organisation, "filer.organisation")
    control = institution.add("PartyIdentification", origin="report_id")
    control.put("PartyIdentificationNumberText", line(report.report_id))
    control.put("PartyIdentificationTypeCode", codes.CONTROL_NUMBER)
    _contact(activity, codes.CONTACT, filer.contact, "filer.contact", phone=True)
    _authority(activity, report)
    for index, place in enumerate(filer.activity_at or (filer.organisation,)):
        origin = f"filer.activity_at[{index}]" if filer.activity_at else "filer.organisation"
        location = _institution(activity, codes.LOCATION, place, origin)
        location.flag("SellingPayingLocationIndicator")
        _branch(location, place, origin)


def add_name(party: Node, kind: str, full_name: str, origin: str) -> None:
    """Append a name that is given as a whole."""
    name = party.add("PartyName", origin=origin)
    name.put("PartyNameTypeCode", kind)
    name.put("RawPartyFullName", line(full_name))


def add_address(party: Node, address: Address | None, origin: str, *, unknowns: bool) -> None:
    """Append an address.

    Args:
        unknowns: whether what is missing is said to be unknown, as subjects need it
    """
    node = party.add("Address", origin=origin)
    place = address or Address()
    country = place.country.strip().upper()
    state, postcode = line(place.state).upper(), letters_digits(place.postcode)
    parts = {
        "RawCityText": ("CityUnknownIndicator", line(place.city), "city"),
        "RawCountryCodeText": ("CountryCodeUnknownIndicator", country, "country"),
        "RawStateCodeText": ("StateCodeUnknownIndicator", state, "state"),
        "RawStreetAddress1Text": ("StreetAddressUnknownIndicator", line(place.street), "street"),
        "RawZIPCode": ("ZIPCodeUnknownIndicator", postcode, "postcode"),
    }
    if country and country not in codes.WITH_STATES:
        parts.pop("RawStateCodeText")  # FinCEN knows states of three countries only
    for name, (unknown, text, part) in parts.items():
        node.put(name, text, f"{origin}.{part}")
        node.flag(unknown, unknowns and not text)


def add_phone(party: Node, phone: Phone, origin: str, *, kind: str = "") -> None:
    """Append a telephone number; `kind` is FinCEN's code, where it wants one."""
    node = party.add("PhoneNumber", origin=origin)
    node.put("PhoneNumberText", phone_number(phone), f"{origin}.number")
    node.put("PhoneNumberExtensionText", digits(phone.extension), f"{origin}.extension")
    node.put("PhoneNumberTypeCode", kind)


def add_identification(party: Node, kind: str, number: str, origin: str) -> Node:
    """Append an identification and return it."""
    node = party.add("PartyIdentification", origin=origin)
    node.put("PartyIdentificationTypeCode", kind)
    node.put("PartyIdentificationNumberText", number, origin)
    return node


def _party(activity: Node, code: str, origin: str) -> Node:
    node = activity.add("Party", origin=origin)
    node.put("ActivityPartyTypeCode", code)
    node.origins |= {
        "PartyName": f"{origin}.name",
        "Address": f"{origin}.address",
        "PhoneNumber": f"{origin}.phone",
        "PartyIdentification": f"{origin}.identifiers",
        "OrganizationClassificationTypeSubtype": f"{origin}.kind",
    }
    return node


def _transmitter(activity: Node, report: Report, sender: Organisation, origin: str) -> None:
    party = _party(activity, codes.TRANSMITTER, origin)
    add_name(party, "L", sender.name, f"{origin}.name")
    add_address(party, sender.address, f"{origin}.address", unknowns=False)
    phone = sender.phone or report.filer.contact.phone
    if phone is not None:
        add_phone(party, phone, f"{origin}.phone" if sender.phone else "filer.contact.phone")
    kind, number = tax_number(sender)
    if number:
        # the transmitter's own tax number has a type of its own
        kind = codes.FOREIGN_TIN if kind == codes.FOREIGN_TIN else codes.TIN
        add_identification(party, kind, number, f"{origin}.identifiers")
    code = codes.TEST_TCC if report.mode is not Mode.LIVE else letters_digits(sender.number("fincen_tcc"))
    if code:
        add_identification(party, codes.TCC, code, f"{origin}.identifiers")


def _contact(activity: Node, code: str, contact: Contact, origin: str, *, phone: bool) -> None:
    party = _party(activity, code, origin)
    add_name(party, "L", contact.name, f"{origin}.name")
    if phone and contact.phone is not None:
        add_phone(party, contact.phone, f"{origin}.phone")


def _institution(activity: Node, code: str, organisation: Organisation, origin: str) -> Node:
    party = _party(activity, code, origin)
    regulator = _REGULATORS.get(line(organisation.regulator).upper(), _NO_REGULATOR)
    party.put("PrimaryRegulatorTypeCode", regulator, f"{origin}.regulator")
    add_name(party, "L", organisation.name, f"{origin}.name")
    if organisation.trade_name and organisation.trade_name != organisation.name:
        add_name(party, "DBA", organisation.trade_name, f"{origin}.trade_name")
    add_address(party, organisation.address, f"{origin}.address", unknowns=False)
    kind, number = tax_number(organisation)
    if number:
        add_identification(party, kind, number, f"{origin}.identifiers")
    if organisation.number("fincen_rssd"):
        add_identification(party, "14", digits(organisation.number("fincen_rssd")), f"{origin}.identifiers")
    _organisation_kind(party, organisation, origin)
    return party


def _organisation_kind(party: Node, organisation: Organisation, origin: str) -> None:
    node = party.add("OrganizationClassificationTypeSubtype", origin=f"{origin}.kind")
    kind = _KINDS.get(organisation.kind, codes.OTHER_ID)
    node.put("OrganizationTypeID", kind, f"{origin}.kind")
    text = shortened(organisation.kind_text or _OTHER_KIND.get(organisation.kind, ""), 50)
    if kind == codes.OTHER_ID:
        node.put("OtherOrganizationTypeText", text, f"{origin}.kind_text")
    elif kind in ("1", "5"):
        node.put("OrganizationSubtypeID", f"{kind}999")
        node.put("OtherOrganizationSubTypeText", text, f"{origin}.kind_text")


def _branch(location: Node, place: Organisation, origin: str) -> None:
    """A branch is a party of its own below the institution; without one that is said."""
    if not place.branch:
        location.flag("NoBranchActivityInvolvedIndicator")
        return
    branch = location.add("PartyAssociation").add("Party", "BranchParty", origin=f"{origin}.branch")
    branch.put("ActivityPartyTypeCode", codes.BRANCH)
    branch.flag("SellingPayingLocationIndicator")
    add_address(branch, place.address, f"{origin}.address", unknowns=False)


def _authority(activity: Node, report: Report) -> None:
    """The form has room for one contact with an authority: the latest; the narrative tells of all."""
    if not report.law_enforcement:
        return
    index, contact = max(
        enumerate(report.law_enforcement), key=lambda e: (e[1].at is not None, e[1].at or e[0])
    )
    origin = f"law_enforcement[{index}]"
    party = _party(activity, codes.AUTHORITY, origin)
    if contact.at is not None:
        party.put("ContactDateText", f"{contact.at:%Y%m%d}", f"{origin}.at")
    add_name(party, "L", contact.agency, f"{origin}.agency")
    if line(contact.contact):
        person = _party(activity, codes.AUTHORITY_PERSON, origin)
        add_name(person, "L", contact.contact, f"{origin}.contact")
        if contact.phone is not None:
            add_phone(person, contact.phone, f"{origin}.phone")
