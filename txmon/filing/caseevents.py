"""The events of a case: what its hits rest on, as far as it is about the case's own parties.

A rule may look at what others paid at the same shop or on the same device; that is nobody's business in a
report about somebody else. So of all that the windows of the hits read, the events that caused a hit
stay, and those that name a party of the case. What a party bought for daily life stays out, too: a purchase
is told if it caused a hit, if its merchant is a party, or if another of its category (MCC) caused a hit.
Owns the choice; reads only.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from txmon.evidence.chosen import chosen
from txmon.evidence.scores import refused
from txmon.evidence.source import Hit, hits_of
from txmon.store import Store

_ENDS = ("payer", "payee", "account", "merchant", "sub_merchant", "card")


def evidence_of(
    store: Store, alert_ids: Sequence[str], refs: Collection[str]
) -> tuple[list[dict[str, Any]], list[Hit]]:
    """Return the canonical events and the hits of some alerts, each in order of time.

    Args:
        refs: accounts, merchants and cards that are parties of the case, as events name them.

    Raises:
        StoreCorrupt: an event behind a hit is not in the journal: it was erased.
    """
    found = [hit for alert_id in alert_ids for hit in hits_of(store, alert_id)]
    if not found:
        return [], []
    around = chosen(store, found, [refused(hit) for hit in found])
    events = around.events
    causes = pa.array(sorted({hit.seq for hit in around.found}), pa.int64())
    caused = pc.is_in(events.column("ingest_seq"), causes)
    names = pa.array(sorted(refs), pa.string())
    named = [pc.is_in(events.column(each).cast(pa.string()), names) for each in _ENDS]
    kinds = events.filter(caused).column("mcc").drop_null().unique()
    other = pc.and_not(events.column("merchant").is_valid(), pc.is_in(events.column("mcc"), kinds))
    daily = pc.and_not(other, pc.or_(named[_ENDS.index("merchant")], named[_ENDS.index("sub_merchant")]))
    kept = pc.or_(caused, pc.and_not(reduce(pc.or_, named), daily))
    rows = events.filter(kept).sort_by([("event_time", "ascending"), ("ingest_seq", "ascending")])
    hits = sorted(around.found, key=lambda hit: (hit.row["event_time"], hit.row["hit_id"]))
    return rows.to_pylist(), hits
