"""What settings must not be together, and what production does not accept.

Owns these checks, each with the variable and the remedy; reads no file's content and no variable itself.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from txmon.settings import Settings

PREFIX = "TXMON_"
# settings that name a file whose content is a secret
SECRET_FILES = (
    "key_file",
    "webhook_key_file",
    "stripe_secret_file",
    "adyen_hmac_file",
    "evidence_key",
    "tls_key_file",
    "oidc_client_secret_file",
    "vault_key_file",
)
OIDC_ALGORITHMS = ("RS256", "ES256", "PS256", "EdDSA")


def together(s: Settings) -> list[str]:
    """Return faults of settings that do not go together."""
    faults = []
    if (s.tls_cert_file is None) != (s.tls_key_file is None):
        faults.append("TXMON_TLS_CERT_FILE and TXMON_TLS_KEY_FILE: set both or neither")
    if s.store_is_database and not s.store.startswith("postgresql+psycopg://"):
        faults.append("TXMON_STORE: only `postgresql+psycopg://` addresses and folders are supported")
    if s.batch_events > s.queue_events:
        faults.append("TXMON_BATCH_EVENTS: must not exceed TXMON_QUEUE_EVENTS; raise the queue")
    if s.request_max_bytes > s.bulk_max_bytes:
        faults.append("TXMON_REQUEST_MAX_BYTES: must not exceed TXMON_BULK_MAX_BYTES")
    for proxy in s.trusted_proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError:
            faults.append(f"TXMON_TRUSTED_PROXIES: {proxy!r} is not an address or network")
    return faults + _oidc_faults(s)


def _oidc_faults(s: Settings) -> list[str]:
    faults = []
    wrong = sorted(set(s.oidc_algorithms) - set(OIDC_ALGORITHMS))
    if wrong or not s.oidc_algorithms:
        known = ", ".join(OIDC_ALGORITHMS)
        faults.append(f"TXMON_OIDC_ALGORITHMS: {wrong[0] if wrong else 'nothing'!r} is none of {known}")
    if s.oidc_issuer is None:
        for name in ("oidc_audience", "oidc_groups", "oidc_client_id", "oidc_redirect_url"):
            if getattr(s, name) is not None:
                faults.append(f"{PREFIX}{name.upper()}: means nothing without TXMON_OIDC_ISSUER; set both")
        return faults
    for name in ("oidc_issuer", "oidc_redirect_url"):
        value = getattr(s, name)
        if value is not None and not _is_web_address(value, loopback=s.oidc_test_loopback):
            faults.append(f"{PREFIX}{name.upper()}: is not https://HOST/PATH; correct it")
    if s.oidc_audience is None and s.oidc_client_id is None:
        faults.append(
            "TXMON_OIDC_ISSUER: say what it is for: TXMON_OIDC_AUDIENCE for bearer tokens, "
            "TXMON_OIDC_CLIENT_ID for browsers, or both"
        )
    if (s.oidc_client_id is None) != (s.oidc_redirect_url is None):
        faults.append("TXMON_OIDC_CLIENT_ID and TXMON_OIDC_REDIRECT_URL: set both or neither")
    if s.oidc_redirect_url is not None and urlsplit(s.oidc_redirect_url).path != "/auth/callback":
        faults.append("TXMON_OIDC_REDIRECT_URL: its path is /auth/callback, and nothing else")
    if "openid" not in s.oidc_scopes.split():
        faults.append("TXMON_OIDC_SCOPES: must hold `openid`")
    return faults


def _is_web_address(url: str, *, loopback: bool) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    here = loopback and parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    return bool(parts.hostname) and plain and url.isascii() and (parts.scheme == "https" or here)


def production_faults(s: Settings, given: frozenset[str]) -> list[str]:
    """Return what production does not accept; see docs/settings.md."""
    faults = [
        f"{PREFIX}{name.upper()}: production does not take its default; set it"
        for name in ("store", "heads_file", "key_file", "webhook_key_file", "base_currency", "entity")
        if name not in given
    ]
    for name in (*SECRET_FILES, "tls_cert_file", "oidc_groups", "oidc_ca_file", "filing_file"):
        path: Path | None = getattr(s, name)
        if path is not None:
            faults += _file_faults(f"{PREFIX}{name.upper()}", path, secret=name in SECRET_FILES)
    if s.key_file is not None and s.key_file == s.webhook_key_file:
        faults.append("TXMON_WEBHOOK_KEY_FILE: must be another file than TXMON_KEY_FILE")
    if s.tls_cert_file is None and not s.behind_tls_proxy:
        faults.append(
            "TXMON_TLS_CERT_FILE: production does not serve plain http; set certificate and key, or say "
            "TXMON_BEHIND_TLS_PROXY=true where a proxy in front ends TLS"
        )
    if s.vault_path.exists() and s.vault_key_file is None:
        faults.append("TXMON_VAULT_KEY_FILE: production does not take its default where there is a vault")
    if s.vault_key_file is not None and s.vault_key_file.resolve().parent == s.vault_path.resolve().parent:
        faults.append("TXMON_VAULT_KEY_FILE: must lie outside the vault's folder, or one theft takes both")
    if s.webhook_test_loopback:
        faults.append("TXMON_WEBHOOK_TEST_LOOPBACK: is for tests only; unset it")
    if s.oidc_test_loopback:
        faults.append("TXMON_OIDC_TEST_LOOPBACK: is for tests only; unset it")
    if (
        s.heads_file is not None
        and not s.store_is_database
        and s.heads_file.resolve().is_relative_to(Path(s.store).resolve())
    ):
        faults.append("TXMON_HEADS_FILE: must lie outside TXMON_STORE, or whoever cuts one cuts both")
    if s.store_is_database:
        faults += _database_faults(s.store)
    return faults


def _file_faults(label: str, path: Path, *, secret: bool) -> list[str]:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return [f"{label}: {path}: {error.strerror}; make the file or correct the path"]
    if secret and mode & 0o077:
        return [f"{label}: {path} may be read by others; run `chmod 600 {path}`"]
    return []


def _database_faults(url: str) -> list[str]:
    parts = urlsplit(url)
    if parts.hostname in (None, "localhost", "127.0.0.1", "::1"):
        return []
    mode = parse_qs(parts.query).get("sslmode", ["prefer"])[0]
    if mode in ("verify-ca", "verify-full"):
        return []
    return [f"TXMON_STORE: sslmode={mode} does not check the server; add `?sslmode=verify-full`"]
