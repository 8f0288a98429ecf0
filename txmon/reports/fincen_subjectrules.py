"""What FinCEN demands of a subject: a value is known or said to be unknown, never both, never neither.

Works on the text alone.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from txmon.reports import fincen_codes as codes
from txmon.reports.fincen_partyparts import ADDRESS, check_address_codes, check_identification
from txmon.reports.fincen_read import Element, Faults, all_of, on, one, text
from txmon.reports.fincen_values import calendar_date

_GENDERS: Final = ("FemaleGenderIndicator", "MaleGenderIndicator", "UnknownGenderIndicator")
_INDIVIDUAL: Final = ("RawIndividualFirstName", "RawIndividualMiddleName", "RawIndividualNameSuffixText")
_CRITICAL: Final = ("PartyName", "Address", "PartyIdentification", "IndividualBirthDateText", *_GENDERS)


def check_subject(party: Element, filed: date | None, faults: Faults) -> None:
    """Add every fault of a subject; `filed` is the day of filing."""
    if on(party, "AllCriticalSubjectInformationUnavailableIndicator"):
        for name in _CRITICAL:
            if one(party, name) is not None:
                faults.error(
                    "unknown",
                    party,
                    f"all is said to be unknown, and {name} is given",
                    "do one of the two",
                    name,
                )
        return
    entity = on(party, "PartyAsEntityOrganizationIndicator")
    _check_subject_names(party, entity, faults)
    if not all_of(party, "Address"):
        faults.error("address", party, "has no address", "add it, or say that it is unknown", "Address")
    for address in all_of(party, "Address"):
        _check_subject_address(address, faults)
    _check_subject_numbers(party, entity, faults)
    if entity:
        for name in ("IndividualBirthDateText", "BirthDateUnknownIndicator", *_GENDERS):
            if text(party, name):
                faults.error("entity", party, f"is an entity and has {name}", "remove it", name)
    else:
        _known_or_unknown(party, "IndividualBirthDateText", "BirthDateUnknownIndicator", faults)
        if sum(on(party, g) for g in _GENDERS) != 1:
            faults.error(
                "gender",
                party,
                "needs one gender indicator",
                "set one; there is one for unknown",
                "UnknownGenderIndicator",
            )
        _check_birth(party, filed, faults)
    _check_relations(party, faults)


def _known_or_unknown(parent: Element, value: str, unknown: str, faults: Faults) -> None:
    if text(parent, value) and on(parent, unknown):
        faults.error(
            "unknown", parent, f"{value} is given and said to be unknown", "do one of the two", value
        )
    elif not text(parent, value) and not on(parent, unknown):
        faults.error(
            "unknown",
            parent,
            f"{value} is empty and not said to be unknown",
            f"give it, or set {unknown}",
            value,
        )


def _check_subject_names(party: Element, entity: bool, faults: Faults) -> None:
    names = all_of(party, "PartyName")
    legal = [n for n in names if text(n, "PartyNameTypeCode") == "L"]
    if len(legal) != 1:
        faults.error(
            "name", party, f"has {len(legal)} legal names; it needs one", "give one legal name", "PartyName"
        )
    for name in legal:
        _known_or_unknown(name, "RawEntityIndividualLastName", "EntityLastNameUnknownIndicator", faults)
        if not entity:
            _known_or_unknown(name, "RawIndividualFirstName", "FirstNameUnknownIndicator", faults)
        for part in (*_INDIVIDUAL, "FirstNameUnknownIndicator") if entity else ():
            if text(name, part):
                faults.error("entity", name, f"is an entity's and has {part}", "remove it", part)
        if text(name, "RawPartyFullName"):
            faults.error(
                "name",
                name,
                "a subject's legal name stands in RawEntityIndividualLastName",
                "move it there",
                "RawPartyFullName",
            )
    for name in names:
        if name not in legal and not text(name, "RawPartyFullName"):
            faults.error("name", name, "has no name in it", "give the whole name", "RawPartyFullName")


def _check_subject_address(address: Element, faults: Faults) -> None:
    country = text(address, "RawCountryCodeText")
    for name, unknown in ADDRESS:
        if name == "RawStateCodeText" and country and country not in codes.WITH_STATES:
            continue
        _known_or_unknown(address, name, unknown, faults)
    check_address_codes(address, faults)


def _check_subject_numbers(party: Element, entity: bool, faults: Faults) -> None:
    nodes = all_of(party, "PartyIdentification")
    kinds = [text(n, "PartyIdentificationTypeCode") for n in nodes]
    tax = sum(k in codes.TAX_IDS for k in kinds)
    unknown = sum(on(n, "TINUnknownIndicator") for n in nodes)
    if tax + unknown != 1:
        faults.error(
            "unknown",
            party,
            "needs one taxpayer number, or that it is unknown",
            "give one of the two",
            "TINUnknownIndicator",
        )
    documents = sum(k in codes.PERSON_DOCUMENTS for k in kinds)
    none = sum(on(n, "IdentificationPresentUnknownIndicator") for n in nodes)
    if documents and none:
        faults.error(
            "unknown",
            party,
            "has a document and says that none is known",
            "do one of the two",
            "IdentificationPresentUnknownIndicator",
        )
    elif not entity and not documents and not none:
        faults.warning(
            "unknown",
            party,
            "has no document, and does not say that none is known",
            "set IdentificationPresentUnknownIndicator",
            "IdentificationPresentUnknownIndicator",
        )


def _check_birth(party: Element, filed: date | None, faults: Faults) -> None:
    born = calendar_date(text(party, "IndividualBirthDateText"))
    if born is None or filed is None:
        return
    if born > filed:
        faults.error(
            "date", party, "is born after the report is filed", "correct it", "IndividualBirthDateText"
        )
    elif born.year < filed.year - 125:
        faults.error(
            "date", party, "is older than anybody has become", "correct it", "IndividualBirthDateText"
        )


def _check_relations(party: Element, faults: Faults) -> None:
    for relation in all_of(party, "PartyAssociation"):
        if all_of(relation, "Party"):
            faults.error("party", relation, "a subject's relation holds no party", "remove it", "Party")
        none = on(relation, "NoRelationshipToInstitutionIndicator")
        others = [c for c in relation if isinstance(c.tag, str) and c.text == "Y"]
        if none and len(others) > 1:
            faults.error(
                "relationship",
                relation,
                "says no relation, and names one",
                "do one of the two",
                "NoRelationshipToInstitutionIndicator",
            )
        if not none and not text(relation, "SubjectRelationshipFinancialInstitutionTINText"):
            faults.error(
                "relationship",
                relation,
                "does not say to which institution",
                "give its taxpayer number",
                "SubjectRelationshipFinancialInstitutionTINText",
            )
        if on(relation, "OtherRelationshipIndicator") != bool(
            text(relation, "OtherPartyAssociationTypeText")
        ):
            faults.error(
                "other_text",
                relation,
                "other relation and its text go together",
                "give both or none",
                "OtherPartyAssociationTypeText",
            )
    account = one(party, "PartyAccountAssociation")
    if (account is not None) == on(party, "NoKnownAccountInvolvedIndicator"):
        faults.error(
            "account",
            party,
            "needs its accounts, or that none is known; one of the two",
            "set NoKnownAccountInvolvedIndicator or give accounts",
            "NoKnownAccountInvolvedIndicator",
        )
    if account is not None:
        _check_accounts(account, faults)


def _check_accounts(association: Element, faults: Faults) -> None:
    if text(association, "PartyAccountAssociationTypeCode") != "7":
        faults.error("account", association, "is not of type 7", "use 7", "PartyAccountAssociationTypeCode")
    for keeper in all_of(association, "Party"):
        if text(keeper, "ActivityPartyTypeCode") != codes.ACCOUNT_HOLDER:
            faults.error("party", keeper, "is not of type 41", "use 41", "ActivityPartyTypeCode")
        for identification in all_of(keeper, "PartyIdentification"):
            check_identification(identification, faults)
        for account in all_of(keeper, "Account"):
            role = one(account, "PartyAccountAssociation")
            if not text(account, "AccountNumberText"):
                faults.error("account", account, "has no number", "give it", "AccountNumberText")
            if role is not None and text(role, "PartyAccountAssociationTypeCode") != "5":
                faults.error("account", role, "is not of type 5", "use 5", "PartyAccountAssociationTypeCode")
