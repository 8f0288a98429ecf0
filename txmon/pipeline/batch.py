"""Works to one batch of events in order of arrival, and the way back from its rows to the works.

Owns the assembling, and the two refusals that need more than the event itself: a time ahead of the clock,
and an entity or mode that the sender may not send.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from txmon.model.aliases import NewAliases
from txmon.pipeline.history import EVENTS
from txmon.pipeline.work import Decoded, Intake, Refusal, Sender, Work

AHEAD_US = 24 * 3600 * 1_000_000
AHEAD = Refusal("ahead_of_clock", "event_time", "is more than 24 hours ahead of the time it came in")
ENTITY = Refusal("not_permitted", "entity", "this sender may not send events of this entity")
MODE = Refusal("not_permitted", "mode", "this sender may not send events of this mode")


@dataclass(frozen=True)
class Place:
    """Where rows come from: number of the work, index of the payload and its position, one of each a row."""

    work: np.ndarray
    line: np.ndarray
    position: np.ndarray

    def take(self, rows: np.ndarray) -> Place:
        """Places of some rows."""
        return Place(self.work[rows], self.line[rows], self.position[rows])


@dataclass(frozen=True)
class Batch:
    """Events to be applied, and rows refused before. aliases: of the cards in any of them."""

    works: Sequence[Work]
    events: pa.Table
    event_place: Place
    refused: pa.Table
    refused_place: Place
    received_us: int
    aliases: tuple[NewAliases, ...] = ()


def assemble(works: Sequence[Work], intake: Intake) -> Batch:
    """Decode works together where they may be, and refuse what may not be applied."""
    parts = [_decode(run, number, intake) for number, run in _runs(works)]
    tables = [part.events for part in parts]
    if len({table.schema for table in tables}) > 1:
        tables = [table.cast(EVENTS) for table in tables]
    refused = [part.refused for part in parts]
    return Batch(
        works,
        tables[0] if len(tables) == 1 else pa.concat_tables(tables).combine_chunks(),
        _joined([part.event_place for part in parts]),
        refused[0] if len(refused) == 1 else pa.concat_tables(refused),
        _joined([part.refused_place for part in parts]),
        max(work.received_us for work in works),
        tuple(aliases for part in parts for aliases in part.aliases),
    )


def _runs(works: Sequence[Work]) -> list[tuple[int, list[Work]]]:
    """Works in a row that one decoder may read at once, and the number of the first of each run."""
    found: list[tuple[int, list[Work]]] = []
    for number, work in enumerate(works):
        last = found[-1][1][-1] if found else None
        if last is not None and last.decoded is None and work.decoded is None and last.sender == work.sender:
            found[-1][1].append(work)
        else:
            found.append((number, [work]))
    return found


def _decode(works: Sequence[Work], number: int, intake: Intake) -> Batch:
    sender = works[0].sender
    sizes = [len(work.payloads) for work in works]
    decoded = works[0].decoded
    if decoded is None:
        owner = np.repeat(np.arange(len(works)), sizes)
        first = np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)
        payloads = [payload for work in works for payload in work.payloads]
        decoded = intake.decode(sender, payloads, np.arange(1, len(payloads) + 1) - first)
    else:
        last = max(int(decoded.lines.max(initial=0)), int(decoded.refused.max(initial=0)))
        owner, first = np.zeros(last + 1, np.int64), np.zeros(last + 1, np.int64)
    received = np.array([work.received_us for work in works], np.int64)

    def places(index: np.ndarray) -> Place:
        return Place(number + owner[index], index - first[index], decoded.positions[index])

    events_at, refused_at = places(decoded.lines), places(decoded.refused)
    return _checked(works, decoded, events_at, refused_at, received[events_at.work - number], intake)


def _checked(
    works: Sequence[Work],
    decoded: Decoded,
    events_at: Place,
    refused_at: Place,
    received: np.ndarray,
    intake: Intake,
) -> Batch:
    sender, events = works[0].sender, decoded.events
    tables, places = [decoded.quarantine], [refused_at]
    good = np.ones(len(events), np.bool_)
    for refusal, bad in _bad(events, sender, received):
        rows = np.flatnonzero(bad & good)
        if len(rows):
            good &= ~bad
            taken = events.take(pa.array(rows))
            tables.append(intake.refuse(taken, refusal, sender, events_at.position[rows]))
            places.append(events_at.take(rows))
    if len(places) > 1:
        events, events_at = events.filter(pa.array(good)), events_at.take(np.flatnonzero(good))
    refused = tables[0] if len(tables) == 1 else pa.concat_tables(tables)
    aliases = () if decoded.aliases is None else (decoded.aliases,)
    return Batch(works, events, events_at, refused, _joined(places), 0, aliases)


def _bad(events: pa.Table, sender: Sender, received: np.ndarray) -> list[tuple[Refusal, np.ndarray]]:
    if not len(events):
        return []
    found = []
    time = events.column("event_time").cast(pa.int64()).to_numpy()
    ahead = time > received + AHEAD_US
    if ahead.any():
        found.append((AHEAD, ahead))
    for refusal, name, allowed in ((ENTITY, "entity", sender.entities), (MODE, "mode", sender.modes)):
        if allowed is not None:
            inside = pc.is_in(events.column(name).cast(pa.string()), pa.array(sorted(allowed), pa.string()))
            outside = ~inside.combine_chunks().to_numpy(zero_copy_only=False)
            if outside.any():
                found.append((refusal, outside))
    return found


def _joined(places: Sequence[Place]) -> Place:
    if len(places) == 1:
        return places[0]
    return Place(
        np.concatenate([p.work for p in places]),
        np.concatenate([p.line for p in places]),
        np.concatenate([p.position for p in places]),
    )
