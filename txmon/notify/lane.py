"""What is to be sent to one endpoint, and when: in memory, made from the store at the start.

A healthy endpoint gets several messages at once. After `AILING` failures in a row it gets one at a time, with
growing pauses, until one arrives; by then everything that waited is due. Owns order and times; never sends,
reads or writes.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from txmon.notify.endpoints import ACTIVE, Endpoint
from txmon.store.outbox import Stored

AILING = 3


class Place(NamedTuple):
    """Where a message lies: its journal row, its number. In this order messages come."""

    seq: int
    id: int


class Again(NamedTuple):
    """A message that is to be sent once more; `attempt` counts those that were made."""

    due_us: int
    id: int
    attempt: int


@dataclass(frozen=True)
class Job:
    """A try; `place` is None for a repetition. The message is read at the last moment: it may be erased."""

    endpoint_id: str
    id: int
    attempt: int  # 1 is the first
    place: Place | None


class Lane:
    """See the module."""

    def __init__(self, endpoint: Endpoint, place: Place, retries: Iterable[Again]) -> None:
        self.endpoint, self.place, self.cursor = endpoint, place, place
        self.waiting: deque[Place] = deque()
        self.retries = list(retries)
        heapq.heapify(self.retries)
        self.failures, self.next_us = endpoint.failures, 0
        self.in_flight: set[int] = set()
        self._started: dict[Place, bool] = {}  # in order of arrival; True: its first try is recorded

    @property
    def active(self) -> bool:
        """Say whether anything may be sent."""
        return self.endpoint.state == ACTIVE

    def fetched(self, message: Stored, *, wanted: bool) -> None:
        """Take a message that was read from the outbox; one that is not for this endpoint is passed over."""
        self.cursor = Place(message.created_seq, message.id)
        self._started[self.cursor] = not wanted
        if wanted:
            self.waiting.append(self.cursor)

    def take(self, now_us: int, most: int) -> Job | None:
        """Return the next try that is due, None where there is none."""
        if not self.active:
            return None
        ailing = self.failures >= AILING
        if len(self.in_flight) >= (1 if ailing else most) or (ailing and now_us < self.next_us):
            return None
        if self.retries and (ailing or self.retries[0].due_us <= now_us):
            again = heapq.heappop(self.retries)
            self.in_flight.add(again.id)
            return Job(self.endpoint.id, again.id, again.attempt + 1, None)
        if not self.waiting:
            return None
        place = self.waiting.popleft()
        self.in_flight.add(place.id)
        return Job(self.endpoint.id, place.id, 1, place)

    def due_us(self) -> int | None:
        """Return when the next try is due, None where nothing waits for its time."""
        if not self.active or not (self.retries or self.waiting):
            return None
        if self.failures >= AILING:
            return self.next_us
        return 0 if self.waiting else self.retries[0].due_us

    def replay(self, message_id: int) -> None:
        """Send a message again at once."""
        heapq.heappush(self.retries, Again(0, message_id, 0))

    def dropped(self, job: Job) -> None:
        """Let go of a job that needs no try: its message was erased."""
        self._ended(job)

    def arrived(self, job: Job) -> None:
        """A try succeeded: the endpoint is healthy, and no failure counts any more."""
        self._ended(job)
        self.failures = self.next_us = 0

    def failed(self, job: Job, due_us: int | None, failures: int) -> None:
        """A try failed.

        Args:
            due_us: when the message is to be tried again; None: it is not.
            failures: in a row, this one included.
        """
        self._ended(job)
        if due_us is not None:
            heapq.heappush(self.retries, Again(due_us, job.id, job.attempt))
            self.next_us = max(self.next_us, due_us)
        self.failures = failures

    def reached(self, also: Iterable[Place] = ()) -> Place:
        """Return the last place up to which every message had its first try, `also` taken as tried."""
        more, found = frozenset(also), self.place
        for place, done in self._started.items():
            if not (done or place in more):
                break
            found = place
        return found

    def advance(self, place: Place) -> None:
        """Take note that a place was recorded."""
        self.place = place
        self._started = {p: done for p, done in self._started.items() if p > place}

    def through(self) -> int:
        """Return the number up to which no message is needed any more."""
        open_ones = [again.id for again in self.retries] + list(self.in_flight)
        return min([self.place.id, *(number - 1 for number in open_ones)])

    def _ended(self, job: Job) -> None:
        self.in_flight.discard(job.id)
        if job.place is not None and job.place in self._started:
            self._started[job.place] = True
