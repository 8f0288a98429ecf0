"""A transport whose whole exchange ends by a set moment, however slowly the other side drips.

`httpx` bounds each read and write; a peer that sends a byte now and then could hold a call for ever. Here
every operation of a connection gets what is left until the deadline of the thread's current call. It also
lets the caller say which address a name stands for, so that what was checked is what is connected to.
Owns sockets; knows nothing of txmon's messages.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

from txmon.clock import monotonic_s

_until: ContextVar[float | None] = ContextVar("txmon_deadline", default=None)
Dial = Callable[[str, int], str]  # host and port of a URL -> address to connect to


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Bound everything that this thread sends and receives in the block."""
    token = _until.set(monotonic_s() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def _left(timeout: float | None, error: type[Exception]) -> float | None:
    until = _until.get()
    if until is None:
        return timeout
    left = until - monotonic_s()
    if left <= 0:
        raise error("the time-out of the whole call is over")
    return left if timeout is None else min(left, timeout)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # in portions: a receiver that takes a little now and then must not stretch one long write
        for start in range(0, len(buffer), 65_536):
            self._inner.write(buffer[start : start + 65_536], _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, dial: Dial | None) -> None:
        self._inner, self._dial = httpcore.SyncBackend(), dial

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        target = host if self._dial is None else self._dial(host, port)
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(target, port, left, local_address, socket_options))


class _Body(httpx.SyncByteStream):
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._inner

    def close(self) -> None:
        self._inner.close()


class DeadlineTransport(httpx.BaseTransport):
    """Transport of `httpx.Client`; see the module. Proxies of the environment are not asked."""

    def __init__(self, tls: ssl.SSLContext, *, connections: int = 64, dial: Dial | None = None) -> None:
        """Make a transport.

        Args:
            tls: how servers are checked.
            connections: most connections at once.
            dial: see `Dial`; None: the system resolves. TLS and `Host` keep the name of the URL.
        """
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=15.0,
            network_backend=_Backend(dial),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        url = request.url
        inner = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx():
            answer = self._pool.handle_request(inner)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=answer.extensions
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Raise httpx's errors, which is what a user of `httpx.Client` expects."""
    try:
        yield
    except httpcore.ConnectTimeout as error:
        raise httpx.ConnectTimeout(str(error)) from None
    except httpcore.TimeoutException as error:
        raise httpx.ReadTimeout(str(error)) from None
    except httpcore.ConnectError as error:
        raise httpx.ConnectError(str(error)) from None
    except httpcore.NetworkError as error:
        raise httpx.NetworkError(str(error)) from None
    except httpcore.ProtocolError as error:
        raise httpx.RemoteProtocolError(str(error)) from None
    except httpcore.UnsupportedProtocol as error:
        raise httpx.UnsupportedProtocol(str(error)) from None
