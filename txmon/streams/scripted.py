"""A consumer that plays a script: the double of a broker for tests, with failures where they are wanted.

Owns the script and the cursor; touches no network, file or clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import Enum

from txmon.errors import SourceError
from txmon.streams.consumer import Message, Positions, Stored


class Sentinel(Enum):
    """Marks in a script that are no messages."""

    ABORT = (
        "abort"  # the source breaks here, once: poll raises, and a new start goes on behind what is stored
    )
    EOF = "eof"  # the end: nothing follows, and `ended` is true
    GAP = "gap"  # a poll that returns nothing


ABORT, EOF, GAP = Sentinel.ABORT, Sentinel.EOF, Sentinel.GAP
Step = Message | bytes | Sentinel


class ScriptedConsumer:
    """Hands out the messages of a script.

    Bytes become messages of partition "0"; positions of each partition count from 0 unless a message has
    its own. An ABORT is met once in the script's life, so that the same object can be started again.
    """

    def __init__(self, script: Iterable[Step], *, stored: Stored = dict, name: str = "scripted") -> None:
        self._name, self._stored = name, stored
        self._steps: list[Message | Sentinel] = []
        self._aborted: set[int] = set()
        self.paused = False
        self.closed = False
        self.dead: list[tuple[Message, str, bytes]] = []
        following: defaultdict[str, int] = defaultdict(int)
        for step in script:
            if isinstance(step, Sentinel):
                self._steps.append(step)
                continue
            message = Message(step, "0", following["0"]) if isinstance(step, bytes) else step
            following[message.partition] = message.position + 1
            self._steps.append(message)
        self._taken: dict[str, int] = {}
        self._start: dict[str, int] = {}
        self._at = 0
        self.start()

    @property
    def name(self) -> str:
        return self._name

    @property
    def ended(self) -> bool:
        return self._at >= len(self._steps) or self._steps[self._at] is EOF

    @property
    def problem(self) -> str | None:
        return None

    def start(self) -> None:
        """Begin as a new process would: behind the stored positions."""
        self._start = dict(self._stored())
        self.seek(self._start)

    def poll(self, limit: int, timeout_s: float) -> list[Message]:  # noqa: ARG002 - the protocol's
        """Return the next messages up to a sentinel; the time is not waited for."""
        out: list[Message] = []
        while not self.paused and len(out) < limit and self._at < len(self._steps):
            step = self._steps[self._at]
            if isinstance(step, Message):
                self._at += 1
                if step.position > self._taken.get(step.partition, -1):
                    self._taken[step.partition] = step.position
                    out.append(step)
                continue
            if out or step is EOF:
                break
            at, self._at = self._at, self._at + 1
            if step is ABORT and at not in self._aborted:
                self._aborted.add(at)
                raise SourceError("the script aborts here; start again behind the stored positions")
            if step is GAP:
                break
        return out

    def seek(self, positions: Positions) -> None:
        self._taken = {**self._start, **positions}
        self._at = 0

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def dead_letter(self, message: Message, reason: str, body: bytes) -> None:
        self.dead.append((message, reason, body))

    def flush(self, timeout_s: float) -> None:
        """Nothing is on its way: dead letters are in `dead` at once."""

    def lag(self) -> Mapping[str, int]:
        """Return the number of messages of each partition that were not handed out."""
        out: defaultdict[str, int] = defaultdict(int)
        for step in self._steps:
            if isinstance(step, Message):
                out[step.partition] += step.position > self._taken.get(step.partition, -1)
        return dict(out)

    def close(self) -> None:
        self.closed = True
