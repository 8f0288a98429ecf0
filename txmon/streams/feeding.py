"""Brings the messages of a consumer to the pipeline, and refused ones to the consumer's dead-letter place.

    poll -> decode -> dead letters -> submit (waits while too much waits) -> committed: next

A dead letter is sent before its message counts as read, so that no crash can lose it; it may come twice. What
only the engine refuses (too late, a conflict) is sent behind the commit: a kill in between leaves it to the
quarantine, which has every refused row.

Positions are stored with the results, by the pipeline; after a failure of any kind the consumer goes back to
them and the messages come again, which has no effect on those that were stored. Only the end of the source or
of the service ends it. Owns one thread; stores nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from txmon.clock import Clock
from txmon.errors import Busy, NoRoom, SourceError, Stopping, TxmonError
from txmon.metrics import Metrics
from txmon.pipeline.inbox import Done
from txmon.pipeline.log import Log
from txmon.pipeline.work import Chain, Outcome, Sender, Work
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
    kind: str  # kafka | nats | redis | file
    decode: Callable[[Sequence[Message]], DecodedBatch]
    stored: Stored
    batch: int = 8192


@dataclass
class _Flight:
    """Messages that are with the pipeline."""

    messages: Sequence[Message]
    unread: int  # refused rows that decoding made, sent as dead letters before
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
                    break
                except Exception as error:  # ours or the source's: what is stored is the place to go on from
                    self._again(error)
            self._drain()
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
            self._land(self._flights[0])
        self._lag()
        if consumer.ended and not messages and not self._flights:
            self.ended = True

    def _send(self, messages: Sequence[Message]) -> None:
        source = self._source
        positions: dict[str, int] = {}
        for message in messages:
            positions[message.partition] = message.position
        decoded = source.decode(messages)
        self._unread(messages, decoded)
        flight = _Flight(messages, decoded.quarantine.num_rows, threading.Event())
        work = Work(
            source.sender, source.kind, self._clock.now_us(), decoded=decoded,
            consumer=source.consumer.name, positions=positions, chain=self._chain,
        )  # fmt: skip

        def done(result: Outcome | Exception) -> None:
            flight.result = result
            flight.done.set()

        while True:
            try:
                self._pipeline.submit(work, done)
            except (Busy, NoRoom) as error:
                if isinstance(error, NoRoom):
                    self.problem = error.detail
                if self._stop.wait(_PAUSE_S):
                    raise Stopping(
                        "stopped while the pipeline took nothing; nothing of this batch was stored"
                    ) from None
                self._keep_alive()
                continue
            break
        source.consumer.resume()
        self._flights.append(flight)

    def _keep_alive(self) -> None:
        """Poll without taking anything: not polled, a broker would take the consumer for dead."""
        self._source.consumer.pause()
        self._source.consumer.poll(1, 0.0)

    def _land(self, flight: _Flight) -> None:
        """Wait for a batch to be stored, then set aside what was refused.

        Raises:
            TxmonError: it was not stored.
        """
        while not flight.done.wait(_POLL_S):
            self._keep_alive()
        self._source.consumer.resume()
        self._flights.popleft()
        result = flight.result
        if isinstance(result, TxmonError):
            raise result
        if isinstance(result, Exception):
            raise SourceError(f"the engine failed on a batch: {type(result).__name__}") from result
        self._letters(flight)

    def _unread(self, messages: Sequence[Message], decoded: DecodedBatch) -> None:
        """Set aside what is no event; a place that does not take it stops nothing, the quarantine has it."""
        if not decoded.quarantine.num_rows:
            return
        for line, reason, raw in decoded.dead_letters():
            self._source.consumer.dead_letter(messages[line], reason, raw)
        try:
            self._source.consumer.flush(_LETTERS_S)
        except SourceError as error:
            self._failed(error)

    def _letters(self, flight: _Flight) -> None:
        """Set aside what the engine refused of a batch that is stored.

        Raises:
            SourceError: the place for it did not take it all; the quarantine has it.
        """
        consumer, result = self._source.consumer, flight.result
        if isinstance(result, Outcome) and result.quarantined > flight.unread:
            for line, reason, raw in result.refused[flight.unread :]:
                consumer.dead_letter(flight.messages[line], reason, raw.encode())
            consumer.flush(_LETTERS_S)

    def _again(self, error: Exception) -> None:
        """Go back to what is stored, after everything that is under way has come back."""
        self._failed(error)
        self._drain()
        self._chain = Chain()
        while not self._stop.wait(_PROBLEM_PAUSE_S):
            try:
                self._source.consumer.seek(self._source.stored())
                self._source.consumer.resume()
            except TxmonError as more:  # the store is away, or still the source
                self._failed(more)
            else:
                break

    def _failed(self, error: Exception) -> None:
        self.problem = error.detail if isinstance(error, TxmonError) else type(error).__name__
        self._log.warning("feeding.failed", exc_info=error)

    def _drain(self) -> None:
        """Wait for everything that is under way; nothing is read meanwhile."""
        while self._flights:
            flight = self._flights.popleft()
            flight.done.wait()
            try:
                self._letters(flight)
            except SourceError as error:
                self._failed(error)

    def _lag(self) -> None:
        name = self._source.consumer.name
        for partition, count in self._source.consumer.lag().items():
            self._metrics.consumer_lag_messages.labels(name, partition).set(count)
