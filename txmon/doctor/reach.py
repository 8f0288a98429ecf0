"""Checks of what is outside: brokers, the issuer, receivers of webhooks, and the service itself.

Every question has an end in time, sends nothing of an event or a person, and nothing that changes anything:
brokers are asked for what they have, receivers only for a TLS handshake, at an address that the guard has
looked at. Owns the asking and what an answer means.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from txmon.client.options import default_tls
from txmon.doctor.brokers import broker_answers
from txmon.doctor.ground import Ground
from txmon.doctor.report import FAIL, OK, SKIPPED, WARN, Finding
from txmon.doctor.stored import held_by
from txmon.errors import IssuerUnavailable
from txmon.notify.endpoints import ACTIVE, Endpoint, listed
from txmon.notify.guard import Blocked, check_url, system_resolve, vetted
from txmon.oidc.fetch import Fetch
from txmon.oidc.issuer import Issuer, Policy

_AT_ONCE = 8
_BEHIND_ROWS = 100
_ALL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked here, never listened on


def database(ground: Ground) -> Iterator[Finding]:
    """Time one question to the database server, and say whether the way to it is encrypted."""
    if not ground.settings.store_is_database:
        yield Finding(SKIPPED, "the store is a folder")
        return
    with ground.opened.read() as conn:
        start = ground.monotonic()
        version = conn.exec_driver_sql("show server_version").scalar()
        took = ground.monotonic() - start
        tls = conn.exec_driver_sql("select ssl from pg_stat_ssl where pid = pg_backend_pid()").scalar()
    text = f"PostgreSQL {version} answers in {took * 1000:.1f} ms, {'by TLS' if tls else 'not encrypted'}"
    if took > 0.05:
        yield Finding(WARN, text, "every commit asks it several times: bring them closer together")
    else:
        yield Finding(OK, text)


def source(ground: Ground) -> Iterator[Finding]:
    """Ask the broker for the topic or stream that `txmon stream` reads."""
    url = ground.settings.source_url
    if url is None:
        yield Finding(SKIPPED, "TXMON_SOURCE_URL is not set")
        return
    yield from broker_answers(url, ground.answer_s)


def alerts(ground: Ground) -> Iterator[Finding]:
    """Ask the broker for the topic that alerts are published to."""
    url = ground.settings.alerts_url
    if url is None:
        yield Finding(SKIPPED, "TXMON_ALERTS_URL is not set")
        return
    yield from broker_answers(url, ground.answer_s)


def issuer(ground: Ground) -> Iterator[Finding]:
    """Ask the issuer for its description and its keys, as the service does."""
    s = ground.settings
    if s.oidc_issuer is None:
        yield Finding(SKIPPED, "TXMON_OIDC_ISSUER is not set")
        return
    fetch = Fetch(
        min(s.oidc_timeout_ms / 1000, ground.answer_s), ca_file=s.oidc_ca_file, loopback=s.oidc_test_loopback
    )
    name = s.shown()["oidc_issuer"]  # a mistaken one may hold a password
    asked = Issuer(s.oidc_issuer, fetch, Policy(s.oidc_algorithms), _Silent())
    try:
        asyncio.run(_keys(asked, s.oidc_algorithms[0]))
    except IssuerUnavailable as error:
        text = f"{name}: {error.detail} ({error.reason})"
        yield Finding(FAIL, text, "compare TXMON_OIDC_ISSUER with its discovery page; open the way to it")
        return
    yield Finding(OK, f"{name} names itself, its keys can be used")


async def _keys(asked: Issuer, algorithm: str) -> None:
    try:
        await asked.key("txmon-doctor", algorithm)  # no key has this name: all of them are fetched
    finally:
        asked.close()


class _Silent:
    """What the issuer's client says is in the finding."""

    def warning(self, event: str, **values: Any) -> None:
        """Say nothing."""

    def info(self, event: str, **values: Any) -> None:
        """Say nothing."""


def webhooks(ground: Ground) -> Iterator[Finding]:
    """Connect to every receiver, as far as a TLS handshake."""
    s = ground.settings
    with ground.opened.read() as conn:
        found = listed(conn)
    active = [endpoint for endpoint in found if endpoint.state == ACTIVE]
    for endpoint in found:
        if endpoint.state != ACTIVE:
            text = f"receiver {endpoint.id} is disabled after {endpoint.failures} failures"
            yield Finding(WARN, text, "mend it, then `txmon webhooks enable` and `replay`; or remove it")
    if active and s.webhook_key_file is None:
        text = f"{len(active)} receivers are to be told, but nothing is sent"
        yield Finding(FAIL, text, "set TXMON_WEBHOOK_KEY_FILE, from which their secrets are made")
    tls = default_tls()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for endpoint, problem in zip(active, pool.map(lambda e: _greet(ground, e, tls), active), strict=True):
            if problem is not None:
                text = f"receiver {endpoint.id}: {problem}"
                yield Finding(FAIL, text, "mend the receiver or the way to it; docs/webhooks.md")
    yield Finding(OK, f"{len(active)} receivers were asked") if active else Finding(SKIPPED, "no receivers")


def _greet(ground: Ground, endpoint: Endpoint, tls: ssl.SSLContext) -> str | None:
    """Return why a receiver cannot be reached; its URL may hold a secret and is not in it."""
    loopback = ground.settings.webhook_test_loopback
    try:
        target = check_url(endpoint.url, loopback=loopback)
        addresses = vetted(target, system_resolve, ground.answer_s, loopback=loopback)
    except Blocked as error:
        return error.detail.partition("; ")[0]
    except OSError as error:  # a time-out is one
        return str(error)
    problem = "no address"
    for address in addresses:
        try:
            with socket.create_connection((address, target.port), ground.answer_s) as plain:
                if target.scheme == "https":
                    with tls.wrap_socket(plain, server_hostname=target.host):
                        return None
                return None
        except ssl.SSLCertVerificationError as error:
            problem = f"its certificate is not accepted: {error.verify_message}"
        except OSError as error:
            problem = f"no connection: {error.strerror or type(error).__name__}"
    return problem


def service(ground: Ground) -> Iterator[Finding]:
    """Ask the running service whether it is ready, and how far the warehouse is."""
    s = ground.settings
    if held_by(ground) is None:
        yield Finding(SKIPPED, "no service runs on this store")
        return
    if s.port == 0:
        yield Finding(SKIPPED, "its port is not known: TXMON_PORT is 0")
        return
    host = _ALL.get(s.host, s.host)
    base = (
        f"{'http' if s.tls_cert_file is None else 'https'}://{f'[{host}]' if ':' in host else host}:{s.port}"
    )
    context = default_tls()
    if s.tls_cert_file is not None:  # its own certificate, whatever name it is for
        context = ssl.create_default_context(cafile=str(s.tls_cert_file))
        context.check_hostname = False
    try:
        with httpx.Client(base_url=base, verify=context, trust_env=False, timeout=ground.answer_s) as http:
            ready = http.get("/readyz")
            reasons = _reasons(ready)
            shown = http.get("/metrics")
    except httpx.HTTPError as error:
        text = f"the store is being written, but nothing answers at {base} ({type(error).__name__})"
        yield Finding(
            WARN, text, "`txmon stream` without --port opens none; else set TXMON_HOST and TXMON_PORT"
        )
        return
    if ready.status_code == 200:
        yield Finding(OK, f"{base} is ready")
    else:
        yield Finding(FAIL, f"{base} is not ready: {', '.join(reasons)}", "docs/failures.md has each reason")
    if shown.status_code == 200:
        yield from _marks(shown.text)


def _reasons(answer: httpx.Response) -> list[str]:
    with contextlib.suppress(ValueError, AttributeError):
        return [str(reason) for reason in answer.json().get("reasons", [])]
    return [f"status {answer.status_code}"]


def _marks(text: str) -> Iterator[Finding]:
    values = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels
    }
    seq, mark = values.get("txmon_journal_seq"), values.get("txmon_warehouse_seq")
    if seq is None or mark is None:
        return
    found = f"the warehouse is at row {mark:,.0f} of {seq:,.0f}"
    if seq - mark > _BEHIND_ROWS:
        yield Finding(WARN, found, "if it stands still: docs/runbook.md, TxmonWarehouseStalled")
    else:
        yield Finding(OK, found)
