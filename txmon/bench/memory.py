"""Measures what windows and identities take in memory, by the group of keys that keeps them.

    memory(40_000)    the packs that ship over payments of 30 days, all of which every long window holds

An event is kept by each group of windows as long as its longest window and the accepted lateness reach. So
what a store needs in the long run is bytes an event times the days that the group keeps it, for each event a
day. Owns this sum; runs in this process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from txmon.bench.data import Shape, Stream
from txmon.bench.history import canonical_rows
from txmon.bench.jobs import FEED, KEY
from txmon.engine.engine import Limits
from txmon.engine.warm import warm_up
from txmon.model.pan import Tokeniser
from txmon.model.rates import Rates
from txmon.pipeline.scorer import Scorer
from txmon.rules.pack import load_pack
from txmon.streams.canonical import Context
from txmon.streams.feedfile import load_feed

_DAY_US = 86_400_000_000
_ROWS = 8_192


@dataclass(frozen=True)
class Held:
    """What a group of windows holds: bytes for each event, as long as `days`; bytes of its keys."""

    key: str
    days: float
    bytes_per_event: float
    key_bytes: int


def memory(events: int) -> dict[str, Any]:
    """Return bytes an event by group, of keys and identities, and what each event a day needs in the end."""
    limits = Limits()
    scorer = Scorer(load_pack(), None, limits)
    warm_up(lambda _: None)
    context = Context(load_feed(FEED), Tokeniser(KEY), Rates("EUR"))
    for batch in Stream(Shape.scaled(events)).batches(_ROWS):
        scorer.apply(canonical_rows(batch, context))
    held = []
    for slot in scorer.engine.store.slots:
        parts = slot.group.bytes_used()
        keys = parts.pop("keys")
        days = slot.reach_us / _DAY_US + limits.max_lateness_days
        held.append(Held("+".join(slot.key), round(days, 1), round(sum(parts.values()) / events, 1), keys))
    identity = scorer.engine.gate.bytes_used() / events
    known = limits.dedup_horizon_days + limits.max_lateness_days
    long_run = sum(one.bytes_per_event * one.days for one in held) + identity * known
    return {
        "groups": [
            {"key": one.key, "days": one.days, "bytes_per_event": one.bytes_per_event}
            for one in sorted(held, key=lambda one: -one.bytes_per_event * one.days)
            if one.bytes_per_event >= 1
        ],
        "bytes_per_event": round(sum(one.bytes_per_event for one in held) + identity, 1),
        "key_bytes_per_event": round(sum(one.key_bytes for one in held) / events, 1),
        "identity_bytes": round(identity, 1),
        "bytes_per_event_a_day": round(long_run),
    }
