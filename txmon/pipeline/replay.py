"""Derives every hit again from the journal and compares it with what is stored.

Each config scores the part of the journal in which it was in force, with all of history behind it, as the
service did. A hit is compared in everything that is stored of it, and in what it did to alerts. Where
events were erased, what came after them may rest on them: a difference there is counted as erased, and
never hides one before. Owns the comparison; writes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import sqlalchemy as sa

from txmon.errors import StateError
from txmon.pipeline.history import Run, epochs, runs
from txmon.pipeline.recover import again, fresh, warm
from txmon.pipeline.scorer import Result
from txmon.store import Store, journal
from txmon.store.schema import alert_hits, hits
from txmon.store.schema import journal as rows
from txmon.store.texts import column

MOST_SHOWN = 100
Progress = Callable[[int, int], None]
Identity = tuple[str, str, str, str, str, str]  # source, event_id, leg, rule_id, trigger, subject_id
_KEY = ("source", "event_id", "leg", "rule_id", "trigger", "subject_id")
_COMPARED = (
    "event_time", "rule_version", "subject_type", "score", "features", "as_of", "explanation", "ingest_seq",
    "entity", "mode",
)  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """A hit that is not as it was: what differs, as `column: stored, derived`."""

    hit: Identity
    what: str


@dataclass
class Replay:
    """Outcome of a replay. `differences` counts; `shown` holds the first of them."""

    events: int = 0
    hits: int = 0
    differences: int = 0
    erased: int = 0
    epochs: int = 0
    shown: list[Difference] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Plain values, without what a hit says of anybody."""
        return {
            "events": self.events,
            "hits": self.hits,
            "differences": self.differences,
            "erased": self.erased,
            "epochs": self.epochs,
        }


def replay(store: Store, progress: Progress | None = None) -> Replay:
    """Derive everything again.

    Raises:
        StoreCorrupt: the journal cannot be read. StateError: it holds no config.
    """
    found = epochs(store)
    if not found:
        raise StateError("the store holds no config: nothing was ever scored with it")
    report = Replay(epochs=len(found))
    limit = first_erased(store)
    # those of later epochs read along; one that is done gives its alerts to the next and goes
    scorers = deque(fresh(found[:number], epoch) for number, epoch in enumerate(found))
    last = store.marks.seq
    for number, epoch in enumerate(found):
        scorer = scorers[0]
        end = found[number + 1].first_seq - 1 if number + 1 < len(found) else last
        for run in runs(store, epoch.first_seq if number else 1, end):
            _compare(store, run, again(scorer, run), report, limit)
            for later in islice(scorers, 1, None):
                warm(later, run)
            report.events += len(run.events)
            if progress is not None:
                progress(report.events, store.marks.events)
        scorers.popleft()
        if scorers:
            scorers[0].take_alerts(scorer.alerts.snapshot())
    return report


def first_erased(store: Store) -> int | None:
    """Return the number of the first event that was erased, None if none was."""
    query = sa.select(rows.c.first_event_seq, rows.c.event_count, rows.c.salts).where(
        rows.c.kind == journal.EVENTS
    )
    # closed by name: a cursor of the server that is left open complains when it is collected
    paged = query.order_by(rows.c.seq).execution_options(yield_per=256)
    with store.read() as conn, conn.execute(paged) as found:
        for first, count, salts in found:
            there = journal.present(bytes(salts))
            if len(there) < count:
                gone = np.setdiff1d(np.arange(count), there)
                return int(first + gone[0])
    return None


def _compare(store: Store, run: Run, result: Result, report: Replay, limit: int | None) -> None:
    stored = _stored(store, run)
    derived = dict(_derived(result))
    report.hits += len(stored)
    for key in sorted(stored.keys() | derived.keys()):
        was, now = stored.get(key), derived.get(key)
        if was == now:
            continue
        number = (was or now or {})["ingest_seq"]
        if limit is not None and number > limit:
            report.erased += 1
            continue
        report.differences += 1
        if len(report.shown) < MOST_SHOWN:
            report.shown.append(Difference(key, _told(was, now)))


def _told(was: dict[str, Any] | None, now: dict[str, Any] | None) -> str:
    if was is None:
        return "derived, but not stored"
    if now is None:
        return "stored, but not derived"
    return "; ".join(f"{name}: {was[name]!r}, {now[name]!r}" for name in was if was[name] != now[name])


def _stored(store: Store, run: Run) -> dict[Identity, dict[str, Any]]:
    query = (
        sa.select(hits, alert_hits.c.alert_id, alert_hits.c.change)
        .outerjoin(alert_hits, alert_hits.c.hit_id == hits.c.hit_id)
        .where(hits.c.ingest_seq.between(int(run.numbers[0]), int(run.numbers[-1])))
    )
    found = {}
    with store.read() as conn:
        for row in conn.execute(query).mappings():
            key = _identity([row[name] for name in _KEY])
            found[key] = {name: row[name] for name in (*_COMPARED, "alert_id", "change")}
    return found


def _derived(result: Result) -> Iterator[tuple[Identity, dict[str, Any]]]:
    changes = {row["hit"]: row for row in result.changes.to_pylist()}
    columns = {name: column(result.found, name) for name in (*_KEY, *_COMPARED)}
    for i in range(len(result.found)):
        change = changes.get(i, {})
        more = {"alert_id": change.get("alert_id"), "change": change.get("change")}
        yield _identity([columns[n][i] or "" for n in _KEY]), {n: columns[n][i] for n in _COMPARED} | more


def _identity(values: Sequence[str]) -> Identity:
    source, event_id, leg, rule_id, trigger, subject_id = values
    return source, event_id, leg, rule_id, trigger, subject_id
