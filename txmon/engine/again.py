"""Second evaluations: late events at later times of their subject.

Owns which (event, time) pairs are evaluated again; uses the same rules and the same windows as the first
evaluation. Keeps nothing between batches.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from txmon.engine.features import FeatureStore
from txmon.engine.frames import AgainFrame, Frame
from txmon.engine.hits import CompiledRule, Found, matches
from txmon.engine.state import I64

# Pairs are evaluated in portions of at most this many rows, so that a burst of late events for a busy
# subject cannot take unbounded memory.
PORTION_ROWS = 262_144


def evaluate_late(
    store: FeatureStore, compiled: CompiledRule, frame: Frame, late: I64, order: I64
) -> Iterator[tuple[Found, I64]]:
    """Evaluate rows again that came late for a rule's subject; yields what was found and its rows.

    Only rows that meet the rule's conditions on the event alone can ever hit. The search computes the
    features that `when` reads; the others are computed for the hits.
    """
    if len(late):
        late = late[compiled.guard(frame)[late]]
    if len(late) == 0:
        return
    slot = store.subject_slot(compiled.rule.on, compiled.rule.subject)
    keys = store.keys.key_codes(frame, slot.key)
    time = frame.time()
    request, times = slot.group.later_times(keys[late], time[late], order[late], compiled.longest_us)
    start = 0
    while start < len(times):
        stop = min(len(times), start + PORTION_ROWS)
        if stop < len(times):
            # keep the times of one event together; one event alone may exceed the portion
            stop = int(np.searchsorted(request, request[stop], side="left"))
            if stop <= start:
                stop = int(np.searchsorted(request, request[start], side="right"))
        part = slice(start, stop)
        hits = _first_hits(store, compiled, frame, (late[request[part]], times[part], order))
        if len(hits[0]):
            yield _found(store, compiled, frame, (*hits, order)), hits[0]
        start = stop


Pairs = tuple[I64, I64, I64]  # rows, times, order of arrival of every row of the frame


def _first_hits(store: FeatureStore, compiled: CompiledRule, frame: Frame, pairs: Pairs) -> tuple[I64, I64]:
    """Rows and times of the first hit of each event; rows stand together with rising times."""
    rows, times, order = pairs
    again = AgainFrame(frame, rows)
    store.count_at(again, compiled.features_asked, (frame, rows), times, order[rows])
    hit = np.flatnonzero(matches(compiled, again)[0])
    first = hit[np.concatenate([[True], rows[hit][1:] != rows[hit][:-1]])] if len(hit) else hit
    return rows[first], times[first]


def _found(store: FeatureStore, compiled: CompiledRule, frame: Frame, pairs: Pairs) -> Found:
    rows, times, order = pairs
    again = AgainFrame(frame, rows)
    store.count_at(again, compiled.features, (frame, rows), times, order[rows])
    lets = {name: frame.shared.evaluate(expr, again) for name, expr in compiled.let.items()}
    return Found(compiled, again, lets, rows, "late", times)
