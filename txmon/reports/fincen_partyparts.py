"""What institutions and subjects have in common: the codes of an address, and an identification."""

from __future__ import annotations

from typing import Final

from txmon.reports import fincen_codes as codes
from txmon.reports.fincen_read import Element, Faults, on, text

ADDRESS: Final = (
    ("RawStreetAddress1Text", "StreetAddressUnknownIndicator"),
    ("RawCityText", "CityUnknownIndicator"),
    ("RawStateCodeText", "StateCodeUnknownIndicator"),
    ("RawZIPCode", "ZIPCodeUnknownIndicator"),
    ("RawCountryCodeText", "CountryCodeUnknownIndicator"),
)


def check_address_codes(address: Element, faults: Faults) -> None:
    """Add each code of an address that is not in its list."""
    country, state = text(address, "RawCountryCodeText"), text(address, "RawStateCodeText")
    postcode = text(address, "RawZIPCode")
    if country and country not in codes.COUNTRIES:
        faults.error(
            "code_list", address, "is not an ISO 3166 country", "use two letters", "RawCountryCodeText"
        )
    known = {"US": codes.US_STATES, "CA": codes.CA_PROVINCES}.get(country)
    if state and known is not None and state not in known:
        faults.error(
            "code_list", address, f"is not a state of {country}", "use its postal code", "RawStateCodeText"
        )
    elif state and country and country not in codes.WITH_STATES:
        faults.error(
            "code_list", address, f"{country} has no states at FinCEN", "leave it out", "RawStateCodeText"
        )
    digits = postcode.isascii() and postcode.isdigit()
    if country == "US" and postcode and not (digits and len(postcode) in (5, 9)):
        faults.error("zip", address, "is not a ZIP code of 5 or 9 digits", "correct it", "RawZIPCode")


def check_identification(node: Element, faults: Faults) -> None:
    """Add what is wrong with a number and its type."""
    kind, number = text(node, "PartyIdentificationTypeCode"), text(node, "PartyIdentificationNumberText")
    unknown = on(node, "TINUnknownIndicator") or on(node, "IdentificationPresentUnknownIndicator")
    if unknown and (kind or number):
        faults.error(
            "unknown",
            node,
            "is given and said to be unknown",
            "do one of the two",
            "PartyIdentificationNumberText",
        )
    elif not unknown and not (kind and number):
        faults.error(
            "identification",
            node,
            "needs a type and a number",
            "add them, or say it is unknown",
            "PartyIdentificationNumberText" if kind else "PartyIdentificationTypeCode",
        )
    if (kind == codes.OTHER_ID) != bool(text(node, "OtherPartyIdentificationTypeText")):
        faults.error(
            "other_text",
            node,
            "type 999 and its text go together",
            "give both or none",
            "OtherPartyIdentificationTypeText",
        )
    country = text(node, "OtherIssuerCountryText")
    if country and country not in codes.COUNTRIES:
        faults.error(
            "code_list", node, "is not an ISO 3166 country", "use two letters", "OtherIssuerCountryText"
        )
    if kind in ("1", "2", "4") and number:
        if not (len(number) == 9 and number.isascii() and number.isdigit()):
            faults.error(
                "tin",
                node,
                "is not a taxpayer number of 9 digits",
                "leave out signs",
                "PartyIdentificationNumberText",
            )
        elif len(set(number)) == 1 or number == "123456789":
            faults.warning(
                "tin",
                node,
                "is a taxpayer number that nobody has",
                "check it",
                "PartyIdentificationNumberText",
            )
