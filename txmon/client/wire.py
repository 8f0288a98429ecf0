"""Requests and answers as bytes, for both clients.

Owns addresses, headers, the encoding of events and what an answer means. Never sends, and never shows a key
or a body: neither `repr` nor an error has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson

import txmon
from txmon.client.errors import AccessDenied, ClientError, Refused, Unavailable
from txmon.client.retry import retry_after, retryable
from txmon.errors import ConfigError, InputError

EVENTS, BULK, ALERTS, STATUS = "/v1/events", "/v1/events:bulk", "/v1/alerts", "/v1/status"
ALERT_STREAM = "/v1/alerts/stream"
JSON, NDJSON, ARROW = "application/json", "application/x-ndjson", "application/vnd.apache.arrow.stream"
ANSWER_MAX_BYTES = 64 << 20
ITEMS_MAX, BODY_MAX_BYTES = 1000, 900_000  # of one request of events; the service's own limits are above
_WRONG_REQUEST = frozenset({400, 409, 412, 413, 415, 422, 428})
_OF_THE_EVENT = frozenset({"not_permitted"})  # 403 for this event, while the key is good for others
_CODE = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,63}")
_KEY = re.compile(r"[\x21-\x7e]{8,512}")
_IDEMPOTENCY = re.compile(r"[\x21-\x7e]{1,255}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Call:
    """One request, ready to be sent any number of times."""

    method: str
    path: str  # with the query
    body: bytes = field(default=b"", repr=False)
    content_type: str = JSON
    key: str | None = None  # Idempotency-Key
    events: int = 0
    purpose: str | None = None  # why personal data is read
    version: int | None = None  # of the case that is changed

    def headers(self) -> dict[bytes, bytes]:
        """Return the headers that belong to this request."""
        made = {b"accept": JSON.encode()}
        if self.purpose is not None:
            made[b"x-purpose"] = self.purpose.encode()
        if self.method != "GET":
            made[b"content-type"] = self.content_type.encode()
        if self.version is not None:
            made[b"if-match"] = b'"v%d"' % self.version
        if self.key is not None:
            made[b"idempotency-key"] = self.key.encode()
        return made


def checked_address(url: str, *, allow_http: bool) -> str:
    """Return the address of a service without a trailing slash.

    Raises:
        ConfigError: it is none, or the key would go over the network in the clear.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigError("the address of the service is no URL; give https://HOST[:PORT]") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError("the address of the service must be https://HOST[:PORT]; correct it")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigError("the address of the service has a user, query or fragment; give the key as `key`")
    if parts.scheme == "http" and host not in _LOOPBACK and not allow_http:
        raise ConfigError(
            f"http://{host} would show the key to the network; use https, or allow_http=True on a closed one"
        )
    return url.rstrip("/")


def common_headers(key: str) -> dict[str, str]:
    """Return the headers of every request.

    Raises:
        ConfigError: the key cannot be one.
    """
    if not _KEY.fullmatch(key):
        raise ConfigError("the API key is empty or has characters that no key has; give it as it was shown")
    return {
        "authorization": f"Bearer {key}",
        "user-agent": f"txmon-python/{txmon.__version__}",
        "accept-encoding": "identity",
    }


def event_bytes(event: Mapping[str, Any]) -> bytes:
    """Return an event as JSON. `Decimal` stays exact; times must have a zone.

    Raises:
        InputError: a value that JSON has no place for; it names the type, never the value.
    """
    try:
        return orjson.dumps(event, default=_other, option=orjson.OPT_PASSTHROUGH_DATETIME)
    except orjson.JSONEncodeError as error:
        cause = error.__cause__
        if isinstance(cause, InputError):
            raise cause from None
        raise InputError(
            f"an event is no JSON ({_kind(error)}); give texts, numbers, Decimal, aware datetimes"
        ) from None


def _other(value: Any) -> Any:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise InputError("an event has a Decimal that is no number; leave the field out")
        return orjson.Fragment(format(value, "f"))
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InputError("an event has a datetime without a zone; make it aware, best in UTC")
        return value.isoformat()
    raise InputError(f"an event has a value of type {type(value).__name__}; give a text or a number")


def _kind(error: Exception) -> str:
    """What orjson complains of, without what it quotes."""
    return "a text with a lone surrogate" if "surrogate" in str(error) else "a value it does not know"


def one_event(event: Mapping[str, Any], key: str, feed: str | None) -> Call:
    """Return the request for one event.

    Raises:
        InputError: the event cannot be written as JSON.
    """
    return Call("POST", _with(EVENTS, feed), event_bytes(event), key=_checked(key), events=1)


def many_events(
    events: Iterable[Mapping[str, Any]], new_key: Callable[[], str], feed: str | None
) -> Iterator[Call]:
    """Return the requests for many events, as few as the service's limits allow, in order.

    Raises:
        InputError: an event cannot be written as JSON.
    """
    rows: list[bytes] = []
    size = 0
    for event in events:
        row = event_bytes(event)
        if rows and (len(rows) == ITEMS_MAX or size + len(row) + 1 > BODY_MAX_BYTES):
            yield _array(rows, new_key(), feed)
            rows, size = [], 0
        rows.append(row)
        size += len(row) + 1
    if rows:
        yield _array(rows, new_key(), feed)


def _array(rows: list[bytes], key: str, feed: str | None) -> Call:
    return Call("POST", _with(EVENTS, feed), b"[" + b",".join(rows) + b"]", key=key, events=len(rows))


def bulk_call(body: bytes, content_type: str, key: str, feed: str | None) -> Call:
    """Return the request for a portion of a bulk transfer."""
    return Call("POST", _with(BULK, feed), body, content_type, key)


def query(path: str, values: Mapping[str, Any], purpose: str | None = None) -> Call:
    """Return a request that reads; values that are None are left out, lists are repeated.

    Raises:
        InputError: the purpose is no line of text.
    """
    given = [
        (name, str(item).lower() if isinstance(item, bool) else str(item))
        for name, value in values.items()
        if value is not None
        for item in (value if isinstance(value, (list, tuple, set, frozenset)) else [value])
    ]
    return Call("GET", f"{path}?{urlencode(given)}" if given else path, purpose=_line(purpose))


def alert_call(alert_id: str, purpose: str | None) -> Call:
    """Return the request for one alert.

    Raises:
        InputError: the purpose is no line of text.
    """
    return Call("GET", f"{ALERTS}/{quote(alert_id, safe='')}", purpose=_line(purpose))


def _line(purpose: str | None) -> str | None:
    if purpose is not None and not (purpose.strip() and purpose.isprintable()):
        raise InputError("a purpose is one line of text; say in a few words why the data is read")
    return purpose


def _with(path: str, feed: str | None) -> str:
    return path if feed is None else f"{path}?{urlencode({'feed': feed})}"


def _checked(key: str) -> str:
    if not _IDEMPOTENCY.fullmatch(key):
        raise InputError("an idempotency key must be 1 to 255 visible ASCII characters; shorten or change it")
    return key


@dataclass(frozen=True)
class Answer:
    """Status, headers and body of an answer."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def content(call: Call, answer: Answer, now_us: Callable[[], int]) -> Any:
    """Return what an answer says.

    Raises:
        Unavailable, Refused, AccessDenied: see there.
    """
    if 200 <= answer.status < 300:
        try:
            return orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            raise Unavailable(
                f"{_of(call)}: the answer is no JSON; is a proxy in between?",
                reason="bad_answer",
                http_status=answer.status,
            ) from None
    raise _failure(call, answer, now_us)


def _failure(call: Call, answer: Answer, now_us: Callable[[], int]) -> ClientError:
    status, reason = answer.status, _reason(answer)
    what = f"{_of(call)}: HTTP {status} {reason}"
    asked = retry_after(answer.headers.get("retry-after"), now_us)
    if retryable(status, asked):
        return Unavailable(f"{what}; try again later", reason=reason, http_status=status, retry_after_s=asked)
    if reason in _OF_THE_EVENT:
        return Refused(f"{what}; send it with the key it belongs to", reason=reason, http_status=status)
    if status in (401, 403):
        return AccessDenied(
            f"{what}; give a key that is valid and has the scope", reason=reason, http_status=status
        )
    missing = reason == "not_found"  # our own word: a proxy has another
    if status in _WRONG_REQUEST or missing or (call.method == "GET" and 400 <= status < 500):
        return Refused(f"{what}; correct the request", reason=reason, http_status=status)
    remedy = "the address is not the service's own" if status < 500 else "see the service's log"
    return Unavailable(f"{what}; {remedy}", reason=reason, http_status=status, retry_after_s=asked)


def again(error: Unavailable) -> bool:
    """Say whether the same request should be sent once more within the call."""
    status = error.http_status
    return status is None or status < 300 or retryable(status, error.retry_after_s)


def unusable(call: Call) -> Unavailable:
    """Return the error for an answer in JSON that is not of the shape it should have."""
    return Unavailable(
        f"{_of(call)}: the answer is not what this version knows; update client or service",
        reason="bad_answer",
        http_status=200,
    )


def unreachable(call: Call, reason: str) -> Unavailable:
    """Return the error for no answer at all."""
    return Unavailable(f"{_of(call)}: {reason}; the service could not be asked in time", reason=reason)


def _of(call: Call) -> str:
    return f"{call.method} {call.path.partition('?')[0] if call.method != 'GET' else _listed(call.path)}"


def _listed(path: str) -> str:
    """A path without its query and without what names one alert."""
    return f"{ALERTS}/..." if path.startswith(f"{ALERTS}/") else path.partition("?")[0]


def _reason(answer: Answer) -> str:
    """The `code` of problem+json where it is one; never free text, which might quote a value."""
    if "json" in answer.headers.get("content-type", ""):
        try:
            found = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            found = None
        code = found.get("code") if isinstance(found, dict) else None
        if isinstance(code, str) and _CODE.fullmatch(code):
            return code
    return f"http_{answer.status}"
