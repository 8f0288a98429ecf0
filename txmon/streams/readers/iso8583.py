"""Reads ISO 8583 messages as rows with the columns `mti`, `f2` to `f128`, and a few that are made of them.

`f2` is a token from the first moment on, with `card_bin` and `card_last4` beside it; expiry, tracks, PIN and
chip data are never read. `sent` is field 7 in the newest year that is not ahead, as it names none.
Owns the reading; what a message means is the feed's. A message that cannot be read is kept nowhere: hidden in
its bytes may be a card number that nobody can find.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import iso8583
import numpy as np
import pyarrow as pa

from txmon.model.pan import Tokeniser
from txmon.streams.faults import Reason
from txmon.streams.iso8583spec import MADE, Spec
from txmon.streams.readers.chunk import Chunk, Reject

_PAN, _TRACK2, _SENT = "2", "35", "7"
_DIGITS = re.compile(r"[0-9]{8,19}")
_AHEAD = timedelta(days=1)  # what clocks may differ; the service refuses more
_YEARS = 8  # in which every day of a year has been
_BIN_DIGITS = 12  # a shorter number has no part that may be shown


class IsoRows:
    """Reads messages of one acquirer."""

    def __init__(
        self, spec: Spec, columns: Sequence[str], tokeniser: Tokeniser, now_us: Callable[[], int]
    ) -> None:
        self._spec, self._columns, self._tokeniser, self._now_us = spec, columns, tokeniser, now_us

    def chunk(self, payloads: Sequence[bytes], first: int) -> Chunk:
        """Return the messages that can be read as rows; lines are indices, that of the first is `first`."""
        rows: list[dict[str, str | None]] = []
        lines: list[int] = []
        rejects: list[Reject] = []
        now = datetime.fromtimestamp(self._now_us() // 1_000_000, UTC)
        for i, payload in enumerate(payloads, first):
            try:
                decoded, _ = iso8583.decode(payload, self._spec)
            except (
                ValueError,
                TypeError,
                KeyError,
            ) as error:  # KeyError: a field that the spec does not have
                rejects.append(Reject(i, Reason.BAD_ISO8583, _why(error), b""))
                continue
            rows.append(self._row(decoded, now))
            lines.append(i)
        columns = {n: pa.array([r[n] for r in rows], pa.string()) for n in self._columns}

        def row(i: int) -> Mapping[str, object]:
            return {k: v for k, v in rows[i].items() if v is not None}

        return Chunk(columns, len(rows), np.array(lines, np.int64), row, 0, tuple(rejects))

    def _row(self, decoded: Mapping[str, str], now: datetime) -> dict[str, str | None]:
        pan = decoded.get(_PAN, "").strip() or re.split("[=D]", decoded.get(_TRACK2, ""))[0].strip()
        made: dict[str, str | None] = {"mti": decoded["t"], "sent": _sent(decoded.get(_SENT, ""), now)}
        if _DIGITS.fullmatch(pan):
            made["f2"] = self._tokeniser.token(pan)
            if len(pan) >= _BIN_DIGITS:
                made["card_bin"], made["card_last4"] = pan[:6], pan[-4:]
        for name in self._columns:
            if name not in made and name not in MADE and name != "f2":
                made[name] = decoded.get(name[1:], "").rstrip() or None
        return {name: made.get(name) for name in self._columns}


def _sent(text: str, now: datetime) -> str | None:
    """Return MMDDhhmmss UTC as RFC 3339, in the newest year not ahead of now; None if it is no time."""
    if len(text) != len("MMDDhhmmss") or not text.isdecimal():
        return None
    for year in range(now.year + 1, now.year - _YEARS, -1):
        try:
            found = datetime.strptime(f"{year}{text}+0000", "%Y%m%d%H%M%S%z")
        except ValueError:
            continue  # no time at all, or the 29th of February of another year
        if found <= now + _AHEAD:
            return found.isoformat().replace("+00:00", "Z")
    return None


def _why(error: Exception) -> str:
    """Say where the message goes wrong; never what it holds."""
    if isinstance(error, iso8583.DecodeError):
        return (
            f"not a message of this spec: field {error.field} at byte {error.pos}; is it the acquirer's spec?"
        )
    return "not a message of this spec"
