"""The one thread that changes anything: takes what waits, applies it, stores it, then tells the senders.

    take -> decode -> apply -> commit -> acknowledge

A batch is acknowledged only behind its commit, and committed only behind the one before it. Where the engine
has a process of its own, the next batch is decoded while it scores one, and scored while that is committed;
no third is taken. A commit that fails is tried again with the same outcome for as long as it takes; after a
lost connection the head tells whether it had succeeded. Any other failure throws the engine's state away,
with what it scored ahead, the journal gives it anew, and each work of the batch is tried alone.
Owns the order of these steps; each step is a module of its own.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from txmon.clock import monotonic_s
from txmon.errors import (
    CommitUnknown,
    SourceError,
    Stopping,
    StoreCorrupt,
    StoreError,
    TxmonError,
)
from txmon.pipeline.batch import Batch, assemble
from txmon.pipeline.commit import Prepared
from txmon.pipeline.decide import outcomes
from txmon.pipeline.earlier import earlier_advice
from txmon.pipeline.inbox import Change, Job
from txmon.pipeline.parts import Parts
from txmon.pipeline.refused import refused_rows
from txmon.pipeline.storing import FAILURES, PAUSE_MAX_S, Storing
from txmon.pipeline.work import Intake, Outcome, Work
from txmon.rules.ir import Rule

_IDLE_S = 0.5
# Senders that wait for each answer fall into groups that are stored in turn, each waiting for the others. A
# moment's patience joins them: one commit for all, and half the waiting (measured with 16 connections).
_PATIENCE_S, _STEPS, _FEW_SENDERS = 0.001, 4, 256


@dataclass(frozen=True)
class _Flight:
    """A batch that the engine was given and that is not stored yet."""

    jobs: Sequence[Job]
    batch: Batch
    started: float


class Writer:
    """See the module. Everything but `start` and `stop` runs in its own thread."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts
        self._thread = threading.Thread(target=self._run, name="txmon-writer", daemon=True)
        self._owed: dict[int, Job] = {}  # taken and not yet answered
        self._flights: deque[_Flight] = deque()  # the oldest first
        self._ahead = False  # the engine has events that the journal may never have: its state is worthless
        self._storing = Storing(parts.store, parts.sleep, parts.measure, parts.log, parts.point)
        self._failed = False
        self._scored = 0.0  # when the last result came
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
            self._storing.give_up.set()
            self._thread.join(PAUSE_MAX_S + 1)
        done = not self._thread.is_alive() and not self._storing.give_up.is_set()
        return done and not self._ahead and self.problem is None

    @property
    def problem(self) -> str | None:
        """What keeps it from storing, a code; `engine` where nothing can go on."""
        return "engine" if self._failed else self._storing.problem

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
            while self._flights or not inbox.finished:
                self.round(_IDLE_S)
        except Exception as error:  # nothing is left that could go on: say so, and refuse everything
            self._failed = True
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
        p = self._p
        if not self._land_first:
            if not (self._flights and (p.applier.ready or p.inbox.closed)):
                p.inbox.wait(wait_s)
            self._gather()
            jobs, changes = p.inbox.take(p.batch_events)
            self._owed |= {id(job): job for job in jobs}
            self.busy = bool(jobs or changes or self._flights)
            if changes:
                self._change_all(changes)
            if jobs:
                self._launch(jobs)
        if self._land_first or (self._flights and p.applier.ready):
            self._land()
        if self._storing.give_up.is_set():
            return
        p.between.round()
        if p.between.due():
            self._land_all()
            if not self._ahead:
                p.between.settled()
        self.busy = bool(self._flights)

    @property
    def _land_first(self) -> bool:
        """Whether nothing is to be taken before something is stored."""
        waits = len(self._flights) >= self._p.applier.ahead
        return waits or (bool(self._flights) and self._p.inbox.finished)

    def _gather(self) -> None:
        """Give those who were just answered a moment to send again, beside those who wait already.

        It sleeps rather than being woken by each of them, which would take the time from them. Nobody is
        waited for while an engine beside us has nothing to do.
        """
        p = self._p
        waiting = p.inbox.works
        if not waiting or waiting + self._answered <= 1 or (p.applier.ahead > 1 and not self._flights):
            return
        for _ in range(_STEPS if self._answered else 0):
            if p.inbox.works >= waiting + self._answered or p.inbox.works > _FEW_SENDERS:
                return
            if self._flights and p.applier.ready:
                return
            p.sleep(_PATIENCE_S)

    def _change_all(self, changes: Sequence[Change]) -> None:
        try:
            self._land_all()
            for change in changes:
                self._change(change)
        except Exception:
            self._refuse(changes, Stopping("the engine has stopped after a failure; restart the service"))
            raise

    def _change(self, change: Change) -> None:
        if not change.future.set_running_or_notify_cancel():
            return
        try:
            value = change.make()
        except FAILURES as error:
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
            self._storing.reopen(failure)
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
            except FAILURES as error:
                self._storing.reopen(error)

    def _launch(self, jobs: Sequence[Job]) -> None:
        """Decode works together and give them to the engine."""
        jobs = self._unbroken(jobs)
        if not jobs:
            return
        if self._ahead and not self._flights:  # the engine must stand at the journal's end first
            self._alone(jobs)
            return
        started = monotonic_s()
        try:
            batch = assemble([job.work for job in jobs], self._p.intake)
        except Exception as error:
            self._land_all()
            self._split(jobs, error)
            return
        self._p.measure.stage("decode", started)
        self._ahead = True
        self._p.applier.submit(batch.events)
        self._flights.append(_Flight(jobs, batch, monotonic_s()))
        self._p.point("submitted")

    def _land_all(self) -> None:
        while self._flights:
            self._land()

    def _land(self) -> None:
        """Wait for what the engine made of the oldest batch, store it, and tell its senders."""
        flight, p = self._flights[0], self._p
        try:
            outcome = self._outcomes(flight)
        except Exception as error:
            behind = list(self._flights)[1:]
            self._flights.clear()  # what the engine scored behind it is worth nothing
            if isinstance(error, Stopping):
                self._fail(flight.jobs, error)
            else:
                self._split(flight.jobs, error)
            for later in behind:
                self._launch(later.jobs)
                self._land_all()
            return
        self._flights.popleft()
        self._ahead = bool(self._flights)
        started = monotonic_s()
        self._answered = len(flight.jobs) if len(flight.jobs) <= _FEW_SENDERS else 0
        self._tell(flight.jobs, outcome)
        p.measure.stage("acknowledge", started)

    def _split(self, jobs: Sequence[Job], error: Exception) -> None:
        """After a failure, try each work alone, so that one does not fail the others."""
        if isinstance(error, FAILURES):
            self._alone(jobs, error)
            return
        self._p.log.error("batch.failed", events=sum(job.size for job in jobs), exc_info=error)
        if len(jobs) == 1 or isinstance(error, StoreCorrupt):
            if isinstance(error, StoreError):
                self._p.measure.store_failed(error.code)
            self._fail(jobs, error)
            if isinstance(error, StoreCorrupt):
                raise error
            self._forget()
            return
        for job in jobs:
            self._alone(self._unbroken([job]))

    def _alone(self, jobs: Sequence[Job], failure: TxmonError | None = None) -> None:
        """Apply and store works with nothing else under way, waiting for a store as long as it takes."""
        if not jobs:
            return
        try:
            outcome = self._patiently([job.work for job in jobs], failure)
        except Stopping as error:
            self._fail(jobs, error)
        except Exception as error:
            # the engine may be ahead of the journal: it must forget the batch
            self._split(jobs, error)
        else:
            self._tell(jobs, outcome)

    def _forget(self) -> None:
        """Let the engine forget what is not stored, unless the service must stop."""
        try:
            self._stand()
        except Stopping as error:
            self._p.log.warning("writer.gave_up", exc_info=error)

    def _patiently(self, works: Sequence[Work], failure: TxmonError | None) -> list[Outcome]:
        while True:
            if self._storing.give_up.is_set():
                raise Stopping("the service stops; nothing of this was stored")
            try:
                if failure is not None:
                    self._storing.reopen(failure)
                self._stand()
                started = monotonic_s()
                flight = _Flight((), assemble(works, self._p.intake), monotonic_s())
                self._p.measure.stage("decode", started)
                self._ahead = True
                self._p.applier.submit(flight.batch.events)
                outcome = self._outcomes(flight)
                self._ahead = False
                return outcome
            except FAILURES as error:
                failure = error

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

    def _outcomes(self, flight: _Flight) -> list[Outcome]:
        """Store what the engine makes of a batch; returns what its senders are told.

        Raises:
            StoreError: the engine failed, and the store that its state must come from is away.
        """
        p, batch = self._p, flight.batch
        applied = p.applier.result()
        started = p.measure.stage("apply", max(flight.started, self._scored))
        self._scored = started
        p.point("applied")
        refused = refused_rows(batch, applied, p.intake)
        made = partial(outcomes, batch, applied, refused, p.rules)
        prepared = Prepared(batch, applied, refused, p.clock.now_us(), p.history_until_us, made)
        stored = self._storing.store(prepared)
        p.measure.stage("commit", started)
        p.measure.batch(batch, applied, refused.table, stored, p.rules)
        p.measure.stands(p.store.marks, applied)
        return made(stored, self._earlier)

    def _earlier(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        with self._p.store.read() as conn:
            return earlier_advice(conn, keys)

    # -- answers -------------------------------------------------------------------------------------

    def _tell(self, jobs: Sequence[Job], results: Sequence[Outcome | Exception]) -> None:
        for job, result in zip(jobs, results, strict=True):
            self._owed.pop(id(job), None)
            try:
                job.done(result)
            except Exception as error:  # a sender that is gone must not stop the others
                self._p.log.warning("sender.gone", exc_info=error)
