"""Publishes alerts to a Kafka topic as CloudEvents 1.0 (`txmon.store.cloudevents`).

Owns the producer; what is sent, and that it was, is the outbox's to keep. An item may
arrive more than once after a crash, always with the same id.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Sent

from txmon.errors import SourceError
from txmon.store.cloudevents import CONTENT_TYPE
from txmon.streams.kafkaurl import KafkaAddress

_FULL_S = 1.0


class Outgoing(NamedTuple):
    """One item of the outbox: its id, the key that orders it with others, and the envelope."""

    id: str
    key: str
    body: bytes


class KafkaPublisher:
    """Producer of one topic."""

    def __init__(self, address: KafkaAddress) -> None:
        self._topic = address.topic
        self._producer = Producer(address.producer_settings(), logger=logging.getLogger("txmon.kafka"))
        self._waiting: set[str] = set()  # ids on their way
        self._done: set[str] = set()

    def publish(self, items: Iterable[Outgoing], timeout_s: float) -> set[str]:
        """Send items in order; return the ids that all in-sync replicas have by now.

        Give the others again: those still on their way are not sent twice.

        Raises:
            SourceError: the producer is beyond repair; make a new one.
        """
        for item in items:
            if item.id not in self._waiting and item.id not in self._done and not self._send(item):
                break
        self._producer.flush(timeout_s)
        done, self._done = self._done, set()
        return done

    def close(self) -> None:
        """Drop what is on its way; the outbox still has it."""
        self._producer.purge()
        self._producer.flush(_FULL_S)

    def _send(self, item: Outgoing) -> bool:
        """Queue an item; false if it and the following must wait."""
        headers: list[tuple[str, str | bytes | None]] = [("content-type", CONTENT_TYPE)]
        try:
            self._producer.produce(
                self._topic,
                item.body,
                item.key,
                headers=headers,
                on_delivery=partial(self._delivered, item.id),
            )
        except BufferError:
            return False
        except KafkaException as error:
            raise SourceError(f"Kafka topic {self._topic}: {error.args[0].str()}; start anew") from error
        self._waiting.add(item.id)
        return True

    def _delivered(self, id: str, error: KafkaError | None, _: Sent) -> None:
        self._waiting.discard(id)
        if error is None:
            self._done.add(id)
