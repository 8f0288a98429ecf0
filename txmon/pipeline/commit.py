"""One transaction for a batch: journal, hits, alerts, quarantine, messages, cards' aliases, offsets, answers.

`write` may be called again with the same `Prepared` after a failure and then does the same. Owns what goes
into the transaction and in which order; never applies events and never acknowledges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from txmon.pipeline.batch import Batch
from txmon.pipeline.decide import Earlier, RefusedRows, Stored
from txmon.pipeline.earlier import earlier_advice
from txmon.pipeline.messages import alert_messages
from txmon.pipeline.scoring import Applied
from txmon.pipeline.work import Outcome
from txmon.store import (
    Store,
    Tx,
    aliases,
    answers,
    casefollow,
    journal,
    offsets,
    outbox,
    quarantine,
    workflow,
)
from txmon.store.db import Marks


@dataclass
class Prepared:
    """A batch as it will be stored.

    outcomes: what it means for each work, once stored. attempted: where the journal stands if the last
    attempt succeeded.
    """

    batch: Batch
    applied: Applied
    refused: RefusedRows
    now_us: int
    history_until_us: int | None
    outcomes: Callable[[Stored, Earlier], list[Outcome]]
    attempted: Marks | None = field(default=None)
    stored: Stored | None = field(default=None)


Fault = Callable[[str], None]  # called between steps: the door of crash drills


def no_fault(step: str) -> None:
    """Let every step pass."""


def write(store: Store, prepared: Prepared, point: Fault) -> Stored:
    """Store a batch.

    Raises:
        StoreError: see `Store.write`.
    """
    with store.write() as tx:
        prepared.stored = _fill(tx, prepared, point)
        prepared.attempted = tx.marks
        point("before_commit")
    point("after_commit")
    for new in prepared.batch.aliases:
        new.stored()
    return prepared.stored


def _fill(tx: Tx, prepared: Prepared, point: Fault) -> Stored:
    batch, applied = prepared.batch, prepared.applied
    seq, silent = tx.marks.seq, frozenset[str]()
    if len(applied.accepted):
        seq = journal.append(tx, journal.EVENTS, applied.accepted, batch.received_us).seq
        point("journaled")
        ids = workflow.add_hits(tx, applied.hits, seq)
        if len(applied.changes):
            silent = _alerts(tx, prepared, ids, seq)
            seq = tx.marks.seq  # behind what it did to cases
        point("hits_stored")
    numbers = range(0)
    if len(prepared.refused.table):
        seq = journal.append(tx, "quarantine", prepared.refused.table, batch.received_us).seq
        numbers = quarantine.add(tx, prepared.refused.table, seq, batch.received_us)
    for new in batch.aliases:
        aliases.add(tx, new.pairs, prepared.now_us)
        point("aliases_stored")
    for work in batch.works:
        if work.consumer is not None and work.positions:
            offsets.put(tx, work.consumer, work.positions, seq)
    point("offsets_stored")
    stored = Stored(seq, numbers, silent)
    _keep_answers(tx, prepared, stored)
    return stored


def _keep_answers(tx: Tx, prepared: Prepared, stored: Stored) -> None:
    """Store the answers of works that ask for it, so that no crash parts them from what they tell."""
    works = prepared.batch.works
    if all(work.keep is None for work in works):
        return
    found = prepared.outcomes(stored, partial(earlier_advice, tx.conn))
    made = [work.keep(each) for work, each in zip(works, found, strict=True) if work.keep is not None]
    kept = [named for named in made if named is not None]
    if kept:
        answers.put(tx, kept)


def _alerts(tx: Tx, prepared: Prepared, ids: range, seq: int) -> frozenset[str]:
    """Store what hits did to alerts and tell of it; returns the alerts that stay history."""
    applied, now = prepared.applied, prepared.now_us
    changes, alerts = applied.changes, applied.alerts
    fed = _fed_by_the_present(prepared)
    names = alerts.column("alert_id").to_pylist()
    before = workflow.historic(tx, names) if _history_possible(prepared, fed, names) else frozenset()
    opened = _where(changes, "opened")
    in_cases = casefollow.linked(tx, sorted(frozenset(names) - opened))
    silent = frozenset(n for n in names if n not in fed and (n in before or n in opened))
    for past, which in ((True, silent & opened), (False, frozenset(names) - (silent & opened))):
        if which:
            chosen = pa.array(sorted(which), pa.string())
            workflow.apply_alerts(
                tx,
                changes.filter(pc.is_in(changes.column("alert_id"), chosen)),
                alerts.filter(pc.is_in(alerts.column("alert_id"), chosen)),
                ids,
                seq,
                now_us=now,
                historic=past,
            )
    woken = sorted(before & fed)
    workflow.wake(tx, woken, now)
    casefollow.follow(tx, in_cases, seq)
    new = (opened - silent) | frozenset(woken)
    more = _where(changes, "new_evidence") - silent - new
    outbox.add(tx, alert_messages(alerts, new, more), seq, now)
    return silent


def _history_possible(prepared: Prepared, fed: frozenset[str], names: list[str]) -> bool:
    """Whether any of the alerts may be history: asked of the database only then."""
    return prepared.history_until_us is not None or len(fed) < len(names)


def _fed_by_the_present(prepared: Prepared) -> frozenset[str]:
    """Alerts that a hit fed whose event is not history."""
    changes = prepared.applied.changes
    names = np.array(changes.column("alert_id").to_pylist(), dtype=object)
    if prepared.history_until_us is None:
        return frozenset(names)
    time = prepared.applied.hits.column("event_time").cast(pa.int64()).to_numpy()
    return frozenset(names[time[changes.column("hit").to_numpy()] >= prepared.history_until_us])


def _where(changes: pa.Table, kind: str) -> frozenset[str]:
    return frozenset(changes.filter(pc.equal(changes.column("change"), kind)).column("alert_id").to_pylist())
