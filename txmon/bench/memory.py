"""Measures what windows take in memory once they are full, by the group of keys that keeps them.

    memory(80_000)    payments over six and a half years, thinly, under the packs that ship

An event may be as old as the longest window and the accepted lateness, and its own windows look back further
still, so a group keeps rows for both (docs/decisions.md, 1). The stream lasts longer than any does: at its
end as much leaves as enters, and what is held, divided by the events of a day, is what each event a day costs
in the long run. Owns this stream; runs in this process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from txmon.bench.data import Shape, Stream
from txmon.bench.history import canonical_rows
from txmon.bench.jobs import FEED, KEY
from txmon.engine.engine import Limits
from txmon.engine.warm import warm_up
from txmon.model.pan import Tokeniser
from txmon.model.rates import Rates
from txmon.pipeline.scorer import Scorer
from txmon.pipeline.statefile import write_state
from txmon.rules.pack import load_pack
from txmon.streams.canonical import Context
from txmon.streams.feedfile import load_feed

DAYS = 2_400
_MONTHLY = 10  # events a payer makes in a month
_ROWS = 4_096
_DAY_US = 86_400_000_000


def memory(events: int, folder: Path) -> dict[str, Any]:
    """Return bytes for each event a day: of all windows, of each group, of a snapshot."""
    limits = Limits()
    scorer = Scorer(load_pack(), None, limits)
    warm_up(lambda _: None)
    context = Context(load_feed(FEED), Tokeniser(KEY), Rates("EUR"))
    payers = max(10, round(events / (_MONTHLY * DAYS / 30)))
    shape = Shape(events, DAYS, payers, max(5, payers // 2), max(3, payers // 8))
    for batch in Stream(shape).batches(_ROWS):
        scorer.apply(canonical_rows(batch, context))
    daily = events / DAYS
    oldest = scorer.engine.store.longest_us / _DAY_US + limits.max_lateness_days
    groups, all_rows = [], 0.0
    for slot in scorer.engine.store.slots:
        parts = slot.group.bytes_used()
        parts.pop("keys")
        rows = sum(parts.values()) / daily
        all_rows += rows
        days = round(oldest + slot.reach_us / _DAY_US)
        groups.append({"key": "+".join(slot.key), "days": days, "bytes_per_event_a_day": round(rows)})
    write_state(scorer.snapshot(), folder / "state.arrow")
    return {
        "events": events,
        "days": DAYS,
        "groups": [g for g in sorted(groups, key=_size) if _size(g) <= -1000],
        "bytes_per_event_a_day": round(all_rows),
        "snapshot_bytes_per_event_a_day": round((folder / "state.arrow").stat().st_size / daily),
        "identity_bytes": round(scorer.engine.gate.bytes_used() / daily / limits.dedup_horizon_days),
    }


def _size(group: dict[str, Any]) -> int:
    return -int(group["bytes_per_event_a_day"])
