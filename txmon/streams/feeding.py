"""Brings the messages of a consumer to the pipeline, and refused ones to the consumer's dead-letter place.

    poll -> decode -> submit (waits while too much waits) -> committed: dead letters, next

Positions are stored with the results, by the pipeline; after a failure the consumer goes back to them and the
messages come again, which has no effect on those that were stored. Owns one thread; stores nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from txmon.clock import Clock
from txmon.errors import Busy, SourceError, Stopping, TxmonError
from txmon.metrics import Metrics
from txmon.pipeline.inbox import Done
from txmon.pipeline.work import Chain, Outcome, Sender, Work
from txmon.pipeline.writer import Log
from txmon.streams.consumer import Consumer, Message, Stored
from txmon.streams.decode import DecodedBatch

_IN_FLIGHT = 2
_POLL_S, _PAUSE_S, _LETTERS_S = 0.2, 0.05, 5.0
_PROBLEM_PAUSE_S = 2.0


class Pipeline(Protocol):
    """What a feeding needs of the service."""

    def submit(self, work: Work, done: Done) -> None:
        """Hand a work over; see `Service.submit`."""
        ...


@dataclass(frozen=True)
class Source:
    """A consumer, whose messages it has and how they are decoded."""

    consumer: Consumer
    sender: Sender
    kind: str  # kafka | file
    decode: Callable[[Sequence[Message]], DecodedBatch]
    stored: Stored
    batch: int = 8192


@dataclass
class _Flight:
    """Messages that are with the pipeline."""

    messages: Sequence[Message]
    done: threading.Event
    result: Outcome | Exception | None = None


class Feeding:
    """See the module."""

    def __init__(self, source: Source, pipeline: Pipeline, clock: Clock, metrics: Metrics, log: Log) -> None:
        self._source, self._pipeline, self._clock = source, pipeline, clock
        self._metrics, self._log = metrics, log
        self._flights: deque[_Flight] = deque()
        self._chain = Chain()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="txmon-feeding", daemon=True)
        self.problem: str | None = None
        self.ended = False  # the source has an end and everything before it is stored

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Read nothing more; what is with the pipeline is finished by the pipeline."""
        self._stop.set()
        self._thread.join(seconds)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the source has ended or feeding has stopped; true if it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    # -- the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        consumer = self._source.consumer
        try:
            while not self._stop.is_set() and not self.ended:
                try:
                    self._round()
                except Stopping as error:
                    self._log.info("feeding.stopped", exc_info=error)
                    return
                except TxmonError as error:
                    self._again(error)
        finally:
            consumer.close()

    def _round(self) -> None:
        consumer = self._source.consumer
        messages = consumer.poll(self._source.batch, 0.0 if self._flights else _POLL_S)
        self.problem = consumer.problem
        if messages:
            self._send(messages)
        while self._flights and (
            len(self._flights) >= _IN_FLIGHT or self._flights[0].done.is_set() or not messages
        ):
            self._land(self._flights.popleft())
        self._lag()
        if consumer.ended and not messages and not self._flights:
            self.ended = True

    def _send(self, messages: Sequence[Message]) -> None:
        source = self._source
        positions: dict[str, int] = {}
        for message in messages:
            positions[message.partition] = message.position
        flight = _Flight(messages, threading.Event())
        work = Work(
            source.sender, source.kind, self._clock.now_us(), decoded=source.decode(messages),
            consumer=source.consumer.name, positions=positions, chain=self._chain,
        )  # fmt: skip

        def done(result: Outcome | Exception) -> None:
            flight.result = result
            flight.done.set()

        while True:
            try:
                self._pipeline.submit(work, done)
            except Busy:
                if self._stop.wait(_PAUSE_S):
                    raise Stopping(
                        "stopped while the pipeline was busy; nothing of this batch was stored"
                    ) from None
                continue
            break
        self._flights.append(flight)

    def _land(self, flight: _Flight) -> None:
        """Wait for a batch to be stored, then set aside what was refused.

        Raises:
            TxmonError: it was not stored.
        """
        consumer = self._source.consumer
        while not flight.done.wait(_POLL_S):
            consumer.pause()
            consumer.poll(1, 0.0)  # paused, it gives nothing; not polled, a broker would take it for dead
        consumer.resume()
        result = flight.result
        if isinstance(result, TxmonError):
            raise result
        if isinstance(result, Exception):
            raise SourceError(f"the engine failed on a batch: {type(result).__name__}") from result
        if result is not None and result.quarantined:
            for line, reason, raw in result.refused:
                consumer.dead_letter(flight.messages[line], reason, raw.encode())
            consumer.flush(_LETTERS_S)

    def _again(self, error: TxmonError) -> None:
        """Go back to what is stored, after everything that is under way has come back."""
        self.problem = error.detail
        self._log.warning("feeding.failed", exc_info=error)
        while self._flights:
            self._flights.popleft().done.wait()
        self._chain = Chain()
        if not self._stop.wait(_PROBLEM_PAUSE_S):
            self._source.consumer.seek(self._source.stored())

    def _lag(self) -> None:
        name = self._source.consumer.name
        for partition, count in self._source.consumer.lag().items():
            self._metrics.consumer_lag_messages.labels(name, partition).set(count)
