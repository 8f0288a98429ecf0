"""How long after a failure the next try comes.

Owns arithmetic only: no clock, no sleep, no chance of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from txmon.errors import ConfigError


@dataclass(frozen=True)
class Backoff:
    """Growing pauses: 5 s, 12 s, 31 s, 78 s, ... 12 h; twelve tries take about 21 hours.

    Attributes:
        first_s: pause after the first failure. Seconds.
        factor: of each further one.
        longest_s: bound, also of what a receiver asks for. Seconds.
    """

    first_s: float = 5.0
    factor: float = 2.5
    longest_s: float = 43_200.0

    def __post_init__(self) -> None:
        if not 0 < self.first_s <= self.longest_s or self.factor < 1:
            raise ConfigError("webhooks: 0 < first_s <= longest_s and factor >= 1; correct the back-off")

    def pause_us(self, failures: int, asked_s: float | None, fraction: float) -> int:
        """Return the pause after the `failures`-th failure in a row, microseconds.

        Args:
            failures: 1 after the first.
            asked_s: the receiver's `Retry-After`; the pause is not shorter, up to `longest_s`.
            fraction: in [0, 1); the pause is spread over 75 % to 125 %.
        """
        own = self.longest_s
        if failures - 1 < 64:  # beyond, the power only leaves the floats
            own = min(self.first_s * self.factor ** max(failures - 1, 0), self.longest_s)
        pause = own * (0.75 + fraction / 2)
        if asked_s is not None:
            pause = max(pause, min(asked_s, self.longest_s))
        return int(pause * 1e6)
