"""Outcomes from the writer's thread to the requests that wait in the event loop, many at a time.

The writer tells one outcome after the other; only the first of a run wakes the loop, the others are there
when it comes. Owns the passing and the deadline; knows nothing of events.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable

from txmon.api.problems import Problem, retry_after
from txmon.clock import monotonic_s
from txmon.pipeline.work import Outcome

Result = Outcome | Exception
_SWEEP_S = 0.05


class Handover:
    """Made inside a running loop; one a loop."""

    def __init__(self, timeout_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._told: list[tuple[asyncio.Future[Outcome], Result]] = []
        self._waiting: deque[tuple[float, asyncio.Future[Outcome]]] = deque()
        self._sweeping = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop whose requests wait."""
        return self._loop

    def ticket(self, *, deadline: bool = True) -> tuple[asyncio.Future[Outcome], Callable[[Result], None]]:
        """Return a future, and what the writer calls with the outcome."""
        future: asyncio.Future[Outcome] = self._loop.create_future()
        if deadline:
            self._waiting.append((monotonic_s() + self._timeout_s, future))
            if not self._sweeping:
                self._sweeping = True
                self._loop.call_later(_SWEEP_S, self._sweep)

        def told(result: Result) -> None:
            with self._lock:
                self._told.append((future, result))
                first = len(self._told) == 1
            if first:
                self._loop.call_soon_threadsafe(self._settle)

        return future, told

    def _settle(self) -> None:
        with self._lock:
            told, self._told = self._told, []
        for future, result in told:
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    def _sweep(self) -> None:
        now = monotonic_s()
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= now):
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(
                    Problem(
                        "decision_timeout",
                        "the event may have been taken; send the same request again, it counts once",
                        headers=(retry_after(1),),
                    )
                )
        self._sweeping = bool(self._waiting)
        if self._sweeping:
            self._loop.call_later(_SWEEP_S, self._sweep)
