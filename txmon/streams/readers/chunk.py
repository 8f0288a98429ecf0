"""What a reader yields: columns as the source has them, and lines that are no rows at all.

Owns the exchange type between readers and mapping; never knows canonical columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from txmon.streams.faults import Reason


@dataclass(frozen=True)
class Reject:
    """A line that cannot be read as a row."""

    line: int
    reason: Reason
    message: str
    raw: bytes


@dataclass(frozen=True)
class Chunk:
    """Rows of a source in order.

    `lines[i]` is the physical line (text formats, the header counts) or the row number (others) of row
    i, from 1. `source_row(i)` gives a row as it came, for quarantine. `done` counts the bytes or rows of
    the file read so far.
    """

    columns: Mapping[str, pa.Array]
    rows: int
    lines: np.ndarray
    source_row: Callable[[int], Mapping[str, object]]
    done: int
    rejects: tuple[Reject, ...] = field(default=())
