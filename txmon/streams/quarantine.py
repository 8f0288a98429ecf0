"""Rows that are no events: the quarantine table, its raw text and its codes.

`raw` is the source row as one JSON object (its own digits kept), or the line itself where it cannot be
read; bytes that are not UTF-8 are written ``\\xNN``. Card numbers are tokens here too. A quarantined row
is corrected by editing `raw` and scoring it again with the same feed as NDJSON. Of a row with bytes of a
picture or film only their hash, size and place are kept, whatever else is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
import pyarrow as pa

from txmon.model import pictures
from txmon.model.pan import Tokeniser
from txmon.streams.faults import Fault, Reason
from txmon.streams.jsontext import plain_text, write_json
from txmon.streams.readers.chunk import Reject

QUARANTINE: pa.Schema = pa.schema(
    [
        pa.field("feed", pa.string(), nullable=False),
        pa.field("line", pa.int64()),
        pa.field("event_id", pa.string()),
        pa.field("field", pa.string()),
        pa.field("value", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
        pa.field("raw", pa.string(), nullable=False),
    ]
)
MAX_VALUE = 200  # characters of `value`
# columns that are made by txmon, so that a re-submitted row must not carry them
_MADE_HERE = frozenset(
    {"ingest_seq", "amount_base_minor", "base_currency", "rate_date", "unconverted", "auth_is_final"}
)
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")

Row = dict[str, object]


def quarantine_rows(
    events: pa.Table,
    field: str,
    reason: Reason | str,
    message: str,
    *,
    feed: str | None = None,
    lines: Sequence[int] | np.ndarray | None = None,
) -> pa.Table:
    """Make quarantine rows of canonical events that were refused after reading (too_late, conflict).

    Args:
        events: canonical rows; they are already tokenised.
        field: the canonical field to name; its value is quoted.
        feed: the feed's name; the event's source where it is not given.
        lines: source line of each row, where known.
    """
    rows: list[Row] = []
    for i, event in enumerate(events.to_pylist()):
        given = {k: v for k, v in event.items() if v is not None and k not in _MADE_HERE}
        value = event.get(field)
        rows.append(
            {
                "feed": feed or event["source"],
                "line": None if lines is None else int(lines[i]),
                "event_id": event["event_id"],
                "field": field,
                "value": None if value is None else _clip(plain_text(value)),
                "reason": str(reason),
                "message": message,
                "raw": write_json(given),
            }
        )
    return pa.Table.from_pylist(rows, schema=QUARANTINE)


def fault_row(
    feed: str,
    line: int,
    event_id: str | None,
    fault: Fault,
    source_row: Mapping[str, object],
    tokeniser: Tokeniser,
    strict: frozenset[str],
) -> Row:
    """Make the quarantine row of a failing row; `strict` names source columns that hold ids or numbers."""
    from_id = fault.field in strict
    raw = write_json(clean(source_row, tokeniser, strict))
    withheld = pictures.found_in(raw.encode("utf-8", "surrogatepass"))
    if withheld is not None or fault.reason is Reason.PICTURE:
        named = None if event_id is None else tokeniser.text(event_id, id_field=True)
        return _withheld(feed, line, named, withheld or pictures.whole(raw), fault.field)
    return {
        "feed": feed,
        "line": line,
        "event_id": None if event_id is None else tokeniser.text(event_id, id_field=True),
        "field": fault.field,
        "value": None if fault.value is None else _clip(tokeniser.text(fault.value, id_field=from_id)),
        "reason": str(fault.reason),
        "message": tokeniser.text(fault.message, id_field=from_id),
        "raw": raw,
    }


def reject_row(feed: str, reject: Reject, tokeniser: Tokeniser) -> Row:
    """Make the quarantine row of a line that cannot be read."""
    withheld = pictures.found_in(reject.raw)
    if withheld is not None:
        return _withheld(feed, reject.line, None, withheld, None)
    text = _ESCAPE.sub(_unescape, reject.raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00"))
    return {
        "feed": feed,
        "line": reject.line,
        "event_id": None,
        "field": None,
        "value": None,
        "reason": str(reject.reason),
        "message": tokeniser.text(reject.message),
        "raw": tokeniser.text(text),
    }


def _withheld(
    feed: str, line: int, event_id: str | None, withheld: pictures.Withheld, field: str | None
) -> Row:
    """The row in place of one with a picture: nothing of its text, and who has to be told."""
    known = event_id is not None and len(event_id) < pictures.SHORTEST
    return {
        "feed": feed,
        "line": line,
        "event_id": event_id if known else None,
        "field": field,
        "value": None,
        "reason": str(Reason.PICTURE),
        "message": f"holds a picture or film. {pictures.DUTY}",
        "raw": withheld.record(field),
    }


def quarantine_table(rows: list[Row]) -> pa.Table:
    """Return rows as a table in order of their line."""
    return (
        pa.Table.from_pylist(sorted(rows, key=_line), schema=QUARANTINE) if rows else QUARANTINE.empty_table()
    )


def clean(row: Mapping[str, object], tokeniser: Tokeniser, strict: frozenset[str]) -> dict[str, object]:
    """Return a source row whose texts and numbers, keys included, hold no card number."""
    return {
        tokeniser.text(key): _clean_value(value, tokeniser, key in strict)
        for key, value in row.items()
        if value is not None
    }


def _clean_value(value: object, tokeniser: Tokeniser, strict: bool) -> object:
    if isinstance(value, str):
        text = tokeniser.text(value, id_field=strict)
        return value if text == value else text
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, Decimal, float)):
        text = str(value)
        hidden = tokeniser.text(text, id_field=strict)
        return value if text == hidden else hidden
    if isinstance(value, Mapping):
        return {tokeniser.text(str(k)): _clean_value(v, tokeniser, strict) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_clean_value(v, tokeniser, strict) for v in value)
    if isinstance(value, bytes):
        return tokeniser.text(plain_text(value), id_field=strict)
    return value


def _unescape(match: re.Match[str]) -> str:
    """A JSON escape as its character where it could hide a digit or a separator, else as it is."""
    character = chr(int(match.group(1), 16))
    return (
        character
        if character.isdigit() or (character.isspace() or character in "-‐‑‒–—.·")
        else match.group()
    )


def _clip(text: str) -> str:
    return text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…"


def _line(row: Row) -> int:
    line = row["line"]
    return line if isinstance(line, int) else 0
