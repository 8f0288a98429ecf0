"""Errors as RFC 9457 problem details, with codes that never change their meaning.

    {"type": "urn:txmon:problem:busy", "title": "Too much waits", "status": 429, "detail": "...",
     "code": "busy", "instance": "urn:txmon:request:req_..."}

Owns codes, titles and the shape. A detail never quotes what was sent; a card number that got into one all
the same is blanked here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from txmon.api.cards import blanked
from txmon.errors import AuthError, Busy, Stopping, TxmonError

CONTENT_TYPE = "application/problem+json"
Header = tuple[bytes, bytes]

CODES: dict[str, tuple[int, str]] = {
    # the request
    "malformed_json": (400, "The body is not JSON"),
    "malformed_arrow": (400, "The body is not an Arrow IPC stream"),
    "invalid_cursor": (400, "The cursor is none of ours"),
    "purpose_required": (400, "Personal data is read for a purpose"),
    "signature": (400, "The body is not signed by the one it claims to come from"),
    "bad_request": (400, "The request cannot be read"),
    "unauthenticated": (401, "Who sends this is not known"),
    "forbidden": (403, "This key may not do this"),
    "four_eyes": (403, "Another person must do this"),
    "csrf": (403, "This may have been sent by another site"),
    "not_permitted": (403, "Events of this mode or entity may not be sent with this key"),
    "not_found": (404, "There is no such thing"),
    "method_not_allowed": (405, "The resource has no such method"),
    "request_timeout": (408, "The body did not come"),
    "idempotency_in_flight": (409, "The first request with this Idempotency-Key is under way"),
    "transition": (409, "There is no way to this from its state"),
    "state": (409, "This cannot be done now"),
    "exists": (409, "It is not in a state for this"),
    "filing_refused": (409, "The report may not leave"),
    "conflict": (412, "It changed since it was read"),
    "too_large": (413, "The body is too large"),
    "too_many_items": (413, "Too many events in one request"),
    "unsupported_media_type": (415, "The body is of a type that is not read here"),
    "unknown_feed": (422, "There is no such feed"),
    "too_deep": (422, "The body is nested too deeply"),
    "invalid": (422, "A value is not what it should be"),
    "input": (422, "A value is not what it should be"),
    "rules": (422, "The rule files are wrong"),
    "report_model": (422, "The report is not of the model"),
    "report_incomplete": (422, "The report has errors"),
    "idempotency_mismatch": (422, "The Idempotency-Key was used for another request"),
    "filing_rejected": (422, "The authority does not take the report"),
    "precondition_required": (428, "Say which version you read"),
    "busy": (429, "Too much waits"),
    "rate_limited": (429, "Too many requests of this key"),
    "too_many_failures": (429, "Too many refused keys from this address"),
    # the service
    "internal": (500, "The service failed"),
    "store_corrupt": (500, "Stored data is damaged"),
    "unavailable": (503, "Nothing is taken now"),
    "decision_timeout": (503, "No decision in time"),
    "store": (503, "The store cannot be used now"),
    "store_unavailable": (503, "The store cannot be used now"),
    "commit_unknown": (503, "The store cannot be used now"),
    "source": (503, "The source cannot be used now"),
    "engine_lost": (503, "The engine has ended and cannot be replaced"),
    "filing_failed": (503, "The report cannot be handed over now"),
    "issuer": (503, "Who signs tokens cannot be asked now"),
    "no_room": (507, "The disk is nearly full"),
    "store_fatal": (507, "The store cannot take more"),
}


class Problem(Exception):
    """An answer that is an error; raised by handlers, turned into bytes by whoever catches it."""

    def __init__(
        self, code: str, detail: str, *, headers: Sequence[Header] = (), more: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(code)
        self.code, self.detail = code, detail
        self.status, self.title = CODES[code]
        self.headers = tuple(headers)
        self.more = dict(more or {})

    def document(self, request_id: str) -> dict[str, Any]:
        """Return the problem as an object."""
        return {
            "type": f"urn:txmon:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": blanked(self.detail),
            "code": self.code,
            "instance": f"urn:txmon:request:{request_id}",
        } | self.more

    def body(self, request_id: str) -> bytes:
        """Return the problem as JSON."""
        return orjson.dumps(self.document(request_id))


def retry_after(seconds: float) -> Header:
    """Return the header that says when to try again, in whole seconds."""
    return b"retry-after", str(max(1, int(seconds + 0.999))).encode()


_RETRY = (
    "busy",
    "unavailable",
    "store_unavailable",
    "commit_unknown",
    "store",
    "source",
    "issuer",
    "filing_failed",
    "store_fatal",
)
_CHALLENGE: Header = (b"www-authenticate", b'Bearer realm="txmon"')
_RETRY_S = 2


def problem_of(error: Exception) -> Problem:
    """Return the problem that an error is to who asked; what is ours to know stays in the log."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, AuthError):
        return Problem("unauthenticated", error.detail, headers=(_CHALLENGE,), more={"reason": error.reason})
    code = _code(error)
    if isinstance(error, (Busy, Stopping)):
        return Problem(code, error.detail, headers=(retry_after(error.retry_after_s),))
    if isinstance(error, TxmonError) and code in CODES:
        if code == "conflict" and "version" not in error.detail:
            return Problem("exists", error.detail)
        again = (retry_after(_RETRY_S),) if code in _RETRY else ()
        return Problem(code, error.detail, headers=again, more=getattr(error, "more", None))
    return Problem(
        "internal", "the service failed on this request; its log knows more under the request's id"
    )


def _code(error: Exception) -> str:
    """The code of an error, or of the nearest kind of error above it that the contract knows."""
    codes = (getattr(kind, "code", "") for kind in type(error).__mro__)
    return next((code for code in codes if code in CODES), "")
