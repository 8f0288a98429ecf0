"""What waits for the writer: works, changes by people, and the wish to stop. Bounded; never blocks a sender.

Owns the queue. A work counts as many events as it has payloads, or events if it was decoded before.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from txmon.errors import Busy, Stopping
from txmon.pipeline.work import Outcome, Work

Done = Callable[[Outcome | Exception], None]


@dataclass(frozen=True)
class Job:
    """A work and whom to tell."""

    work: Work
    done: Done
    size: int


@dataclass(frozen=True)
class Change:
    """A change by a person or by a part of the service: called in the writer's thread, between batches."""

    make: Callable[[], Any]
    future: Future[Any]


class Inbox:
    """See the module. Any thread puts, the writer takes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._jobs: deque[Job] = deque()
        self._changes: deque[Change] = deque()
        self._ready = threading.Condition()
        self._events = 0
        self._closed: str | None = None
        self._woken = False

    @property
    def events(self) -> int:
        """Events that wait."""
        return self._events

    @property
    def limit(self) -> int:
        """Events that may wait."""
        return self._limit

    def put(self, work: Work, done: Done) -> None:
        """Hand a work over; `done` is called once, in the writer's thread.

        Raises:
            Busy: too much waits. Stopping: the writer takes nothing more.
        """
        size = len(work.payloads) if work.decoded is None else len(work.decoded.events)
        with self._ready:
            self._refuse_closed()
            # a work larger than the whole queue is taken when nothing else waits
            if self._events and self._events + size > self._limit:
                raise Busy(f"{self._events:,} events wait already; send more slowly", retry_after_s=1)
            self._jobs.append(Job(work, done, size))
            self._events += size
            self._ready.notify()

    def change(self, make: Callable[[], Any]) -> Future[Any]:
        """Hand a change over; its result or error comes through the future.

        Raises:
            Stopping: the writer takes nothing more.
        """
        future: Future[Any] = Future()
        with self._ready:
            self._refuse_closed()
            self._changes.append(Change(make, future))
            self._ready.notify()
        return future

    def _refuse_closed(self) -> None:
        if self._closed is not None:
            raise Stopping(self._closed)

    @property
    def works(self) -> int:
        """Works that wait."""
        return len(self._jobs)

    def wake(self) -> None:
        """Let the writer look up from its waiting: what it gave to be done is done."""
        with self._ready:
            self._woken = True
            self._ready.notify()

    def wait(self, seconds: float) -> None:
        """Wait until something is there or `wake` was called, at most so long."""
        with self._ready:
            if not self._jobs and not self._changes and self._closed is None and not self._woken:
                self._ready.wait(seconds)
            self._woken = False

    def take(self, limit: int) -> tuple[list[Job], list[Change]]:
        """Take what waits: works of about `limit` events, all changes."""
        with self._ready:
            jobs: list[Job] = []
            size = 0
            while self._jobs and (not jobs or size + self._jobs[0].size <= limit):
                jobs.append(self._jobs.popleft())
                size += jobs[-1].size
            self._events -= size
            changes = list(self._changes)
            self._changes.clear()
            return jobs, changes

    def close(self, reason: str) -> None:
        """Refuse everything from now on; what waits can still be taken."""
        with self._ready:
            self._closed = reason
            self._ready.notify_all()

    @property
    def closed(self) -> bool:
        """Whether nothing more is taken."""
        return self._closed is not None

    @property
    def finished(self) -> bool:
        """Whether it is closed and empty."""
        with self._ready:
            return self._closed is not None and not self._jobs and not self._changes
