"""Which model a row belongs to.

Owns the map from the caller's segment codes to slots: slot 0 is the declared rest ('other': rows
without a segment and segments beyond `max_segments`), every other slot belongs to one code, given in
the order in which codes are first seen. Never forgets a code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from txmon.jit import managed

OTHER = 0
_EMPTY = -1


class Slots(NamedTuple):
    """An open-addressed table of codes; `used[0]` counts slots in use, slot 0 included."""

    table_code: npt.NDArray[np.int32]
    table_slot: npt.NDArray[np.int32]
    used: npt.NDArray[np.int64]
    code: npt.NDArray[np.int32]  # by slot; -1 for slot 0


def make_slots(max_segments: int) -> Slots:
    """Return an empty table for at most `max_segments` codes."""
    size = 1 << (2 * max_segments + 2).bit_length()
    return Slots(
        np.full(size, _EMPTY, np.int32),
        np.zeros(size, np.int32),
        np.ones(1, np.int64),
        np.full(max_segments + 1, _EMPTY, np.int32),
    )


@managed
def assign(slots: Slots, codes: npt.NDArray[np.int32], out: npt.NDArray[np.int32]) -> None:
    """Fill `out` with the slot of each code, making slots for new codes while there is room."""
    mask = slots.table_code.size - 1
    for i in range(codes.size):
        code = codes[i]
        if code < 0:
            out[i] = OTHER
            continue
        at = (code * 40503) & mask
        while slots.table_code[at] != code and slots.table_code[at] != _EMPTY:
            at = (at + 1) & mask
        if slots.table_code[at] == _EMPTY:
            if slots.used[0] == slots.code.size:
                out[i] = OTHER
                continue
            slots.table_code[at] = code
            slots.table_slot[at] = slots.used[0]
            slots.code[slots.used[0]] = code
            slots.used[0] += 1
        out[i] = slots.table_slot[at]
