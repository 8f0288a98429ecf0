"""Talking to a goAML web service: https only, within a time and a size, to the one host that the file names.

The service's certificate is checked, proxies of the environment are not asked, redirects are not followed,
and nothing of an answer is believed before it is read here. Owns log-in and the exchange; what an answer to
an upload means is `goamlrest`'s.
"""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

import txmon
from txmon.client.deadline import DeadlineTransport, deadline
from txmon.client.options import default_tls
from txmon.client.retry import retry_after
from txmon.clock import Clock
from txmon.errors import ConfigError
from txmon.filing.errors import FilingFailed

_TOKEN = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{8,8192}")  # what a cookie's value may be
_TOKEN_NAMES = ("token", "Token", "SqlAuthCookie", "sqlAuthCookie", "access_token")
_REPLY_BYTES = 1 << 20
_TRANSIENT = frozenset({429, 500, 502, 503, 504})


class Passing(FilingFailed):
    """What may be over soon: trying again is worth it, after `asked_s` seconds where the service said so."""

    def __init__(self, detail: str, *, unsure: bool = False, asked_s: float | None = None) -> None:
        self.asked_s = asked_s
        super().__init__(detail, unsure=unsure)


@dataclass(frozen=True)
class Answer:
    """What the service said."""

    status: int
    body: bytes

    def said(self) -> Any:
        """Return the body as JSON, as text where it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return self.body.decode("utf-8", "replace").strip()


@dataclass(frozen=True)
class Account:
    """Who logs in, and how: `token` gets a cookie first, `basic` sends name and password each time."""

    user: str
    password: str = field(repr=False)
    client_code: str
    auth: str
    login_path: str
    cookie: str


class Wire:
    """One conversation with a service; see the module."""

    def __init__(
        self, url: str, account: Account, timeout_s: float, ca_file: Path | None, clock: Clock
    ) -> None:
        self._url, self._account, self._timeout_s, self._clock = url.rstrip("/"), account, timeout_s, clock
        self._tls = _tls(ca_file)
        self._token: str | None = None

    def ask(self, path: str, params: Mapping[str, str]) -> Answer:
        """Ask with GET.

        Raises:
            FilingFailed: no answer in time, or none that may be believed.
        """
        return self._allowed("GET", path, {"params": dict(params)})

    def upload(self, path: str, field: str, name: str, content: bytes, kind: str) -> Answer:
        """Send a file as the one part of a form, always under the same name.

        Raises:
            FilingFailed: no answer in time, or none that may be believed.
        """
        return self._allowed("POST", path, {"files": {field: (name, content, kind)}})

    def _allowed(self, method: str, path: str, more: Mapping[str, Any]) -> Answer:
        """Exchange as somebody who is logged in; a log-in that is over is made anew, once."""
        fresh = self._token is None
        answer = self._exchange(method, path, {**more, "headers": self._credentials()})
        if answer.status == 401 and self._account.auth == "token" and not fresh:
            self._token = None
            answer = self._exchange(method, path, {**more, "headers": self._credentials()})
        if answer.status in (401, 403):
            raise FilingFailed(
                f"the service does not let this user in ({answer.status}); check user and password"
            )
        return answer

    def _credentials(self) -> dict[str, str]:
        account = self._account
        if account.auth == "basic":
            pair = f"{account.user}:{account.password}".encode()
            return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
        if self._token is None:
            self._token = self._log_in()
        return {"cookie": f"{account.cookie}={self._token}"}

    def _log_in(self) -> str:
        account = self._account
        told = {"userName": account.user, "password": account.password}
        if account.client_code:
            told["clientCode"] = account.client_code
        answer = self._exchange("POST", account.login_path, {"json": told}, of_login=True)
        if answer.status in (400, 401, 403):
            raise FilingFailed("the log-in was refused; check user and password_file")
        if answer.status != 200:
            raise FilingFailed(
                f"the log-in was answered with {answer.status}; try again, or check login_path"
            )
        found = answer.said()
        if isinstance(found, dict):
            found = next((found[name] for name in _TOKEN_NAMES if name in found), None)
        if not isinstance(found, str) or not _TOKEN.fullmatch(found):
            raise FilingFailed("the log-in was answered with what is no token; check url and login_path")
        return found

    def _exchange(self, method: str, path: str, more: Mapping[str, Any], *, of_login: bool = False) -> Answer:
        """Send and read; what ends before anything was sent is told apart from what may have arrived."""
        headers = {"accept": "application/json", "accept-encoding": "identity", "connection": "close"}
        headers |= {"user-agent": f"txmon/{txmon.__version__}"} | dict(more.get("headers", {}))
        unsure = method == "POST" and not of_login
        try:
            with (
                deadline(self._timeout_s),
                httpx.Client(
                    transport=DeadlineTransport(self._tls, connections=1),
                    trust_env=False, follow_redirects=False, timeout=self._timeout_s,
                ) as client,
                client.stream(method, f"{self._url}{path}", **{**more, "headers": headers}) as answer,
            ):  # fmt: skip
                body = _read(answer, unsure=unsure)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _unconnected(error) from None
        except httpx.TimeoutException:
            raise Passing("the service did not answer in time; try again", unsure=unsure) from None
        except httpx.HTTPError:
            raise Passing("the connection was lost before an answer; try again", unsure=unsure) from None
        status, asked = answer.status_code, retry_after(answer.headers.get("retry-after"), self._clock.now_us)
        if 300 <= status < 400:
            raise FilingFailed(
                "the service points elsewhere, which is not followed; put its right url into the file",
                unsure=unsure,
            )
        if status in _TRANSIENT:
            # 429: refused before it was looked at; of the others nobody knows what had been done
            told = f"the service answered {status}; try again"
            raise Passing(told, unsure=unsure and status != 429, asked_s=asked)
        return Answer(status, body)


def check_url(url: str) -> None:
    """Check the address of a service.

    Raises:
        ConfigError: it is not plain https.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if (
        parts.scheme != "https"
        or not host
        or not plain
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
    ):
        raise ConfigError(
            "url: must be https://HOST/PATH without user, query and fragment; http is never used"
        )


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that checks the service by the system's authorities, or by those of a file alone."""
    if ca_file is None:
        return default_tls()
    try:
        context = ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"ca_file: {ca_file} holds no certificates that can be read; correct it") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _read(answer: httpx.Response, *, unsure: bool) -> bytes:
    body = bytearray()
    for part in answer.iter_raw():
        body += part
        if len(body) > _REPLY_BYTES:
            raise FilingFailed(
                f"the answer is longer than {_REPLY_BYTES} bytes; check url and paths", unsure=unsure
            )
    return bytes(body)


def _unconnected(error: httpx.TransportError) -> FilingFailed:
    if "CERTIFICATE" in str(error).upper() or "SSL" in str(error).upper():
        return FilingFailed(
            "the service's certificate does not prove that it is the one of the url; nothing was sent"
        )
    return Passing("the service cannot be reached; nothing was sent, try again")
