"""The events of one subject as movements of money, in order of time.

Reads the demo's own events (native columns) and nothing else; never looks at labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from txmon.model.schema import VALUE_KINDS

# Columns of an event that name a subject of each kind.
SUBJECT_COLUMNS: dict[str, tuple[str, ...]] = {
    "account": ("payer", "payee"),
    "merchant": ("merchant",),
    "card": ("card",),
    "device": ("device",),
    "ip": ("ip",),
}
_REFUSED = ("declined", "failed", "cancelled")
_READ = (
    "event_id",
    "event_time",
    "kind",
    "status",
    "amount_minor",
    "currency",
    "payer",
    "payer_country",
    "payee",
    "payee_country",
    "merchant",
    "mcc",
    "purpose",
    "rail",
    "city",
)


@dataclass(frozen=True)
class Movement:
    """Money that reached or left the subject. `amount_minor` is never negative."""

    event_id: str
    time: datetime
    incoming: bool
    counterparty: str
    country: str
    amount_minor: int
    currency: str
    kind: str
    merchant: bool  # the counterparty is a merchant
    purpose: str


@dataclass(frozen=True)
class Flow:
    """What went between the subject and one counterparty (or a group of them)."""

    name: str
    country: str
    count: int
    total_minor: int
    parties: int = 1


def rows_about(events: Any, subject_type: str, subject_id: str) -> Any:
    """Return the rows of `events` that name the subject."""
    mask = pa.array([False] * events.num_rows) if events.num_rows == 0 else None
    for column in SUBJECT_COLUMNS[subject_type]:
        found = pc.fill_null(pc.equal(events[column], subject_id), False)
        mask = found if mask is None else pc.or_(mask, found)
    return events.filter(mask)


def movements(events: Any, subject_type: str, subject_id: str) -> list[Movement]:
    """Return the subject's movements of money, in order of time and then of arrival."""
    rows = rows_about(events, subject_type, subject_id)
    found = [
        _movement(row, subject_type, subject_id)
        for row in rows.select([c for c in _READ if c in rows.column_names]).to_pylist()
        if row["kind"] in VALUE_KINDS and row["amount_minor"] is not None and row["status"] not in _REFUSED
    ]
    return sorted(found, key=lambda m: m.time)


def _movement(row: Mapping[str, Any], subject_type: str, subject_id: str) -> Movement:
    incoming = row["payee"] == subject_id if subject_type == "account" else _towards(row, subject_type)
    side = "payer" if incoming else "payee"
    merchant = not incoming and row["merchant"] is not None and subject_type != "merchant"
    return Movement(
        event_id=row["event_id"],
        time=row["event_time"],
        incoming=incoming,
        counterparty=(row["merchant"] if merchant else row[side]) or "not named",
        country=row[f"{side}_country"] or "",
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        kind=row["kind"],
        merchant=merchant,
        purpose=row["purpose"] or "",
    )


def _towards(row: Mapping[str, Any], subject_type: str) -> bool:
    """A merchant receives what is not paid back; a card or device spends."""
    back = row["kind"] in ("refund", "chargeback", "reversal")
    return back != (subject_type == "merchant")


def flows(moved: Iterable[Movement]) -> list[Flow]:
    """Group movements by counterparty, the largest total first."""
    groups: dict[str, list[Movement]] = {}
    for movement in moved:
        groups.setdefault(movement.counterparty, []).append(movement)
    made = [
        Flow(name, group[0].country, len(group), sum(m.amount_minor for m in group))
        for name, group in groups.items()
    ]
    return sorted(made, key=lambda f: (-f.total_minor, f.name))


def bundle(name: str, group: list[Flow]) -> Flow:
    """Several flows as one."""
    return Flow(name, "", sum(f.count for f in group), sum(f.total_minor for f in group), len(group))
