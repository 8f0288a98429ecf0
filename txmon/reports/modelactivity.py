"""What happened: transactions with both sides, the activity as a whole, indicators, traces, recorded facts.

Times are UTC; money is in minor units. Everything that a narrative may say is a `Fact` here or follows from
the other fields; each rests on events or on a person's record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from txmon.reports.modelparts import Address, EventRef, Money, Phone, Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One end of a transaction: an account, a party or both.

    `funds`: cash, deposit, card, transfer, wallet, prepaid, cheque, crypto or other. `client` says that this
    side is the filer's own customer. `conductor_id` is the party who acted; `on_behalf_of` those they
    acted for.
    """

    account_id: str | None = None
    party_id: str | None = None
    funds: str = "transfer"
    funds_text: str = ""
    country: str = ""
    client: bool = False
    foreign: Money | None = None  # in the currency of this side, where it is not the local one
    rate: Decimal | None = None  # units of local currency for one of the foreign
    conductor_id: str | None = None
    on_behalf_of: tuple[str, ...] = ()
    suspected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A movement of money from one side to the other.

    `method`: card, transfer, wire, cash, wallet, prepaid, cheque, crypto, internal, atm, pos, gateway or
    other. `channel`: branch, online, mobile, phone, atm, pos or other. `amount` is what moved, `local` the
    same in the report's local currency (null where equal). `events` name the journal's events that it
    rests on.
    """

    transaction_id: str
    at: datetime
    amount: Money
    from_side: Side
    to_side: Side
    events: tuple[EventRef, ...]
    local: Money | None = None
    method: str = "transfer"
    channel: str = "online"
    description: str = ""
    location: str = ""
    address: Address | None = None
    posted_at: datetime | None = None
    attempted: bool = False  # did not complete
    status_text: str = ""
    suspicious: bool = True
    purpose: str = ""
    memo: str = ""
    reference: str = ""  # the filer's own
    device: str = ""
    ip: str = ""
    wallet_from: str = ""
    wallet_to: str = ""
    transaction_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """The suspicious activity as a whole; `first` and `last` are the first and last time of it."""

    first: datetime | None = None
    last: datetime | None = None
    total: Money | None = None
    amount_unknown: bool = False
    no_amount: bool = False  # no money was involved
    cumulative: Money | None = None  # over all reports, for a continuing one
    typologies: tuple[str, ...] = ()
    key_terms: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    ongoing: bool = False
    location: Address | None = None
    other_text: str = ""  # kind of activity, where no typology fits
    classifications: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # a human's, by format


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """A reason for suspicion: what a rule or a person saw. `codes` are an authority's, by format."""

    text: str
    rule_id: str = ""
    rule_version: str = ""
    typology: str = ""
    codes: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)  # name -> value or threshold, as text
    events: tuple[EventRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Something technical that identifies.

    `kind`: ip, url, domain, email, phone, device, mac, wallet, transaction_hash, file_hash, port, user_agent,
    handle or other. In child-exploitation cases a URL is a keyed hash, never a link.
    """

    kind: str
    value: str
    at: datetime | None = None
    party_id: str | None = None
    text: str = ""
    events: tuple[EventRef, ...] = ()


class Question(StrEnum):
    """What a recorded fact answers."""

    WHO = "who"
    WHAT = "what"
    WHEN = "when"
    WHERE = "where"
    WHY = "why"
    HOW = "how"
    USUAL = "usual"  # what would have been usual, and other explanations considered
    VICTIM = "victim"  # about a possible victim; told in the narrative, never as subject
    ACTION = "action"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One recorded fact, and what it rests on: events, or the person who recorded it."""

    question: Question
    text: str
    events: tuple[EventRef, ...] = ()
    author: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What the filer did: account_closed, account_restricted, hold, monitoring, police_informed, other."""

    kind: str
    text: str
    at: datetime | None = None
    author: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """A part of the narrative and the events it cites."""

    heading: str
    text: str
    events: tuple[EventRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrative:
    """The free text: drafted from facts, then signed by a human; unsigned it is a draft."""

    paragraphs: tuple[Paragraph, ...] = ()
    language: str = "en"
    signed: Signature | None = None

    @property
    def text(self) -> str:
        """Return the whole text, a blank line between paragraphs."""
        return "\n\n".join(p.text for p in self.paragraphs if p.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that goes along; the bytes stay where they are kept."""

    name: str
    media_type: str
    size_bytes: int
    sha256: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LawEnforcement:
    """A contact with police or prosecution about the same matter."""

    agency: str
    contact: str = ""
    phone: Phone | None = None
    email: str = ""
    reference: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """A hotline's reference; of a URL only the keyed hash."""

    source: str
    reference: str
    received_at: datetime | None = None
    url_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A request to be allowed to act (a defence against money laundering, UK)."""

    act: str
    property_text: str = ""
    value: Money | None = None
