"""The events that some hits rest on, found in a store: what a bundle holds and a report is filled from.

Owns the order of the search (around, resolved, reached); each step is its own module's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from txmon.evidence import source
from txmon.evidence.configs import rates_of
from txmon.evidence.reach import Sources, reach
from txmon.evidence.source import Hit
from txmon.store import Store
from txmon.store.schema import hits as hit_rows


@dataclass(frozen=True)
class Chosen:
    """Hits with the events behind them, those that they rest on in order of arrival, exchange rates."""

    found: list[Hit]
    usable: list[Hit]
    events: pa.Table
    rates: pa.Table


def chosen(store: Store, found: Sequence[Hit], reasons: Sequence[str | None]) -> Chosen:
    """Return what some hits rest on.

    Args:
        reasons: why the windows of a hit are not followed, None where they are; same order as `found`.

    Raises:
        StoreCorrupt: an event behind a hit is not in the journal.
    """
    events = source.events_around(store, found)
    resolved = source.resolved(found, events)
    usable = [hit for hit, reason in zip(resolved, reasons, strict=True) if reason is None]
    rates = rates_of({hit.epoch.first_seq: hit.epoch.document for hit in resolved})
    wanted = {hit.seq for hit in resolved}
    if usable:
        wanted |= reach(usable, Sources(events, rates, _counted(store, usable)))
    kept = events.filter(pc.is_in(events.column("ingest_seq"), pa.array(sorted(wanted), pa.int64())))
    return Chosen(resolved, usable, kept.sort_by("ingest_seq"), rates)


def _counted(store: Store, usable: Sequence[Hit]) -> dict[str, frozenset[int]]:
    """Return numbers of events by the rules that the hits' rules count hits of."""
    names = {rule.id for hit in usable for rule in source.closure(hit.rule, hit.epoch.config.rules)}
    query = sa.select(hit_rows.c.rule_id, hit_rows.c.ingest_seq).where(
        hit_rows.c.rule_id.in_(sorted(names)), hit_rows.c.trigger != "tick"
    )
    found: dict[str, set[int]] = {}
    with store.read() as conn:
        for rule_id, number in conn.execute(query):
            found.setdefault(rule_id, set()).add(number)
    return {rule_id: frozenset(numbers) for rule_id, numbers in found.items()}
