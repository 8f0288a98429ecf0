"""Structured logs: one JSON object a line, without personal data.

A line is an event named by a fixed word, and fields that are listed here. Each listed field has a form that
no address, account or card number fits: a number below 10^12, a short word with few digits, or an id that
txmon itself made. What does not fit is never written: while developing (`strict`) it is an error, in
production the field is dropped and its key named under `refused`. An exception is logged by its type, its
code and the places it came through, never by its text, which may quote what was sent.

    log = make_logger(clock); log.info("batch.committed", events=64, journal_seq=12)
    with request("req_..."): ...     every line inside carries the request's id, whatever logs it

Owns what may be logged; keeps no global state but the request id of the running task.
"""

from __future__ import annotations

import base64
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

import orjson
import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars

from txmon.clock import Clock, RandomBytes, rfc3339
from txmon.errors import TxmonError

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
Logger = structlog.typing.FilteringBoundLogger
_Event = MutableMapping[str, Any]

_NAME = re.compile(r"[a-z][a-z_]{0,39}(\.[a-z_]{1,40}){0,3}")
_WORD = re.compile(r"[A-Za-z/][A-Za-z0-9_.:/{}-]{0,79}")
_DIGITS_MAX = 8  # of a word, together: fewer than a card, an account or a telephone number has
_NUMBER_MAX = 10**12
_HASH = re.compile(r"([0-9a-f]{12}|[0-9a-f]{64})")  # no card number has 12 or 64 digits
_LONG_RUN = re.compile(r"\d{10}")
_REQUEST = re.compile(r"req_[a-z2-7]{26}")
_ALERT = re.compile(r"al-[0-9a-f]{24}")
_OURS = re.compile(r"(d|psn|key|grn|prp|hook|msg|lnk|person:psn|service:key)_[a-z2-7]{16,26}")


def _keys(text: str) -> frozenset[str]:
    return frozenset(text.split())


NUMBERS = _keys(
    """accepted age_seconds alerts attempt backlog batch batches bytes count duplicates erased events
    exit_code failures first_seq free_bytes from_seq hits journal_seq kilobytes lag_seconds last_seq late
    limit line messages milliseconds outbox_id partition pid port position quarantined queue
    refused_fields rows rounds rules seconds seq signal size snapshot_seq status to_seq tries
    warehouse_seq workers"""
)
WORDS = _keys(
    """action code command component consumer detector env feed field kind logger method mode outcome
    reason role route rule scope severity source_kind stage state topic typology version what"""
)
HASHES = frozenset(("head", "pack_hash", "config_hash", "schema_hash"))
IDS = frozenset(
    ("alert_id", "decision_id", "delivery_id", "endpoint_id", "identity", "key_id", "proposal_id")
)
PLACES = "txmon_places"  # of an exception: (file, line, function) it came through in another process
_OWN = frozenset({"event", "level", "time", "error", "error_code", "where", "refused"})


class LogFieldError(TxmonError):
    """A field that logs do not allow; its value is not repeated."""

    code = "log_field"


class AllowList:
    """A processor: keeps what may be logged, refuses or drops the rest."""

    def __init__(self, *, strict: bool, refused: Callable[[int], None] | None = None) -> None:
        self._strict, self._refused = strict, refused

    def __call__(self, _logger: Any, _method: str, event: _Event) -> _Event:
        """Check one line."""
        bad = [key for key, value in event.items() if key not in _OWN and not allowed(key, value)]
        named = isinstance(event.get("event"), str) and bool(_NAME.fullmatch(event["event"]))
        if bad or not named:
            self._refuse(event, bad, named)
        return event

    def _refuse(self, event: _Event, bad: list[str], named: bool) -> None:
        shown = sorted(_shown_key(key) for key in bad)
        if self._strict:
            what = f"fields {', '.join(shown)}" if bad else "an event that is no fixed word"
            raise LogFieldError(
                f"a log line has {what}; use a field listed in txmon.logs, with a number, a short word "
                "or an id of ours"
            )
        for key in bad:
            del event[key]
        if not named:
            event["event"] = "unnamed"
        if bad:
            event["refused"] = shown
        if self._refused is not None:
            self._refused(len(bad) + (not named))


def allowed(key: str, value: Any) -> bool:
    """Say whether a field may be written."""
    if value is None or isinstance(value, bool):
        return key in NUMBERS or key in WORDS or key in IDS or key in HASHES
    if isinstance(value, int | float):
        return key in NUMBERS and abs(value) < _NUMBER_MAX
    if not isinstance(value, str):
        return False
    if key in WORDS:
        return bool(_WORD.fullmatch(value)) and sum(c.isdigit() for c in value) <= _DIGITS_MAX
    if key in IDS:
        ours = bool(_OURS.fullmatch(value)) and not _LONG_RUN.search(value)
        return ours or (key == "alert_id" and bool(_ALERT.fullmatch(value)))
    if key in HASHES:
        return bool(_HASH.fullmatch(value))
    return key == "request_id" and bool(_REQUEST.fullmatch(value))


class _Lossy:
    """A stream that loses lines where its disk is full or its reader gone: logging stops nobody's work."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, line: bytes) -> None:
        """Write, or not."""
        with suppress(OSError):
            self._stream.write(line)

    def flush(self) -> None:
        """Flush, or not."""
        with suppress(OSError):
            self._stream.flush()


def make_logger(
    clock: Clock,
    *,
    level: str = "info",
    strict: bool = True,
    stream: BinaryIO | None = None,
    refused: Callable[[int], None] | None = None,
) -> Logger:
    """Return a logger.

    Args:
        clock: where the time of each line comes from.
        level: least severity that is written.
        strict: raise on a refused field instead of dropping it; for development and tests.
        stream: where lines go; default the process's error stream.
        refused: told how many fields were dropped from a line.

    Raises:
        LogFieldError: later, when a line is logged that `strict` refuses.
    """

    def stamp(_logger: Any, method: str, event: _Event) -> _Event:
        return {"time": rfc3339(clock.now_us()), "level": method} | dict(event)

    wrapped = structlog.wrap_logger(
        structlog.BytesLogger(_Lossy(stream if stream is not None else sys.stderr.buffer)),  # type: ignore[arg-type]
        processors=[
            merge_contextvars,
            _without_text,
            AllowList(strict=strict, refused=refused),
            stamp,
            _line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        context_class=dict,
        cache_logger_on_first_use=False,
    )
    logger: Logger = wrapped.bind()
    return logger


def new_request_id(source: RandomBytes) -> str:
    """Make the id of a request; an id that a caller sends is never taken over, it may say anything."""
    return "req_" + base64.b32encode(source(16)).decode().rstrip("=").lower()


@contextmanager
def request(request_id: str) -> Iterator[None]:
    """Put a request's id into every line logged inside, in this task or thread."""
    with bound_contextvars(request_id=request_id):
        yield


class LibraryLogs(logging.Handler):
    """Lines of libraries (web server, broker client) without their text, which may hold what was sent."""

    def __init__(self, logger: Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Log where it was said, and the type of its exception."""
        name = logging.getLevelName(record.levelno).lower()
        method = {"critical": "error"}.get(name, name if name in LEVELS else "info")
        where = record.name if _WORD.fullmatch(record.name) else "library"
        fields: dict[str, Any] = {"component": where, "line": record.lineno}
        if record.exc_info and record.exc_info[1] is not None:
            fields["exc_info"] = record.exc_info[1]
        getattr(self._logger, method)("library.line", **fields)


def _line(_logger: Any, _method: str, event: _Event) -> bytes:
    return orjson.dumps(event)


def _without_text(_logger: Any, _method: str, event: _Event) -> _Event:
    """Replace an exception by its type, its code and the places it came through."""
    for key in _OWN - {"event"}:
        event.pop(key, None)  # these are made here; a caller cannot write into them
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()[1]
    if isinstance(found, tuple):
        found = found[1]
    if isinstance(found, BaseException):
        event["error"] = type(found).__name__
        if isinstance(found, TxmonError):
            event["error_code"] = found.code
        frames = [(f.filename, f.lineno, f.name) for f in traceback.extract_tb(found.__traceback__)]
        frames += getattr(found, PLACES, [])
        event["where"] = [f"{_module(path)}:{line}:{name}" for path, line, name in frames[-8:]]
    return event


def _module(path: str) -> str:
    """A path as the part that is the same on every machine."""
    parts = path.replace("\\", "/").split("/")
    start = len(parts) - 1 - parts[::-1].index("txmon") if "txmon" in parts else -2
    return "/".join(parts[start:])


def _shown_key(key: str) -> str:
    return key if _NAME.fullmatch(key) else "?"
