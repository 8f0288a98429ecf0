"""The client for threads.

Owns its connections, and a thread that sends what is queued. Safe to share between threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from txmon.client import casework, wire
from txmon.client.base import Base, Budget, checked, interrupted, live_alert, log, read_decisions, read_page
from txmon.client.bulk import portions
from txmon.client.deadline import DeadlineTransport, deadline
from txmon.client.errors import AccessDenied, ClientError, Unavailable
from txmon.client.options import Doors, Options, default_tls
from txmon.client.reports import Reports
from txmon.client.sse import Parser
from txmon.client.types import (
    Alert,
    BulkResult,
    Decision,
    Flushed,
    LiveAlert,
    Page,
    alert_of,
    bulk_of,
    object_of,
    page_of,
)  # fmt: skip

T = TypeVar("T")
_IDLE_S, _FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 0.5, 30.0


class Client(Reports, Base):
    """Sends events, reads alerts; see the package."""

    def __init__(
        self,
        address: str,
        key: str,
        options: Options | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        doors: Doors | None = None,
    ) -> None:
        """Make a client; nothing is sent yet, unless an earlier process left events in the spool.

        Args:
            address: of the service, ``https://HOST[:PORT]``.
            key: the API key.
            transport: in place of the client's own, which asks no proxy.

        Raises:
            ConfigError, StateError: an argument, or the spool's file.
        """
        super().__init__(address, key, options or Options(), doors or Doors())
        own = transport or DeadlineTransport(self._options.tls or default_tls())
        self._http = httpx.Client(
            base_url=self._address,
            headers=self._headers,
            transport=own,
            timeout=self._options.bulk_timeout_s,
            trust_env=False,
        )
        self._flushing, self._starting = threading.Lock(), threading.Lock()
        self._queued, self._closing = threading.Event(), threading.Event()
        self._sender: threading.Thread | None = None
        if self._spool.waiting:
            self._wake()

    def decide(
        self, event: Mapping[str, Any], *, feed: str | None = None, idempotency_key: str | None = None
    ) -> Decision:
        """Send one event and return what to do with it.

        Raises:
            Refused: the event is wrong. Unavailable, AccessDenied: only fail-closed.
        """
        call = wire.one_event(event, idempotency_key or self._doors.new_key(), feed)
        return self._decisions(call)[0]

    def send(self, events: Iterable[Mapping[str, Any]], *, feed: str | None = None) -> list[Decision]:
        """Send events and return a decision for each, in their order.

        Raises:
            As `decide`. What was sent before is stored; sending all again is safe.
        """
        made: list[Decision] = []
        for call in wire.many_events(events, self._doors.new_key, feed):
            made += self._decisions(call)
        return made

    def bulk(self, data: Any, *, feed: str | None = None) -> BulkResult:
        """Send many rows without decisions: the way for history and for batches.

        Args:
            data: see `txmon.client.bulk.portions`.

        Raises:
            Unavailable: with what was stored before in `done`. Refused, AccessDenied, InputError, OSError.
        """
        done = BulkResult()
        for portion in portions(data, self._options.bulk_rows):
            call = wire.bulk_call(portion.body, portion.content_type, self._doors.new_key(), feed)
            try:
                done += self._ask(call, bulk_of, self._bulk_budget)
            except Unavailable as error:
                raise interrupted(error, done) from None
        return done

    def alert(self, alert_id: str, *, purpose: str | None = None) -> Alert:
        """Return one alert with its evidence, as far as the key may see it.

        Args:
            purpose: why it is read; without one the service leaves out what names a person.

        Raises:
            Refused (reason ``not_found``), AccessDenied, Unavailable.
        """
        return self._ask(wire.alert_call(alert_id, purpose), alert_of, self._budget)

    def iter_alerts(self, *, limit: int = 100, purpose: str | None = None, **filters: Any) -> Iterator[Alert]:
        """Return alerts, page after page.

        Args:
            limit: alerts of a page.
            purpose: see `alert`.
            filters: of the service: state, severity, mode, entity, ...

        Raises:
            Refused, AccessDenied, Unavailable.
        """
        cursor: str | None = None
        while True:
            call = wire.query(wire.ALERTS, {**filters, "limit": limit, "cursor": cursor}, purpose)
            page, cursor = self._ask(call, partial(read_page, call), self._budget)
            yield from page
            if cursor is None:
                return

    def queue(self, *, purpose: str | None = None, **filters: Any) -> Page:
        """Return a page of the alerts that wait; filters are those of ``GET /v1/queue``.

        Raises:
            Refused, AccessDenied, Unavailable.
        """
        return self._ask(wire.query(casework.QUEUE, filters, purpose), page_of, self._budget)

    def work_on(
        self, alerts: Iterable[Mapping[str, Any]], action: str, reason: str, **values: Any
    ) -> list[dict[str, Any]]:
        """Take up, assign or put off many alerts, as they were listed; returns what became of each.

        Raises:
            Refused, AccessDenied, Unavailable, InputError.
        """
        body = {"action": action, "reason": reason} | values
        call = casework.working(alerts, body, self._doors.new_key())
        return list((self._ask(call, object_of, self._budget))["results"])

    def cases(self, *, purpose: str | None = None, **filters: Any) -> Page:
        """Return a page of cases; filters are those of ``GET /v1/cases``. Raises as `queue`."""
        return self._ask(wire.query(casework.CASES, filters, purpose), page_of, self._budget)

    def case(self, case_id: str, part: str | None = None, *, purpose: str | None = None) -> dict[str, Any]:
        """Return a case, or its ``timeline`` or ``network``.

        Raises:
            Refused (reason ``not_found``), AccessDenied, Unavailable.
        """
        return self._ask(casework.case_call(case_id, part, purpose), object_of, self._budget)

    def open_case(
        self, alerts: Iterable[Mapping[str, Any]], title: str, reason: str, *, restriction: str | None = None
    ) -> str:
        """Make a case of alerts, as they were listed; returns its id.

        Raises:
            Refused (reason ``conflict``: an alert changed), AccessDenied, Unavailable, InputError.
        """
        values = {"title": title, "reason": reason, "restriction": restriction}
        call = casework.opening(alerts, values, self._doors.new_key())
        return str((self._ask(call, object_of, self._budget))["case_id"])

    def change_case(self, case_id: str, version: int, reason: str, **change: Any) -> dict[str, Any]:
        """Change one thing about a case; returns its new ``version``, or a ``proposal_id`` to be decided on.

        Raises:
            Refused (reason ``conflict``: read it again; after a lost connection it may be this very change),
            AccessDenied, Unavailable, InputError.
        """
        call = casework.changing(case_id, version, change | {"reason": reason})
        return self._ask(call, object_of, self._budget)

    def do_in_case(
        self, case_id: str, part: str, version: int | None = None, **values: Any
    ) -> dict[str, Any]:
        """Do something in a case: ``comments`` (needs no version), ``parties``, ``alerts``, ``merge`` ...

        Raises as `change_case`.
        """
        call = casework.doing(case_id, part, version, values, self._doors.new_key())
        return self._ask(call, object_of, self._budget)

    def status(self) -> dict[str, Any]:
        """Return what the service says of itself.

        Raises:
            AccessDenied, Unavailable.
        """
        return self._ask(wire.Call("GET", wire.STATUS), object_of, self._budget)

    def stream_alerts(self, *, last_id: str | None = None, purpose: str | None = None) -> Iterator[LiveAlert]:
        """Return alerts as they come; a broken connection is opened anew where it ended.

        Args:
            last_id: `LiveAlert.id` of the newest that is known.
            purpose: see `alert`.

        Raises:
            Refused, AccessDenied. Ends when the client is closed.
        """
        call = wire.query(wire.ALERT_STREAM, {}, purpose)
        parser, failures = Parser(last_id), 0
        while not self._closing.is_set():
            try:
                for live in self._listen(call, parser):
                    failures = 0
                    yield live
            except Unavailable as error:
                log.info("stream of alerts: %s", error.reason)
                asked = error.retry_after_s
            else:
                asked = parser.retry_s
            failures += 1
            self._closing.wait(self._options.retry.pause(failures, asked, self._doors.fraction()))
            parser = Parser(parser.last_id)

    def flush(self, timeout_s: float | None = None) -> Flushed:
        """Send what is queued, in order, until nothing is left or the service does not answer.

        Args:
            timeout_s: longest time for all; None: as long as the service takes what is sent.
        """
        until = None if timeout_s is None else self._doors.monotonic() + timeout_s
        report = Flushed(0, 0)
        with self._flushing:
            while (call := self._spool.first()) is not None:
                left = self._options.timeout_s
                if until is not None:
                    left = min(left, until - self._doors.monotonic())
                if left <= 0:
                    report = Flushed(report.sent, 0, report.refused, "timeout")
                    break
                report, on = self._settle(self._outcome(call, left), call, report)
                if not on:
                    break
            return Flushed(
                report.sent, self._spool.waiting, report.refused, report.failure, report.retry_after_s
            )

    def close(self, timeout_s: float = 5.0) -> Flushed:
        """Send what is queued if that is quick, then let go of everything. What is in a file stays there."""
        self._closing.set()
        self._queued.set()
        if self._sender is not None:
            self._sender.join()
        report = self.flush(timeout_s)
        if report.left and self._options.spool is None:
            log.error("closed while %d events waited in memory: they are lost", self.waiting)
        self._http.close()
        self._spool.close()
        return report

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _decisions(self, call: wire.Call) -> list[Decision]:
        try:
            return self._ask(call, partial(read_decisions, call), self._budget)
        except (Unavailable, AccessDenied) as error:
            made = self._failed(call, error)
            self._wake()
            return made

    def _ask(self, call: wire.Call, read: Callable[[Any], T], budget: Budget) -> T:
        """Send, and send again within the time of the call as long as that may help."""
        until = self._doors.monotonic() + budget.total_s
        attempt = 0
        while True:
            attempt += 1
            left = min(until - self._doors.monotonic(), budget.send_s)
            try:
                with deadline(left):
                    return checked(call, read, self._once(call, left))
            except Unavailable as error:
                pause = self._pause(attempt, error, until)
                if pause is None:
                    raise
            self._doors.sleep(pause)

    def _once(self, call: wire.Call, left_s: float) -> Any:
        try:
            with self._http.stream(
                call.method, call.path, content=call.body or None, headers=call.headers(), timeout=left_s
            ) as answer:
                body = _bounded(call, answer)
        except httpx.TimeoutException:
            raise wire.unreachable(call, "timeout") from None
        except httpx.ConnectError:
            raise wire.unreachable(call, "no_connection") from None
        except httpx.HTTPError:
            raise wire.unreachable(call, "connection_lost") from None
        return wire.content(
            call, wire.Answer(answer.status_code, answer.headers, body), self._doors.clock.now_us
        )

    def _outcome(self, call: wire.Call, left_s: float) -> ClientError | None:
        """Send a queued request; returns what went wrong."""
        budget = Budget(left_s, min(left_s, self._options.one_send_s))
        try:
            self._ask(call, partial(read_decisions, call), budget)
        except ClientError as error:
            return error
        return None

    def _listen(self, call: wire.Call, parser: Parser) -> Iterator[LiveAlert]:
        headers = call.headers() | {b"accept": b"text/event-stream", b"cache-control": b"no-store"}
        if parser.last_id is not None:
            headers[b"last-event-id"] = parser.last_id.encode()
        try:
            with self._http.stream(
                "GET", call.path, headers=headers, timeout=self._options.silence_s
            ) as answer:
                if answer.status_code != 200:
                    body = _bounded(call, answer)
                    wire.content(
                        call, wire.Answer(answer.status_code, answer.headers, body), self._doors.clock.now_us
                    )
                    raise wire.unusable(call)
                for chunk in answer.iter_bytes():
                    for message in parser.feed(chunk):
                        if (live := live_alert(message, call)) is not None:
                            yield live
                    if self._closing.is_set():
                        return
        except httpx.HTTPError:
            raise wire.unreachable(call, "connection_lost") from None

    def _wake(self) -> None:
        """Start the thread that sends what is queued, or tell it that there is something."""
        if not self._options.background or not self._spool.waiting:
            return
        self._queued.set()
        with self._starting:
            if self._sender is None and not self._closing.is_set():
                self._sender = threading.Thread(target=self._send_queued, name="txmon-client", daemon=True)
                self._sender.start()

    def _send_queued(self) -> None:
        """Body of the thread: flush, wait longer after each failure."""
        failures = 0
        while not self._closing.is_set():
            if not self._spool.waiting:
                self._queued.clear()
                self._queued.wait(_IDLE_S)
                continue
            try:
                report = self.flush()
            except OSError as problem:
                log.error("the spool cannot be read: %s; correct the disk", problem.strerror)
                report = Flushed(0, self._spool.waiting, failure="spool_failed")
            failures = 0 if report.failure is None else failures + 1
            if failures:
                pause = min(_FIRST_PAUSE_S * 2 ** min(failures - 1, 10), _LONGEST_PAUSE_S)
                pause = min(max(pause, report.retry_after_s or 0.0), _LONGEST_PAUSE_S)
                self._closing.wait(pause * (0.5 + self._doors.fraction() / 2))


def _bounded(call: wire.Call, answer: httpx.Response) -> bytes:
    """Read a body, but not without bound."""
    parts, size = [], 0
    for part in answer.iter_bytes():
        size += len(part)
        if size > wire.ANSWER_MAX_BYTES:
            raise wire.unusable(call)
        parts.append(part)
    return b"".join(parts)
