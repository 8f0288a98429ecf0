"""Filings for the tests of transports, and a goAML service of our own behind a certificate of our own."""

from __future__ import annotations

import hashlib
import io
import ipaddress
import json
import ssl
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import reportkit
import sarkit
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lxml import etree

from txmon.filing.filing import Filing
from txmon.reports import checks, formats
from txmon.reports.formats import Options
from txmon.reports.model import Mode, Report

NOW = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
USER, PASSWORD = "reporter", "correct horse battery"


@dataclass
class Fixed:
    """A clock that stands."""

    at: datetime = NOW

    def now_us(self) -> int:
        return int(self.at.timestamp() * 1_000_000)


def written(report: Report, form: str) -> bytes:
    return checks.write(report, formats.get(form), Options())


def filing(content: bytes, form: str = "goaml", **changes: Any) -> Filing:
    made = Filing(
        report_id="STR-2026-0007",
        format=form,
        filename=f"STR-2026-0007{formats.get(form).suffix}",
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        mode=Mode.LIVE,
        jurisdiction={"goaml": "AE", "fincen": "US", "fintrac": "CA", "uk": "GB", "cybertip": "US"}[form],
    )
    return replace(made, **changes)


@cache
def _whole(form: str) -> bytes:
    return written(reportkit.report() if form == "goaml" else sarkit.a_report(), form)


def goaml(**changes: Any) -> Filing:
    return filing(_whole("goaml"), **changes)


def fincen(**changes: Any) -> Filing:
    return filing(_whole("fincen"), "fincen", **changes)


def private_folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir(mode=0o700, parents=True)
    return made


def private_file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def toml(path: Path, *transports: dict[str, Any], receipts: Path, **more: Any) -> Path:
    """Write a file of transports."""
    lines = [f"{k} = {json.dumps(v)}" for k, v in {"version": 1, "receipts": str(receipts), **more}.items()]
    for one in transports:
        lines += ["", "[[transport]]", *(f"{k} = {json.dumps(v)}" for k, v in one.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@dataclass(frozen=True)
class Authority:
    """Who vouches for certificates."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @staticmethod
    def make(name: str) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        return Authority(key, _certificate(name, key, name, key, ca=True))

    def write(self, path: Path) -> Path:
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def server(self, folder: Path, host: str = "127.0.0.1") -> ssl.SSLContext:
        """A server's side for a host, vouched for by this authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(host, key, "filing tests", self.key, issuer=self.certificate, host=host)
        chain = folder / f"{host}.pem"
        chain.write_bytes(
            made.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    signer: str,
    signing: ec.EllipticCurvePrivateKey,
    *,
    ca: bool = False,
    issuer: x509.Certificate | None = None,
    host: str = "",
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    identity = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = x509.KeyUsage(True, False, False, False, False, ca, ca, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2090, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identity, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
        )
    )
    if host:
        try:
            named: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            named = x509.DNSName(host)
        builder = builder.add_extension(x509.SubjectAlternativeName([named]), critical=False)
    return builder.sign(signing, hashes.SHA256())


@dataclass
class Service:
    """A goAML service: what it has, what it was asked, and how it is to misbehave.

    `faults` are taken one an upload: a status, ``lose`` (takes the report, then says nothing), ``cut`` (closes
    before reading), ``slow`` (takes it and answers too late), ``redirect``, or a function that answers.
    """

    reports: dict[str, dict[str, Any]] = field(default_factory=dict)  # entity_reference -> row
    uploads: list[tuple[str, bytes]] = field(default_factory=list)  # file name, XML
    asked: list[str] = field(default_factory=list)  # method and path
    cookies: set[str] = field(default_factory=set)
    faults: list[Any] = field(default_factory=list)
    tokens: int = 0
    login_as: str = "string"
    url: str = ""
    slow_s: float = 1.0
    listing: Callable[[list[dict[str, Any]]], Any] = lambda rows: {"value": rows}

    def take(self, name: str, content: bytes) -> str:
        xml = content
        if name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                assert len(archive.namelist()) == 1
                xml = archive.read(archive.namelist()[0])
        self.uploads.append((name, xml))
        reference = etree.fromstring(xml).findtext("entity_reference") or ""
        key = f"KEY-{len(self.uploads)}"
        self.reports[reference] = {"ReportKey": key, "EntityReference": reference, "Status": "Uploaded"}
        return key


class _Handler(BaseHTTPRequestHandler):
    service: Service
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""

    def _say(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _known(self) -> bool:
        cookie = self.headers.get("cookie", "")
        basic = self.headers.get("authorization", "").startswith("Basic ")
        return cookie.removeprefix("SqlAuthCookie=") in self.service.cookies or basic

    def do_POST(self) -> None:
        service = self.service
        service.asked.append(f"POST {self.path}")
        fault = service.faults.pop(0) if "PostReport" in self.path and service.faults else None
        if fault == "cut":
            self.connection.close()
            return
        body = self.rfile.read(int(self.headers["content-length"]))
        if "GetToken" in self.path:
            self._log_in(json.loads(body))
        elif not self._known():
            self._say(401, "log in")
        elif callable(fault):
            self._say(*fault(service, *_part(self.headers["content-type"], body)))
        elif fault == "redirect":
            self._say(307, b"", {"location": "https://elsewhere.example/api"})
        elif isinstance(fault, int):
            self._say(fault, {"message": "no"}, {"retry-after": "7"} if fault == 429 else None)
        else:
            key = service.take(*_part(self.headers["content-type"], body))
            if fault == "lose":
                self.connection.close()
                return
            if fault == "slow":
                time.sleep(service.slow_s)
            self._say(200, key)

    def _log_in(self, told: dict[str, str]) -> None:
        if (told["userName"], told["password"]) != (USER, PASSWORD):
            self._say(401, "no")
            return
        self.service.tokens += 1
        token = f"token-number-{self.service.tokens}"
        self.service.cookies.add(token)
        self._say(200, token if self.service.login_as == "string" else {self.service.login_as: token})

    def do_GET(self) -> None:
        self.service.asked.append(f"GET {self.path}")
        if not self._known():
            self._say(401, "log in")
            return
        asked = parse_qs(urlsplit(self.path).query)["$filter"][0]
        name, _, value = asked.partition(" eq ")
        value = value[1:-1].replace("''", "'")
        rows = [row for row in self.service.reports.values() if str(row.get(name)) == value]
        self._say(200, self.service.listing(rows))


def _part(kind: str, body: bytes) -> tuple[str, bytes]:
    """The one file of a form: its name and content."""
    boundary = b"--" + kind.partition("boundary=")[2].encode()
    parts = body.split(boundary)
    assert len(parts) == 3, "one part alone"
    head, _, content = parts[1].partition(b"\r\n\r\n")
    assert b'name="report"' in head
    return head.partition(b'filename="')[2].partition(b'"')[0].decode(), content.removesuffix(b"\r\n")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: Any) -> None:
        """Who asked may be gone."""


@contextmanager
def serving(service: Service, tls: ssl.SSLContext) -> Iterator[Service]:
    """The service on a port of this machine."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"service": service}))
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    service.url = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
