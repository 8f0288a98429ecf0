"""Sets messages that hold no event aside in a topic of their own, with the reason as a header.

Owns the producer of that topic. The body is what the quarantine keeps, without card numbers; headers say
where the message itself lies.
"""

from __future__ import annotations

import logging

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Sent

from txmon.errors import SourceError
from txmon.streams.consumer import Message
from txmon.streams.kafkaurl import KafkaAddress

_FULL_S = 1.0
_CLOSE_S = 5.0


class DeadLetters:
    """Producer of a dead-letter topic."""

    def __init__(self, address: KafkaAddress) -> None:
        self._topic, self._from = address.dead_letter or "", address.topic
        self._producer = Producer(address.producer_settings(), logger=logging.getLogger("txmon.kafka"))
        self._failed = 0

    def put(self, message: Message, reason: str, body: bytes) -> None:
        """Send one; headers `txmon-reason`, `txmon-topic`, `txmon-partition`, `txmon-offset`."""
        headers: list[tuple[str, str | bytes | None]] = [
            ("txmon-reason", reason),
            ("txmon-topic", self._from),
            ("txmon-partition", message.partition),
            ("txmon-offset", str(message.position)),
        ]
        try:
            self._produce(body, headers)
        except BufferError:
            self._producer.poll(_FULL_S)  # the queue is full: let some be delivered
            try:
                self._produce(body, headers)
            except BufferError:
                self._failed += 1

    def _produce(self, body: bytes, headers: list[tuple[str, str | bytes | None]]) -> None:
        try:
            self._producer.produce(self._topic, body, headers=headers, on_delivery=self._delivered)
        except KafkaException:
            self._failed += 1

    def flush(self, timeout_s: float) -> None:
        """Wait until all are there.

        Raises:
            SourceError: some are not; counted once.
        """
        waiting = self._producer.flush(timeout_s)
        failed, self._failed = self._failed, 0
        if waiting or failed:
            raise SourceError(
                f"dead-letter topic {self._topic} did not take {failed} messages, {waiting} are waiting;"
                " the quarantine has them all"
            )

    def close(self) -> None:
        """Give the last ones a moment."""
        self._producer.flush(_CLOSE_S)

    def _delivered(self, error: KafkaError | None, _: Sent) -> None:
        self._failed += error is not None
