"""Who a report speaks of: parties with their roles, the subjects among them, their accounts.

A party is anybody who takes part in what happened; a subject is a party whom the report suspects. A party who
may be a victim is never a subject: `checks` refuses it, the writers leave them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from txmon.reports.modelparts import Address, EventRef, Identifier, Money, Organisation, Phone


class PartyKind(StrEnum):
    """What a party or a subject is."""

    NATURAL_PERSON = "natural_person"
    ENTITY = "entity"
    UNKNOWN = "unknown"


class Role(StrEnum):
    """What a party is in the case; several may hold at once."""

    SUSPECT = "suspect"
    RECRUITER = "recruiter"
    MIDDLEMAN = "middleman"
    FACILITATOR = "facilitator"
    SITE_OPERATOR = "site_operator"
    EMPLOYER = "employer"
    SERVICE_PROVIDER = "service_provider"
    CLIENT = "client"
    DECEIVED_CLIENT = "deceived_client"
    POSSIBLE_VICTIM = "possible_victim"
    IMAGE_VICTIM = "image_victim"
    UNKNOWN = "unknown"


VICTIM_ROLES = frozenset({Role.POSSIBLE_VICTIM, Role.IMAGE_VICTIM})


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A natural person as the filer's records know them; empty where they don't."""

    first_name: str = ""
    middle_name: str = ""
    last_name: str = ""
    suffix: str = ""
    aliases: tuple[str, ...] = ()
    gender: str = ""  # female, male or other; only where an authority demands it
    born_on: date | None = None
    birth_country: str = ""
    nationalities: tuple[str, ...] = ()
    residence: str = ""
    occupation: str = ""
    employer: str = ""

    @property
    def full_name(self) -> str:
        """Return the names in order, one blank between."""
        return " ".join(n for n in (self.first_name, self.middle_name, self.last_name, self.suffix) if n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A person behind an entity: director, beneficial owner, authorised signatory."""

    party_id: str
    role: str = "director"  # director, beneficial_owner, signatory or other


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A company, association or merchant."""

    name: str = ""
    trade_names: tuple[str, ...] = ()
    legal_form: str = ""
    registration_number: str = ""
    registration_country: str = ""
    registration_state: str = ""
    registered_on: date | None = None
    status: str = ""  # active, dissolved or other
    business: str = ""
    mcc: str = ""
    naics: str = ""
    descriptor: str = ""
    owners: tuple[Owner, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Somebody who takes part; `person` or `entity` is given according to `kind`."""

    party_id: str
    kind: PartyKind
    roles: tuple[Role, ...] = (Role.UNKNOWN,)
    is_client: bool = False  # a customer of the filer
    person: Person | None = None
    entity: Entity | None = None
    identifiers: tuple[Identifier, ...] = ()
    addresses: tuple[Address, ...] = ()
    phones: tuple[Phone, ...] = ()
    emails: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()  # ``platform:name``
    relationship: str = ""  # to the filer, in words
    client_since: date | None = None
    client_until: date | None = None
    is_filer_staff: bool = False

    @property
    def possible_victim(self) -> bool:
        """Whether any role says that this may be a victim."""
        return any(role in VICTIM_ROLES for role in self.roles)

    @property
    def name(self) -> str:
        """Return the name on record; empty where none is known."""
        if self.kind is PartyKind.NATURAL_PERSON and self.person is not None:
            return self.person.full_name
        if self.kind is PartyKind.ENTITY and self.entity is not None:
            return self.entity.name
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom the report suspects; `party_id` is null, and the kind unknown, where nobody can be named."""

    kind: PartyKind
    party_id: str | None = None
    reason: str = ""  # why this party is suspected, or why the subject is unknown
    role_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A party's part in an account: owner, joint, authorised, attorney or beneficiary."""

    party_id: str
    role: str = "owner"
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account, wallet, card or merchant account.

    `kind`: current, savings, joint, business, card_credit, card_debit, prepaid, wallet, crypto_wallet, loan,
    merchant or other. `status`: active, blocked, frozen, restricted, dormant, closed or unknown. `number` is
    the account number or a token; a full card number is never in a report model.
    """

    account_id: str
    number: str
    kind: str = "current"
    currency: str = ""
    institution: Organisation | None = None
    iban: str = ""
    name: str = ""
    is_client: bool = False  # kept by the filer
    holders: tuple[Holder, ...] = ()
    opened_on: date | None = None
    closed_on: date | None = None
    status: str = "unknown"
    status_on: date | None = None
    balance: Money | None = None
    balance_at: datetime | None = None
    beneficiary: str = ""
    card_bin: str = ""
    card_last4: str = ""
    events: tuple[EventRef, ...] = ()
