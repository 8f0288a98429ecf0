"""Reads a JetStream stream, from positions that the pipeline stores and not the server.

The one partition is the stream, a position the message's sequence in it. Nothing is acknowledged and
nothing is left on the server, so two services may read one stream. Owns positions and dead letters; the
connection is `txmon.streams.natslink`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from txmon.errors import SourceError
from txmon.streams.consumer import Message, Positions, Stored
from txmon.streams.natslink import PARTITION, Letter, NatsLink
from txmon.streams.natsurl import NatsAddress


class NatsConsumer:
    """A `Consumer` of one stream, or of a subject of it."""

    def __init__(self, address: NatsAddress, *, stored: Stored = dict) -> None:
        """Prepare; the server need not be there yet.

        Raises:
            ConfigError: a file of certificates cannot be read.
        """
        self._address, self._stored = address, stored
        self._link = NatsLink(address)
        self._begun = False
        self._first: int | None = None  # position stored when it was first begun
        self._letters: list[Letter] = []

    @property
    def name(self) -> str:
        return self._address.name

    @property
    def ended(self) -> bool:
        """A stream never ends."""
        return False

    @property
    def problem(self) -> str | None:
        """What keeps it from reading now, or None."""
        return self._link.problem

    def poll(self, limit: int, timeout_s: float) -> list[Message]:
        if not self._begun:
            self._first = self._stored().get(PARTITION)
            self._link.begin(self._first)
            self._begun = True
        return self._link.take(limit, timeout_s)

    def seek(self, positions: Positions) -> None:
        self._link.begin(positions.get(PARTITION, self._first))
        self._begun = True

    def pause(self) -> None:
        self._link.pause(True)

    def resume(self) -> None:
        self._link.pause(False)

    def dead_letter(self, message: Message, reason: str, body: bytes) -> None:
        """Set aside; headers `txmon-reason`, `txmon-stream`, `txmon-sequence`, `txmon-subject`."""
        if self._address.dead_letter is None:
            return
        digest = hashlib.sha256(body).hexdigest()[:16]
        headers = {
            "txmon-reason": reason,
            "txmon-stream": self._address.stream,
            "txmon-sequence": str(message.position),
            "txmon-subject": (message.key or b"").decode("utf-8", "replace"),
            # what a crash makes come twice within the stream's window of duplicates is one letter
            "Nats-Msg-Id": f"{self._address.dead_letter}:{self._address.name}:{message.position}:{digest}",
        }
        self._letters.append(Letter(body, headers))

    def flush(self, timeout_s: float) -> None:
        if not self._letters:
            return
        letters, self._letters = self._letters, []
        try:
            self._link.publish(self._address.dead_letter or "", letters, timeout_s)
        except SourceError:
            self._letters = letters[-_KEPT_LETTERS:]  # sent again with the next ones
            raise

    def lag(self) -> Mapping[str, int]:
        found = self._link.lag()
        return {} if found is None else {PARTITION: found}

    def close(self) -> None:
        self._link.close()


_KEPT_LETTERS = 10_000  # while the subject takes none; the quarantine keeps all
