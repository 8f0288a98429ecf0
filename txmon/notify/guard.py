"""Which addresses a webhook may reach: public ones, by https, and nothing behind our own firewall.

A URL is refused by its form, and again by any address its name stands for at the moment of each delivery.
The connection then goes to the address that was looked at, not to the name, so a name server that changes its
answer changes nothing. Owns the rules; never connects.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from txmon.errors import InputError

Resolve = Callable[[str, int], Sequence[str]]  # name, port -> addresses as text; OSError where there are none
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
URL_MAX = 2000
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.ASCII)
_VISIBLE = re.compile(r"[\x21-\x7e]+", re.ASCII)
# names that mean something only inside: RFC 6761, 6762, 8375, 9476, and what clouds and clusters use
_INSIDE = (
    "localhost", "local", "localdomain", "internal", "intranet", "private", "corp", "home", "lan",
    "home.arpa", "in-addr.arpa", "ip6.arpa", "onion", "alt", "test", "example", "invalid",
    "consul",
)  # fmt: skip
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
# IANA's special-purpose registries, multicast, and one public address that is a cloud's own service
_V4_REFUSED = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
        "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
    )
)  # fmt: skip
# of IPv6 only global unicast, less what carries an IPv4 address, documentation and protocol assignments
_V6_ALLOWED = ipaddress.IPv6Network("2000::/3")
_V6_REFUSED = tuple(
    ipaddress.IPv6Network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20")
)


class Blocked(InputError):
    """A URL or an address that a webhook must not reach; ``reason`` is a stable word."""

    code = "webhook_blocked"

    def __init__(self, detail: str, reason: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Target:
    """A URL that may be asked for, taken apart."""

    url: str
    scheme: str
    host: str  # a name in lower case, or an address without brackets
    port: int


def system_resolve(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a name."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def check_url(url: str, *, loopback: bool = False) -> Target:
    """Take a URL apart.

    Args:
        loopback: allow this machine, by http too; for tests only.

    Raises:
        Blocked: by its form it is not a public https address. The text names the rule, not the URL.
    """
    if len(url) > URL_MAX or not _VISIBLE.fullmatch(url) or "\\" in url:
        raise Blocked(
            f"a webhook URL has at most {URL_MAX} visible ASCII characters, no backslash; encode the others",
            "characters",
        )
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise Blocked("the webhook URL cannot be read; give https://HOST/PATH", "form") from None
    if not url.lower().startswith(f"{parts.scheme}://") or not host:
        raise Blocked("a webhook URL starts with https:// and a host; correct it", "form")
    if "@" in parts.netloc:
        raise Blocked("a webhook URL has no user and password; remove them", "userinfo")
    if "#" in url:
        raise Blocked("a webhook URL has no fragment; remove it", "fragment")
    if parts.netloc.endswith(":") or port == 0:
        raise Blocked("the port of the webhook URL is no port; remove or correct it", "port")
    if loopback and parts.scheme in ("http", "https") and host in _LOOPBACK_NAMES:
        return Target(url, parts.scheme, host, port or {"http": 80, "https": 443}[parts.scheme])
    if parts.scheme != "https":
        raise Blocked("webhooks go by https only; change the scheme", "scheme")
    if port is not None and port != 443 and port < 1024:
        raise Blocked("webhooks go to port 443 or to one from 1024 on; change the port", "port")
    _check_host(host, bracketed="[" in parts.netloc)
    return Target(url, "https", host, port or 443)


def _check_host(host: str, *, bracketed: bool) -> None:
    if bracketed:
        try:
            address: Address = ipaddress.IPv6Address(host)
        except ValueError:
            raise Blocked("the address in brackets is no IPv6 address; correct it", "form") from None
        require_public(address)
        return
    labels = host.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        # whatever ends in a number is an address to some resolver: decimal, octal, hexadecimal, shortened
        try:
            address = ipaddress.IPv4Address(host)
        except ValueError:
            raise Blocked("write the address as four decimal numbers, or use a name", "form") from None
        require_public(address)
        return
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise Blocked(
            "the host is no name of the DNS; write other scripts as xn-- and no dot at the end", "form"
        )
    if len(labels) < 2 or any(host == name or host.endswith(f".{name}") for name in _INSIDE):
        raise Blocked("the host's name belongs to an internal network; use a public one", "internal_name")


def require_public(address: Address) -> None:
    """Check an address.

    Raises:
        Blocked: it is private, local, multicast, reserved, or stands for another one.
    """
    if isinstance(address, ipaddress.IPv4Address):
        public = not any(address in network for network in _V4_REFUSED)
    else:
        public = (
            address.scope_id is None
            and address in _V6_ALLOWED
            and not any(address in network for network in _V6_REFUSED)
        )
    if not public:
        raise Blocked("the address is not a public one; webhooks never go inside", "address")


def vetted(target: Target, resolve: Resolve, timeout_s: float, *, loopback: bool = False) -> list[str]:
    """Resolve the host once; returns the addresses to connect to, those of IPv4 first.

    Raises:
        Blocked: one of its addresses is not public. TimeoutError, OSError: there was no answer.
    """
    try:
        found: Sequence[str] = [str(ipaddress.ip_address(target.host))]
    except ValueError:
        found = _in_time(resolve, target, timeout_s)
    addresses = [_address(text) for text in found]
    if not addresses:
        raise OSError("the name has no address")
    for address in addresses:
        if not (loopback and target.host in _LOOPBACK_NAMES and address.is_loopback):
            require_public(address)
    return [str(address) for address in sorted(dict.fromkeys(addresses), key=lambda a: a.version)]


def _address(text: str) -> Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise Blocked("the name server answered with what is no address", "address") from None


def _in_time(resolve: Resolve, target: Target, timeout_s: float) -> Sequence[str]:
    """Resolve in a thread of its own: the system's resolver cannot be told how long it may take."""
    answer: list[Sequence[str]] = []
    fault: list[OSError | UnicodeError] = []

    def ask() -> None:
        try:
            answer.append(resolve(target.host, target.port))
        except (OSError, UnicodeError) as error:
            fault.append(error)

    thread = threading.Thread(target=ask, name="txmon-resolve", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if fault:
        raise OSError("the name cannot be resolved") from fault[0]
    if not answer:
        raise TimeoutError("the name server did not answer in time")
    return answer[0]
