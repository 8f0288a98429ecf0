"""From the journal back to a scorer that stands at its end: snapshot and tail, or all of history.

Owns where a start begins and how the alert book passes from one config to the next. Never writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from txmon.engine import dedup
from txmon.errors import StateError
from txmon.pipeline.config import Config
from txmon.pipeline.history import Epoch, Run, epochs, former_rules, runs
from txmon.pipeline.scorer import Result, Scorer
from txmon.pipeline.snapshots import Snapshots
from txmon.store import Store
from txmon.store.db import head_at

Progress = Callable[[int, int], None]  # events done, of how many


@dataclass(frozen=True)
class Recovered:
    """A scorer at a journal row, and how many events were read again for it."""

    scorer: Scorer
    snapshot_seq: int
    replayed: int


@dataclass(frozen=True)
class Stand:
    """What a recovery came to: row of the snapshot it began at, events read again, and the config in force.

    problems: why snapshots were passed over.
    """

    snapshot_seq: int
    replayed: int
    document: bytes
    problems: tuple[StateError, ...]


def stand(store: Store, snapshots: Snapshots, known: Sequence[Config]) -> tuple[Scorer, Stand]:
    """Return a scorer that stands where the journal ends; `known` configs need not be read again.

    Raises:
        StateError, StoreError: as `recover`.
    """
    found = epochs(store, known)
    recovered = recover(store, snapshots, found, store.marks.seq)
    problems = tuple(snapshots.problems)
    return recovered.scorer, Stand(recovered.snapshot_seq, recovered.replayed, found[-1].document, problems)


def fresh(earlier: Sequence[Epoch], epoch: Epoch) -> Scorer:
    """Return a scorer of an epoch that knows nothing yet."""
    return fresh_scorer(earlier, epoch.config)


def fresh_scorer(earlier: Sequence[Epoch], config: Config) -> Scorer:
    """Return a scorer of a config that knows nothing yet but the rules that alerts may rest on."""
    former = former_rules(earlier)
    return Scorer(config.plan, config.rates, config.limits, former=former, keep_closed=False)


def recover(
    store: Store,
    snapshots: Snapshots,
    found: Sequence[Epoch],
    upto: int,
    progress: Progress | None = None,
) -> Recovered:
    """Return the scorer of the last epoch of `found`, behind journal row `upto`.

    Raises:
        StateError: the journal holds an event that the engine would not have accepted.
    """
    *earlier, epoch = found
    with store.read() as conn:
        scorer, start = snapshots.restore(
            lambda: fresh(earlier, epoch),
            epoch.config.essence,
            lambda seq: head_at(conn, seq) if seq <= upto else None,
        )
    if start < epoch.first_seq and earlier:
        # what the rules know is of all history, what alerts exist is of the configs that were in force
        before = recover(store, snapshots, earlier, epoch.first_seq)
        if start == 0:
            scorer = fresh(earlier, epoch)
        count = _warm(store, scorer, start, epoch.first_seq, progress)
        scorer.take_alerts(before.scorer.alerts.snapshot())
        start, done = epoch.first_seq, count + before.replayed
    else:
        done = 0
    for run in runs(store, start + 1, upto):
        again(scorer, run)
        done += len(run.events)
        if progress is not None:
            progress(done, store.marks.events)
    return Recovered(scorer, start, done)


def _warm(store: Store, scorer: Scorer, start: int, upto: int, progress: Progress | None) -> int:
    """Let a scorer's engine read history without telling alerts."""
    done = 0
    for run in runs(store, start + 1, upto):
        warm(scorer, run)
        done += len(run.events)
        if progress is not None:
            progress(done, store.marks.events)
    return done


def warm(scorer: Scorer, run: Run) -> None:
    """Let a scorer's engine read a run of the journal without telling alerts.

    Raises:
        StateError: as `again`.
    """
    _accepted(scorer.engine.apply(run.events, run.numbers).verdict, run)


def again(scorer: Scorer, run: Run) -> Result:
    """Apply a run of the journal; its events keep their numbers.

    Raises:
        StateError: the engine refuses one that was accepted before.
    """
    result = scorer.apply(run.events, run.numbers)
    _accepted(result.verdict, run)
    return result


def _accepted(verdict: pa.Array, run: Run) -> None:
    refused = int((verdict != dedup.ACCEPTED).sum())
    if refused:
        raise StateError(
            f"journal rows {run.from_seq} to {run.to_seq}: {refused} events are refused that were accepted "
            "before; run `txmon store verify`"
        )
