"""As-of profiles: what later events know about accounts, merchants and parties.

A profile event patches the profile of the account, merchant or party it names; an event sees, per
field, the newest value whose profile event arrived before it and is not later in event time. This
module owns the table of fields; the engine keeps the values and the SQL side joins them.

Values come from the profile event's own canonical column where `column` is set, else from the key
`name` of its `attributes` map. Event columns made from them are ``payer_<name>`` and ``payee_<name>``
for accounts, ``merchant_<name>`` for merchants; legs add ``account_<name>`` and ``counterparty_<name>``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ProfileType = Literal["text", "bool", "int", "time"]


@dataclass(frozen=True)
class ProfileField:
    """One profile value: of what (`entity`), its type, where a profile event carries it."""

    entity: Literal["account", "merchant"]
    name: str
    type: ProfileType
    doc: str
    column: str | None = None


PROFILE_FIELDS: tuple[ProfileField, ...] = (
    ProfileField("account", "home_country", "text", "holder's country of residence, ISO 3166-1 alpha-2"),
    ProfileField("account", "home_city", "text", "holder's city of residence"),
    ProfileField("account", "tz", "text", "IANA zone of the account", "tz"),
    ProfileField(
        "account", "type", "text", "personal, business, charity, platform, prepaid, wallet, employer"
    ),
    ProfileField("account", "activity", "text", "declared activity or occupation group"),
    ProfileField(
        "account", "opened_time", "time", "when the account was opened (event_time of account.opened)"
    ),
    ProfileField("account", "minor", "bool", "a holder is a minor: for protection only"),
    ProfileField("account", "young", "bool", "a holder is a young person: for protection only"),
    ProfileField("merchant", "country", "text", "country of the merchant", "merchant_country"),
    ProfileField("merchant", "city", "text", "city of the merchant", "city"),
    ProfileField("merchant", "tz", "text", "IANA zone of the merchant", "tz"),
    ProfileField("merchant", "onboarded_time", "time", "when boarded (event_time of merchant.onboarded)"),
    ProfileField("merchant", "opens_hour", "int", "declared opening hour, local, 0-23"),
    ProfileField("merchant", "closes_hour", "int", "declared closing hour, local, 0-24"),
    ProfileField(
        "merchant", "licence", "text", "kind of licence on file, e.g. recruitment, adoption, charity"
    ),
    ProfileField("merchant", "settlement_account", "text", "account the merchant is paid out to"),
)


def profile_fields(entity: str) -> tuple[ProfileField, ...]:
    """Return the fields of one entity, in declaration order."""
    return tuple(f for f in PROFILE_FIELDS if f.entity == entity)


def event_column(role: str, field: ProfileField) -> str:
    """Name of the event (or leg) column that shows `field` for `role`.

    A merchant's country, which an event may also carry itself, is shown as ``merchant_profile_country``
    so that the event's own column keeps its meaning.
    """
    name = f"{role}_{field.name}"
    return "merchant_profile_country" if name == "merchant_country" else name
