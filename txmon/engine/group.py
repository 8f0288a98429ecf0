"""A group: the windows of one key, their state, and the calls into the kernels.

Owns growth of the arrays, the sweep of keys that fell silent, and snapshot and restore. Never evaluates
an expression: it is given codes, masks and values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from txmon.engine import state as st
from txmon.engine.advance import advance
from txmon.engine.layout import GroupLayout
from txmon.engine.lookback import count_times, list_times, lookback
from txmon.engine.slab import D_COLUMNS, D_DISTINCT, move_last
from txmon.engine.treap import DEPTH_MAX, NODE_COLUMNS
from txmon.errors import StateError

_SUM_SAFE = 2**62
_SMALL_TABLE = 2**14  # slots
_LINES_MAX = 2**30  # lines times distinct counts: the table of last occurrences has 31 bits for them
# An array that must grow becomes so many times as long while it has less than so many bytes.
_GROWTH = ((2**21, 8.0), (2**27, 4.0), (2**30, 2.0))


@dataclass(frozen=True)
class Values:
    """Features of some rows: integers (or images of doubles) by feature and row, and which are known."""

    value: st.I64
    known: np.ndarray
    high: st.I64


class Group:
    """State of the windows over one key."""

    def __init__(self, layout: GroupLayout) -> None:
        self.layout = layout
        self._L = layout.layout
        self._rows = np.zeros((1024, self._L.dims[D_COLUMNS]), np.int64)
        self._perm = np.zeros(0, np.int64)
        self._line = np.zeros(0, np.int64)
        self._keys = np.zeros((0, len(layout.fresh_line)), np.int64)
        self._table = _empty_table(1024 if self._L.dims[D_DISTINCT] else 2)
        self._free = np.full(64, -1, np.int64)
        self._nodes = np.zeros((0, NODE_COLUMNS), np.int64)
        self._meta = np.zeros(st.META_CELLS, np.int64)
        self._meta[st.M_FREE_NODE] = -1
        self._lows = np.zeros(len(self._L.span), np.int64)
        self._path = np.zeros(DEPTH_MAX, np.int64)
        self._buffer = np.zeros(64, np.int64)
        self._cast = np.zeros(1, np.int64)
        self._acc = np.zeros((1, st.ACC_COLUMNS), np.int64)
        self._total = 0  # sum of |value| ever seen; sums fit 64 bits while it does

    # -- batches -------------------------------------------------------------------------------------

    def advance(self, batch: st.Batch, bound: int) -> tuple[Values, st.I64]:
        """Count a batch; returns the features of its rows and the numbers of the rows that came late.

        Features of late rows and of rows with a null key are unknown. `bound`: rows not newer may be
        forgotten.
        """
        n = len(batch.key)
        self._ensure_codes(int(batch.key.max(initial=-1)) + 1)
        self._note_magnitude(batch)
        out = self._output(n, n)
        self._meta[st.M_LATE] = 0
        done = 0
        while True:
            self._meta[st.M_FAIL] = 0
            done = advance(self._L, self._state(), batch, out, done, bound)
            if done == n:
                break
            self._grow(int(self._meta[st.M_FAIL]))
        return Values(out.value, out.known, out.high), out.late[: self._meta[st.M_LATE]]

    def nothing(self, n: int) -> Values:
        """Features of `n` rows without a key: all are unknown."""
        out = self._output(n, 0)
        return Values(out.value, out.known, out.high)

    def at(self, key: st.I64, time: st.I64, order: st.I64, wanted: np.ndarray) -> Values:
        """Features at past times; requests of one event stand together, times rising.

        `wanted` marks the features (by number) that are needed; the others stay unknown.
        """
        L = self._L
        out = self._output(len(key), 0)
        self._ensure_codes(int(key.max(initial=-1)) + 1)
        lines = self._line[np.unique(key[key >= 0])]
        used = self._keys[lines[lines >= 0]]
        longest = int((used[:, st.SNEXT] - used[:, st.SFIRST]).max(initial=0))
        distincts = int((L.e_d >= 0).sum())
        slots = 1 << max(4, int(2 * longest * distincts).bit_length())
        window = np.zeros(len(L.span), np.int64)
        window[L.f_w[wanted]] = 1
        work = st.Work(
            acc=np.zeros((max(1, len(L.e_n)), st.ACC_COLUMNS), np.int64),
            cursor=np.zeros((len(L.span), 2), np.int64),
            scratch=np.zeros((slots, 4), np.int64),
            stamp=np.zeros(1, np.int64),
            window=window,
            wanted=wanted.astype(np.int64),
        )
        lookback(L, self._state(), st.Requests(key, time, order), work, out)
        return Values(out.value, out.known, out.high)

    def later_times(self, key: st.I64, time: st.I64, order: st.I64, reach: int) -> tuple[st.I64, st.I64]:
        """Distinct times of rows in ``(time, time + reach)`` with order up to each request's.

        Returns (number of the request, time), times rising within a request.
        """
        counts = np.empty(len(key), np.int64)
        count_times(self._state(), key, time, order, reach, counts)
        start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        times = np.empty(int(start[-1]), np.int64)
        list_times(self._state(), key, time, order, reach, start, times)
        return np.repeat(np.arange(len(key)), counts), times

    @property
    def rows_scanned(self) -> int:
        """Rows read by late evaluations so far."""
        return int(self._meta[st.M_SCANNED])

    def bytes_used(self) -> dict[str, int]:
        """Bytes of the arrays in use, by part."""
        return {
            "rows": int(self._meta[st.M_ROWS]) * self._rows.shape[1] * 8,
            "positions": min(len(self._perm), int(self._meta[st.M_ROWS])) * 8,
            "keys": int(self._meta[st.M_LINES]) * self._keys.shape[1] * 8 + self._line.nbytes,
            "distinct": self._table.nbytes if self._L.dims[D_DISTINCT] else 0,
            "nodes": int(self._meta[st.M_NODES]) * self._nodes.shape[1] * 8,
        }

    # -- arrays --------------------------------------------------------------------------------------

    def _state(self) -> st.State:
        return st.State(
            self._rows,
            self._perm,
            self._line,
            self._keys,
            self._keys.view(np.float64),
            self._table,
            self._free,
            self._nodes,
            self._meta,
            self._lows,
            self._path,
            self._buffer,
            self._cast,
            self._cast.view(np.float64),
            self._acc,
        )

    def _output(self, n: int, late: int) -> st.Output:
        nf = len(self.layout.features)
        value = np.zeros((nf, n), np.int64)
        high = np.zeros((nf, n if self._total >= _SUM_SAFE else 0), np.int64)
        return st.Output(
            value, value.view(np.float64), np.zeros((nf, n), np.uint8), high, np.empty(late, np.int64)
        )

    def _note_magnitude(self, batch: st.Batch) -> None:
        if self._total < _SUM_SAFE and len(batch.value):
            for column in set(self.layout.summed):
                # In Python integers: one batch alone may leave 64 bits.
                largest = max(int(batch.value[:, column].max()), -int(batch.value[:, column].min()))
                self._total += largest * len(batch.value)

    def _ensure_codes(self, count: int) -> None:
        if count > len(self._line):
            longer = np.full(max(count, 64, int(len(self._line) * 1.5)), -1, np.int64)
            longer[: len(self._line)] = self._line
            self._line = longer

    def _grow(self, reason: int) -> None:
        if reason == st.FAIL_ROWS:
            self._rows = _longer(self._rows)
            if len(self._perm):
                self._perm = _longer(self._perm, len(self._rows))
        elif reason == st.FAIL_PERM:
            self._perm = _longer(self._perm, len(self._rows))
        elif reason == st.FAIL_HASH:
            # few keys stay few: a small table is spared most of its moves
            table = _empty_table(len(self._table) * (4 if len(self._table) < _SMALL_TABLE else 2))
            move_last(self._table, table)
            self._table = table
        elif reason == st.FAIL_NODES:
            self._nodes = _longer(self._nodes)
        elif reason == st.FAIL_LINES:
            if len(self._keys) * self._L.dims[D_DISTINCT] >= _LINES_MAX:
                raise StateError("too many keys for one window group; split the stream by entity")
            self._keys = _longer(self._keys)
        elif reason == st.FAIL_BUFFER:
            self._buffer = np.zeros(len(self._buffer) * 4, np.int64)
        else:
            raise AssertionError(f"kernel stopped without a reason ({reason})")

    # -- snapshot ------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return the whole state as plain integer arrays."""
        return {
            "rows": self._rows[: self._meta[st.M_ROWS]].copy(),
            "perm": self._perm[: self._meta[st.M_ROWS]].copy(),
            "line": self._line.copy(),
            "keys": self._keys[: self._meta[st.M_LINES]].copy(),
            "table": self._table[self._table[:, 1] != 0],
            "free": self._free.copy(),
            "nodes": self._nodes[: self._meta[st.M_NODES]].copy(),
            "meta": self._meta.copy(),
            "total": np.array([min(self._total, _SUM_SAFE)], np.int64),
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Replace the state by a snapshot's.

        Raises:
            StateError: the snapshot was made for other features.
        """
        if (
            arrays["rows"].shape[1:] != self._rows.shape[1:]
            or arrays["keys"].shape[1:] != self._keys.shape[1:]
        ):
            raise StateError("snapshot was made for another set of features; start from the journal instead")
        self._rows = _room(arrays["rows"], 1024)
        self._perm = _room(arrays["perm"], len(self._rows)) if len(arrays["perm"]) else np.zeros(0, np.int64)
        self._line = arrays["line"].copy()
        self._keys = arrays["keys"].copy()
        slots = len(self._table)
        while len(arrays["table"]) > slots * 0.6:
            slots *= 2
        self._table = _empty_table(slots)
        move_last(arrays["table"], self._table)
        self._free = arrays["free"].copy()
        self._nodes = _room(arrays["nodes"], 0)
        self._meta = arrays["meta"].copy()
        self._buffer = np.zeros(max(64, int(self._meta[st.M_LONGEST])), np.int64)
        self._total = int(arrays["total"][0])


def _longer(array: np.ndarray, length: int | None = None) -> np.ndarray:
    """Return a copy with more room.

    New cells are not touched, so they cost memory only when used: small arrays are given plenty, since
    what a copy costs is the first touch of its pages. They are 0 and never what lay there before, which
    could be a request: unused cells are saved with the others.
    """
    times = next((factor for limit, factor in _GROWTH if array.nbytes < limit), 1.6)
    grown = np.zeros((length or max(64, int(len(array) * times)), *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown


def _empty_table(slots: int) -> np.ndarray:
    """Return a table of last occurrences without any; `slots` is a power of two."""
    return np.zeros((slots, 2), np.int64)


def _room(array: np.ndarray, at_least: int) -> np.ndarray:
    grown = np.zeros((max(at_least, len(array)), *array.shape[1:]), np.int64)
    grown[: len(array)] = array
    return grown
