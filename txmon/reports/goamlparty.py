"""Parties and accounts of the model as goAML's persons, entities and accounts.

A party who may be a victim is marked as protected and said to be no subject; whether someone is suspected is
decided in `goamlmap` alone. Names are spelled in the letters that goAML takes, accents taken off, and the
original goes beside them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

from txmon.reports.goamlbuild import Branch
from txmon.reports.goamlprofile import Profile
from txmon.reports.model import (
    Account,
    Address,
    Contact,
    Identifier,
    Party,
    PartyKind,
    Person,
    Phone,
    Report,
)

VICTIM_REMARK = "May be a victim. Not a subject of this report."
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d"}
    | {"Đ": "D", "ð": "d", "þ": "th", "ı": "i", "’": "'", "‘": "'", "ʼ": "'", "‐": "-", "–": "-"}
)


def latin(text: str) -> str:
    """Return a name without accents and with plain quotes and hyphens; other scripts stay as they are."""
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(c for c in plain if not unicodedata.combining(c)).strip()


def day(value: date | None) -> str | None:
    """Return a day as goAML writes it."""
    return None if value is None else f"{value.isoformat()}T00:00:00"


def moment(value: datetime | None) -> str | None:
    """Return a UTC time to the second as goAML writes it."""
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


class Parties:
    """Makes the branches of persons, entities and accounts of one report."""

    def __init__(self, report: Report, profile: Profile) -> None:
        self.report = report
        self.profile = profile
        self._place = {p.party_id: i for i, p in enumerate(report.parties)}
        self._accounts = {a.account_id: i for i, a in enumerate(report.accounts)}
        coded = profile.shape.has("t_account", "institution_code")
        self._bank_code = "institution_code" if coded else "swift"
        self.unknown = profile.constants["unknown_name"]
        self.no_code = profile.constants["unknown_code"]
        self.no_bank = profile.constants["unknown_bank"]

    def path(self, party: Party) -> str:
        """Return where a party is in the model."""
        return f"parties[{self._place[party.party_id]}]"

    def party(self, party: Party, mine: bool) -> tuple[str, Branch]:
        """Return ``person`` or ``entity`` and its branch; `mine` asks for what own customers need."""
        if party.kind is PartyKind.ENTITY:
            return "entity", self.entity(party, mine)
        return "person", self.person(party, mine)

    def nobody(self, path: str) -> Branch:
        """Return a person of whom nothing is known."""
        out = Branch(path)
        out.put("first_name", self.unknown, "")
        out.put("last_name", self.unknown, "")
        return out

    def person(self, party: Party, mine: bool) -> Branch:
        """Return a natural person."""
        out = Branch(self.path(party))
        person = party.person or Person()
        fallback = None if mine else self.unknown
        gender = self.profile.code("gender", person.gender) or (self.no_code if mine else None)
        out.put("gender", gender, "person.gender")
        out.put("first_name", latin(person.first_name) or fallback, "person.first_name")
        out.put("middle_name", latin(person.middle_name), "person.middle_name")
        out.put("last_name", latin(person.last_name) or fallback, "person.last_name")
        out.put("birthdate", day(person.born_on), "person.born_on")
        out.put("country_of_birth", person.birth_country, "person.birth_country")
        out.put("alias", "; ".join(person.aliases), "person.aliases")
        if person.full_name != latin(person.full_name):
            out.put("full_name_frn", person.full_name, "person.last_name")
        for i, country in enumerate((*person.nationalities[:3], "", "", "")[:3]):
            out.put(f"nationality{i + 1}", country, f"person.nationalities[{i}]")
        out.put("residence", person.residence, "person.residence")
        out.put("occupation", person.occupation, "person.occupation")
        out.put("employer_name", person.employer, "person.employer")
        self._numbers(out, party.identifiers, mine)
        self._reach(out, party)
        if party.possible_victim:
            out.put("is_protected", "true", "roles")
            out.put("comments", VICTIM_REMARK, "roles")
        return out

    def _numbers(self, out: Branch, identifiers: Sequence[Identifier], mine: bool) -> None:
        """Put passport, id number, documents and tax number of a person."""
        papers = [(i, n) for i, n in enumerate(identifiers) if self.profile.code("identifier", n.kind)]
        for i, number in papers:
            if number.kind == "passport" and "passport_number" not in out.children:
                out.put("passport_number", number.number, f"identifiers[{i}].number")
                out.put("passport_country", number.country, f"identifiers[{i}].country")
        if papers:
            place, main = next((p for p in papers if p[1].kind == "national_id"), papers[0])
            out.put("id_number", main.number, f"identifiers[{place}].number")
        else:
            out.lacks("id_number", "identifiers")
        wrapped = self.profile.shape.has("t_person_my_client", "identifications")
        documents = [
            self._document(out.path, i, n) for i, n in papers if mine or (n.issued_on and n.expires_on)
        ]
        if documents and not wrapped:
            out.add("identification", documents)
        elif documents:
            out.add("identifications", [_list(out.path, "identification", documents)])
        else:
            out.lacks("identifications", "identifiers")
        taxes = [(i, n) for i, n in enumerate(identifiers) if n.kind == "tax"]
        for i, tax in taxes[:1]:
            out.put("tax_number", tax.number, f"identifiers[{i}].number")
        if mine:
            out.put("tax_reg_number", "Y" if taxes else "N", "identifiers")

    def _document(self, path: str, place: int, number: Identifier) -> Branch:
        out = Branch(f"{path}.identifiers[{place}]")
        out.put("type", self.profile.code("identifier", number.kind), "kind")
        out.put("number", number.number, "number")
        out.put("issue_date", day(number.issued_on), "issued_on")
        out.put("expiry_date", day(number.expires_on), "expires_on")
        out.put("issued_by", number.issued_by, "issued_by")
        out.put("issue_country", number.country, "country")
        return out

    def _reach(self, out: Branch, party: Party) -> None:
        """Put telephones, addresses and e-mail."""
        phones = [self.phone(f"{out.path}.phones[{i}]", p) for i, p in enumerate(party.phones)]
        addresses = [self.address(f"{out.path}.addresses[{i}]", a) for i, a in enumerate(party.addresses)]
        for name, inner, made in (("phones", "phone", phones), ("addresses", "address", addresses)):
            if made:
                out.add(name, [_list(out.path, inner, made)])
            else:
                out.lacks(name, name)
        if len(party.emails) > 5:
            emails = Branch(out.path)
            for i, email in enumerate(party.emails):
                emails.put("email", email, f"emails[{i}]")
            out.add("emails", [emails])
            return
        for i, email in enumerate(party.emails):
            out.put("email", email, f"emails[{i}]")

    def phone(self, path: str, phone: Phone) -> Branch:
        """Return a telephone number."""
        out = Branch(path)
        out.put("tph_contact_type", self.profile.code("phone_use", phone.use), "use")
        out.put(
            "tph_communication_type",
            self.profile.code("communication", "mobile" if phone.mobile else "landline"),
            "mobile",
        )
        out.put("tph_country_prefix", phone.prefix.lstrip("+"), "prefix")
        out.put("tph_number", phone.number, "number")
        out.put("tph_extension", phone.extension, "extension")
        return out

    def address(self, path: str, address: Address) -> Branch:
        """Return an address; a state that is not known is said to be, street and city must be known."""
        out = Branch(path)
        out.put("address_type", self.profile.code("address_use", address.use), "use")
        lines = _lines(address.street, 100)
        out.put("address", lines[0], "street")
        for i, line in enumerate(lines[1:3]):
            out.put(f"additional_address_line{i + 1}", line, "street")
        out.put("city", address.city, "city")
        out.put("zip", address.postcode, "postcode")
        out.put("country_code", address.country, "country")
        out.put("state", address.state or self.unknown, "state")
        return out

    def entity(self, party: Party, mine: bool) -> Branch:
        """Return a company or merchant with the persons behind it."""
        out = Branch(self.path(party))
        entity = party.entity
        if entity is None:
            out.put("name", None if mine else self.unknown, "entity.name")
            return out
        out.put("name", latin(entity.name) or (None if mine else self.unknown), "entity.name")
        trade = latin(entity.trade_names[0]) if entity.trade_names else ""
        out.put("commercial_name", trade, "entity.trade_names[0]")
        listed = entity.legal_form in self.profile.codes["legal_form"]
        form = entity.legal_form if listed else (self.no_code if mine else None)
        out.put("incorporation_legal_form", form, "entity.legal_form")
        out.put("incorporation_number", entity.registration_number, "entity.registration_number")
        out.put("business", entity.business, "entity.business")
        self._reach(out, party)
        for i, url in enumerate(party.urls[:1]):
            out.put("url", url, f"urls[{i}]")
        state = entity.registration_state or (self.unknown if mine else None)
        out.put("incorporation_state", state, "entity.registration_state")
        out.put("incorporation_country_code", entity.registration_country, "entity.registration_country")
        out.put("incorporation_date", day(entity.registered_on), "entity.registered_on")
        directors = [self._director(owner, role) for owner, role in self._owners(party)]
        if directors:
            out.add("director_id", directors)
        else:
            out.lacks("director_id", "entity.owners")
        if mine:
            taxed = any(n.kind == "tax" for n in party.identifiers)
            out.put("tax_reg_number", "Y" if taxed else "N", "identifiers")
        if party.possible_victim:
            out.put("comments", VICTIM_REMARK, "roles")
        return out

    def _owners(self, party: Party) -> Iterator[tuple[Party, str]]:
        for owner in party.entity.owners if party.entity else ():
            person = self.report.party(owner.party_id)
            if person is not None and person.kind is not PartyKind.ENTITY:
                yield (
                    person,
                    self.profile.code("owner_role", owner.role) or self.profile.code("owner_role", "other"),
                )

    def _director(self, person: Party, role: str) -> Branch:
        out = self.person(person, False)
        out.put("role", role, "entity.owners")
        return out

    def account(self, account: Account, mine: bool) -> Branch:
        """Return an account with its holders; `mine` asks for what accounts kept by the filer need."""
        out = Branch(f"accounts[{self._accounts[account.account_id]}]")
        self._institution(out, account, mine)
        holders = [(h, p) for h in account.holders if (p := self.report.party(h.party_id)) is not None]
        out.put("account", account.number, "number")
        out.put("currency_code", account.currency, "currency")
        named = next((p.name for _, p in holders if p.name), "")
        out.put("account_name", latin(account.name or named) or self.unknown, "name")
        out.put("iban", account.iban.replace(" ", ""), "iban")
        kind = self.profile.code("account_kind", account.kind)
        entity = next((p for _, p in holders if p.kind is PartyKind.ENTITY), None)
        apart = entity is not None and self.profile.shape.has("t_account_my_client", "account_type")
        out.put("account_type" if apart else "personal_account_type", kind, "kind")
        if entity is not None:
            out.add("t_entity", [self.entity(entity, mine)])
        people = [(self.profile.code("holder_role", h.role), p) for h, p in holders if p is not entity]
        people = [(role, p) for role, p in people if p.kind is not PartyKind.ENTITY]
        if entity is not None and not people:
            people = [(self.profile.code("holder_role", "authorised"), p) for p, _ in self._owners(entity)]
        if people:
            out.add(
                "signatory", [self._signatory(p, role, i == 0, mine) for i, (role, p) in enumerate(people)]
            )
        else:
            out.lacks("signatory", "holders")
        out.put("opened", day(account.opened_on), "opened_on")
        out.put("closed", day(account.closed_on), "closed_on")
        if account.balance is not None and account.balance_at is not None:
            out.put("balance", f"{account.balance.major:f}", "balance")
            out.put("date_balance", moment(account.balance_at), "balance_at")
        out.put("status_code", self.profile.code("account_status", account.status), "status")
        out.put("status_date", day(account.status_on), "status_on")
        out.put("beneficiary", account.beneficiary or ("-" if mine else None), "beneficiary")
        return out

    def _institution(self, out: Branch, account: Account, mine: bool) -> None:
        """Put who keeps the account: the filer itself where an own account names nobody else."""
        own = self.report.filer.organisation
        bank = account.institution or (own if account.is_client else None)
        if bank is None:
            out.put("institution_name", None if mine else self.unknown, "institution.name")
            out.put(self._bank_code, None if mine else self.no_bank, "institution.bic")
            return
        where = "institution" if account.institution is not None else "/filer.organisation"
        out.put("institution_name", bank.name, f"{where}.name")
        code = bank.number("goaml_institution") or ("" if bank.bic else bank.number("registration"))
        if code and self._bank_code == "institution_code":
            out.put("institution_code", code, f"{where}.identifiers")
        else:
            out.put("swift", bank.bic or (None if mine else self.no_bank), f"{where}.bic")
        out.put("non_bank_institution", "false" if bank.kind == "depository" else "true", f"{where}.kind")
        out.put("branch", bank.branch or (own.branch if mine else None), f"{where}.branch")
        if bank.address is not None:
            out.put("institution_country", bank.address.country, f"{where}.address.country")

    def _signatory(self, person: Party, role: str, primary: bool, mine: bool) -> Branch:
        out = Branch(self.path(person))
        out.put("is_primary", "1" if primary else None, "")
        out.add("t_person", [self.person(person, mine)])
        out.put("role", role or "-", "roles")
        return out

    def contact(self, path: str, contact: Contact) -> Branch:
        """Return the officer who answers for the report."""
        out = Branch(path)
        first, _, last = contact.name.rpartition(" ")
        out.put("gender", self.profile.code("gender", contact.gender), "gender")
        out.put("first_name", latin(contact.first_name or first), "first_name")
        out.put("last_name", latin(contact.last_name or last), "last_name")
        for i, number in enumerate(contact.identifiers[:1]):
            out.put("id_number", number.number, f"identifiers[{i}].number")
        out.put("nationality1", contact.nationality, "nationality")
        out.put("residence", contact.residence, "residence")
        out.put("email", contact.email, "email")
        out.put("occupation", contact.title, "title")
        if contact.phone is not None:
            out.add("phones", [_list(path, "phone", [self.phone(f"{path}.phone", contact.phone)])])
        if contact.address is not None:
            out.add("addresses", [_list(path, "address", [self.address(f"{path}.address", contact.address)])])
        return out


def _list(path: str, name: str, branches: Sequence[Branch]) -> Branch:
    out = Branch(path)
    out.add(name, branches)
    return out


def _lines(text: str, size: int) -> list[str]:
    """Cut a street into lines of at most `size` characters, at blanks where there are some."""
    rest = text.strip()
    out: list[str] = []
    while len(rest) > size and len(out) < 2:
        cut = rest.rfind(" ", 1, size + 1)
        cut = cut if cut > 0 else size
        out.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    return [*out, rest] if rest or not out else out
