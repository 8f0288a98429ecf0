"""Which columns a rule sees on events and on legs, with their units, and which may be part of a window key.

Made from the canonical schema and the profile table, so that a new field appears by itself.
Derived columns are added by `txmon.rules.derived`. Never holds data.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa

from txmon.model.profile import PROFILE_FIELDS, event_column
from txmon.model.schema import FIELDS
from txmon.rules.ir import On, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping

# canonical columns that a rule reaches in another way, with that way
HIDDEN: dict[str, str] = {
    "amount_minor": "write `amount` (base currency) or `amount_original`",
    "amount_base_minor": "write `amount`: money in the base currency, major units",
    "ingest_seq": "rules never see the order number",
    "rate_date": "rates are applied by the event's date; compare `amount`",
    "base_currency": "`amount` is in the base currency",
    "holders": "write own_transfer, or a profile column such as payer_minor",
    "attributes": "write attribute('key')",
}
_PROFILE_UNITS = {"text": Unit.TEXT, "bool": Unit.BOOL, "int": Unit.COUNT, "time": Unit.TIME}
LEG_COLUMNS: dict[str, Unit] = {
    "account": Unit.TEXT,
    "counterparty": Unit.TEXT,
    "direction": Unit.TEXT,
    "account_country": Unit.TEXT,
    "counterparty_country": Unit.TEXT,
}
ROLES: dict[On, dict[str, tuple[str, ...]]] = {
    "events": {"account": ("payer", "payee"), "merchant": ("merchant",)},
    "legs": {"account": ("payer", "payee", "account", "counterparty"), "merchant": ("merchant",)},
}
SUBJECTS: dict[str, On] = {
    "payer": "events",
    "payee": "events",
    "merchant": "events",
    "card": "events",
    "device": "events",
    "ip": "events",
    "account": "legs",
}


def canonical_unit(kind: pa.DataType) -> Unit | None:
    """Unit of a canonical column by its Arrow type; None where a rule cannot use it."""
    if pa.types.is_string(kind):
        return Unit.TEXT
    if pa.types.is_boolean(kind):
        return Unit.BOOL
    if pa.types.is_timestamp(kind):
        return Unit.TIME
    return Unit.NUMBER if pa.types.is_floating(kind) else None


@cache
def columns(on: On) -> Mapping[str, Unit]:
    """Every column but the derived ones, name to unit."""
    found: dict[str, Unit] = {}
    for field in FIELDS:
        unit = canonical_unit(field.type)
        if field.name not in HIDDEN and unit is not None:
            found[field.name] = unit
    found["amount"] = Unit.MONEY
    found["amount_original"] = Unit.NUMBER
    for profile in PROFILE_FIELDS:
        for role in ROLES[on][profile.entity]:
            found[event_column(role, profile)] = _PROFILE_UNITS[profile.type]
    found["own_transfer"] = Unit.BOOL
    if on == "legs":
        found.update(LEG_COLUMNS)
    return MappingProxyType(found)


@cache
def key_columns(on: On) -> frozenset[str]:
    """Columns that may be part of a window's key: text of the event itself, not of a profile."""
    skipped = {"event_id", "source", "mode", "entity", "time_resolution", "tz", "account"}
    names = {f.name for f in FIELDS if pa.types.is_string(f.type) and f.name not in skipped | set(HIDDEN)}
    return frozenset(names | (set(LEG_COLUMNS) if on == "legs" else set()))
