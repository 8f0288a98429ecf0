"""Runs an open service until it is told to stop: port, source, housekeeping, and the way down.

Owns the order of starting and stopping; what each part does is its own.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from txmon.cli.outgoing import alert_out_of, dispatcher_of
from txmon.cli.running import new_intake
from txmon.clock import monotonic_s
from txmon.errors import ConfigError
from txmon.evidence.headchore import HeadChore
from txmon.model.rates import Rates
from txmon.notify import Dispatcher
from txmon.pipeline.housekeeping import Chore, Housekeeping
from txmon.pipeline.service import Service
from txmon.pipeline.warehousing import Warehousing
from txmon.pipeline.work import Sender
from txmon.store import offsets
from txmon.streams.alertout import AlertOut
from txmon.streams.connect import open_consumer, source_kind
from txmon.streams.consumer import Message, Positions
from txmon.streams.decode import DecodedBatch, Decoder
from txmon.streams.feeding import Feeding, Source

_TICK_S = 0.2
_PART_S = 1.0  # for each part to end what it is at; all but the service start again where they were


@dataclass
class Running:
    """The parts around a service that run."""

    service: Service
    feeding: Feeding | None = None
    warehousing: Warehousing | None = None
    dispatcher: Dispatcher | None = None
    alert_out: AlertOut | None = None
    server: Any = None
    chores: list[Chore] = field(default_factory=list)


def run(
    service: Service, stop: threading.Event, *, http: bool, idle_exit_s: float | None = None
) -> dict[str, Any]:
    """Run until `stop` is set, the source has ended, or nothing came for `idle_exit_s`; returns a summary.

    Raises:
        ConfigError: neither a port nor a source.
    """
    settings = service.settings
    if not http and settings.source_url is None:
        service.close()
        raise ConfigError("nothing to read: give --source, for example kafka://127.0.0.1:9092/payments")
    running = Running(service)
    try:
        running.dispatcher = dispatcher_of(service)
        if http:
            from txmon.cli.port import Port  # a stream without a port needs no web framework

            wake = None if running.dispatcher is None else running.dispatcher.wake
            running.server = Port(service, wake)
            running.chores += running.server.chores
        doors = service.doors
        heads = HeadChore(
            settings, service.store, doors.clock,
            lambda error: doors.log.warning("heads.unsigned", exc_info=error),
        )  # fmt: skip
        running.chores.append(heads.round)
        housekeeping = Housekeeping(service, running.chores)
        housekeeping.start()
        if running.server is not None:
            running.server.start()
        if settings.warehouse:
            running.warehousing = Warehousing(
                service.store,
                service.folder / "warehouse",
                service.metrics,
                service.doors.log,
                service.doors.point,
                lambda: service.busy,
            )
            running.warehousing.start()
        if running.dispatcher is not None:
            running.dispatcher.start()
        running.alert_out = alert_out_of(service)
        if running.alert_out is not None:
            running.alert_out.start()
        if settings.source_url is not None:
            running.feeding = feeding_of(service)
            running.feeding.start()
        _wait(running, stop, idle_exit_s)
        housekeeping.stop()
    finally:
        clean = _down(running)
    marks = service.store.marks
    return {"clean": clean, "journal_seq": marks.seq, "events": marks.events}


def feeding_of(service: Service) -> Feeding:
    """Return the feeding of the settings' source.

    Raises:
        ConfigError, FeedError, SourceError: the address or the feed is wrong.
    """
    settings = service.settings
    url = str(settings.source_url)

    def stored_of(name: str) -> Positions:
        with service.store.read() as conn:
            return offsets.get(conn, name)

    consumer = open_consumer(url, stored_of)
    sender = Sender(settings.feed, settings.entity)
    decode = _Decoding(service, sender)
    source = Source(consumer, sender, source_kind(url), decode, partial(stored_of, consumer.name))
    return Feeding(source, service, service.doors.clock, service.metrics, service.doors.log)


class _Decoding:
    """Decodes with the rates in force: a decoder is kept until another config is."""

    def __init__(self, service: Service, sender: Sender) -> None:
        self._service, self._sender = service, sender
        self._rates: Rates | None = None
        self._decoder: Decoder | None = None

    def __call__(self, messages: Sequence[Message]) -> DecodedBatch:
        rates = self._service.config.rates
        if self._decoder is None or self._rates is not rates:
            self._rates, self._decoder = rates, new_intake(self._service).decoder(self._sender)
        return self._decoder.decode(messages)


def _wait(running: Running, stop: threading.Event, idle_exit_s: float | None) -> None:
    events, since = -1, monotonic_s()
    while not stop.wait(_TICK_S):
        if running.feeding is not None and running.feeding.wait(0):
            return
        if running.server is not None and running.server.failed:
            return
        seen = running.service.store.marks.seq
        if seen != events or running.service.busy:  # a large batch is no idleness
            events, since = seen, monotonic_s()
        elif idle_exit_s is not None and monotonic_s() - since > idle_exit_s:
            return


def _down(running: Running) -> bool:
    """Stop in order, within the settings' time: take nothing new, finish what was taken, let go."""
    allowed = running.service.settings.shutdown_seconds
    end = monotonic_s() + allowed
    if running.feeding is not None:
        running.feeding.stop(_PART_S)
    if running.server is not None:
        running.server.stop()
    for part in (running.alert_out, running.warehousing):
        if part is not None:
            part.stop(_PART_S)
    if running.dispatcher is not None:
        running.dispatcher.stop()
    return running.service.close(max(end - monotonic_s(), _PART_S))
