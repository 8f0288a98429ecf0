"""Puts another config in force while events go on: warmed on all of history, switched at a journal row.

What is activated is the document that two people agreed on, not what the files say by then. Until the switch
nothing is different; if warming fails, nothing ever is. Owns the warming thread and the moment of the
switch; who may ask for it is the API's part.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from txmon.clock import Clock
from txmon.errors import StateError
from txmon.pipeline.config import Config
from txmon.pipeline.scoring import Scoring
from txmon.store import Store, journal

# so few events may be left for the switch itself, during which nothing else is scored
_LEFT_EVENTS = 5_000
_LAPS = 20


@dataclass(frozen=True)
class Switch:
    """What the service gives: its store and clock, a turn of the writer, and its hand over to a scorer."""

    store: Store
    clock: Clock
    in_turn: Callable[[Callable[[], Any]], Future[Any]]
    fresh: Callable[[Config], Scoring]
    alerts: Callable[[], Mapping[str, pa.Table]]
    known: Callable[[], Config]
    adopt: Callable[[Config, Scoring], None]


class Activation:
    """One activation under way at most."""

    def __init__(self, switch: Switch) -> None:
        self._s = switch
        self._lock = threading.Lock()
        self._running: str | None = None
        self._done_events = 0

    @property
    def progress(self) -> dict[str, Any] | None:
        """The config that is being warmed and how many events it has seen; None if there is none."""
        running = self._running
        return None if running is None else {"config": running, "events": self._done_events}

    def start(self, config: Config, decision: Mapping[str, Any]) -> Future[int]:
        """Warm a config and put it in force; the future gives the journal row from which it is.

        Args:
            decision: who proposed and who approved, journaled with it.

        Raises:
            StateError: another activation is under way, or the config is in force already.
        """
        with self._lock:
            if self._running is not None:
                raise StateError("another activation is under way; wait until it is done")
            if config.essence == self._s.known().essence:
                raise StateError("this config is in force already")
            self._running, self._done_events = config.id, 0
        future: Future[int] = Future()
        future.set_running_or_notify_cancel()
        name = "txmon-activation"
        threading.Thread(
            target=self._run, args=(config, dict(decision), future), name=name, daemon=True
        ).start()
        return future

    def _run(self, config: Config, decision: dict[str, Any], future: Future[int]) -> None:
        try:
            seq = self._switch(config, decision)
        except Exception as error:  # told to whoever asked; the config in force stays
            self._running = None
            future.set_exception(error)
        else:
            self._running = None
            future.set_result(seq)

    def _switch(self, config: Config, decision: dict[str, Any]) -> int:
        scoring = self._s.fresh(config)
        try:
            return self._warmed(scoring, config, decision)
        except BaseException:
            scoring.close()
            raise

    def _warmed(self, scoring: Scoring, config: Config, decision: dict[str, Any]) -> int:
        store, seq = self._s.store, 0
        for _ in range(_LAPS):
            upto = store.marks.seq
            scoring.warm(seq, upto, self._count)
            seq = upto
            if store.marks.events - self._done_events <= _LEFT_EVENTS:
                break

        def switch() -> int:
            scoring.warm(seq, store.marks.seq, self._count)
            scoring.take_alerts(self._s.alerts())
            with store.write() as tx:
                now = self._s.clock.now_us()
                said = {"decision": "activate", "config": config.id, **decision}
                journal.append(tx, "activation", json.dumps(said).encode(), now)
                first: int = journal.append(tx, "config", config.document, now).seq
            self._s.adopt(config, scoring)
            return first

        result: int = self._s.in_turn(switch).result()
        return result

    def _count(self, events: int) -> None:
        self._done_events += events
