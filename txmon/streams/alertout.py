"""Publishes the outbox's alerts to a broker's topic, in order, from where it stood.

How far it is, is stored as a consumer's position under ``publish:TOPIC``, apart from what webhooks have
delivered; a message may come twice after a crash, always with the same id. Owns one thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from txmon.errors import SourceError
from txmon.pipeline.log import Log
from txmon.store import Store, Tx, offsets, outbox
from txmon.store.outbox import Stored
from txmon.streams.kafkaurl import KafkaAddress
from txmon.streams.publish import KafkaPublisher, Outgoing

_AT_ONCE, _FLUSH_S, _PAUSE_S, _PROBLEM_PAUSE_S = 500, 5.0, 0.5, 5.0
_PARTITION = "outbox"
Change = Callable[[Callable[[Tx], Any]], Future[Any]]


@dataclass(frozen=True)
class Sending:
    """What is published where, and how a message is written."""

    store: Store
    change: Change  # the writer's turn
    topic: str  # of the outbox
    address: KafkaAddress
    outgoing: Callable[[Stored], Outgoing]


class AlertOut:
    """See the module."""

    def __init__(self, sending: Sending, log: Log) -> None:
        self._s, self._log = sending, log
        self._name = f"publish:{sending.address.topic}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="txmon-publish", daemon=True)
        self.problem: str | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Stop; what was not published is published after the next start."""
        self._stop.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with closing(KafkaPublisher(self._s.address)) as publisher:
                    while not self._stop.is_set():
                        if not self.round(publisher):
                            self._stop.wait(_PAUSE_S)
            except Exception as error:  # whatever it is, the store being away too: alerts wait in the outbox
                self.problem = getattr(error, "code", "internal")
                self._log.warning("publish.failed", exc_info=error)
                self._stop.wait(_PROBLEM_PAUSE_S)

    def round(self, publisher: KafkaPublisher) -> int:
        """Publish what waits, up to a few hundred; returns how many were taken by the broker.

        Raises:
            SourceError: the broker took none. StoreError, TimeoutError: how far it is could not be stored.
        """
        with self._s.store.read() as conn:
            after = offsets.get(conn, self._name).get(_PARTITION, 0)
            waiting = outbox.following(conn, self._s.topic, after, _AT_ONCE)
        if not waiting:
            self.problem = None
            return 0
        items = [self._s.outgoing(stored) for stored in waiting]
        done = publisher.publish(items, _FLUSH_S)
        count = next((i for i, item in enumerate(items) if item.id not in done), len(items))
        if not count:
            raise SourceError("the broker takes no alerts; they wait in the outbox")
        last = waiting[count - 1].id

        def note(tx: Tx) -> None:
            offsets.put(tx, self._name, {_PARTITION: last}, tx.marks.seq)

        self._s.change(note).result(timeout=60)
        self.problem = None
        return count
