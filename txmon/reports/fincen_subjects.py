"""The subjects of a SARX activity: persons, entities, or nobody who can be named.

What is not known is said to be unknown by its indicator. A possible victim is never among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from txmon.reports import fincen_codes as codes
from txmon.reports.fincen_parties import add_address, add_identification, add_name, add_phone, tax_number
from txmon.reports.fincen_terms import key_terms
from txmon.reports.fincen_text import digits, letters_digits, line, shortened
from txmon.reports.fincen_tree import Node
from txmon.reports.model import (
    Account,
    Entity,
    Identifier,
    Organisation,
    Party,
    PartyKind,
    Person,
    Report,
    Side,
)

_TAX: Final = ("tax", "social_security")
_DOCUMENTS: Final = {"driving_licence": "5", "passport": "6"}
_OTHER_DOCUMENTS: Final = {
    "national_id": "National identity card", "residence_permit": "Residence permit",
    "registration": "Business registration", "lei": "Legal entity identifier", "licence": "Licence",
    "merchant_id": "Merchant number",
}  # fmt: skip


def add_subjects(activity: Node, report: Report) -> None:
    """Append every subject that may be named, or one of whom nothing is known."""
    named = [p for s in report.nameable_subjects if (p := report.party(s.party_id)) is not None]
    for party in dict.fromkeys(p.party_id for p in named):
        _subject(activity, report, next(p for p in named if p.party_id == party))
    if not named:
        node = activity.add("Party", origin="subjects")
        node.put("ActivityPartyTypeCode", codes.SUBJECT)
        node.flag("AllCriticalSubjectInformationUnavailableIndicator")


def _subject(activity: Node, report: Report, party: Party) -> None:
    origin = f"parties[{report.parties.index(party)}]"
    node = activity.add("Party", origin=origin)
    node.put("ActivityPartyTypeCode", codes.SUBJECT)
    node.origins |= {"PartyIdentification": f"{origin}.identifiers", "Address": f"{origin}.addresses"}
    _part_in_transactions(node, report, party.party_id)
    if party.kind is PartyKind.ENTITY:
        _entity(node, party.entity or Entity(), f"{origin}.entity")
    else:
        _person(node, party.person or Person(), f"{origin}.person")
    for index, address in enumerate(party.addresses or (None,)):
        at = f"{origin}.addresses[{index}]" if address else f"{origin}.addresses"
        add_address(node, address, at, unknowns=True)
    for index, phone in enumerate(party.phones):
        kind = "M" if phone.mobile else "R" if phone.use == "home" else "W"
        add_phone(node, phone, f"{origin}.phones[{index}]", kind=kind)
    _identifications(node, party, origin)
    _electronic(node, report, party, origin)
    _relationship(node, report, party, origin)
    _accounts(node, report, party)


def _person(node: Node, person: Person, origin: str) -> None:
    born = f"{person.born_on:%Y%m%d}" if person.born_on else ""
    node.known("IndividualBirthDateText", born, "BirthDateUnknownIndicator", f"{origin}.born_on")
    gender = {"female": "FemaleGenderIndicator", "male": "MaleGenderIndicator"}
    node.flag(gender.get(person.gender, "UnknownGenderIndicator"))
    name = node.add("PartyName", origin=origin)
    name.put("PartyNameTypeCode", "L")
    last, first = line(person.last_name), line(person.first_name)
    name.known("RawEntityIndividualLastName", last, "EntityLastNameUnknownIndicator", f"{origin}.last_name")
    name.known("RawIndividualFirstName", first, "FirstNameUnknownIndicator", f"{origin}.first_name")
    name.put("RawIndividualMiddleName", line(person.middle_name), f"{origin}.middle_name")
    name.put("RawIndividualNameSuffixText", line(person.suffix), f"{origin}.suffix")
    for index, alias in enumerate(person.aliases):
        if not line(alias):
            continue
        add_name(node, "AKA", alias, f"{origin}.aliases[{index}]")
    if person.occupation:
        work = node.add("PartyOccupationBusiness", origin=origin)
        work.put("OccupationBusinessText", shortened(person.occupation, 50), f"{origin}.occupation")


def _entity(node: Node, entity: Entity, origin: str) -> None:
    node.flag("PartyAsEntityOrganizationIndicator")
    name = node.add("PartyName", origin=origin)
    name.put("PartyNameTypeCode", "L")
    legal = line(entity.name)
    name.known("RawEntityIndividualLastName", legal, "EntityLastNameUnknownIndicator", f"{origin}.name")
    for index, trade_name in enumerate(entity.trade_names):
        if not line(trade_name):
            continue
        add_name(node, "DBA", trade_name, f"{origin}.trade_names[{index}]")
    if entity.business or entity.naics:
        work = node.add("PartyOccupationBusiness", origin=origin)
        work.put("NAICSCode", digits(entity.naics), f"{origin}.naics")
        work.put("OccupationBusinessText", shortened(entity.business, 50), f"{origin}.business")


def _part_in_transactions(node: Node, report: Report, party_id: str) -> None:
    moved = [t for t in report.transactions if t.suspicious]
    sends = any(side_party(report, t.from_side) == party_id for t in moved)
    takes = any(side_party(report, t.to_side) == party_id for t in moved)
    node.flag("BothPurchaserSenderPayeeReceiveIndicator", sends and takes)
    node.flag("PurchaserSenderIndicator", sends and not takes)
    node.flag("PayeeReceiverIndicator", takes and not sends)


def side_party(report: Report, side: Side) -> str | None:
    """Return who stands on a side: the party on record, else the one holder of its account."""
    if side.party_id is not None:
        return side.party_id
    account = report.account(side.account_id)
    holders = {h.party_id for h in account.holders} if account is not None else set()
    return next(iter(holders)) if len(holders) == 1 else None


def _identifications(node: Node, party: Party, origin: str) -> None:
    """The tax number or that it is unknown; then documents, of a person or that none is known."""
    numbered = [(i, x) for i, x in enumerate(party.identifiers) if line(x.number)]
    taxes = [(i, x) for i, x in numbered if x.kind in _TAX]
    if taxes:
        index, tax = taxes[0]
        domestic = tax.country in ("", "US")
        kind = ("2" if party.kind is PartyKind.ENTITY else "1") if domestic else codes.FOREIGN_TIN
        number = digits(tax.number) if domestic else line(tax.number)
        added = add_identification(node, kind, number, f"{origin}.identifiers[{index}]")
        if not domestic:
            added.put("OtherIssuerCountryText", tax.country)
    else:
        node.add("PartyIdentification", origin=f"{origin}.identifiers").flag("TINUnknownIndicator")
    documents = [(i, x) for i, x in numbered if x.kind not in _TAX]
    for index, identifier in documents:
        _document(node, identifier, f"{origin}.identifiers[{index}]")
    if party.kind is not PartyKind.ENTITY and not documents:
        unknown = node.add("PartyIdentification", origin=f"{origin}.identifiers")
        unknown.flag("IdentificationPresentUnknownIndicator")


def _document(node: Node, identifier: Identifier, origin: str) -> None:
    kind = _DOCUMENTS.get(identifier.kind, codes.OTHER_ID)
    if identifier.kind == "residence_permit" and identifier.country == "US":
        kind = "7"
    added = add_identification(node, kind, line(identifier.number), origin)
    added.put("OtherIssuerCountryText", identifier.country, f"{origin}.country")
    if kind == codes.OTHER_ID:
        text = identifier.description or _OTHER_DOCUMENTS.get(identifier.kind, "Other identification")
        added.put("OtherPartyIdentificationTypeText", shortened(text, 50), f"{origin}.description")


def _electronic(node: Node, report: Report, party: Party, origin: str) -> None:
    """E-mail addresses and sites; no link in a case of child exploitation."""
    for index, email in enumerate(party.emails):
        _electronic_address(node, "E", email, f"{origin}.emails[{index}]")
    if codes.CHILD_EXPLOITATION in key_terms(report.activity):
        return
    for index, url in enumerate(party.urls):
        _electronic_address(node, "U", url, f"{origin}.urls[{index}]")


def _electronic_address(node: Node, kind: str, text: str, origin: str) -> None:
    address = node.add("ElectronicAddress", origin=origin)
    address.put("ElectronicAddressText", line(text), origin)
    address.put("ElectronicAddressTypeCode", kind)


def _relationship(node: Node, report: Report, party: Party, origin: str) -> None:
    relation = node.add("PartyAssociation", origin=f"{origin}.relationship")
    relation.flag("CustomerIndicator", party.is_client)
    relation.flag("EmployeeIndicator", party.is_filer_staff)
    if party.relationship and not party.is_client:
        relation.flag("OtherRelationshipIndicator")
        relation.put("OtherPartyAssociationTypeText", shortened(party.relationship, 50))
    if not relation.values:
        relation.flag("NoRelationshipToInstitutionIndicator")
        return
    number = tax_number(report.filer.organisation)[1]
    relation.put("SubjectRelationshipFinancialInstitutionTINText", number, "filer.organisation.identifiers")


def _accounts(node: Node, report: Report, party: Party) -> None:
    """The accounts that the subject holds, by the institution that keeps them."""
    held = [
        (index, account)
        for index, account in enumerate(report.accounts)
        if any(h.party_id == party.party_id for h in account.holders) and line(account.number or account.iban)
    ]
    if not held:
        node.flag("NoKnownAccountInvolvedIndicator")
        return
    association = node.add("PartyAccountAssociation", origin="accounts")
    association.put("PartyAccountAssociationTypeCode", "7")
    by_keeper: dict[Organisation | None, list[tuple[int, Account]]] = {}
    for index, account in held:
        keeper = report.filer.organisation if account.is_client else account.institution
        by_keeper.setdefault(keeper, []).append((index, account))
    for keeper, accounts in by_keeper.items():
        _kept(association, keeper, dict(accounts))


def _kept(association: Node, keeper: Organisation | None, accounts: Mapping[int, Account]) -> None:
    origin = f"accounts[{next(iter(accounts))}].institution"
    party = association.add("Party", "AccountParty", origin=origin)
    party.put("ActivityPartyTypeCode", codes.ACCOUNT_HOLDER)
    kind, number = tax_number(keeper) if keeper else ("", "")
    if keeper and keeper.address and keeper.address.country not in ("", "US"):
        party.flag("NonUSFinancialInstitutionIndicator")
    if number:
        add_identification(
            party,
            codes.FOREIGN_TIN if kind == codes.FOREIGN_TIN else codes.TIN,
            letters_digits(number),
            origin,
        )
    else:
        party.add("PartyIdentification", origin=origin).flag("TINUnknownIndicator")
    for index, account in accounts.items():
        node = party.add("Account", origin=f"accounts[{index}]")
        node.put("AccountNumberText", line(account.number or account.iban), f"accounts[{index}].number")
        role = node.add("PartyAccountAssociation", "AccountRole")
        role.flag("AccountClosedIndicator", account.status == "closed")
        role.put("PartyAccountAssociationTypeCode", "5")
