"""When a request is sent again, and after how long.

Owns arithmetic only: no clock, no sleep. Everything a client sends is safe to repeat, since the repetition
carries the same `Idempotency-Key` and an event's own identity.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from txmon.errors import ConfigError

AGAIN = frozenset({429, 502, 503, 504})
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Retry:
    """Bounds of repetition.

    Attributes:
        attempts: most sends of one request within one call.
        first_s: upper end of the first pause; it doubles with each further one. Seconds.
        longest_s: bound of a pause, the service's `Retry-After` included. Seconds.
    """

    attempts: int = 4
    first_s: float = 0.05
    longest_s: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or not 0 <= self.first_s <= self.longest_s:
            raise ConfigError(
                "retry: attempts must be at least 1, and 0 <= first_s <= longest_s; correct them"
            )

    def pause(self, attempt: int, asked_s: float | None, fraction: float) -> float:
        """Return how long to wait after the `attempt`-th send failed, seconds.

        Args:
            attempt: 1 after the first.
            asked_s: what the service asked for; the pause is not shorter, up to `longest_s`.
            fraction: in [0, 1), spreads clients that failed together.
        """
        wide: float = min(self.first_s * 2 ** min(attempt - 1, 30), self.longest_s)
        own = wide * (0.5 + fraction / 2)
        return own if asked_s is None else min(max(own, asked_s), self.longest_s)


def retryable(status: int, asked_s: float | None) -> bool:
    """Say whether an answer asks to come again.

    409 does so only with `Retry-After`: the first send of the same key is still being worked on.
    """
    return status in AGAIN or (status == 409 and asked_s is not None)


def retry_after(value: str | None, now_us: Callable[[], int]) -> float | None:
    """Return the seconds that a `Retry-After` asks for, None where there is none or it is unreadable."""
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - now_us() / 1e6)
