"""A scorer in a process of its own: decoding and storing go on while it scores.

A thread reads what the engine's process says; the writer is woken when a result is there. If the process
ends by itself, whoever waits is told so by `EngineLost`, and the journal gives another one. Owns our end of
the conversation; `txmon.pipeline.enginehost` is the other.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

import pyarrow as pa

from txmon.alerts.tables import ALERTS, CHANGES
from txmon.engine.hits import HITS
from txmon.errors import EngineLost, StateError
from txmon.pipeline.config import Config
from txmon.pipeline.nursery import Nursery
from txmon.pipeline.recover import Stand
from txmon.pipeline.scoring import Applied, Pulse, Saved, Warmed, accepted_of
from txmon.pipeline.snapshots import Order
from txmon.pipeline.wire import pack, unpack

_Said = tuple[str, Any, dict[str, pa.Table]]
_LOST = "the engine's process has ended by itself; another one takes over"


class Far:
    """See the module."""

    ahead = 2  # one that is scored, and one so that the engine need not wait for us

    def __init__(self, nursery: Nursery, wake: Callable[[], None]) -> None:
        """Start a process, whose engine has no state yet.

        Args:
            wake: called from another thread when a result is there.
        """
        self._nursery, self._wake = nursery, wake
        self.pulse = Pulse()
        self._open()

    def _open(self) -> None:
        self._connection = self._nursery.engine()
        self._given: deque[pa.Table] = deque()  # batches whose results are to come
        self._said: SimpleQueue[_Said | None] = SimpleQueue()  # None: it has ended
        self._saved: Saved | None = None
        self._warmed: Warmed | None = None
        self._lost = False
        threading.Thread(
            target=self._listen, args=(self._connection, self._said), name="txmon-engine", daemon=True
        ).start()

    # -- beginnings ----------------------------------------------------------------------------------

    def stand(self) -> Stand:
        """Let it stand where the journal ends."""
        found: Stand = self._ask("stand")[0]
        return found

    def fresh(self, document: bytes) -> None:
        """Let it begin with nothing, under a config."""
        self._ask("fresh", document)

    # -- as `Scoring` says ---------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether `result` would not wait."""
        return self._lost or not self._said.empty()

    def rehearse(self, config: Config) -> None:
        """Let it score made-up events and forget them."""
        self._ask("rehearse", config.document)

    def submit(self, events: pa.Table) -> None:
        """Send a batch to be scored."""
        self._given.append(events)
        self._send("score", None, {"events": events})

    def result(self) -> Applied:
        """Wait for what the oldest batch led to."""
        events = self._given.popleft()
        (verdict, seq, late, warming), found = self._wait()
        return Applied(
            accepted_of(events, verdict, seq), verdict, seq, late, warming,
            found.get("hits", HITS.empty_table()),
            found.get("changes", CHANGES.empty_table()),
            found.get("alerts", ALERTS.empty_table()),
        )  # fmt: skip

    def keep(self) -> None:
        """Remember the state."""
        self._ask("keep")

    def back(self) -> None:
        """Return to the state that was remembered; a process that was lost had that of the journal's end."""
        if not self._lost:
            self._ask("back")
            return
        self.close()
        self._open()
        self.stand()
        self.keep()

    def drop(self) -> None:
        """Forget what was remembered."""
        self._ask("drop")

    def warm(self, after: int, upto: int, warmed: Warmed) -> None:
        """Let it read the journal."""
        self._warmed = warmed
        self._ask("warm", (after, upto))

    def alerts(self) -> Mapping[str, pa.Table]:
        """Return the alert book."""
        book: dict[str, pa.Table] = self._ask("alerts")[1]
        return book

    def take_alerts(self, tables: Mapping[str, pa.Table]) -> None:
        """Go on from another scorer's alert book."""
        self._ask("take_alerts", None, tables)

    def save(self, order: Order, saved: Saved) -> None:
        """Let it write its state beside its work."""
        self._saved = saved
        try:
            self._ask("save", order)
        except Exception:
            self._saved = None
            raise

    def close(self) -> None:
        """Let the process end; what it is still at is given up."""
        with suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as ours:
            ours.shutdown(socket.SHUT_RDWR)  # closing alone would not wake who reads from it

    # -- the conversation ----------------------------------------------------------------------------

    def _ask(self, word: str, values: Any = None, tables: Mapping[str, pa.Table] | None = None) -> Any:
        self._send(word, values, tables)
        return self._wait()

    def _send(self, word: str, values: Any, tables: Mapping[str, pa.Table] | None) -> None:
        with suppress(OSError):  # that it has ended is told to who waits for the answer
            self._connection.send_bytes(pack(word, values, tables))

    def _wait(self) -> tuple[Any, dict[str, pa.Table]]:
        said = self._said.get()
        if said is None:
            self._said.put(None)
            raise EngineLost(_LOST)
        word, values, tables = said
        if word == "error":
            raise values
        found, self.pulse = values[0], values[1] or self.pulse
        return found, tables

    def _listen(self, connection: Connection, queue: SimpleQueue[_Said | None]) -> None:
        """Take what the process says until it has ended, or cannot be understood; whoever waits is told."""
        try:
            self._hear(connection, queue)
        finally:
            connection.close()
            queue.put(None)
            if connection is self._connection:
                self._lost = True
                self._end_saving("the engine's process has ended")
                self._wake()

    def _hear(self, connection: Connection, queue: SimpleQueue[_Said | None]) -> None:
        while True:
            try:
                said = unpack(connection.recv_bytes())
            except (EOFError, OSError):
                return
            if said[0] == "saved":
                self._end_saving(said[1])
            elif said[0] == "warmed":
                if self._warmed is not None:
                    self._warmed(said[1])
            else:
                queue.put(said)
                self._wake()

    def _end_saving(self, problem: str) -> None:
        saved, self._saved = self._saved, None
        if saved is not None:
            saved(StateError(problem) if problem else None)
