"""Admission: which events count, in order of arrival.

An event already seen with the same content is a duplicate and has no effect; with other content it is a
conflict. An event too far behind the watermark is too late. Everything else is accepted and moves the
watermark. Owns the table of identities, the watermark and the sequence; 24 bytes an identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from txmon.engine.hashing import AHEAD, Words, slot_of
from txmon.engine.state import I64, TIME_MIN
from txmon.jit import kernel, prefetch

ACCEPTED, DUPLICATE, CONFLICT, TOO_LATE = range(4)
DAY_US = 86_400_000_000
# A third word carries 42 bits of content and 22 of the day on which the identity was last accepted, which
# is enough for every date that can be written with four digits of the year.
_DAY = np.int64(0x3FFFFF)
_CONTENT = np.int64(~0x3FFFFF)


@kernel
def _admit(table: Words, ids: Words, content: Words, time: I64, verdict: np.ndarray, cell: I64) -> int:
    """`cell`: watermark, entries, horizons of identities and lateness; returns rows done."""
    mask = table.shape[0] - 1
    for i in range(time.shape[0]):
        ahead = i + AHEAD
        if ahead < time.shape[0]:
            prefetch(table, 3 * slot_of(ids[ahead, 0], ids[ahead, 1], mask))
        if cell[1] + 1 > table.shape[0] * 0.7:
            return i
        s = slot_of(ids[i, 0], ids[i, 1], mask)
        while table[s, 2] != 0 and (table[s, 0] != ids[i, 0] or table[s, 1] != ids[i, 1]):
            s = (s + 1) & mask
        day = max(cell[0] // DAY_US, np.int64(0))
        if table[s, 2] != 0 and (table[s, 2] & _DAY) + cell[2] >= day:
            same = (table[s, 2] & _CONTENT) == (content[i] & _CONTENT)
            verdict[i] = DUPLICATE if same else CONFLICT
            continue
        if cell[0] != TIME_MIN and time[i] <= cell[0] - cell[3]:
            verdict[i] = TOO_LATE
            continue
        verdict[i] = ACCEPTED
        cell[0] = max(cell[0], time[i])
        if table[s, 2] == 0:
            cell[1] += 1
        table[s, 0] = ids[i, 0]
        table[s, 1] = ids[i, 1]
        # day 0 would make an all-zero word look empty; the epoch's first day is stored as day 1
        table[s, 2] = (content[i] & _CONTENT) | max(cell[0] // DAY_US, np.int64(1))
    return time.shape[0]


@kernel
def _copy_live(old: Words, new: Words, oldest_day: int) -> int:
    mask = new.shape[0] - 1
    count = 0
    for i in range(old.shape[0]):
        if old[i, 2] == 0 or (old[i, 2] & _DAY) < oldest_day:
            continue
        s = slot_of(old[i, 0], old[i, 1], mask)
        while new[s, 2] != 0:
            s = (s + 1) & mask
        new[s, 0] = old[i, 0]
        new[s, 1] = old[i, 1]
        new[s, 2] = old[i, 2]
        count += 1
    return count


@dataclass(frozen=True)
class Admission:
    """Verdict per row (ACCEPTED, DUPLICATE, CONFLICT, TOO_LATE)."""

    verdict: np.ndarray


class Gate:
    """The table of identities and the watermark."""

    def __init__(self, horizon_days: int, lateness_us: int) -> None:
        self._table = np.zeros((1024, 3), np.int64)
        self._cell = np.array([TIME_MIN, 0, horizon_days, lateness_us], np.int64)
        self.next_seq = 0

    @property
    def watermark_us(self) -> int:
        """Largest event time accepted so far, TIME_MIN before the first."""
        return int(self._cell[0])

    def admit(self, ids: Words, content: Words, time: I64) -> Admission:
        """Judge rows in order of arrival; `time` in microseconds UTC."""
        verdict = np.zeros(len(time), np.uint8)
        done = 0
        while True:
            rest = slice(done, None)
            done += _admit(self._table, ids[rest], content[rest], time[rest], verdict[rest], self._cell)
            if done == len(time):
                break
            self._rebuild()
        self.next_seq += int((verdict == ACCEPTED).sum())
        return Admission(verdict)

    def _rebuild(self) -> None:
        """Forget what is past the horizon; double the table if that frees too little."""
        oldest = max(self.watermark_us // DAY_US, 0) - int(self._cell[2])
        live = int(((self._table[:, 2] != 0) & ((self._table[:, 2] & _DAY) >= oldest)).sum())
        slots = self._table.shape[0] * (2 if live > self._table.shape[0] * 0.4 else 1)
        table = np.zeros((slots, 3), np.int64)
        self._cell[1] = _copy_live(self._table, table, oldest)
        self._table = table

    def bytes_used(self) -> int:
        """Bytes of the table."""
        return int(self._table.nbytes)

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return the identities in use and the counters."""
        return {
            "table": self._table[self._table[:, 2] != 0],
            "cell": self._cell.copy(),
            "seq": np.array([self.next_seq], np.int64),
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Replace the content by a snapshot's."""
        slots = 1024
        while len(arrays["table"]) > slots * 0.4:
            slots *= 2
        self._table = np.zeros((slots, 3), np.int64)
        self._cell = arrays["cell"].copy()
        self._cell[1] = _copy_live(arrays["table"], self._table, -1)
        self.next_seq = int(arrays["seq"][0])
