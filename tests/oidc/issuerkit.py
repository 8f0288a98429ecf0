"""An issuer of the tests' own: real keys, real http on this machine, and every way to be wrong.

It publishes what it is told to, signs what it is asked to, and counts who asks. What a hostile party would make
is put together by hand here (`raw_token`), not by the library that checks it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import itertools
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

_codes = itertools.count(1)


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


@cache
def private(kind: str, which: int = 0) -> Any:
    """A private key; the same for the same words."""
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    if kind == "RSA-1024":
        return rsa.generate_private_key(65537, 1024)
    if kind == "P-384":
        return ec.generate_private_key(ec.SECP384R1())
    return ec.generate_private_key(ec.SECP256R1()) if kind == "EC" else ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    """A public key as it is published."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        found: dict[str, Any] = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    elif isinstance(public, ec.EllipticCurvePublicKey):
        size, point = (public.curve.key_size + 7) // 8, public.public_numbers()
        curve = {256: "P-256", 384: "P-384"}[public.curve.key_size]
        found = {"kty": "EC", "crv": curve, "x": number(point.x, size), "y": number(point.y, size)}
    else:
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        found = {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
    return found | {"kid": kid, "use": "sig"} | more


def signature(key: Any, algorithm: str, message: bytes) -> bytes:
    """A signature; of a key that does not fit the algorithm as well as can be."""
    if algorithm == "none":
        return b""
    if isinstance(key, bytes):
        return hmac.new(key, message, hashlib.sha256).digest()
    if isinstance(key, rsa.RSAPrivateKey):
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        return key.sign(message, pss if algorithm == "PS256" else padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
        size = (key.curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return bytes(key.sign(message))


def raw_token(header: Mapping[str, Any], claims: Any, key: Any) -> str:
    """A token put together by hand."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    message = f"{b64(json.dumps(header).encode())}.{b64(payload)}"
    return f"{message}.{b64(signature(key, str(header.get('alg')), message.encode()))}"


@dataclass
class Code:
    """What a code stands for."""

    client: str
    redirect: str
    challenge: str
    nonce: str
    subject: str


@dataclass
class Issuer:
    """The issuer, as tests set it. keys: what is published; kid -> (algorithm, private key)."""

    now_s: Any
    url: str = ""
    keys: dict[str, tuple[str, Any]] = field(default_factory=dict)
    published: list[dict[str, Any]] | None = None  # in place of the keys
    says: dict[str, Any] = field(default_factory=dict)  # in place of parts of the description
    answers: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)  # path -> whole answer
    delay_s: float = 0.0
    gate: threading.Event = field(default_factory=threading.Event)  # no answer before it is set
    asked: Counter[str] = field(default_factory=Counter)
    secret: str | None = "s3cret/of+this: client"
    user: str = "ana-1"
    claims: dict[str, Any] = field(default_factory=dict)  # in ID tokens, over the usual ones
    codes: dict[str, Code] = field(default_factory=dict)
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.gate.set()

    def token(self, kid: str = "rsa-1", header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A good token, but for what is said otherwise; a claim of None is left out."""
        algorithm, key = self.keys[kid]
        now = self.now_s()
        usual = {
            "iss": self.url, "sub": self.user, "aud": "https://txmon", "iat": now, "exp": now + 300,
        }  # fmt: skip
        found = {k: v for k, v in (usual | claims).items() if v is not None}
        return raw_token({"alg": algorithm, "kid": kid, "typ": "JWT"} | dict(header or {}), found, key)

    def description(self) -> dict[str, Any]:
        found = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "end_session_endpoint": f"{self.url}/logout",
            "authorization_response_iss_parameter_supported": True,
        }
        return {k: v for k, v in (found | self.says).items() if v is not None}

    def key_set(self) -> dict[str, Any]:
        if self.published is not None:
            return {"keys": self.published}
        return {"keys": [jwk(key, kid) for kid, (_, key) in self.keys.items()]}

    def sign_in(self, query: dict[str, list[str]]) -> str:
        """What /authorize does once somebody has signed in: where the browser goes."""
        code = f"code-{next(_codes)}"
        one = {name: values[0] for name, values in query.items()}
        self.codes[code] = Code(
            one["client_id"], one["redirect_uri"], one["code_challenge"], one["nonce"], self.user
        )
        back = {"code": code, "state": one["state"], "iss": self.url}
        return f"{one['redirect_uri']}?{urlencode(back)}"

    def exchange(self, form: dict[str, list[str]], auth: str | None) -> tuple[int, dict[str, Any]]:
        """What /token does."""
        self.forms.append(form)
        found = self.codes.pop(form.get("code", [""])[0], None)
        client = form.get("client_id", [""])[0]
        secret = form.get("client_secret", [None])[0]
        if auth is not None:
            text = base64.b64decode(auth.removeprefix("Basic ")).decode()
            client, secret = (unquote(part) for part in text.split(":", 1))
        if secret != self.secret:
            return 401, {"error": "invalid_client"}
        challenge = b64(hashlib.sha256(form.get("code_verifier", [""])[0].encode()).digest())
        if found is None or (found.client, found.redirect, found.challenge) != (
            client, form.get("redirect_uri", [""])[0], challenge,
        ):  # fmt: skip
            return 400, {"error": "invalid_grant"}
        claims = {"aud": found.client, "sub": found.subject, "nonce": found.nonce} | self.claims
        return 200, {"token_type": "Bearer", "access_token": "opaque", "id_token": self.token(**claims)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    issuer: Issuer

    def log_message(self, *_: Any) -> None:
        """Tests read the issuer."""

    def do_GET(self) -> None:
        parts, issuer = urlsplit(self.path), self.issuer
        self._note(parts.path)
        if parts.path in issuer.answers:
            self._say(*issuer.answers[parts.path])
        elif parts.path.endswith("/.well-known/openid-configuration"):
            self._object(issuer.description())
        elif parts.path == "/keys":
            self._object(issuer.key_set())
        elif parts.path == "/authorize":
            self.send_response(302)
            self.send_header("location", issuer.sign_in(parse_qs(parts.query)))
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            self._object({}, 404)

    def do_POST(self) -> None:
        self._note(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        if self.path in self.issuer.answers:
            self._say(*self.issuer.answers[self.path])
            return
        status, found = self.issuer.exchange(parse_qs(body), self.headers.get("authorization"))
        self._object(found, status)

    def _note(self, path: str) -> None:
        with self.issuer.lock:
            self.issuer.asked[path.rpartition("/")[2]] += 1
        self.issuer.gate.wait()
        if self.issuer.delay_s:
            time.sleep(self.issuer.delay_s)

    def _object(self, value: Any, status: int = 200) -> None:
        self._say(status, "application/json", json.dumps(value).encode())

    def _say(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        if status in (301, 302, 307):
            self.send_header("location", f"{self.issuer.url}/elsewhere")
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: Any) -> None:
        """Who asked may be gone."""


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's side for 127.0.0.1, and the file of who vouches for it."""
    key, name = private("EC", 90), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer of tests")])
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    subject = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2090, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(subject, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject), critical=False
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "issuer.pem", folder / "issuer.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, secret)
    return server, chain


@contextmanager
def serving(issuer: Issuer, tls: ssl.SSLContext | None = None) -> Iterator[Issuer]:
    """The issuer on a port of this machine."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"issuer": issuer}))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    issuer.url = issuer.url or f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def usual_keys() -> dict[str, tuple[str, Any]]:
    return {
        "rsa-1": ("RS256", private("RSA")),
        "ec-1": ("ES256", private("EC")),
        "ed-1": ("EdDSA", private("Ed25519")),
        "pss-1": ("PS256", private("RSA", 1)),
    }
