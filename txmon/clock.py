"""The only door to wall-clock time and random ids.

Owns `Clock`; the engine and everything below it never import this module's functions, they are handed
values. Other modules take a clock as an argument, so that a test or a replay can supply its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]


def system_clock_us() -> int:
    """Return UTC now in microseconds since 1970-01-01."""
    return time.time_ns() // 1000


def monotonic_s() -> float:
    """Return seconds of a clock that never goes back, for durations."""
    return time.perf_counter()
