"""Small values of a report: money, places, identifiers, references to events, people who act for the filer.

Every value is frozen and typed; nothing here checks whether a report is complete (`checks`) or knows an
authority's codes (its profile).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from txmon.model.currencies import EXPONENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount in integer minor units of an ISO 4217 currency."""

    minor: int
    currency: str

    @property
    def major(self) -> Decimal:
        """Return the amount in major units, exact, with the currency's decimals.

        Raises:
            KeyError: the currency is not in ISO 4217; `checks` names it before a writer asks.
        """
        exponent = EXPONENTS[self.currency]
        return Decimal(self.minor).scaleb(-exponent)

    @property
    def text(self) -> str:
        """Return the amount for a reader, ``EUR 1200.50``."""
        return f"{self.currency} {self.major:f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRef:
    """An event of the journal: the source's name and its id there."""

    source: str
    event_id: str

    @property
    def text(self) -> str:
        """Return the reference as narratives cite it, ``source/event_id``."""
        return f"{self.source}/{self.event_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address; `country` is ISO 3166-1 alpha-2, `state` the code or name used in that country."""

    street: str = ""
    city: str = ""
    state: str = ""
    postcode: str = ""
    country: str = ""
    use: str = "business"  # business, home, mailing, registered or other


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A telephone number; `prefix` is the country's dialling code without a plus sign."""

    number: str
    prefix: str = ""
    extension: str = ""
    use: str = "business"  # business, home or other
    mobile: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """A number that identifies a party, or under which the filer is registered with an authority.

    `kind` of a person: passport, national_id, driving_licence, residence_permit, tax, social_security, other.
    Of an entity: registration, lei, tax, licence, merchant_id, other. Of a filer also: goaml_rentity_id,
    fincen_tcc, fincen_tin_ein, fincen_rssd, fintrac_reporting_entity, nca_reporter, ncmec_esp.
    """

    kind: str
    number: str
    country: str = ""
    issued_by: str = ""
    issued_on: date | None = None
    expires_on: date | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A person or office of the filer that an authority may turn to."""

    name: str  # of the office, or the person's whole name
    first_name: str = ""
    last_name: str = ""
    title: str = ""
    phone: Phone | None = None
    email: str = ""
    address: Address | None = None
    identifiers: tuple[Identifier, ...] = ()
    nationality: str = ""
    residence: str = ""
    gender: str = ""  # female, male or other; only where an authority demands it


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A filing, transmitting or account-holding institution.

    `kind`: depository, money_service, payment_institution, card_network, securities, insurance, casino,
    loan_finance, housing_gse, dealer or other. `regulator` is the primary one's usual short name
    (``FinCEN``, ``OCC``, ``IRS``).
    """

    name: str
    trade_name: str = ""
    kind: str = "payment_institution"
    kind_text: str = ""  # what it is, where kind is other
    identifiers: tuple[Identifier, ...] = ()
    address: Address | None = None
    phone: Phone | None = None
    email: str = ""
    url: str = ""
    regulator: str = ""
    regulator_text: str = ""  # its name, where the regulator is other
    bic: str = ""
    branch: str = ""

    def number(self, kind: str) -> str:
        """Return the number of the first identifier of a kind, empty where there is none."""
        return next((i.number for i in self.identifiers if i.kind == kind), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Determination:
    """A human's finding: who, and when it was known (UTC). The clocks of filing start at it."""

    at: datetime
    author: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The human who read the narrative and answers for it."""

    signer: str
    at: datetime


class Mode(StrEnum):
    """Where a report's events come from; only `live` ever leaves the house."""

    LIVE = "live"
    SIMULATED = "simulated"
    TEST = "test"


class Kind(StrEnum):
    """What a report is towards an earlier one."""

    INITIAL = "initial"
    CORRECTION = "correction"
    CONTINUING = "continuing"
    JOINT = "joint"  # an initial report of several institutions; joint_filers of another kind say it, too
