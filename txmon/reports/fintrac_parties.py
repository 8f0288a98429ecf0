"""The people and entities of FINTRAC's report: defined once, named by reference where they take part.

A possible victim is never defined: what is known of them stands in the description.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from txmon.reports.fincen_text import line, phone_number, shortened
from txmon.reports.fintrac_codes import ENTITY_DOCUMENT_OTHER, PERSON_DOCUMENT_OTHER, PERSON_DOCUMENTS
from txmon.reports.fintrac_shape import empty_lists
from txmon.reports.model import Address, Entity, Identifier, Party, PartyKind, Person, Report

_REGISTERED, _CORPORATION = 1, 1


@dataclass
class Definitions:
    """The definitions of a report as they come to be needed."""

    report: Report
    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def reference(self, party_id: str | None, person_type: int) -> dict[str, Any] | None:
        """Return the reference to a party, or None where there is nobody to name.

        Args:
            person_type: 1, 3 or 5 by the detail wanted; an entity's is one more
        """
        party = self.report.party(party_id)
        if party is None or party.possible_victim or party.kind is PartyKind.UNKNOWN:
            return None
        kind = person_type + (party.kind is PartyKind.ENTITY)
        index = self.report.parties.index(party)
        key = f"party-{index}-{kind}"
        if key not in self.found:
            self.origins[f"definitions[{len(self.found)}]"] = f"parties[{index}]"
            self.found[key] = _definition(party, kind, key, self.report)
        return {"typeCode": kind, "refId": key}


def _definition(party: Party, kind: int, key: str, report: Report) -> dict[str, Any]:
    made = {"typeCode": kind, "refId": key} | empty_lists(f"Definition{kind}")
    if party.kind is PartyKind.ENTITY:
        return made | _entity(party, party.entity or Entity(), kind, report)
    return made | _person(party, party.person or Person(), kind)


def names(person: Person) -> dict[str, Any]:
    """Return the names of a person."""
    return given(
        surname=line(person.last_name),
        givenName=line(person.first_name),
        otherNameInitial=line(person.middle_name),
    )


def given(**values: Any) -> dict[str, Any]:
    """Return the values that are there."""
    return {name: value for name, value in values.items() if value not in ("", None, {})}


def _person(party: Party, person: Person, kind: int) -> dict[str, Any]:
    made = names(person)
    if kind == 1:
        return made
    made |= _contact(party) | given(
        alias=line(person.aliases[0]) if person.aliases else "",
        dateOfBirth=person.born_on.isoformat() if person.born_on else "",
        countryOfResidenceCode=person.residence,
        occupation=shortened(person.occupation, 200),
    )
    made["identifications"] = [
        _document(i, PERSON_DOCUMENTS, PERSON_DOCUMENT_OTHER) for i in _numbered(party)
    ]
    if kind == 5:
        made |= given(countryOfCitizenshipCode=person.nationalities[0] if person.nationalities else "")
        made |= given(employerInformation=given(name=line(person.employer)))
    elif kind == 3:
        made |= given(nameOfEmployer=line(person.employer))
    return made


def _entity(party: Party, entity: Entity, kind: int, report: Report) -> dict[str, Any]:
    made = given(nameOfEntity=line(entity.name))
    if kind == 2:
        return made
    made |= _contact(party)
    made |= given(natureOfPrincipalBusiness=shortened(entity.business, 200))
    registered = bool(line(entity.registration_number))
    made["registrationIncorporationIndicator"] = registered
    if registered:
        place = given(
            typeCode=_REGISTERED,
            number=line(entity.registration_number),
            jurisdictionOfIssueCountryCode=entity.registration_country,
            jurisdictionOfIssueProvinceStateName=line(entity.registration_state),
        )
        made["registrationsIncorporations"] = [place]
    documents = [i for i in _numbered(party) if i.kind != "registration"]
    made["identifications"] = [_document(i, {}, ENTITY_DOCUMENT_OTHER) for i in documents]
    if kind == 6:
        made |= _owners(entity, report)
    return made


def _owners(entity: Entity, report: Report) -> dict[str, Any]:
    """Directors and owners, except those who may be victims."""
    known = [(o.role, p) for o in entity.owners if (p := report.party(o.party_id)) and not p.possible_victim]
    people = [(role, names(p.person)) for role, p in known if p.person is not None]
    return {
        "structureTypeCode": _CORPORATION,
        "directorsOfCorporation": [n for role, n in people if role == "director" and n],
        "personsOwningSharesOfCorporation": [n for role, n in people if role == "beneficial_owner" and n],
        "authorizedPersons": [n for role, n in people if role == "signatory" and n],
    }


def _contact(party: Party) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if party.addresses and (address := _address(party.addresses[0])):
        made |= {"addressTypeCode": 1, "address": {"typeCode": 1} | address}
    if party.phones:
        made |= given(
            telephoneNumber=phone_number(party.phones[0]), extensionNumber=line(party.phones[0].extension)
        )
    return made


def _address(address: Address) -> dict[str, Any]:
    state = line(address.state)
    home = address.country in ("CA", "US") and len(state) == 2
    return given(
        streetAddress=line(address.street),
        city=line(address.city),
        provinceStateCode=state if home else "",
        provinceStateName="" if home else state,
        postalZipCode=line(address.postcode),
        countryCode=address.country,
    )


def _numbered(party: Party) -> list[Identifier]:
    """Documents with a number; tax and social insurance numbers are not asked for."""
    return [i for i in party.identifiers if line(i.number) and i.kind not in ("tax", "social_security")]


def _document(identifier: Identifier, codes: dict[str, int], other: int) -> dict[str, Any]:
    kind = codes.get(identifier.kind, other)
    text = identifier.description or identifier.kind.replace("_", " ")
    return given(
        identifierTypeCode=kind,
        identifierTypeOther=shortened(text, 200) if kind == other else "",
        number=line(identifier.number),
        jurisdictionOfIssueCountryCode=identifier.country,
    )
