"""The canonical event: one Arrow schema, declared once.

Every other shape (feed targets, SQL DDL, documentation) is made from `CANONICAL` or tested against it.
This module owns names, types and kinds; it never holds data.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")
HOLDER = pa.struct(
    [
        pa.field("party", pa.string()),
        pa.field("role", pa.string()),  # owner | joint | authorised | attorney
        pa.field("valid_from", TIME),
        pa.field("valid_to", TIME),
    ]
)

VALUE_KINDS: tuple[str, ...] = (
    "payment",
    "transfer",
    "payout",
    "cash_in",
    "cash_out",
    "load",
    "authorization",
    "capture",
    "reversal",
    "refund",
    "chargeback",
)
PROFILE_KINDS: tuple[str, ...] = (
    "account.opened",
    "account.updated",
    "account.closed",
    "merchant.onboarded",
    "merchant.updated",
    "merchant.scanned",
    "merchant.terminated",
    "party.updated",
    "device.seen",
)
OTHER_KINDS: tuple[str, ...] = ("tip.received", "tick")
KINDS: tuple[str, ...] = VALUE_KINDS + PROFILE_KINDS + OTHER_KINDS
NEGATIVE_KINDS: tuple[str, ...] = ("refund", "chargeback", "reversal")
STATUSES: tuple[str, ...] = ("approved", "declined", "pending", "settled", "failed", "cancelled")
MODES: tuple[str, ...] = ("live", "test")
RESOLUTIONS: tuple[str, ...] = ("us", "ms", "s", "minute", "hour", "day")
AMOUNT_MINOR_MAX = 10**15


@dataclass(frozen=True)
class EventField:
    """One canonical column: its Arrow type, what it means, and whether a person may be named by it."""

    name: str
    type: pa.DataType
    doc: str
    required: bool = False


_S = pa.string()
FIELDS: tuple[EventField, ...] = (
    EventField("event_id", _S, "the source's own id; with `source` the idempotency key", True),
    EventField("source", _S, "where the event comes from; default the feed's name", True),
    EventField("ingest_seq", pa.int64(), "order of arrival, given at acceptance; null before"),
    EventField("event_time", TIME, "when it happened, UTC", True),
    EventField("time_resolution", _S, "us, ms, s, minute, hour or day: how exact event_time is", True),
    EventField("tz", _S, "IANA zone of the place of the event, where known"),
    EventField("kind", _S, "what kind of event, see KINDS", True),
    EventField("status", _S, "approved, declined, pending, settled, failed, cancelled or null"),
    EventField("mode", _S, "live or test; windows never mix them", True),
    EventField("entity", _S, "reporting entity; windows never mix them", True),
    EventField("amount_minor", pa.int64(), "amount in minor units of `currency`"),
    EventField("currency", _S, "ISO 4217 code"),
    EventField(
        "amount_base_minor", pa.int64(), "amount in minor units of the base currency; null if unconverted"
    ),
    EventField("base_currency", _S, "the entity's base currency", True),
    EventField("rate_date", pa.date32(), "date of the rate used; null for the base currency itself"),
    EventField("unconverted", pa.bool_(), "true where no usable rate was found", True),
    EventField("auth_is_final", pa.bool_(), "true where the source sends only authorisations", True),
    EventField("payer", _S, "account the money comes from"),
    EventField("payer_country", _S, "ISO 3166-1 alpha-2"),
    EventField("payee", _S, "account the money goes to"),
    EventField("payee_country", _S, "ISO 3166-1 alpha-2"),
    EventField("account", _S, "the account an account.* or device.seen event is about"),
    EventField("party", _S, "the person or firm a party.updated event is about"),
    EventField("merchant", _S, "merchant id"),
    EventField("merchant_country", _S, "ISO 3166-1 alpha-2"),
    EventField("mcc", _S, "ISO 18245 merchant category code, four digits"),
    EventField("descriptor", _S, "statement text of the merchant"),
    EventField("sub_merchant", _S, "merchant behind an aggregator"),
    EventField("terminal", _S, "terminal id"),
    EventField("card", _S, "keyed token of the card, never the number"),
    EventField("card_bin", _S, "first six or eight digits"),
    EventField("card_last4", _S, "last four digits"),
    EventField("card_country", _S, "issuer's country, ISO 3166-1 alpha-2"),
    EventField("card_prepaid", pa.bool_(), "prepaid card"),
    EventField("device", _S, "device id"),
    EventField("ip", _S, "IP address, weak evidence"),
    EventField("ip_country", _S, "ISO 3166-1 alpha-2"),
    EventField("city", _S, "place of the event"),
    EventField("lat", pa.float64(), "degrees north"),
    EventField("lon", pa.float64(), "degrees east"),
    EventField("channel", _S, "pos, ecom, atm, app, web, branch, moto, recurring"),
    EventField("rail", _S, "card, sepa, swift, p2p, cash, crypto, prepaid, mobile_money, ..."),
    EventField("purpose", _S, "ISO 20022 external purpose code, e.g. SALA, RENT"),
    EventField("memo", _S, "free text of the payment"),
    EventField("related_event_id", _S, "event this one refers to (capture, refund, reversal, chargeback)"),
    EventField("holders", pa.list_(HOLDER), "on account.*: who holds the account"),
    EventField("attributes", pa.map_(_S, _S), "everything else the source gives"),
)
CANONICAL: pa.Schema = pa.schema(
    [pa.field(f.name, f.type, nullable=not f.required or f.name == "ingest_seq") for f in FIELDS]
)
FIELD_BY_NAME: dict[str, EventField] = {f.name: f for f in FIELDS}
