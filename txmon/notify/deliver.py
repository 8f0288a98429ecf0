"""One delivery: a POST to a vetted address, with an end in time and a bound on the answer.

Owns the exchange and what its end means. No redirects, no proxies, no cookies, no compressed answers; the
answer's body is read up to a bound and thrown away. Never retries and never logs.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import httpx

import txmon
from txmon.client.deadline import DeadlineTransport, deadline
from txmon.client.options import default_tls
from txmon.client.retry import retry_after
from txmon.clock import Clock, monotonic_s
from txmon.errors import ConfigError
from txmon.notify.guard import Blocked, Resolve, check_url, system_resolve, vetted

DELIVERED, RETRY, GONE, BLOCKED, EXHAUSTED = "delivered", "retry", "gone", "blocked", "exhausted"
Ended = tuple[str, str | None, httpx.Response]  # outcome, error, answer


@dataclass(frozen=True)
class Reply:
    """How a delivery ended.

    Attributes:
        outcome: `DELIVERED`, `RETRY`, `GONE` (410) or `BLOCKED` (the guard).
        status: of the HTTP answer, where there was one.
        error: a stable word; nothing of the receiver's.
        retry_after_s: what the receiver asked for.
    """

    outcome: str
    duration_ms: int
    status: int | None = None
    error: str | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Limits:
    """Bounds of a delivery.

    Attributes:
        timeout_s: from the name server's question to the answer's end.
        reply_bytes: most bytes of an answer that are read.
        loopback: deliver to this machine, by http too; for tests only.
    """

    timeout_s: float = 5.0
    reply_bytes: int = 65_536
    loopback: bool = False

    def __post_init__(self) -> None:
        if self.timeout_s <= 0 or self.reply_bytes < 0:
            raise ConfigError("webhooks: timeout_s and reply_bytes must be positive; correct them")


@dataclass(frozen=True)
class Deliverer:
    """Sends single messages; any thread."""

    limits: Limits
    clock: Clock
    resolve: Resolve = system_resolve
    tls: ssl.SSLContext = field(default_factory=default_tls, repr=False)
    monotonic: Callable[[], float] = monotonic_s

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Deliver a message; every failure is a `Reply`."""
        begun = self.monotonic()

        def ended(outcome: str, error: str | None = None, answer: httpx.Response | None = None) -> Reply:
            took = round((self.monotonic() - begun) * 1000)
            if answer is None:
                return Reply(outcome, took, None, error)
            asked = retry_after(answer.headers.get("retry-after"), self.clock.now_us)
            return Reply(outcome, took, answer.status_code, error, asked)

        try:
            target = check_url(url, loopback=self.limits.loopback)
            addresses = vetted(target, self.resolve, self.limits.timeout_s, loopback=self.limits.loopback)
        except Blocked as error:
            return ended(BLOCKED, error.reason)
        except TimeoutError:
            return ended(RETRY, "resolve_timeout")
        except OSError:
            return ended(RETRY, "resolve_failed")
        left = self.limits.timeout_s - (self.monotonic() - begun)
        if left <= 0:
            return ended(RETRY, "timeout")
        try:
            with deadline(left):
                return ended(*self._to_any(target.url, addresses, headers, body, left))
        except httpx.TimeoutException:
            return ended(RETRY, "timeout")
        except httpx.ConnectError as error:
            return ended(RETRY, "tls" if "CERTIFICATE" in str(error).upper() else "connect")
        except httpx.HTTPError:
            return ended(RETRY, "connection_lost")

    def _to_any(
        self, url: str, addresses: Sequence[str], headers: Mapping[str, str], body: bytes, left_s: float
    ) -> Ended:
        """Send to the first address that takes the connection; until then nothing was sent to any."""
        timeout = httpx.Timeout(left_s, connect=left_s / len(addresses))
        for address in addresses[:-1]:
            try:
                return self._exchange(url, address, headers, body, timeout)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return self._exchange(url, addresses[-1], headers, body, timeout)

    def _exchange(
        self, url: str, address: str, headers: Mapping[str, str], body: bytes, timeout: httpx.Timeout
    ) -> Ended:
        """Send; the connection goes to `address`, TLS and `Host` keep the URL's name."""
        transport = DeadlineTransport(self.tls, connections=1, dial=lambda _host, _port: address)
        usual = {"user-agent": f"txmon/{txmon.__version__}", "accept-encoding": "identity"}
        usual |= {"connection": "close"}
        with (
            httpx.Client(
                transport=transport, trust_env=False, follow_redirects=False, timeout=timeout
            ) as http,
            http.stream("POST", url, headers=usual | dict(headers), content=body) as answer,
        ):
            read = 0
            for part in answer.iter_raw():
                read += len(part)
                if read > self.limits.reply_bytes:
                    break
            return (*_meaning(answer.status_code), answer)


def _meaning(status: int) -> tuple[str, str | None]:
    if 200 <= status < 300:
        return DELIVERED, None
    if status == 410:
        return GONE, "gone"
    if 300 <= status < 400:
        return RETRY, "redirect"
    return RETRY, "client_error" if status < 500 else "server_error"
