"""Settings of the service: one frozen object, read once at start.

A value comes from the command line, else from a variable ``TXMON_<NAME>``, else from a TOML file
(``--settings`` or `TXMON_SETTINGS`), else from its default. Every fault is reported at once, each
with the variable and the remedy. With ``TXMON_ENV=production`` nothing that matters for safety is left to a
default.
Owns names, types, bounds and what production demands; never opens a store or reads a key's content, and a
password in a store's address is never shown.
"""

# ruff: noqa: RUF009 - `_set` only makes an immutable dataclass field
from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType
from typing import Any

from txmon.errors import ConfigError
from txmon.settingfaults import OIDC_ALGORITHMS, PREFIX, production_faults, together

ENVIRONMENTS = ("development", "production")
LOG_LEVELS = ("debug", "info", "warning", "error")
_IGNORED = ("TXMON_TEST_", "TXMON_SETTINGS")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?Z)?")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class SettingsError(ConfigError):
    """One or more settings are missing or wrong; ``faults`` holds a line for each."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(faults))


def _set(
    default: Any,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    one_of: tuple[str, ...] = (),
) -> Any:
    """Declare a setting: default, what it means (with its unit), bounds or the values it may have."""
    return dataclasses.field(
        default=default, metadata={"doc": doc, "low": low, "high": high, "one_of": one_of}
    )


@dataclass(frozen=True)
class Settings:
    """Everything a process of the service may be told from outside."""

    env: str = _set("development", "`production` refuses unsafe defaults", one_of=ENVIRONMENTS)
    # where things are
    store: str = _set("store", "folder of the store, or a `postgresql+psycopg://` address")
    heads_file: Path | None = _set(None, "file the journal's heads go to; best on another disk or machine")
    state_dir: Path = _set(
        Path("txmon-state"), "folder of snapshots and warehouse, if the store is a database"
    )
    rules: Path | None = _set(None, "folder of rule packs; unset: the packs that ship")
    rates_file: Path | None = _set(None, "CSV of exchange rates: date, currency, base, rate")
    key_file: Path | None = _set(None, "secret of card tokens; unset: the user's configuration folder")
    webhook_key_file: Path | None = _set(None, "secret from which every webhook's own secret is made")
    stripe_secret_file: Path | None = _set(None, "signing secret(s) of Stripe's webhooks, one a line")
    adyen_hmac_file: Path | None = _set(None, "HMAC key(s) of Adyen's webhooks, 64 hex digits, one a line")
    evidence_key: Path | None = _set(
        None, "key that signs evidence bundles; unset: the user's configuration folder"
    )
    support_file: Path | None = _set(None, "organisations that support victims, YAML; unset: none")
    neutral_texts_file: Path | None = _set(
        None, "texts for people who may be watched; unset: those that ship"
    )
    filer_file: Path | None = _set(None, "who files reports, JSON by jurisdiction; unset: no drafts of cases")
    records_dir: Path | None = _set(None, "folder of customer records for reports; unset: none on record")
    signs_file: Path | None = _set(None, "checklist of behavioural signs; unset: the one that ships")
    # the vault of reports
    vault_file: Path | None = _set(
        None, "database file of the vault; unset: `vault/vault.db` in the folder of the store or of the state"
    )
    vault_key_file: Path | None = _set(
        None, "key that opens the vault, 64 hex digits; unset: the user's configuration folder"
    )
    jurisdictions_file: Path | None = _set(
        None, "days of filing, review and keeping by jurisdiction, YAML; unset: those that ship"
    )
    retention_file: Path | None = _set(None, "how long what is kept, YAML; unset: the classes that ship")
    signed_heads_file: Path | None = _set(
        None, "file that signed heads are exported to; unset: `signed-heads.ndjson` beside the store"
    )
    heads_seconds: int = _set(
        3600, "seconds between two signed heads; 0: none are made by the service", low=0, high=86_400
    )
    filing_file: Path | None = _set(None, "ways of reports to authorities, TOML; unset: none is sent")
    # whose events
    feed: str = _set("native", "feed of events that name none")
    entity: str = _set("default", "reporting entity of events that name none")
    entity_tz: str | None = _set(None, "IANA zone of the entity; unset: UTC for calendars, unknown for hours")
    base_currency: str = _set("EUR", "ISO 4217 code of the entity's own currency")
    history_until: str | None = _set(None, "UTC time or date; older events warm up and alert nobody")
    # network
    host: str = _set("127.0.0.1", "address to listen on")
    port: int = _set(8080, "port to listen on; 0 picks a free one", low=0, high=65535)
    tls_cert_file: Path | None = _set(None, "certificate chain, PEM")
    tls_key_file: Path | None = _set(None, "private key of the certificate, PEM")
    behind_tls_proxy: bool = _set(False, "a proxy in front ends TLS, and only it can reach the port")
    trusted_proxies: tuple[str, ...] = _set((), "addresses or networks whose X-Forwarded-For is believed")
    source_url: str | None = _set(None, "broker or folder that `txmon stream` reads")
    alerts_url: str | None = _set(None, "broker topic that alerts are published to")
    alerts_scope: str = _set(
        "neutral", "what is published of an alert; `full` names rules and reasons", one_of=("neutral", "full")
    )
    console: bool = _set(True, "whether the web application for analysts is served at `/console`")
    # limits of requests
    request_max_bytes: int = _set(1 << 20, "largest body of a request, bytes", low=1024)
    bulk_max_bytes: int = _set(1 << 30, "largest body of a bulk request, bytes", low=1 << 20)
    json_depth_max: int = _set(20, "deepest nesting of a JSON body", low=2, high=100)
    request_items_max: int = _set(1000, "most events of one request that is not bulk", low=1, high=100_000)
    rate_limit: float = _set(0.0, "requests a second allowed to a key; 0: no limit", low=0)
    rate_burst: int = _set(200, "requests a key may make at once before the limit counts", low=1)
    auth_failures: int = _set(20, "refused keys a minute from one address before it must wait", low=1)
    decision_timeout_ms: int = _set(5000, "longest wait of a request for its decision, ms", low=10)
    idempotency_hours: int = _set(24, "how long an answer is kept for its Idempotency-Key, hours", low=24)
    metrics_open: bool = _set(True, "whether `/metrics` is served without a key")
    # pipeline
    queue_events: int = _set(50_000, "events that may wait for the engine before requests are refused", low=1)
    engine_process: bool = _set(True, "whether the engine has a process of its own beside the service's")
    batch_events: int = _set(4096, "most events of one commit", low=1, high=1_000_000)
    event_tries: int = _set(3, "tries of an event that fails the engine before it is quarantined", low=1)
    snapshot_events: int = _set(100_000, "events between two snapshots of the engine", low=1)
    snapshot_seconds: int = _set(600, "most seconds between two snapshots while events arrive", low=1)
    max_lateness_days: int = _set(30, "how late an event may be, days", low=0, high=400)
    dedup_days: int = _set(90, "how long an identity is known, days", low=1, high=1100)
    warehouse: bool = _set(True, "keep the DuckDB warehouse beside the store")
    shutdown_seconds: int = _set(10, "most seconds of a clean stop", low=1, high=300)
    disk_free_bytes: int = _set(256 << 20, "free bytes below which nothing more is accepted", low=0)
    evidence_memory_mb: int = _set(
        4096, "most memory of the process that makes an evidence bundle, MB", low=256
    )
    evidence_seconds: int = _set(600, "longest making of an evidence bundle, s", low=1, high=86_400)
    # webhooks out
    webhook_timeout_ms: int = _set(5000, "longest whole delivery of a webhook, ms", low=100, high=30_000)
    webhook_reply_bytes: int = _set(65_536, "most bytes read of a receiver's answer", low=1024, high=1 << 20)
    webhook_tries: int = _set(12, "tries of a delivery before it waits for a replay", low=1, high=50)
    webhook_workers: int = _set(4, "deliveries under way at once", low=1, high=64)
    webhook_test_loopback: bool = _set(False, "allow plain http to this machine; for tests only")
    # people who sign in elsewhere (OpenID Connect)
    oidc_issuer: str | None = _set(None, "issuer of tokens, exactly as it calls itself; unset: only API keys")
    oidc_audience: str | None = _set(None, "what bearer tokens must be for; unset: none are taken")
    oidc_groups: Path | None = _set(None, "TOML or JSON: what the issuer's groups may do at most")
    oidc_groups_claim: str = _set("groups", "claim of a token that names its groups")
    oidc_algorithms: tuple[str, ...] = _set(
        OIDC_ALGORITHMS, "how tokens may be signed; some of these, all asymmetric"
    )
    oidc_token_age_seconds: int = _set(7200, "oldest token that is taken, s", low=60, high=86_400)
    oidc_keys_seconds: int = _set(
        300, "how long the issuer's keys are used before they are asked for again, s", low=10, high=86_400
    )
    oidc_keys_pause_seconds: int = _set(
        10, "least time between two looks for keys, whatever tokens name, s", low=1, high=3600
    )
    oidc_timeout_ms: int = _set(5000, "longest wait for the issuer, ms", low=100, high=30_000)
    oidc_ca_file: Path | None = _set(None, "certificates that vouch for the issuer, PEM; unset: the system's")
    oidc_client_id: str | None = _set(None, "this service's id at the issuer; unset: no sign-in by browser")
    oidc_client_secret_file: Path | None = _set(None, "secret of that id; unset: none was agreed")
    oidc_redirect_url: str | None = _set(None, "this service's `/auth/callback` as browsers reach it")
    oidc_scopes: str = _set("openid", "what a sign-in asks the issuer for; `openid` and more")
    oidc_session_seconds: int = _set(3600, "longest session of a browser, s", low=60, high=43_200)
    oidc_idle_seconds: int = _set(900, "longest pause within a session, s", low=30, high=43_200)
    oidc_test_loopback: bool = _set(False, "allow an issuer by plain http on this machine; for tests only")
    # what it says
    log_level: str = _set("info", "least severity that is logged", one_of=LOG_LEVELS)

    @property
    def production(self) -> bool:
        """Return whether unsafe defaults are refused."""
        return self.env == "production"

    @property
    def store_is_database(self) -> bool:
        """Return whether the store is a database server, not a folder."""
        return "://" in self.store

    @property
    def vault_path(self) -> Path:
        """Return where the vault's database file is, or would be."""
        state = self.state_dir if self.store_is_database else Path(self.store)
        return self.vault_file or state / "vault" / "vault.db"

    @property
    def history_until_us(self) -> int | None:
        """Return `history_until` in microseconds since the epoch, UTC."""
        return None if self.history_until is None else _moment_us(self.history_until)

    def shown(self) -> dict[str, str]:
        """Return every setting as text without secrets, for logs and status."""
        return {f.name: _redacted(getattr(self, f.name)) for f in dataclasses.fields(self)}

    def __repr__(self) -> str:
        usual = {f.name: f.default for f in dataclasses.fields(self)}
        return (
            f"Settings({', '.join(f'{k}={v}' for k, v in self.shown().items() if v != _redacted(usual[k]))})"
        )


_FIELDS = {f.name: f for f in dataclasses.fields(Settings)}
_TYPES = typing.get_type_hints(Settings)


@dataclass(frozen=True)
class Examined:
    """Settings as far as they could be read, every fault, and which settings were said.

    A value that cannot be one is at its default; who goes on with `settings` has looked at `faults`.
    """

    settings: Settings
    faults: tuple[str, ...]
    given: frozenset[str]


def load(environ: Mapping[str, str], arguments: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings.

    Args:
        environ: variables of the process.
        arguments: what the command line said; ``None`` values count as unsaid.

    Raises:
        SettingsError: all faults at once.
    """
    found = examine(environ, arguments)
    if found.faults:
        raise SettingsError(list(found.faults))
    return found.settings


def examine(environ: Mapping[str, str], arguments: Mapping[str, Any] | None = None) -> Examined:
    """Read the settings like `load`, and return the faults beside them.

    Raises:
        SettingsError: an argument that is no setting.
    """
    faults: list[str] = []
    given: dict[str, tuple[str, Any]] = {}  # name -> (what a fault calls it, value)
    said = {k: v for k, v in (arguments or {}).items() if v is not None}
    path = said.pop("settings", None) or environ.get("TXMON_SETTINGS")
    if path:
        given |= _from_file(Path(path), faults)
    given |= _from_environ(environ, faults)
    unknown = [name for name in said if name not in _FIELDS]
    if unknown:
        raise SettingsError([f"no setting is called {name!r}{_near(name)}" for name in unknown])
    given |= {name: (f"--{name.replace('_', '-')}", value) for name, value in said.items()}
    values: dict[str, Any] = {}
    for name, (label, value) in given.items():
        try:
            values[name] = _typed(name, value)
        except ValueError as error:
            faults.append(f"{label}: {error}")
    settings = Settings(**values)
    faults += together(settings)
    if settings.production:
        faults += production_faults(settings, frozenset(given))
    return Examined(settings, tuple(faults), frozenset(given))


def reference() -> str:
    """Return a Markdown table of every setting: variable, default, meaning."""
    lines = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in _FIELDS.items():
        default = "" if field.default in (None, ()) else f"`{str(field.default).lower()}`"
        if isinstance(field.default, str):
            default = f"`{field.default}`"
        if isinstance(field.default, tuple) and field.default:
            default = f"`{','.join(field.default)}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.metadata['doc']} |")
    return "\n".join(lines) + "\n"


def _from_environ(environ: Mapping[str, str], faults: list[str]) -> dict[str, tuple[str, Any]]:
    given: dict[str, tuple[str, Any]] = {}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or variable.startswith(_IGNORED):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in _FIELDS:
            faults.append(f"{variable}: no such setting{_near(name)}; unset it or correct its name")
        elif value != "":
            given[name] = (variable, value)
    return given


def _from_file(path: Path, faults: list[str]) -> dict[str, tuple[str, Any]]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        faults.append(f"settings file {path}: {error.strerror}; correct the path or leave it out")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.append(f"settings file {path}: {error}; it must be TOML, `name = value` a line")
        return {}
    for name in content:
        if name not in _FIELDS:
            faults.append(f"settings file {path}: no setting is called {name!r}{_near(name)}")
    return {name: (f"{path}: {name}", value) for name, value in content.items() if name in _FIELDS}


def _near(name: str) -> str:
    close = difflib.get_close_matches(name, _FIELDS, n=1)
    return f", did you mean {close[0]!r}" if close else ""


def _typed(name: str, value: Any) -> Any:
    """Return a value in its setting's type; ValueError says what it should be."""
    meta, kind = _FIELDS[name].metadata, _TYPES[name]
    options = typing.get_args(kind)
    if NoneType in options:
        kind = next(o for o in options if o is not NoneType)
    converted = _converted(kind, value)
    if meta["one_of"] and converted not in meta["one_of"]:
        raise ValueError(f"{converted!r} is not one of {', '.join(meta['one_of'])}")
    if meta["low"] is not None and converted < meta["low"]:
        raise ValueError(f"{converted} is too small; at least {meta['low']}")
    if meta["high"] is not None and converted > meta["high"]:
        raise ValueError(f"{converted} is too large; at most {meta['high']}")
    if name == "history_until":
        _moment_us(converted)
    if name == "base_currency" and not re.fullmatch("[A-Z]{3}", converted):
        raise ValueError(f"{converted!r} is not an ISO 4217 code such as EUR")
    return converted


def _converted(kind: Any, value: Any) -> Any:
    if kind is bool:
        if isinstance(value, bool):
            return value
        text = str(value).lower()
        if text not in _TRUE + _FALSE:
            raise ValueError(f"{value!r} is neither true nor false")
        return text in _TRUE
    if kind in (int, float):
        if isinstance(value, bool):
            raise ValueError("expected a number")
        try:
            return kind(str(value).replace("_", ""))
        except ValueError:
            raise ValueError(f"{value!r} is not {'a whole number' if kind is int else 'a number'}") from None
    if kind is Path:
        return Path(value)
    if typing.get_origin(kind) is tuple:
        items = value.split(",") if isinstance(value, str) else value
        return tuple(str(item).strip() for item in items if str(item).strip())
    return str(value)


def _moment_us(text: str) -> int:
    if not _TIME.fullmatch(text):
        raise ValueError(f"{text!r} is not a UTC time such as 2026-01-05 or 2026-01-05T12:00:00Z")
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    whole = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(whole.replace(microsecond=0).timestamp()) * 1_000_000 + whole.microsecond


def _redacted(value: Any) -> str:
    text = str(value)
    if "://" not in text:
        return text
    head, _, rest = text.partition("://")
    return f"{head}://***@{rest.rpartition('@')[2]}" if "@" in rest else text
