"""Asks the issuer: JSON by https, within a time and a size, and never somewhere else than asked.

Redirects are not followed, proxies of the environment are not asked. Owns the asking; what an answer means is
the caller's.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from txmon.errors import IssuerUnavailable

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_JSON_TYPES = ("application/json", "application/jwk-set+json")


def is_safe(url: object, *, loopback: bool = False) -> bool:
    """Say whether an address may be asked: https, a host, nothing hidden; `loopback`: here by http too."""
    if not isinstance(url, str) or len(url) > 2000 or not url.isascii() or not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or parts.fragment or " " in url or "\\" in url:
        return False
    return parts.scheme == "https" or (loopback and parts.scheme == "http" and host in _LOOPBACK)


class Fetch:
    """See the module."""

    def __init__(self, timeout_s: float, *, ca_file: Path | None = None, loopback: bool = False) -> None:
        self._timeout_s, self._loopback = timeout_s, loopback
        self._tls = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))

    def is_safe(self, url: object) -> bool:
        """Say whether an address may be asked."""
        return is_safe(url, loopback=self._loopback)

    async def get(self, url: str, most_bytes: int) -> dict[str, Any]:
        """Return the object at an address.

        Raises:
            IssuerUnavailable: no such answer in time.
        """
        return await self._ask("GET", url, most_bytes)

    async def post(
        self, url: str, form: Mapping[str, str], most_bytes: int, auth: tuple[str, str] | None = None
    ) -> dict[str, Any]:
        """Send a form and return the object that is answered.

        Raises:
            Refused: an answer that says no. IssuerUnavailable: no answer in time.
        """
        return await self._ask("POST", url, most_bytes, form, auth)

    async def _ask(
        self, method: str, url: str, most_bytes: int,
        form: Mapping[str, str] | None = None, auth: tuple[str, str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        if not self.is_safe(url):
            raise IssuerUnavailable("the issuer names an address that is not https", "address")
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                httpx.AsyncClient(
                    verify=self._tls, trust_env=False, follow_redirects=False, timeout=self._timeout_s
                ) as client,
                client.stream(
                    method, url, headers=headers, data=form, auth=auth or httpx.USE_CLIENT_DEFAULT
                ) as answer,
            ):
                body = await _body(answer, most_bytes)
        except (TimeoutError, httpx.TimeoutException):
            raise IssuerUnavailable("the issuer did not answer in time", "timeout") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise IssuerUnavailable("the issuer cannot be reached", "unreachable") from error
        if method == "POST" and answer.status_code in (400, 401, 403):
            raise Refused
        if answer.status_code != 200:
            raise IssuerUnavailable("the issuer answered with an error", "status")
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            found = orjson.loads(body) if kind in _JSON_TYPES else None
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise IssuerUnavailable("the issuer answered with what is no JSON object", "form")
        return found


class Refused(Exception):
    """The issuer did not take what it was sent."""


async def _body(answer: httpx.Response, most_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > most_bytes:
            raise IssuerUnavailable("the issuer's answer is too large", "size")
    return bytes(body)
