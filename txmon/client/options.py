"""What a caller may choose, and the doors to clock, chance and waiting.

Owns values and their bounds only.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from txmon.client.retry import Retry
from txmon.client.spool import Bounds
from txmon.clock import Clock, RandomBytes, SystemClock, fraction, monotonic_s, random_bytes, sleep_s
from txmon.errors import ConfigError


@dataclass(frozen=True)
class Options:
    """How a client behaves.

    Attributes:
        timeout_s: longest call for a decision or a read, repetitions included. Seconds.
        attempt_s: longest single send; None: half of `timeout_s`, so that a lost answer can be asked for
            again.
        on_failure: what `decide` and `send` do without an answer in time: ``open`` gives `allow` and queues,
            ``closed`` raises `Unavailable`.
        spool: file for what is queued; None: memory, which ends with the process.
        bounds: of the spool.
        background: whether a thread sends what is queued as soon as the service answers (sync client only).
        bulk_timeout_s: longest send of one portion of a bulk transfer, repetitions included. Seconds.
        bulk_rows: most rows of a portion.
        silence_s: after how long without a byte the stream of alerts is opened anew. Seconds.
        allow_http: permits http:// to another machine; the key then travels in the clear.
        tls: how the server is checked; None: the system's authorities.
    """

    timeout_s: float = 2.0
    attempt_s: float | None = None
    on_failure: Literal["open", "closed"] = "open"
    retry: Retry = field(default_factory=Retry)
    spool: Path | None = None
    bounds: Bounds = field(default_factory=Bounds)
    background: bool = True
    bulk_timeout_s: float = 300.0
    bulk_rows: int = 50_000
    silence_s: float = 60.0
    allow_http: bool = False
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.on_failure not in ("open", "closed"):
            raise ConfigError(f"on_failure {self.on_failure!r} is neither 'open' nor 'closed'")
        times = {"timeout_s": self.timeout_s, "attempt_s": self.attempt_s or self.timeout_s}
        times |= {"bulk_timeout_s": self.bulk_timeout_s, "silence_s": self.silence_s}
        for name, value in times.items():
            if not 0 < value <= 86_400:
                raise ConfigError(f"{name} = {value}: give seconds, more than 0")
        if self.bulk_rows < 1:
            raise ConfigError(f"bulk_rows = {self.bulk_rows}: give at least 1")

    @property
    def one_send_s(self) -> float:
        """Return the longest single send of a call for a decision, seconds."""
        return self.attempt_s if self.attempt_s is not None else self.timeout_s / 2


@dataclass(frozen=True)
class Doors:
    """Where time, chance and waiting come from; replaced in tests."""

    clock: Clock = field(default_factory=SystemClock)
    random_bytes: RandomBytes = random_bytes
    sleep: Callable[[float], None] = sleep_s
    monotonic: Callable[[], float] = monotonic_s

    def new_key(self) -> str:
        """Return a new Idempotency-Key."""
        return self.random_bytes(16).hex()

    def fraction(self) -> float:
        """Return a number in [0, 1)."""
        return fraction(self.random_bytes)


def default_tls() -> ssl.SSLContext:
    """Return a context that checks names and chains, TLS 1.2 or newer."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
