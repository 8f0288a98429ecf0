"""Receivers on real sockets, plain and TLS, that answer as they are told; certificates of the tests' own."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Received:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class State:
    """What came, and what is answered: statuses or (name, value) in `script`, else `always`."""

    got: list[Received] = field(default_factory=list)
    script: deque[Any] = field(default_factory=deque)
    always: Any = 204
    sni: list[str | None] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: State

    def log_message(self, *_: Any) -> None:
        """Tests read `state`."""

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        with self.state.lock:
            self.state.got.append(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            told = self.state.script.popleft() if self.state.script else self.state.always
        name, *rest = told if isinstance(told, tuple) else (told,)
        with contextlib.suppress(OSError):
            self._answer(name, rest)

    def _answer(self, name: Any, rest: list[Any]) -> None:
        if name == "drop":
            self.close_connection = True
        elif name == "slow":
            time.sleep(rest[0])
            self._plain(200, {})
        elif name == "drip_head":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for i in range(100):
                self.wfile.write(f"x-{i}: y\r\n".encode())
                time.sleep(0.05)
            self.close_connection = True
        elif name == "drip_body":
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.05)
            self.close_connection = True
        elif name == "endless":
            self.wfile.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            sent = 0
            while sent < 200 << 20:
                self.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
            self.close_connection = True
        elif name == "redirect":
            self._plain(302, {"location": rest[0]})
        else:
            self._plain(name, rest[0] if rest else {})

    def _plain(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if status != 204:
            self.send_header("content-length", "0")
        self.end_headers()


class Receiver:
    """A running receiver; `stop` and `start` may be called any number of times, the port stays."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.state, self._tls, self.port = State(), tls, 0
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: self.state.sni.append(name)
        self.start()

    def start(self) -> None:
        handler = type("Handler", (Handler,), {"state": self.state})
        self._http = _Quiet(("127.0.0.1", self.port), handler)
        self._http.daemon_threads = True
        if self._tls is not None:
            self._http.socket = self._tls.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that went away is what the tests are about."""


@contextlib.contextmanager
def receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    made = Receiver(tls)
    try:
        yield made
    finally:
        made.stop()


@dataclass(frozen=True)
class Certificate:
    """A server's side and the context of a client that trusts it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def certificate(folder: Path, name: str) -> Certificate:
    """A self-signed certificate for a name; skipped with the reason where openssl is absent."""
    if shutil.which("openssl") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("openssl is not installed; CI must have it")
        pytest.skip("openssl is not installed: no certificate can be made")
    key, chain = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(chain)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, key)
    client = ssl.create_default_context(cafile=str(chain))
    return Certificate(server, client)
