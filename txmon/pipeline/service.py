"""The service: a store, a scorer that stands at its end, and the writer between them.

    service = Service.open(settings, doors, intake_of)
    service.submit(work, done)         hand events over; never blocks
    service.change(make)               a change by a person, in the writer's transaction
    service.close()                    finish what waits, take a snapshot, let go

Owns how the parts are put together and what readiness means. It never opens a
port and never reads a source: those who do are handed the service.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from txmon.clock import Clock, RandomBytes, Sleep, monotonic_s
from txmon.engine.warm import warm_up
from txmon.errors import Busy, Stopping
from txmon.metrics import Metrics
from txmon.model.aliases import Aliases
from txmon.model.rates import Rates
from txmon.pipeline.activation import Activation, Switch
from txmon.pipeline.applier import Applier
from txmon.pipeline.birth import SNAPSHOTS, Birth, be_born, config_of, state_folder
from txmon.pipeline.commit import Fault, no_fault
from txmon.pipeline.config import Config, load_config
from txmon.pipeline.disk import Disk
from txmon.pipeline.engines import Engines, FarEngines, NearEngines
from txmon.pipeline.firing import Firing
from txmon.pipeline.history import epochs
from txmon.pipeline.inbox import Done, Inbox
from txmon.pipeline.log import Log
from txmon.pipeline.measure import Measure
from txmon.pipeline.nursery import Nursery
from txmon.pipeline.parts import Between, Parts
from txmon.pipeline.saving import Rhythm, Saving
from txmon.pipeline.scoring import Scoring
from txmon.pipeline.snapshots import Snapshots
from txmon.pipeline.ticks import SOURCE, Ticks
from txmon.pipeline.work import Intake, Outcome, Sender, Work
from txmon.pipeline.writer import Writer
from txmon.rules.ir import Rule
from txmon.settings import Settings
from txmon.store import Store, Tx, aliases, journal
from txmon.store.db import ERASURES_FILE

T = TypeVar("T")


@dataclass(frozen=True)
class Doors:
    """What the service has of the world outside: time, chance, waiting, metrics, a log.

    aliases: handed to its decoders too; the service fills it with what the store knows of cards.
    """

    clock: Clock
    random_bytes: RandomBytes
    sleep: Sleep
    metrics: Metrics
    log: Log
    point: Fault = no_fault
    aliases: Aliases = field(default_factory=Aliases)


class Service:
    """See the module."""

    def __init__(
        self, settings: Settings, doors: Doors, store: Store, intake_of: IntakeOf, birth: Birth
    ) -> None:
        self.settings, self.doors, self.store = settings, doors, store
        self.metrics = doors.metrics
        self.folder = state_folder(settings)
        self.snapshots = Snapshots(self.folder / SNAPSHOTS)
        self.disk = Disk(self.folder, settings.disk_free_bytes)
        rhythm = Rhythm(settings.snapshot_events, settings.snapshot_seconds)
        self.saving = Saving(self.snapshots, rhythm, doors.metrics, doors.log, doors.point)
        self._ticks = Ticks()
        self._state = "starting"
        self.staged: Config | None = None  # what the files say now, if that is not at work
        self.replayed = 0
        self.config = self._start_config(birth.config)
        self._intake_of = intake_of
        with store.read() as conn:
            aliases.load(conn, doors.aliases)
        self.inbox = Inbox(settings.queue_events)
        self._engines = self._engines_of(birth.nursery)
        self._wire()

    @classmethod
    def open(
        cls, settings: Settings, doors: Doors, intake_of: IntakeOf, say: Callable[[str], None] | None = None
    ) -> Service:
        """Open the store, bring the engine to its end, and start the writer.

        Raises:
            WriterActive: another process serves this store. StateError, StoreError, ConfigError, RuleErrors.
        """
        warm_up(say or (lambda _: doors.log.info("kernels.compiling")))
        journal.warm()
        birth = be_born(settings)
        try:
            return cls._opened(settings, doors, intake_of, birth)
        except BaseException:
            if birth.nursery is not None:
                birth.nursery.close()
            raise

    @classmethod
    def _opened(cls, settings: Settings, doors: Doors, intake_of: IntakeOf, birth: Birth) -> Service:
        store = Store.open(
            Path(settings.store) if not settings.store_is_database else settings.store,
            clock=doors.clock,
            random_bytes=doors.random_bytes,
            heads=settings.heads_file,
            erasures=state_folder(settings) / ERASURES_FILE if settings.store_is_database else None,
        )
        try:
            service = cls(settings, doors, store, intake_of, birth)
            if not service.replayed:
                service.applier.scoring.rehearse(service.config)
        except BaseException:
            store.close()
            raise
        service._writer.start()
        service._state = "running"
        return service

    # -- starting ------------------------------------------------------------------------------------

    def _engines_of(self, nursery: Nursery | None) -> Engines:
        if nursery is not None:
            return FarEngines(nursery, self.inbox.wake)
        return NearEngines(self.store, self.snapshots, lambda: self.config)

    def _start_config(self, from_files: Config) -> Config:
        """The config that is in force: the journal's; on a first start, that of the files."""
        found = epochs(self.store, (from_files,))
        if not found:
            with self.store.write() as tx:
                now = self.doors.clock.now_us()
                decision = {"decision": "bootstrap", "config": from_files.id, "by": "first start"}
                journal.append(tx, "bootstrap", json.dumps(decision).encode(), now)
                journal.append(tx, "config", from_files.document, now)
            return from_files
        active = found[-1].config
        if active.essence != from_files.essence:
            self.staged = from_files
            self.doors.log.warning("config.staged", config_hash=from_files.id)
        elif active.id != from_files.id:  # the same rules under another version of the program
            with self.store.write() as tx:
                journal.append(tx, "config", from_files.document, self.doors.clock.now_us())
            return from_files
        return active

    def _recover(self) -> Scoring:
        """A scorer that stands where the journal ends."""
        scoring, found = self._engines.stand()
        for problem in found.problems:
            self.doors.log.warning("snapshot.passed_over", exc_info=problem)
        self.replayed = found.replayed
        self.saving.begin(found.snapshot_seq, self.store.marks.events - found.replayed)
        if found.document != self.config.document:  # a switch whose commit was not heard of
            self._follow(load_config(found.document))
        self.doors.log.info("engine.recovered", journal_seq=self.store.marks.seq, events=found.replayed)
        return scoring

    def _wire(self) -> None:
        s, doors = self.settings, self.doors
        self.applier = Applier(
            self._recover(),
            self._recover,
            s.event_tries,
            lambda what, error: doors.log.error("engine.failed", what=what, exc_info=error),
        )
        self.activation = Activation(
            Switch(
                self.store,
                doors.clock,
                self.inbox.change,
                self._engines.fresh,
                lambda: self.applier.scoring.alerts(),
                lambda: self.config,
                self._adopt,
            )
        )
        self.firing = Firing(
            self.store, self.folder / "firerates.json", doors.metrics, lambda: tuple(self.rules)
        )
        self.measure = Measure(doors.metrics, doors.clock, self.firing)
        self._writer = Writer(
            Parts(
                self.store,
                self.inbox,
                self._intake_of(self.config.rates),
                self.applier,
                self.config.rules,
                doors.clock,
                doors.sleep,
                self.measure,
                doors.log,
                s.batch_events,
                s.history_until_us,
                Between(self._round, lambda: self.saving.due(self.store.marks), self._save),
                doors.point,
            )
        )
        doors.metrics.set_build(self.config.versions["txmon"], self.plan_hash)
        doors.metrics.queue_limit.set(s.queue_events)
        doors.metrics.journal_seq.set(self.store.marks.seq)
        doors.metrics.journal_events.set(self.store.marks.events)
        doors.metrics.engine_seq.set(self.store.marks.events)

    # -- what others call ----------------------------------------------------------------------------

    @property
    def rules(self) -> Mapping[str, Rule]:
        """The rules at work by id; another mapping after an activation."""
        return self.config.rules

    @property
    def plan_hash(self) -> str:
        """Hash of the packs at work."""
        return self.config.plan.pack_hash

    def submit(self, work: Work, done: Done) -> None:
        """Hand events over; `done` is called once, in the writer's thread, behind the commit.

        Raises:
            Busy: too much waits. Stopping: nothing more is taken. NoRoom: the disk is nearly full.
        """
        self.disk.require()
        self.inbox.put(work, done)

    def change(self, make: Callable[[Tx], T]) -> Future[T]:
        """Run a change in a transaction of its own, in the writer's turn.

        Raises:
            Stopping: nothing more is taken.
        """

        def in_transaction() -> T:
            with self.store.write() as tx:
                return make(tx)

        return self.inbox.change(in_transaction)

    def new_intake(self) -> Intake:
        """Return another intake for another thread: rates in force, the same key of cards."""
        return self._intake_of(self.config.rates)

    def stage(self) -> Config | None:
        """Read the files again; returns their config if it is not the one in force.

        Raises:
            RuleErrors, ConfigError: the files are wrong; the config in force stays.
        """
        found = config_of(self.settings)
        self.staged = None if found.essence == self.config.essence else found
        return self.staged

    def activate(self, config: Config, decision: Mapping[str, Any]) -> Future[int]:
        """Warm a config on history and put it in force; see `Activation.start`."""
        return self.activation.start(config, decision)

    @property
    def busy(self) -> bool:
        """Whether events wait or are being scored and stored."""
        return self.inbox.events > 0 or self._writer.busy

    def readiness(self) -> list[str]:
        """Return codes of the metric `ready` for what keeps the service from taking events."""
        reasons = []
        if self._state != "running":
            reasons.append(self._state)
        if self._writer.problem is not None:
            reasons.append("engine" if self._writer.problem == "engine" else "store")
        elif self._state == "running" and not self._writer.alive:
            reasons.append("engine")
        if self.disk.full:
            reasons.append("disk")
        if self.inbox.events >= self.inbox.limit:
            reasons.append("queue")
        return reasons

    def status(self) -> dict[str, Any]:
        """Return how far everything is, as plain values."""
        marks = self.store.marks
        return {
            "state": self._state,
            "ready": not self.readiness(),
            "reasons": self.readiness(),
            "journal": {"seq": marks.seq, "events": marks.events, "head": marks.head.hex()},
            "snapshot_seq": self.saving.seq,
            "replayed_at_start": self.replayed,
            "queue": {"events": self.inbox.events, "limit": self.inbox.limit},
            "store_problem": self._writer.problem,
            "heads_problem": None if self.store.heads is None else self.store.heads.failure,
            "config": {"id": self.config.id, "pack_hash": self.plan_hash, **self.config.versions},
            "staged_config": None if self.staged is None else self.staged.id,
            "activation": self.activation.progress,
            "rules": len(self.rules),
        }

    def close(self, seconds: float | None = None) -> bool:
        """Finish what waits and save the state, in `seconds` or the settings' time; true if all went well."""
        if self._state == "stopped":
            return True
        self._state = "stopping"
        started, allowed = monotonic_s(), self.settings.shutdown_seconds if seconds is None else seconds
        clean = self._writer.stop("the service is being stopped", allowed * 0.7)
        left = max(allowed - (monotonic_s() - started), 0.1)
        if clean:
            self.saving.finish(self.applier.scoring, self.store.marks, self.config.essence, left)
        else:
            self.saving.wait(left)
        self.applier.scoring.close()
        self._engines.close()
        self.store.close()
        self._state = "stopped"
        return clean

    def _adopt(self, config: Config, scoring: Scoring) -> None:
        """Go on with another config and its scorer, from the next batch on; in the writer's turn."""
        self.applier.adopt(scoring)
        self._follow(config)
        self._save()

    def _follow(self, config: Config) -> None:
        self.config = config
        self._writer.follow(self._intake_of(config.rates), config.rules)
        if self.staged is not None and self.staged.essence == config.essence:
            self.staged = None
        self.metrics.set_build(config.versions["txmon"], config.plan.pack_hash)
        self.doors.log.info("config.adopted", config_hash=config.id)

    # -- in the writer's thread ----------------------------------------------------------------------

    def _save(self) -> None:
        self.saving.now(self.applier.scoring, self.store.marks, self.config.essence)

    def _round(self) -> None:
        self.metrics.queue_events.set(self.inbox.events)
        watermark = self.applier.scoring.pulse.watermark_us
        payload = self._ticks.due(self.doors.clock.now_us(), watermark)
        if payload is not None and not self.inbox.finished:
            work = Work(Sender("native", self.settings.entity), SOURCE, self.doors.clock.now_us(), (payload,))
            try:
                self.inbox.put(work, self._ticked)
            except (Busy, Stopping):
                self._ticks.forget()

    def _ticked(self, result: Outcome | Exception) -> None:
        if isinstance(result, Exception):
            self.doors.log.warning("tick.lost", exc_info=result)


IntakeOf = Callable[[Rates], Intake]
