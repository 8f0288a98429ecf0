"""The console's files, read once, and the headers each is sent with.

Owns which files there are: what is not below `static/` when the process starts is not served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType

PAGE = "index.html"
_KINDS = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
# Nothing from elsewhere, nothing inline, no text becomes a page: what a memo or a name holds stays text.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "cache-control": "no-cache",  # kept, and asked for anew with its ETag
        "content-security-policy": _POLICY,
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
)


@dataclass(frozen=True)
class File:
    """A file as it is sent. kind: its media type; etag: of its bytes."""

    body: bytes
    kind: str
    etag: str


def _read() -> dict[str, File]:
    found = {}
    for place in files("txmon.console").joinpath("static").iterdir():
        kind = _KINDS.get(place.name.rpartition(".")[2])
        if kind is not None:
            body = place.read_bytes()
            found[place.name] = File(body, kind, f'"{sha256(body).hexdigest()[:24]}"')
    return found


FILES: Mapping[str, File] = MappingProxyType(_read())
