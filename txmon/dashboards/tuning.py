"""Every number that alerts and their recording rules hang on, in one place.

    Tuning()                    what ships
    Tuning(scale=1 / 600)       the same expressions with all times six hundred times shorter, for a drill

Durations are written as Prometheus has them ("5m") and go through `window`, `pending` or `seconds`, so that a
drill changes nothing but them. Owns thresholds and the scale; knows no metric.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_TEXT = re.compile(r"([0-9]+)([smhd])")
LEAST_WINDOW_S = 5  # of a drill: some scrapes must fall into it


@dataclass(frozen=True)
class Tuning:
    """Thresholds; shares are parts of one."""

    scale: float = 1.0
    errors_budget: float = 0.001  # share of requests with events that may fail
    slow_budget: float = 0.01  # share of single-event requests that may take longer than `slow_s`
    slow_s: str = "0.1"  # a bucket's edge of txmon_request_seconds
    burn_fast: float = 14.4  # of the budget of 30 days, 2 % in an hour
    burn_slow: float = 6.0  # 5 % in six hours
    unacknowledged_s: int = 1800
    lag_s: int = 900
    behind_messages: int = 10_000
    queue_share: float = 0.8
    quarantine_share: float = 0.05
    quarantine_rows: int = 10
    unconverted_share: float = 0.01
    psi: float = 0.5
    disk_share: float = 0.15
    webhook_backlog: int = 1000

    def window(self, text: str) -> str:
        """Return a range of an expression."""
        return text if self.scale == 1 else f"{max(LEAST_WINDOW_S, round(self._seconds(text)))}s"

    def pending(self, text: str) -> str:
        """Return how long a condition must hold before it alerts."""
        return text if self.scale == 1 else f"{max(1, round(self._seconds(text)))}s"

    def seconds(self, value: int) -> str:
        """Return a threshold that is an age."""
        return f"{value * self.scale:g}"

    def _seconds(self, text: str) -> float:
        found = _TEXT.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not a number of s, m, h or d")
        return int(found[1]) * _UNITS_S[found[2]] * self.scale
