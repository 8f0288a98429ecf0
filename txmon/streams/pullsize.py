"""How many messages are asked for at once, so that what is fetched stays within some megabytes.

Owns a running mean of the size of messages.
"""

from __future__ import annotations

FETCH_BYTES = 16 << 20
_FIRST = 64  # while no size is known
_WEIGHT = 0.2  # of the newest batch in the mean


class PullSize:
    """See the module."""

    def __init__(self) -> None:
        self._mean = FETCH_BYTES / _FIRST

    def ask(self, most: int) -> int:
        """Return how many messages to ask for: at least one, at most `most`."""
        return max(1, min(most, int(FETCH_BYTES / self._mean)))

    def note(self, messages: int, size: int) -> None:
        """Learn from a batch of so many messages and bytes."""
        if messages:
            mean = max(size / messages, 1.0)
            # what is larger counts at once, what is smaller by and by
            self._mean = mean if mean > self._mean else self._mean + _WEIGHT * (mean - self._mean)
