"""The health check of the image: what it asks, by http or TLS, and what it makes of the answer."""

from __future__ import annotations

import datetime
import http.server
import importlib.util
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from imagekit import ROOT


@pytest.fixture(scope="module")
def ready() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ready", ROOT / "container" / "ready.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def answering(status: int, wrap: Callable[[socket.socket], socket.socket] | None = None) -> Iterator[int]:
    """A server whose `/readyz` answers with a status; everything else is not found."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(b'{"reasons": ["store_away"]}')

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        if wrap is not None:
            server.socket = wrap(server.socket)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def certificate(folder: Path) -> Path:
    """A certificate of some other name, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "txmon.example")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(start).not_valid_after(start + datetime.timedelta(days=36_500))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "both.pem"
    file.write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return file


def test_it_is_well_when_the_service_is_ready(ready: ModuleType) -> None:
    with answering(200) as port:
        assert ready.reasons({"TXMON_PORT": str(port)}) == ""
        assert ready.reasons({"TXMON_PORT": str(port), "http_proxy": "http://127.0.0.1:9"}) == ""


def test_it_repeats_the_service_s_reasons(ready: ModuleType) -> None:
    with answering(503) as port:
        assert ready.reasons({"TXMON_PORT": str(port)}) == '503: {"reasons": ["store_away"]}'


def test_it_follows_the_service_to_tls(ready: ModuleType, tmp_path: Path) -> None:
    file = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    with answering(200, lambda plain: context.wrap_socket(plain, server_side=True)) as port:
        assert ready.reasons({"TXMON_PORT": str(port), "TXMON_TLS_CERT_FILE": str(file)}) == ""
