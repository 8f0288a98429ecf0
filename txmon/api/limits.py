"""How much one may ask: requests of a key, refused keys of an address; and which address that is.

Owns counters in memory, all bounded. Times are seconds of a clock that never goes back.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

_ADDRESSES_MAX = 20_000
_WINDOW_S = 60.0
_UNKNOWN = "unknown"


class Buckets:
    """A token bucket a key: `burst` at once, `rate` a second."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, float(burst)
        self._buckets: dict[str, tuple[float, float]] = {}  # key -> tokens left, when

    def take(self, key: str, now_s: float) -> float:
        """Take one request; returns 0, or the seconds after which there is room again."""
        if self._rate <= 0:
            return 0.0
        left, at = self._buckets.get(key, (self._burst, now_s))
        left = min(self._burst, left + (now_s - at) * self._rate)
        if left < 1.0:
            self._buckets[key] = (left, now_s)
            return (1.0 - left) / self._rate
        self._buckets[key] = (left - 1.0, now_s)
        return 0.0


class Failures:
    """Refused keys of an address within a minute. A valid key passes whatever its address."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()  # begin of the minute, count

    def wait(self, address: str, now_s: float) -> float:
        """Return the seconds that an address must wait, 0 if it need not."""
        begin, count = self._seen.get(address, (now_s, 0))
        if count < self._limit or now_s - begin >= _WINDOW_S:
            return 0.0
        return max(1.0, begin + _WINDOW_S - now_s)

    def note(self, address: str, now_s: float) -> float:
        """Count a refused key; returns 0, or the seconds that this address must wait."""
        begin, count = self._seen.get(address, (now_s, 0))
        if now_s - begin >= _WINDOW_S:
            begin, count = now_s, 0
        self._seen[address] = (begin, count + 1)
        self._seen.move_to_end(address)
        if len(self._seen) > _ADDRESSES_MAX:
            self._seen.popitem(last=False)
        return 0.0 if count < self._limit else max(1.0, begin + _WINDOW_S - now_s)


class Addresses:
    """The address a request comes from, believing `X-Forwarded-For` of trusted proxies only."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._trusted = [ipaddress.ip_network(each, strict=False) for each in trusted]

    def of(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> str:
        """Return the nearest address that is no trusted proxy; of IPv6 its /64."""
        client = scope.get("client")
        found = _parse(client[0]) if client else None
        hops = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
        while found is not None and hops and self._is_trusted(found):
            before = _parse(hops.pop().strip())
            if before is None:
                break
            found = before
        if found is None:
            return _UNKNOWN
        if isinstance(found, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
        return str(found)

    def _is_trusted(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
