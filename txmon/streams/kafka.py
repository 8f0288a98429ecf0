"""Reads a Kafka topic, from positions that the pipeline stores and not the broker.

Owns the client, partitions and their positions; never decodes and never commits offsets. Without a group
every partition of the topic is read, new ones as they come; with a group the broker shares partitions
out, and each begins behind its stored position.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Consumer as Client

from txmon.clock import monotonic_s
from txmon.errors import SourceError
from txmon.streams.consumer import Message, Positions, Stored
from txmon.streams.deadletter import DeadLetters
from txmon.streams.kafkaurl import KafkaAddress

_LOOK_AGAIN_S = 30.0  # how often new partitions are looked for
_RETRY_S = 1.0  # how often a broker that does not answer is asked
_METADATA_S = 2.0
_LOST = frozenset((KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE))  # noqa: SLF001 - named so
_HOPELESS = frozenset(
    (
        KafkaError._AUTHENTICATION,  # noqa: SLF001
        KafkaError._INVALID_ARG,  # noqa: SLF001
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    )
)


class KafkaConsumer:
    """A `Consumer` of one topic; positions are the broker's offsets."""

    def __init__(self, address: KafkaAddress, *, stored: Stored = dict) -> None:
        """Prepare the client; the broker need not be there yet.

        Raises:
            SourceError: the client refuses its settings.
        """
        self._address, self._stored = address, stored
        self._names: dict[int, str] = {}  # partitions that are ours now
        self._first: dict[str, int] = {}  # where each was first begun, as a librdkafka offset
        self._taken: dict[str, int] = {}  # position last handed out or stored
        self._held: list[Message] = []  # fetched while paused
        self._unsure: set[int] = set()  # partitions whose position was not yet held against the topic's end
        self._paused = False
        self._problem: str | None = "not connected yet"
        self._failure: str | None = None  # what poll raises: callbacks of the client do not
        self._asked_s = -_LOOK_AGAIN_S
        settings = {**address.consumer_settings(), "error_cb": self._on_error}
        try:
            self._client = Client(settings, logger=logging.getLogger("txmon.kafka"))
        except (KafkaException, ValueError) as error:
            raise SourceError(f"Kafka client: {_text(error)}; correct the settings file") from error
        self._dead = DeadLetters(address) if address.dead_letter else None
        if address.group:
            self._client.subscribe([address.topic], on_assign=self._on_assign, on_revoke=self._on_revoke)

    @property
    def name(self) -> str:
        return self._address.name

    @property
    def ended(self) -> bool:
        """A topic never ends."""
        return False

    @property
    def problem(self) -> str | None:
        """What keeps it from reading now, or None."""
        return self._problem

    @property
    def partitions(self) -> tuple[str, ...]:
        """The partitions that are read now."""
        return tuple(self._names[p] for p in sorted(self._names))

    def poll(self, limit: int, timeout_s: float) -> list[Message]:
        self._look_around()
        if self._held and not self._paused:
            out, self._held = self._held[:limit], self._held[limit:]
            return self._hand_out(out)
        # consume() would wait for a full batch; the first message is waited for, the others are there or not
        first = self._client.poll(timeout_s)
        found = [] if first is None else [first, *self._client.consume(max(limit - 1, 1), 0)]
        out = self._read(found)
        if not out and self._unsure:
            self._check_ends()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise SourceError(f"Kafka topic {self._address.topic}: {failure}")
        if self._paused:
            self._held += out
            return []
        if len(out) > limit:
            self._held, out = out[limit:], out[:limit]
        return self._hand_out(out)

    def seek(self, positions: Positions) -> None:
        """Go on behind `positions`; every partition is begun anew."""
        self._held.clear()
        self._taken = dict(positions)
        self._assign([(p, self._begin(name, {})) for p, name in self._names.items()])

    def pause(self) -> None:
        if not self._paused and self._names:
            self._client.pause(self._handles())
        self._paused = True

    def resume(self) -> None:
        if self._paused and self._names:
            self._client.resume(self._handles())
        self._paused = False

    def dead_letter(self, message: Message, reason: str, body: bytes) -> None:
        if self._dead is not None:
            self._dead.put(message, reason, body)

    def flush(self, timeout_s: float) -> None:
        if self._dead is not None:
            self._dead.flush(timeout_s)

    def lag(self) -> Mapping[str, int]:
        """Return how many messages were not handed out; partitions not yet fetched are left out."""
        out: dict[str, int] = {}
        for partition, name in self._names.items():
            _, high = self._client.get_watermark_offsets(self._handle(partition), cached=True)
            if high >= 0 and name in self._taken:
                out[name] = max(0, high - self._taken[name] - 1)
        return out

    def close(self) -> None:
        self._client.close()
        if self._dead is not None:
            self._dead.close()

    def _hand_out(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            self._taken[message.partition] = message.position
        return messages

    def _read(self, found: list[Any]) -> list[Message]:
        out: list[Message] = []
        names = self._names
        for m in found:
            error = m.error()
            if error is not None:
                self._on_error(error)
                continue
            name = names.get(m.partition())
            if name is not None:  # else fetched before a rebalance took the partition away
                out.append(Message(m.value() or b"", name, m.offset(), m.key(), m.headers() or ()))
        if out:
            self._problem = None
        return out

    def _on_error(self, error: KafkaError) -> None:
        self._problem = f"Kafka: {error.str()}"
        if error.code() in _LOST:
            self._failure = (
                "the messages behind the stored position are gone, the broker deleted them unread;"
                " restore them, or accept the gap with ?gap=accept"
            )
        elif error.fatal() or error.code() in _HOPELESS:
            self._failure = f"{error.str()}; correct the address or the settings file"

    def _look_around(self) -> None:
        """Ask for the topic's partitions: at first, where the broker was away, and for new ones."""
        wait = _RETRY_S if self._problem is not None else _LOOK_AGAIN_S
        now = monotonic_s()
        if now - self._asked_s < wait:
            return
        self._asked_s = now
        try:
            topics = self._client.list_topics(self._address.topic, timeout=_METADATA_S).topics
        except KafkaException as error:
            self._on_error(error.args[0])
            return
        topic = topics[self._address.topic]
        if topic.error is not None:
            self._on_error(topic.error)
            return
        self._problem = None
        fresh = sorted(set(topic.partitions) - set(self._names))
        if fresh and not self._address.group:
            stored = self._stored()
            begin = [(p, self._begin(str(p), stored)) for p in fresh]
            self._assign([*((p, self._begin(n, {})) for p, n in self._names.items()), *begin])

    def _begin(self, name: str, stored: Positions) -> int:
        """Return the offset to begin a partition at: behind what is stored or was handed out."""
        taken = max(stored.get(name, -1), self._taken.get(name, -1))
        if taken >= 0:
            self._taken[name] = taken
            self._first.setdefault(name, taken + 1)
            return taken + 1
        start: int = OFFSET_BEGINNING if self._address.start == "earliest" else OFFSET_END
        return self._first.setdefault(name, start)

    def _assign(self, begin: list[tuple[int, int]]) -> None:
        self._names = {p: str(p) for p, _ in begin}
        self._unsure = {p for p, offset in begin if offset > 0}
        self._client.assign([TopicPartition(self._address.topic, p, offset) for p, offset in begin])
        if self._paused:
            self._client.pause(self._handles())

    def _on_assign(self, _: Client, partitions: list[TopicPartition]) -> None:
        stored = self._stored()
        self._assign([(p.partition, self._begin(str(p.partition), stored)) for p in partitions])

    def _on_revoke(self, _: Client, partitions: list[TopicPartition]) -> None:
        """Forget partitions that are another's now; what was handed out of them stays valid."""
        for p in partitions:
            name = self._names.pop(p.partition, None)
            self._held = [m for m in self._held if m.partition != name]
        self._client.unassign()

    def _check_ends(self) -> None:
        """Refuse a position behind the end of the topic: some brokers only stay silent."""
        for partition in sorted(self._unsure):
            _, high = self._client.get_watermark_offsets(self._handle(partition), cached=True)
            if high < 0:
                continue  # not fetched yet
            self._unsure.discard(partition)
            taken = self._taken.get(str(partition), -1)
            if taken >= high and not self._address.accept_gap:
                self._failure = (
                    f"partition {partition} ends at {high}, but {taken} was read before; if the topic was"
                    " made anew, give it another name with ?name="
                )

    def _handle(self, partition: int) -> TopicPartition:
        return TopicPartition(self._address.topic, partition)

    def _handles(self) -> list[TopicPartition]:
        return [self._handle(p) for p in self._names]


def _text(error: BaseException) -> str:
    first = error.args[0] if error.args else error
    return first.str() if isinstance(first, KafkaError) else str(first)
