"""What the pipeline asks of a broker or a followed file, whatever it is.

Owns the protocol and its message; never decodes a payload and never stores a position. Positions are
the pipeline's to keep, in the transaction that holds the results; a consumer only hands out messages
with their positions and starts behind those it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

Positions = Mapping[str, int]
# the stored positions of one consumer, asked whenever partitions are given to it
Stored = Callable[[], Positions]
Headers = Sequence[tuple[str, bytes | None]]


class Message(NamedTuple):
    """One message as it came.

    `position` grows within a `partition`; storing the position of a message means that it and all before
    it are done. What it counts is the consumer's own: offsets of a topic, bytes of a file.
    """

    payload: bytes
    partition: str = "0"
    position: int = 0
    key: bytes | None = None
    headers: Headers = ()


class Consumer(Protocol):
    """Reads messages in order within each partition. One thread uses it, `close` apart."""

    @property
    def name(self) -> str:
        """The name its positions are stored under; the same after every restart."""
        ...

    @property
    def ended(self) -> bool:
        """Whether nothing will ever follow: the end of a source that has one, all of it handed out."""
        ...

    @property
    def problem(self) -> str | None:
        """What keeps it from reading now, in words for a health report; None while it can."""
        ...

    def poll(self, limit: int, timeout_s: float) -> list[Message]:
        """Return what has come, at most `limit` messages; wait at most `timeout_s` for the first.

        Never waits for a full batch. While paused it returns nothing and keeps the connection alive, so it
        must still be called every few seconds.

        Raises:
            SourceError: the source cannot be read and waiting will not help, or not without a hand.
        """
        ...

    def seek(self, positions: Positions) -> None:
        """Go on behind these positions: after a failed batch, or to read again.

        Partitions that are not named go back to where they were first given to this consumer.
        """
        ...

    def pause(self) -> None:
        """Stop fetching: the pipeline is behind. Messages already handed out stay valid."""
        ...

    def resume(self) -> None:
        """Fetch again."""
        ...

    def dead_letter(self, message: Message, reason: str, body: bytes) -> None:
        """Set a message aside where the source has a place for it; `flush` waits until it is there.

        Args:
            message: the message that holds no event.
            reason: a code of `txmon.streams.faults.Reason`.
            body: what to keep of it, without card numbers.
        """
        ...

    def flush(self, timeout_s: float) -> None:
        """Wait for the dead letters.

        Raises:
            SourceError: some were not taken; the quarantine has them all the same.
        """
        ...

    def lag(self) -> Mapping[str, int]:
        """Return per partition how much there is that was not handed out, as far as is known."""
        ...

    def close(self) -> None:
        """Leave; nothing is stored by it."""
        ...
