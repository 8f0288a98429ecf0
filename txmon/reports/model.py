"""The neutral report model: what every authority's report is written from.

Owns `Report` and gives the names of its parts; `modeljson` reads and writes it. It holds no authority's
codes and checks nothing beyond types: a report may be incomplete, and `checks` then says what is missing.
Names are only ever added; a change of meaning raises `VERSION`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from txmon.reports.modelactivity import (
    Action,
    Activity,
    Attachment,
    Consent,
    Fact,
    Indicator,
    LawEnforcement,
    Narrative,
    Paragraph,
    Question,
    Side,
    Tip,
    Trace,
    Transaction,
)
from txmon.reports.modelparties import (
    VICTIM_ROLES,
    Account,
    Entity,
    Holder,
    Owner,
    Party,
    PartyKind,
    Person,
    Role,
    Subject,
)
from txmon.reports.modelparts import (
    Address,
    Contact,
    Determination,
    EventRef,
    Identifier,
    Kind,
    Mode,
    Money,
    Organisation,
    Phone,
    Signature,
)

VERSION = 1
SIMULATED_MARK = "SIMULATED"
TEST_MARK = "TEST"

__all__ = [
    "SIMULATED_MARK",
    "TEST_MARK",
    "VERSION",
    "VICTIM_ROLES",
    "Account",
    "Action",
    "Activity",
    "Address",
    "Attachment",
    "Consent",
    "Contact",
    "Determination",
    "Entity",
    "EventRef",
    "Fact",
    "Filer",
    "Holder",
    "Identifier",
    "Indicator",
    "Kind",
    "LawEnforcement",
    "Mode",
    "Money",
    "Narrative",
    "Organisation",
    "Owner",
    "Paragraph",
    "Party",
    "PartyKind",
    "Person",
    "Phone",
    "PriorFiling",
    "Question",
    "Report",
    "Role",
    "Side",
    "Signature",
    "Subject",
    "Tip",
    "Trace",
    "Transaction",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filer:
    """Who files: the institution, who transmits for it, the office to turn to, where it happened."""

    organisation: Organisation
    contact: Contact  # the office that answers questions
    transmitter: Organisation | None = None  # null: the institution itself
    transmitter_contact: Contact | None = None  # null: `contact`
    activity_at: tuple[Organisation, ...] = ()  # empty: the institution itself


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorFiling:
    """The earlier report that this one corrects or continues, or that was rejected."""

    reference: str  # the authority's: BSA id, FIU reference
    own_reference: str = ""
    filed_on: date | None = None
    rejected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A suspicious-activity report.

    `report_id` is the filer's own reference, unique among its reports. `jurisdiction` is ISO 3166-1 alpha-2.
    `reporting_person` is the officer who answers for the report. `codes` are answers that only one authority
    asks for, by format, e.g. ``{"goaml": "STR"}`` for the report's code. `prepared_at` is the report's date.
    """

    report_id: str
    jurisdiction: str
    mode: Mode
    kind: Kind
    local_currency: str
    prepared_at: datetime
    filer: Filer
    reporting_person: Contact | None = None
    facts_known_at: Determination | None = None
    parties: tuple[Party, ...] = ()
    subjects: tuple[Subject, ...] = ()
    accounts: tuple[Account, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    activity: Activity = field(default_factory=Activity)
    indicators: tuple[Indicator, ...] = ()
    traces: tuple[Trace, ...] = ()
    facts: tuple[Fact, ...] = ()
    actions: tuple[Action, ...] = ()
    narrative: Narrative = field(default_factory=Narrative)
    attachments: tuple[Attachment, ...] = ()
    law_enforcement: tuple[LawEnforcement, ...] = ()
    tips: tuple[Tip, ...] = ()
    prior_filing: PriorFiling | None = None
    joint_filers: tuple[Organisation, ...] = ()
    consent: Consent | None = None
    codes: Mapping[str, str] = field(default_factory=dict)
    case_id: str = ""

    @property
    def mark(self) -> str:
        """Return what every rendering must carry, empty for a live report."""
        return {Mode.LIVE: "", Mode.SIMULATED: SIMULATED_MARK, Mode.TEST: TEST_MARK}[self.mode]

    def party(self, party_id: str | None) -> Party | None:
        """Return the party of an id, or null."""
        return next((p for p in self.parties if p.party_id == party_id), None)

    def account(self, account_id: str | None) -> Account | None:
        """Return the account of an id, or null."""
        return next((a for a in self.accounts if a.account_id == account_id), None)

    @property
    def possible_victims(self) -> frozenset[str]:
        """Return the ids of the parties who may be victims."""
        return frozenset(p.party_id for p in self.parties if p.possible_victim)

    @property
    def nameable_subjects(self) -> tuple[Subject, ...]:
        """Return the subjects that may be named: with a party on record who is no possible victim."""
        victims = self.possible_victims
        known = {p.party_id for p in self.parties}
        return tuple(s for s in self.subjects if s.party_id in known and s.party_id not in victims)
