"""The client for asyncio.

Owns its connections. Nothing is sent in the background unless `sender` runs as a task; the disk of the spool
is used in a thread, so the loop never waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from txmon.client import casework, wire
from txmon.client.aioreports import AsyncReports
from txmon.client.base import Base, Budget, checked, interrupted, live_alert, log, read_decisions, read_page
from txmon.client.bulk import Portion, portions
from txmon.client.errors import AccessDenied, ClientError, Unavailable
from txmon.client.options import Doors, Options, default_tls
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
_LONGEST_PAUSE_S = 30.0


class AsyncClient(AsyncReports, Base):
    """Sends events, reads alerts; see the package."""

    def __init__(
        self,
        address: str,
        key: str,
        options: Options | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        doors: Doors | None = None,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            address: of the service, ``https://HOST[:PORT]``.
            key: the API key.
            transport: in place of the client's own.

        Raises:
            ConfigError, StateError: an argument, or the spool's file.
        """
        super().__init__(address, key, options or Options(), doors or Doors())
        self._http = httpx.AsyncClient(
            base_url=self._address,
            headers=self._headers,
            transport=transport,
            verify=self._options.tls or default_tls(),
            timeout=self._options.bulk_timeout_s,
            trust_env=False,
        )
        self._flushing = asyncio.Lock()

    async def decide(
        self, event: Mapping[str, Any], *, feed: str | None = None, idempotency_key: str | None = None
    ) -> Decision:
        """Send one event and return what to do with it.

        Raises:
            Refused: the event is wrong. Unavailable, AccessDenied: only fail-closed.
        """
        call = wire.one_event(event, idempotency_key or self._doors.new_key(), feed)
        return (await self._decisions(call))[0]

    async def send(self, events: Iterable[Mapping[str, Any]], *, feed: str | None = None) -> list[Decision]:
        """Send events and return a decision for each, in their order.

        Raises:
            As `decide`. What was sent before is stored; sending all again is safe.
        """
        made: list[Decision] = []
        for call in wire.many_events(events, self._doors.new_key, feed):
            made += await self._decisions(call)
        return made

    async def bulk(self, data: Any, *, feed: str | None = None) -> BulkResult:
        """Send many rows without decisions: the way for history and for batches.

        Args:
            data: see `txmon.client.bulk.portions`.

        Raises:
            Unavailable: with what was stored before in `done`. Refused, AccessDenied, InputError, OSError.
        """
        done, source = BulkResult(), iter(portions(data, self._options.bulk_rows))
        while (portion := await asyncio.to_thread(_next, source)) is not None:
            call = wire.bulk_call(portion.body, portion.content_type, self._doors.new_key(), feed)
            try:
                done += await self._ask(call, bulk_of, self._bulk_budget)
            except Unavailable as error:
                raise interrupted(error, done) from None
        return done

    async def alert(self, alert_id: str, *, purpose: str | None = None) -> Alert:
        """Return one alert with its evidence, as far as the key may see it.

        Args:
            purpose: why it is read; without one the service leaves out what names a person.

        Raises:
            Refused (reason ``not_found``), AccessDenied, Unavailable.
        """
        return await self._ask(wire.alert_call(alert_id, purpose), alert_of, self._budget)

    async def iter_alerts(
        self, *, limit: int = 100, purpose: str | None = None, **filters: Any
    ) -> AsyncIterator[Alert]:
        """Return alerts, page after page; see `Client.iter_alerts`."""
        cursor: str | None = None
        while True:
            call = wire.query(wire.ALERTS, {**filters, "limit": limit, "cursor": cursor}, purpose)
            page, cursor = await self._ask(call, partial(read_page, call), self._budget)
            for alert in page:
                yield alert
            if cursor is None:
                return

    async def queue(self, *, purpose: str | None = None, **filters: Any) -> Page:
        """Return a page of the alerts that wait; filters are those of ``GET /v1/queue``.

        Raises:
            Refused, AccessDenied, Unavailable.
        """
        return await self._ask(wire.query(casework.QUEUE, filters, purpose), page_of, self._budget)

    async def work_on(
        self, alerts: Iterable[Mapping[str, Any]], action: str, reason: str, **values: Any
    ) -> list[dict[str, Any]]:
        """Take up, assign or put off many alerts, as they were listed; returns what became of each.

        Raises:
            Refused, AccessDenied, Unavailable, InputError.
        """
        body = {"action": action, "reason": reason} | values
        call = casework.working(alerts, body, self._doors.new_key())
        return list((await self._ask(call, object_of, self._budget))["results"])

    async def cases(self, *, purpose: str | None = None, **filters: Any) -> Page:
        """Return a page of cases; filters are those of ``GET /v1/cases``. Raises as `queue`."""
        return await self._ask(wire.query(casework.CASES, filters, purpose), page_of, self._budget)

    async def case(
        self, case_id: str, part: str | None = None, *, purpose: str | None = None
    ) -> dict[str, Any]:
        """Return a case, or its ``timeline`` or ``network``.

        Raises:
            Refused (reason ``not_found``), AccessDenied, Unavailable.
        """
        return await self._ask(casework.case_call(case_id, part, purpose), object_of, self._budget)

    async def open_case(
        self, alerts: Iterable[Mapping[str, Any]], title: str, reason: str, *, restriction: str | None = None
    ) -> str:
        """Make a case of alerts, as they were listed; returns its id.

        Raises:
            Refused (reason ``conflict``: an alert changed), AccessDenied, Unavailable, InputError.
        """
        values = {"title": title, "reason": reason, "restriction": restriction}
        call = casework.opening(alerts, values, self._doors.new_key())
        return str((await self._ask(call, object_of, self._budget))["case_id"])

    async def change_case(self, case_id: str, version: int, reason: str, **change: Any) -> dict[str, Any]:
        """Change one thing about a case; returns its new ``version``, or a ``proposal_id`` to be decided on.

        Raises:
            Refused (reason ``conflict``: read it again; after a lost connection it may be this very change),
            AccessDenied, Unavailable, InputError.
        """
        call = casework.changing(case_id, version, change | {"reason": reason})
        return await self._ask(call, object_of, self._budget)

    async def do_in_case(
        self, case_id: str, part: str, version: int | None = None, **values: Any
    ) -> dict[str, Any]:
        """Do something in a case: ``comments`` (needs no version), ``parties``, ``alerts``, ``merge`` ...

        Raises as `change_case`.
        """
        call = casework.doing(case_id, part, version, values, self._doors.new_key())
        return await self._ask(call, object_of, self._budget)

    async def status(self) -> dict[str, Any]:
        """Return what the service says of itself.

        Raises:
            AccessDenied, Unavailable.
        """
        return await self._ask(wire.Call("GET", wire.STATUS), object_of, self._budget)

    async def stream_alerts(
        self, *, last_id: str | None = None, purpose: str | None = None
    ) -> AsyncIterator[LiveAlert]:
        """Return alerts as they come; a broken connection is opened anew where it ended.

        Args:
            last_id: `LiveAlert.id` of the newest that is known.
            purpose: see `alert`.

        Raises:
            Refused, AccessDenied.
        """
        call = wire.query(wire.ALERT_STREAM, {}, purpose)
        parser, failures = Parser(last_id), 0
        while True:
            try:
                async for live in self._listen(call, parser):
                    failures = 0
                    yield live
            except Unavailable as error:
                log.info("stream of alerts: %s", error.reason)
                asked = error.retry_after_s
            else:
                asked = parser.retry_s
            failures += 1
            await asyncio.sleep(self._options.retry.pause(failures, asked, self._doors.fraction()))
            parser = Parser(parser.last_id)

    async def flush(self, timeout_s: float | None = None) -> Flushed:
        """Send what is queued, in order, until nothing is left or the service does not answer.

        Args:
            timeout_s: longest time for all; None: as long as the service takes what is sent.
        """
        until = None if timeout_s is None else self._doors.monotonic() + timeout_s
        report = Flushed(0, 0)
        async with self._flushing:
            while (call := await asyncio.to_thread(self._spool.first)) is not None:
                left = self._options.timeout_s
                if until is not None:
                    left = min(left, until - self._doors.monotonic())
                if left <= 0:
                    report = Flushed(report.sent, 0, report.refused, "timeout")
                    break
                error = await self._outcome(call, left)
                report, on = await asyncio.to_thread(self._settle, error, call, report)
                if not on:
                    break
            return Flushed(
                report.sent, self._spool.waiting, report.refused, report.failure, report.retry_after_s
            )

    async def sender(self) -> None:
        """Send what is queued whenever there is something; run it as a task and cancel it."""
        failures = 0
        while True:
            report = await self.flush()
            failures = 0 if report.failure is None else failures + 1
            pause = min(2.0 ** min(failures, 10), _LONGEST_PAUSE_S)
            pause = min(max(pause, report.retry_after_s or 0.0), _LONGEST_PAUSE_S)
            await asyncio.sleep(pause * (0.5 + self._doors.fraction() / 2))

    async def aclose(self, timeout_s: float = 5.0) -> Flushed:
        """Send what is queued if that is quick, then let go of everything. What is in a file stays there."""
        report = await self.flush(timeout_s)
        if report.left and self._options.spool is None:
            log.error("closed while %d events waited in memory: they are lost", self.waiting)
        await self._http.aclose()
        self._spool.close()
        return report

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _decisions(self, call: wire.Call) -> list[Decision]:
        try:
            return await self._ask(call, partial(read_decisions, call), self._budget)
        except (Unavailable, AccessDenied) as error:
            if self._options.on_failure == "closed":
                raise
            return await asyncio.to_thread(self._failed, call, error)

    async def _ask(self, call: wire.Call, read: Callable[[Any], T], budget: Budget) -> T:
        """Send, and send again within the time of the call as long as that may help."""
        until = self._doors.monotonic() + budget.total_s
        attempt = 0
        while True:
            attempt += 1
            left = until - self._doors.monotonic()
            try:
                async with asyncio.timeout(min(left, budget.send_s)):
                    return checked(call, read, await self._once(call))
            except TimeoutError:
                error = wire.unreachable(call, "timeout")
            except Unavailable as failure:
                error = failure
            pause = self._pause(attempt, error, until)
            if pause is None:
                raise error from None
            await asyncio.sleep(pause)

    async def _once(self, call: wire.Call) -> Any:
        try:
            async with self._http.stream(
                call.method, call.path, content=call.body or None, headers=call.headers()
            ) as answer:
                body = await _bounded(call, answer)
        except httpx.ConnectError:
            raise wire.unreachable(call, "no_connection") from None
        except httpx.HTTPError:
            raise wire.unreachable(call, "connection_lost") from None
        return wire.content(
            call, wire.Answer(answer.status_code, answer.headers, body), self._doors.clock.now_us
        )

    async def _outcome(self, call: wire.Call, left_s: float) -> ClientError | None:
        """Send a queued request; returns what went wrong."""
        budget = Budget(left_s, min(left_s, self._options.one_send_s))
        try:
            await self._ask(call, partial(read_decisions, call), budget)
        except ClientError as error:
            return error
        return None

    async def _listen(self, call: wire.Call, parser: Parser) -> AsyncIterator[LiveAlert]:
        headers = call.headers() | {b"accept": b"text/event-stream", b"cache-control": b"no-store"}
        if parser.last_id is not None:
            headers[b"last-event-id"] = parser.last_id.encode()
        try:
            async with self._http.stream(
                "GET", call.path, headers=headers, timeout=self._options.silence_s
            ) as answer:
                if answer.status_code != 200:
                    body = await _bounded(call, answer)
                    wire.content(
                        call, wire.Answer(answer.status_code, answer.headers, body), self._doors.clock.now_us
                    )
                    raise wire.unusable(call)
                async for chunk in answer.aiter_bytes():
                    for message in parser.feed(chunk):
                        if (live := live_alert(message, call)) is not None:
                            yield live
        except httpx.HTTPError:
            raise wire.unreachable(call, "connection_lost") from None


def _next(source: Any) -> Portion | None:
    return next(source, None)


async def _bounded(call: wire.Call, answer: httpx.Response) -> bytes:
    """Read a body, but not without bound."""
    parts, size = [], 0
    async for part in answer.aiter_bytes():
        size += len(part)
        if size > wire.ANSWER_MAX_BYTES:
            raise wire.unusable(call)
        parts.append(part)
    return b"".join(parts)
