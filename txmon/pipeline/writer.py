"""The one thread that changes anything: takes what waits, applies it, stores it, then tells the senders.

    take -> decode -> apply -> commit -> acknowledge

A batch is acknowledged only behind its commit, and the next is applied only behind that. A commit that
fails is tried again with the same outcome for as long as it takes; after a lost connection the head tells
whether it had succeeded. Any other failure throws the engine's state away, the journal gives it anew, and
each work of the batch is tried alone.
Owns the order of these steps; each step is a module of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from txmon.clock import Clock, Sleep, monotonic_s
from txmon.errors import (
    CommitUnknown,
    SourceError,
    Stopping,
    StoreCorrupt,
    StoreError,
    StoreFatal,
    StoreUnavailable,
    TxmonError,
)
from txmon.pipeline import commit
from txmon.pipeline.applier import Applied, Applier
from txmon.pipeline.batch import Batch, assemble
from txmon.pipeline.commit import Fault, Prepared
from txmon.pipeline.decide import RefusedRows, Stored, outcomes
from txmon.pipeline.earlier import earlier_advice
from txmon.pipeline.inbox import Change, Inbox, Job
from txmon.pipeline.measure import Measure
from txmon.pipeline.refusals import REFUSALS
from txmon.pipeline.work import Intake, Outcome, Work
from txmon.rules.ir import Rule
from txmon.store import Store

_FAILURES = (StoreUnavailable, CommitUnknown, StoreFatal)
_PAUSE_MIN_S, _PAUSE_MAX_S = 0.05, 2.0
_IDLE_S = 0.5
# Senders that wait for each answer fall into groups that are stored in turn, each waiting for the others. A
# moment's patience joins them: one commit for all, and half the waiting (measured with 16 connections).
_PATIENCE_S, _STEPS, _FEW_SENDERS = 0.001, 4, 256


class Log(Protocol):
    """Where the writer says what happened; never given anything of an event."""

    def warning(self, event: str, **values: Any) -> None: ...
    def error(self, event: str, **values: Any) -> None: ...
    def info(self, event: str, **values: Any) -> None: ...


@dataclass(frozen=True)
class Parts:
    """What the writer works with."""

    store: Store
    inbox: Inbox
    intake: Intake
    applier: Applier
    rules: Mapping[str, Rule]
    clock: Clock
    sleep: Sleep
    measure: Measure
    log: Log
    batch_events: int
    history_until_us: int | None
    between: Callable[[], None]  # called after each round: snapshots, marks of time
    point: Fault


class Writer:
    """See the module. Everything but `start` and `stop` runs in its own thread."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts
        self._thread = threading.Thread(target=self._run, name="txmon-writer", daemon=True)
        self._give_up = threading.Event()
        self._owed: dict[int, Job] = {}  # taken and not yet answered
        self._ahead = False  # the engine may have events that the journal has not: its state is worthless
        self.problem: str | None = None  # what keeps it from storing, a code; None while it can
        self._answered = 0  # senders that the last batch answered: most of them send again at once
        self.busy = False  # whether something taken is not dealt with yet

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, reason: str, seconds: float) -> bool:
        """Take nothing more, finish what waits; true if that was done in time and the state may be saved.

        What could not be stored by then is answered with an error and was not acknowledged.
        """
        self._p.inbox.close(reason)
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._give_up.set()
            self._thread.join(_PAUSE_MAX_S + 1)
        done = not self._thread.is_alive() and not self._give_up.is_set()
        return done and not self._ahead and self.problem is None

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def follow(self, intake: Intake, rules: Mapping[str, Rule]) -> None:
        """Decode and answer by another config from the next batch on; called in the writer's turn."""
        self._p = replace(self._p, intake=intake, rules=rules)

    # -- the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        inbox = self._p.inbox
        try:
            while not inbox.finished:
                self.round(_IDLE_S)
        except Exception as error:  # nothing is left that could go on: say so, and refuse everything
            self.problem = "engine"
            self._p.log.error("writer.ended", exc_info=error)
            inbox.close("the engine has stopped after a failure; restart the service")
            self._drain(Stopping("the engine has stopped after a failure; restart the service"))

    def _drain(self, error: TxmonError) -> None:
        owed = list(self._owed.values())
        self._tell(owed, [error] * len(owed))
        while not self._p.inbox.finished:
            jobs, changes = self._p.inbox.take(1 << 62)
            self._tell(jobs, [error] * len(jobs))
            self._refuse(changes, error)

    def _refuse(self, changes: Sequence[Change], error: TxmonError) -> None:
        for change in changes:
            if not change.future.done() and change.future.set_running_or_notify_cancel():
                change.future.set_exception(error)

    def round(self, wait_s: float) -> None:
        """Take what waits and deal with it."""
        inbox = self._p.inbox
        inbox.wait(wait_s)
        self._gather()
        jobs, changes = inbox.take(self._p.batch_events)
        self._answered = len(jobs) if len(jobs) <= _FEW_SENDERS else 0
        self._owed = {id(job): job for job in jobs}
        self.busy = bool(jobs or changes)
        try:
            for change in changes:
                self._change(change)
        except Exception:
            self._refuse(changes, Stopping("the engine has stopped after a failure; restart the service"))
            raise
        if jobs:
            self._batch(jobs)
        self.busy = False
        if not self._give_up.is_set() and not self._ahead:
            self._p.between()

    def _gather(self) -> None:
        """Give those who were just answered a moment to send again, beside those who wait already.

        It sleeps rather than being woken by each of them, which would take the time from them.
        """
        waiting = self._p.inbox.works
        if not waiting or waiting + self._answered <= 1:
            return
        for _ in range(_STEPS if self._answered else 0):
            if self._p.inbox.works >= waiting + self._answered or self._p.inbox.works > _FEW_SENDERS:
                return
            self._p.sleep(_PATIENCE_S)

    def _change(self, change: Change) -> None:
        if not change.future.set_running_or_notify_cancel():
            return
        try:
            value = change.make()
        except _FAILURES as error:
            change.future.set_exception(error)  # whoever asked shall not wait until the store is back
            self._ahead = self._ahead or isinstance(error, CommitUnknown)  # it may be in force
            self._recover(error)
        except Exception as error:  # the caller's own fault: theirs to deal with
            change.future.set_exception(error)
        else:
            change.future.set_result(value)

    def _recover(self, failure: TxmonError) -> None:
        """Open the store again and let the engine stand at its end, unless the service must stop."""
        try:
            self._reopen(failure, None)
        except Stopping as error:
            self._p.log.warning("writer.gave_up", exc_info=error)
        else:
            self._forget()

    def _stand(self) -> None:
        """Let the engine stand where the journal ends, if it may not.

        Raises:
            Stopping: the service must stop before the store could be read.
        """
        while self._ahead:
            try:
                self._p.applier.reload()
                self._ahead = False
            except _FAILURES as error:
                self._reopen(error, None)

    def _batch(self, jobs: Sequence[Job]) -> None:
        """Apply and store works together; if that fails, each alone, so that one does not fail the others."""
        p = self._p
        jobs = self._unbroken(jobs)
        if not jobs:
            return
        try:
            result = self._patiently([job.work for job in jobs])
        except Stopping as error:
            self._fail(jobs, error)
        except Exception as error:
            # the engine may be ahead of the journal: it must forget the batch
            p.log.error("batch.failed", events=sum(job.size for job in jobs), exc_info=error)
            if len(jobs) == 1 or isinstance(error, StoreCorrupt):
                if isinstance(error, StoreError):
                    p.measure.store_failed(error.code)
                self._fail(jobs, error)
                if isinstance(error, StoreCorrupt):
                    raise
                self._forget()
            else:
                for job in jobs:
                    self._batch([job])
        else:
            started = monotonic_s()
            self._tell(jobs, result)
            p.measure.stage("acknowledge", started)

    def _forget(self) -> None:
        """Let the engine forget what is not stored, unless the service must stop."""
        try:
            self._stand()
        except Stopping as error:
            self._p.log.warning("writer.gave_up", exc_info=error)

    def _patiently(self, works: Sequence[Work]) -> list[Outcome]:
        """Apply and store works, waiting for a store that the engine's state must come from."""
        while True:
            if self._give_up.is_set():
                raise Stopping("the service stops; nothing of this was stored")
            self._stand()
            try:
                return self._outcomes(works)
            except _FAILURES as error:
                self._reopen(error, None)

    def _unbroken(self, jobs: Sequence[Job]) -> list[Job]:
        """The jobs that may be stored; those behind a failed one of their consumer are answered."""
        good = [job for job in jobs if job.work.chain is None or not job.work.chain.broken]
        if len(good) < len(jobs):
            kept = set(map(id, good))
            behind = SourceError("an earlier batch of this source was not stored; begin behind its positions")
            self._fail([job for job in jobs if id(job) not in kept], behind)
        return good

    def _fail(self, jobs: Sequence[Job], error: Exception) -> None:
        for job in jobs:
            if job.work.chain is not None:
                job.work.chain.broken = True
        self._tell(jobs, [error] * len(jobs))

    def _outcomes(self, works: Sequence[Work]) -> list[Outcome]:
        p, started = self._p, monotonic_s()
        batch = assemble(works, p.intake)
        started = p.measure.stage("decode", started)
        self._ahead = True
        applied = p.applier.apply(batch.events)
        started = p.measure.stage("apply", started)
        p.point("applied")
        refused = self._refused(batch, applied)
        made = partial(outcomes, batch, applied, refused, p.rules)
        prepared = Prepared(batch, applied, refused, p.clock.now_us(), p.history_until_us, made)
        stored = self._store(prepared)
        self._ahead = False
        p.measure.stage("commit", started)
        p.measure.batch(batch, applied, refused.table, stored, p.rules)
        p.measure.stands(p.store.marks, applied)
        return made(stored, self._earlier)

    def _earlier(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        with self._p.store.read() as conn:
            return earlier_advice(conn, keys)

    def _refused(self, batch: Batch, applied: Applied) -> RefusedRows:
        """Rows refused while decoding, then those that the engine refused."""
        tables = [batch.refused]
        work, line = [batch.refused_place.work], [batch.refused_place.line]
        for code, refusal in REFUSALS.items():
            rows = np.flatnonzero(applied.verdict == code)
            for number in np.unique(batch.event_place.work[rows]).tolist():
                mine = rows[batch.event_place.work[rows] == number]
                place = batch.event_place.take(mine)
                events = batch.events.take(pa.array(mine))
                tables.append(
                    self._p.intake.refuse(events, refusal, batch.works[number].sender, place.position)
                )
                work.append(place.work)
                line.append(place.line)
        return RefusedRows(pa.concat_tables(tables), np.concatenate(work), np.concatenate(line))

    # -- storing -------------------------------------------------------------------------------------

    def _store(self, prepared: Prepared) -> Stored:
        """Store a batch, however long the store is away.

        Raises:
            Stopping: the service must stop before it could be stored.
        """
        p = self._p
        while True:
            try:
                stored = commit.write(p.store, prepared, p.point)
            except _FAILURES as error:
                found = self._reopen(error, prepared)
                if found is not None:
                    return found
            else:
                self.problem = None
                return stored

    def _reopen(self, failure: TxmonError, prepared: Prepared | None) -> Stored | None:
        """Open the store again; returns what is stored if the failed commit had succeeded."""
        p, pause = self._p, _PAUSE_MIN_S
        self.problem = failure.code
        p.measure.store_failed(failure.code)
        p.log.warning("store.failed", code=failure.code)
        while True:
            if self._give_up.is_set():
                raise Stopping("the store cannot be reached and the service stops; nothing was stored")
            p.sleep(pause)
            pause = min(pause * 2, _PAUSE_MAX_S)
            try:
                p.store.reopen()
            except StoreCorrupt:
                raise
            except TxmonError as error:
                self.problem = error.code
                continue
            break
        p.measure.store_recovered()
        p.log.info("store.reopened", journal_seq=p.store.marks.seq)
        self.problem = None
        if prepared is not None and prepared.attempted is not None and prepared.stored is not None:
            # without a journal row of its own the head says nothing, and storing it again does no harm
            wrote = len(prepared.applied.accepted) > 0 or len(prepared.refused.table) > 0
            if wrote and p.store.marks.head == prepared.attempted.head:
                return prepared.stored
        return None

    def _tell(self, jobs: Sequence[Job], results: Sequence[Outcome | Exception]) -> None:
        for job, result in zip(jobs, results, strict=True):
            self._owed.pop(id(job), None)
            try:
                job.done(result)
            except Exception as error:  # a sender that is gone must not stop the others
                self._p.log.warning("sender.gone", exc_info=error)
