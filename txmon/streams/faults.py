"""Why rows of one chunk cannot be events: at most one reason a row, the first that was found.

Owns reason codes and the collection; `txmon.streams.quarantine` turns it into a table. Only failing rows
are ever looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Reason(StrEnum):
    """Codes of quarantine.parquet, with what they mean."""

    BAD_JSON = "bad_json"  # the line is not one JSON object
    BAD_XML = "bad_xml"  # the document is not a message of the feed
    BAD_ISO8583 = "bad_iso8583"  # the message is not one of the feed's spec
    BAD_CSV = "bad_csv"  # wrong number of columns or unbalanced quotes
    BAD_UTF8 = "bad_utf8"  # bytes that are not UTF-8
    NUL = "nul"  # a NUL character
    TOO_LONG = "too_long"  # a line or text beyond the limit
    BAD_TYPE = "bad_type"  # the value is of another type
    BAD_EXPRESSION = "bad_expression"  # the feed's expression fails on this row
    BAD_TIME = "bad_time"  # not a time, or text without offset
    TIME_RANGE = "time_range"  # outside the feed's bounds
    MISSING = "missing"  # a required value, identity included, is absent
    UNKNOWN_VALUE = "unknown_value"  # not one of the values that exist (kind, status, mode, zone, ...)
    UNKNOWN_CURRENCY = "unknown_currency"  # not an ISO 4217 code with a minor unit
    AMOUNT_PRECISION = "amount_precision"  # finer than the currency's minor unit
    AMOUNT_BOUND = "amount_bound"  # beyond the feed's bound
    NEGATIVE_AMOUNT = "negative_amount"  # the feed maps no signs
    AMOUNT_CONFLICT = "amount_conflict"  # amount and amount_minor disagree
    OUT_OF_RANGE = "out_of_range"  # a coordinate that does not exist
    PICTURE = "picture"  # a text holds bytes of a picture or film: only their hash and size are kept
    TOO_LATE = "too_late"  # older than what the engine still keeps
    CONFLICT = "conflict"  # same source and event_id, different content
    AHEAD_OF_CLOCK = "ahead_of_clock"  # more than a day after it came in (service only)
    NOT_PERMITTED = "not_permitted"  # an entity or mode that the sender may not send (service only)
    ENGINE_ERROR = "engine_error"  # the engine failed on this event alone (service only)


@dataclass(frozen=True)
class Fault:
    """What is wrong with one row: canonical field, its value as text, code and a sentence with remedy."""

    field: str
    value: str | None
    reason: Reason
    message: str


Describe = Callable[[int], tuple[str | None, str]]


class Faults:
    """First fault of every failing row of a chunk."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self.by_row: dict[int, Fault] = {}

    def add(self, mask: np.ndarray, field: str, reason: Reason, describe: Describe) -> None:
        """Record the rows where `mask` is true; `describe(row)` gives their value and message."""
        if not mask.any():
            return
        for row in np.flatnonzero(mask).tolist():
            if row not in self.by_row:
                value, message = describe(row)
                self.by_row[row] = Fault(field, value, reason, message)

    def good(self) -> np.ndarray | None:
        """Return the mask of rows without a fault, or None if there is no fault at all."""
        if not self.by_row:
            return None
        mask = np.ones(self._rows, bool)
        mask[list(self.by_row)] = False
        return mask
