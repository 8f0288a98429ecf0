"""Brings alerts of the outbox to the endpoints: each one at least once, always under the same `webhook-id`.

    dispatcher = Dispatcher(store, service_change, deliverer, master, parts)
    dispatcher.start(); dispatcher.wake(); dispatcher.stop()

How far each endpoint has come, and every try, is recorded after it was made: a crash in between repeats a
message and never loses one. One thread decides and records; a few others send. A failing endpoint does not
hold up the others, and a failing message does not hold up its endpoint.
Owns threads and the order of things; what is due is `lane`'s, what a try means is `outcome`'s.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from txmon.clock import Clock, RandomBytes, monotonic_s
from txmon.errors import StateError, TxmonError
from txmon.notify import backlog, endpoints
from txmon.notify.backoff import Backoff
from txmon.notify.deliver import EXHAUSTED, RETRY, Deliverer, Reply
from txmon.notify.lane import Job, Lane
from txmon.notify.message import envelope, message_id, read_alert
from txmon.notify.outcome import Result, Rules, apply, judge, record
from txmon.notify.signing import Master, secrets_of, sign
from txmon.store import Store, Tx
from txmon.store.cloudevents import CONTENT_TYPE
from txmon.store.outbox import Stored

_DAY_US = 86_400_000_000
Change = Callable[[Callable[[Tx], None]], None]  # runs a change in the writer's turn; returns when committed


class Measures(Protocol):
    """What is counted; `txmon.metrics.Metrics` is one."""

    webhook_backlog: Any
    webhook_deliveries_total: Any


class Log(Protocol):
    """Where it is said what happened; codes, counts and ids of ours only."""

    def info(self, event: str, **values: Any) -> None: ...
    def warning(self, event: str, **values: Any) -> None: ...
    def error(self, event: str, **values: Any) -> None: ...


@dataclass(frozen=True)
class Parts:
    """What the dispatcher works with.

    Attributes:
        workers: deliveries under way at once.
        tries: of one message while others arrive; as many failures in a row disable the endpoint.
        poll_s: how often it looks for work without being woken. Seconds.
        tidy_s: how often it counts the backlog and settles messages. Seconds.
        settles: whether it marks messages of the outbox as sent when all endpoints have them.
        kept_days: how long messages wait for a disabled endpoint, and lines of the log are kept.
    """

    clock: Clock
    random_bytes: RandomBytes
    metrics: Measures
    log: Log
    workers: int = 4
    tries: int = 12
    backoff: Backoff = field(default_factory=Backoff)
    poll_s: float = 1.0
    tidy_s: float = 10.0
    settles: bool = True
    kept_days: int = 30


class Dispatcher:
    """See the module."""

    def __init__(
        self, store: Store, change: Change, deliverer: Deliverer, master: Master, parts: Parts
    ) -> None:
        self._store, self._change, self._deliverer, self._master = store, change, deliverer, master
        self._parts = parts
        self._rules = Rules(parts.tries, parts.backoff, parts.random_bytes)
        self._lanes: dict[str, Lane] = {}
        self._ended: queue.SimpleQueue[tuple[Job, Reply, int]] = queue.SimpleQueue()
        self._unrecorded: list[tuple[Job, Reply, int]] = []
        self._flying = 0
        self._newest, self._seen_log = -1, -1
        self._looked_s = self._tidied_s = float("-inf")
        self._woken, self._stopping = threading.Event(), threading.Event()
        self._pool = ThreadPoolExecutor(parts.workers, thread_name_prefix="txmon-webhook")
        self._thread = threading.Thread(target=self._run, name="txmon-webhooks", daemon=True)

    def start(self) -> None:
        """Start delivering."""
        self._thread.start()

    def wake(self) -> None:
        """Look for work now: a message, an endpoint or a replay was added."""
        self._looked_s = float("-inf")
        self._woken.set()

    def stop(self) -> None:
        """Stop; tries that are under way are waited for and recorded."""
        self._stopping.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._pool.shutdown(wait=True)
        self._guarded(self._record)

    def settle(self) -> None:
        """Do everything that is due by now and wait for it: for tests and for commands.

        Raises:
            TxmonError: the store.
        """
        self._looked_s = self._tidied_s = float("-inf")
        while True:
            self._turn()
            if self._flying == 0 and not self._unrecorded and self._ended.empty() and not self._start():
                break
            self._woken.wait(0.5)
            self._woken.clear()
        self._tidy()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            worked = self._guarded(self._turn)
            if not worked:
                self._woken.wait(self._idle_s())

    def _guarded(self, work: Callable[[], bool]) -> bool:
        """Work; failures are logged, and what was to be recorded waits for the next turn."""
        try:
            return work()
        except (TxmonError, TimeoutError, CancelledError) as error:
            self._parts.log.warning("webhooks.failed", code=getattr(error, "code", "timeout"))
        except Exception as error:  # a fault of ours must not end the thread unheard
            self._parts.log.error("webhooks.internal", exc_info=error)
        return False

    def _idle_s(self) -> float:
        due = [at for lane in self._lanes.values() if (at := lane.due_us()) is not None]
        if self._flying or not due:
            return self._parts.poll_s
        left = (min(due) - self._parts.clock.now_us()) / 1e6
        return min(max(left, 0.01), self._parts.poll_s)

    def _turn(self) -> bool:
        """Record what ended, look what is new, start what is due; says whether there was anything."""
        worked = self._record()
        now_s = monotonic_s()
        if now_s - self._looked_s >= self._parts.poll_s:
            self._looked_s = now_s
            self._look()
        if now_s - self._tidied_s >= self._parts.tidy_s:
            self._tidied_s = now_s
            self._tidy()
        return self._start() or worked

    # -- what is new -----------------------------------------------------------------------------------

    def _look(self) -> None:
        with self._store.read() as conn:
            if self._seen_log < 0:
                self._seen_log = backlog.newest_delivery(conn)
            found = {endpoint.id: endpoint for endpoint in endpoints.listed(conn)}
            for gone in self._lanes.keys() - found.keys():
                del self._lanes[gone]
            for endpoint in found.values():
                lane = self._lanes.get(endpoint.id)
                if lane is None or (endpoint.state == endpoints.ACTIVE and not lane.active):
                    self._lanes[endpoint.id] = backlog.open_lane(conn, endpoint)
                else:
                    lane.endpoint = endpoint
            for line, endpoint_id, number in backlog.replays(conn, self._seen_log):
                self._seen_log = line
                if endpoint_id in self._lanes:
                    self._lanes[endpoint_id].replay(number)
            newest = backlog.newest_id(conn)
            if newest < self._newest:  # numbers began anew
                self._lanes = {name: backlog.open_lane(conn, found[name]) for name in self._lanes}
            self._newest = newest
            for lane in self._lanes.values():
                self._fetch(conn, lane)

    def _fetch(self, conn: Any, lane: Lane) -> None:
        """Read on, until something is for the endpoint or nothing is left."""
        while lane.active and not lane.waiting and lane.cursor.id < self._newest:
            found = backlog.following(conn, lane.cursor)
            if not found:
                return
            for stored in found:
                lane.fetched(stored, wanted=self._wanted(lane, stored))

    def _wanted(self, lane: Lane, stored: Stored) -> bool:
        try:
            alert = read_alert(stored)
        except StateError as error:
            self._parts.log.error("webhooks.damaged_message", outbox_id=stored.id, code=error.code)
            return False
        return lane.endpoint.wants(stored.topic, alert.mode, alert.entity)

    # -- sending ---------------------------------------------------------------------------------------

    def _start(self) -> bool:
        """Start what is due and has a free worker."""
        now, share = self._parts.clock.now_us(), max(1, self._parts.workers // 2)
        started = False
        for lane in list(self._lanes.values()):
            while self._flying < self._parts.workers and (job := lane.take(now, share)) is not None:
                started = self._launch(lane, job) or started
            if lane.active and not lane.waiting and lane.cursor.id < self._newest:
                self._looked_s = float("-inf")  # there is more behind what was read
        return started

    def _launch(self, lane: Lane, job: Job) -> bool:
        with self._store.read() as conn:
            message = backlog.one(conn, job.id)
        if message is None:
            lane.dropped(job)
            return True
        self._flying += 1
        self._pool.submit(self._send, lane.endpoint, job, message)
        return True

    def _send(self, endpoint: endpoints.Endpoint, job: Job, message: Stored) -> None:
        """In a worker: one try."""
        try:
            reply = self._try(endpoint, message)
        except Exception as error:  # a fault of ours: said, counted as a failure and tried again
            self._parts.log.error("webhook.internal", outbox_id=message.id, exc_info=error)
            reply = Reply(RETRY, 0, None, "internal")
        self._ended.put((job, reply, self._parts.clock.now_us()))
        self._woken.set()

    def _try(self, endpoint: endpoints.Endpoint, message: Stored) -> Reply:
        try:
            body = envelope(message, read_alert(message), endpoint.scope)
            secrets = secrets_of(self._master, endpoint.nonce)
        except StateError as error:
            self._parts.log.error("webhooks.unusable", outbox_id=message.id, code=error.code)
            return Reply(EXHAUSTED, 0, None, "damaged")
        now_s = self._parts.clock.now_us() // 1_000_000
        headers = sign(secrets, message_id(message), now_s, body) | {"content-type": CONTENT_TYPE}
        return self._deliverer.post(endpoint.url, headers, body)

    # -- recording -------------------------------------------------------------------------------------

    def _record(self) -> bool:
        """Record every try that has ended, in one transaction."""
        while not self._ended.empty():
            self._unrecorded.append(self._ended.get())
            self._flying -= 1
        if not self._unrecorded:
            return False
        results: list[Result] = []
        failures: dict[str, int] = {}
        for job, reply, at_us in self._unrecorded:
            lane = self._lanes.get(job.endpoint_id)
            if lane is not None:
                known = failures.get(job.endpoint_id, lane.failures)
                results.append(judge(job, reply, at_us, known, self._rules))
                failures[job.endpoint_id] = results[-1].failures
        lanes = dict(self._lanes)
        self._change(lambda tx: record(tx, results, lanes))
        self._unrecorded = []
        apply(results, lanes)
        self._tell(results)
        return True

    def _tell(self, results: Sequence[Result]) -> None:
        for result in results:
            self._parts.metrics.webhook_deliveries_total.labels(result.outcome).inc()
            facts = {"endpoint_id": result.job.endpoint_id, "outbox_id": result.job.id}
            if result.outcome == EXHAUSTED:
                self._parts.log.error("webhook.exhausted", **facts, attempt=result.job.attempt)
            if result.disables:
                self._parts.log.error(
                    "webhook.disabled", **facts, reason=result.reply.error, failures=result.failures
                )
                self._looked_s = float("-inf")

    def _tidy(self) -> bool:
        """Count the backlog; settle what nobody needs any more, and places that were only passed."""
        lanes = [lane for lane in self._lanes.values() if lane.active]
        now = self._parts.clock.now_us()
        old = now - self._parts.kept_days * _DAY_US
        with self._store.read() as conn:
            self._parts.metrics.webhook_backlog.set(backlog.waiting(conn, lanes))
            passed = [lane for lane in lanes if lane.reached() > lane.place]
            upto = min([self._newest, *(lane.through() for lane in self._lanes.values())])
            numbers = backlog.settled(conn, upto, old) if self._parts.settles else []
        if not numbers and not passed:
            return False
        reached = {lane.endpoint.id: lane.reached() for lane in passed}

        def change(tx: Tx) -> None:
            for endpoint_id, place in reached.items():
                endpoints.set_position(tx, endpoint_id, place, tx.marks.seq)
            backlog.settle(tx, numbers, old)

        self._change(change)
        for lane in passed:
            lane.advance(reached[lane.endpoint.id])
        return True
