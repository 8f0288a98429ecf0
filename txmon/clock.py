"""The only door to clocks, to randomness, and to what the operating system says of this process.

The engine and everything below it never import this module: they are handed values, so that a replay
gives the same. The service is handed a `Clock` and a `RandomBytes`; only its outermost layer makes real ones.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

RandomBytes = Callable[[int], bytes]
Sleep = Callable[[float], None]  # seconds

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Where the time of day comes from."""

    def now_us(self) -> int:
        """Return microseconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's own time of day."""

    def now_us(self) -> int:
        """Return microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1000


def random_bytes(count: int) -> bytes:
    """Return `count` bytes of the operating system's secure generator."""
    return os.urandom(count)


def sleep_s(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def monotonic_s() -> float:
    """Return seconds of a clock that never goes back, for durations."""
    return time.perf_counter()


def rfc3339(time_us: int) -> str:
    """Return a moment as text, ``2026-01-05T12:00:00.000000Z``."""
    return (_EPOCH + timedelta(microseconds=time_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def fraction(source: RandomBytes) -> float:
    """Draw a number in [0, 1) from a source of random bytes."""
    return int.from_bytes(source(7), "big") / 2**56


def resident_bytes() -> int:
    """Return the resident memory of this process; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize()
    return 0


def peak_rss_mb() -> float:
    """Return the largest resident memory of this process so far, in MiB.

    Linux keeps the parent's peak across `exec` in `ru_maxrss`, so the process's own mark is read first.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    scale = 1024 if sys.platform != "darwin" else 1024**2
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale, 1)
