"""The only door to the clock of durations, and to what the operating system says of this process.

The engine and everything below it never import this module: they are handed values, so that a replay
gives the same.
"""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from pathlib import Path


def monotonic_s() -> float:
    """Return seconds of a clock that never goes back, for durations."""
    return time.perf_counter()


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
