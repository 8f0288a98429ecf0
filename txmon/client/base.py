"""What the sync and the async client have in common: everything but the sending.

Owns fail-open, the spool and the reading of answers. Never opens a connection. Logs codes and counts only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from txmon.client import wire
from txmon.client.errors import AccessDenied, ClientError, Refused, Unavailable
from txmon.client.options import Doors, Options
from txmon.client.spool import Spool, open_spool
from txmon.client.types import (
    Alert,
    BulkResult,
    Decision,
    Flushed,
    LiveAlert,
    Page,
    Refusal,
    alert_of,
    decisions_of,
    page_of,
    strictest_of,
)

log = logging.getLogger("txmon.client")
T = TypeVar("T")


class Budget(NamedTuple):
    """Time of one call: all of it, and of a single send. Seconds."""

    total_s: float
    send_s: float


class Base:
    """See the module."""

    def __init__(self, address: str, key: str, options: Options, doors: Doors) -> None:
        self._address = wire.checked_address(address, allow_http=options.allow_http)
        self._headers = wire.common_headers(key)
        self._options, self._doors = options, doors
        self._budget = Budget(options.timeout_s, options.one_send_s)
        self._bulk_budget = Budget(options.bulk_timeout_s, options.bulk_timeout_s)
        self._spool: Spool = open_spool(options.spool, options.bounds)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address!r}, on_failure={self._options.on_failure!r})"

    @property
    def waiting(self) -> int:
        """Return how many events wait to be sent."""
        return self._spool.events

    def _failed(self, call: wire.Call, error: Unavailable | AccessDenied) -> list[Decision]:
        """Queue a request that was not answered.

        Raises:
            the error itself, where the client is fail-closed.
        """
        if self._options.on_failure == "closed":
            raise error
        try:
            kept, failure = self._spool.put(call), error.reason
        except OSError as problem:
            kept, failure = False, "spool_failed"
            log.error("the spool cannot be written: %s; correct the disk", problem.strerror)
        else:
            if not kept:
                failure = "spool_full"
                log.error("the spool is full: %d events wait; %d were dropped", self.waiting, call.events)
        if kept:
            log.warning("no decision in time (%s): %d events queued", failure, call.events)
        decision = Decision(
            "allow", "not_scored", "queued" if kept else "dropped", failure=failure, queued=kept
        )
        return [decision] * call.events

    def _pause(self, attempt: int, error: Unavailable, until: float) -> float | None:
        """Return how long to wait before the next send, None where there is to be none."""
        if attempt >= self._options.retry.attempts or not wire.again(error):
            return None
        pause = self._options.retry.pause(attempt, error.retry_after_s, self._doors.fraction())
        return pause if self._doors.monotonic() + pause < until else None

    def _settle(self, error: ClientError | None, call: wire.Call, report: Flushed) -> tuple[Flushed, bool]:
        """Take the outcome of sending the oldest queued request; returns the report and whether to go on."""
        if error is None:
            self._spool.done()
            return replace(report, sent=report.sent + 1), True
        if isinstance(error, Refused):
            self._spool.done(refused=error.reason)
            log.error("a queued request was refused: %s; its key is %s", error.reason, call.key)
            refusal = Refusal(call.key or "", error.reason, error.http_status)
            return replace(report, refused=(*report.refused, refusal)), True
        asked = error.retry_after_s if isinstance(error, Unavailable) else None
        return replace(report, failure=error.reason, retry_after_s=asked), False


def checked(call: wire.Call, read: Callable[[Any], T], answer: Any) -> T:
    """Read an answer.

    Raises:
        Unavailable: it is JSON, but not of the expected shape.
    """
    try:
        return read(answer)
    except ValueError:
        raise wire.unusable(call) from None


def read_decisions(call: wire.Call, answer: Any) -> list[Decision]:
    """Read the answer to a request for decisions.

    Raises:
        Unavailable: it is not of the expected shape.
    """
    if call.body.startswith(b"["):
        return checked(call, lambda a: decisions_of(a, call.events), answer)
    return [checked(call, strictest_of, answer)]


def read_page(call: wire.Call, answer: Any) -> tuple[list[Alert], str | None]:
    """Read a page of alerts and where the next one starts.

    Raises:
        Unavailable: it is not of the expected shape.
    """
    page: Page = checked(call, page_of, answer)
    return [checked(call, alert_of, item) for item in page.items], page.next_cursor


def live_alert(message: Any, call: wire.Call) -> LiveAlert | None:
    """Read a message of the stream; None for those that are no alert.

    Raises:
        Unavailable: it is not of the expected shape.
    """
    if not message.kind.startswith("alert"):
        return None
    answer = wire.Answer(200, {}, message.data.encode())
    found = wire.content(call, answer, lambda: 0)
    return LiveAlert(message.id, message.kind, checked(call, alert_of, found))


def interrupted(error: Unavailable, done: BulkResult) -> Unavailable:
    """Return the error of a bulk transfer, with what was stored before it."""
    return Unavailable(
        f"{error.detail}; {done.rows} rows were taken before; send the whole again, "
        "rows that are there count as duplicates",
        reason=error.reason,
        http_status=error.http_status,
        retry_after_s=error.retry_after_s,
        done=done,
    )
