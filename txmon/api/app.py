"""Puts the API together: the gate in front, raw handlers beside, the framework behind.

    app = create_app(service, settings=..., metrics=..., access=..., audit=..., clock=..., log=...)

Every route must be in the table, and every line of the table must have a route: else there is no app.
Owns the assembly and what the framework says of wrong values.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

import txmon
from txmon.api import (
    alerts,
    bundles,
    cases,
    casework,
    colleagues,
    console,
    dismissals,
    exports,
    findings,
    links,
    people,
    preservation,
    proposals,
    quarantine,
    queues,
    rules,
    signin,
    system,
    usual,
    vault,
    vaultgrants,
    vaultwork,
    webhooks,
)
from txmon.api.adyen import Adyen
from txmon.api.bulk import Bulk
from txmon.api.context import Exchange, Parts, RawHandler, Receive, Scope, Send, Service
from txmon.api.contract import contract
from txmon.api.gate import CALLER, Gate
from txmon.api.idempotency import Keeper
from txmon.api.ingest import Feeds, Ingest, Submitter
from txmon.api.live import Live
from txmon.api.pages import plain
from txmon.api.problems import CONTENT_TYPE, Problem, problem_of
from txmon.api.stripe import Stripe
from txmon.api.table import BY_NAME, TABLE
from txmon.cases import approvals, texts
from txmon.clock import Clock, RandomBytes, random_bytes
from txmon.errors import ConfigError
from txmon.metrics import Metrics
from txmon.notify import master_of
from txmon.oidc import make_identity
from txmon.pipeline.log import Log
from txmon.settings import Settings
from txmon.store import preserve
from txmon.store.access import Access
from txmon.store.audit import AuditLog
from txmon.store.retentionfile import load_classes
from txmon.vault.rooms import open_rooms
from txmon.vault.sources import Drafter

_MODULES = (
    alerts, usual, bundles, dismissals, queues, cases, casework, findings, rules, quarantine, proposals,
    people, colleagues, links, webhooks, vault, vaultwork, vaultgrants, signin, console, system, preservation,
    exports,
)  # fmt: skip


class App:
    """The ASGI application.

    routes: method and path of everything it serves. `close` ends streams and refuses new ones, from any
    thread; `aclose` does so in the loop, and gives up what is being asked of the issuer: the server does it.
    """

    def __init__(self, parts: Parts) -> None:
        parts.access.proposals.on(alerts.DISMISSAL, alerts.dismissed)
        parts.access.proposals.on(dismissals.KIND, dismissals.dismissed)
        approvals.register(parts.access.proposals)
        parts.access.proposals.on(preserve.RELEASE, preserve.released)
        parts.access.proposals.on(exports.KIND, exports.decided_on)
        load_classes(parts.settings.retention_file)
        files = parts.settings
        texts.check(files.neutral_texts_file, files.signs_file, files.support_file)
        keeper = Keeper(parts)
        feeds, submitter = Feeds(parts.settings.feed), Submitter(parts)
        self._live, self._identity, self._rooms = Live(parts), parts.identity, parts.rooms
        raw: dict[str, RawHandler] = {
            "POST /v1/events": Ingest(parts, keeper, feeds, submitter),
            "POST /v1/events:bulk": Bulk(parts, keeper, feeds),
            "POST /v1/stripe": Stripe(parts, submitter),
            "POST /v1/adyen": Adyen(parts, submitter),
            "GET /v1/alerts/stream": self._live,
        }
        inner = _framework(parts)
        self.routes = frozenset(raw) | _names(inner)
        _require_table(self.routes, frozenset(raw))
        self._gate = Gate(parts, inner, raw, keeper)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or follow the server's life."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await self._gate(scope, receive, send)

    def close(self) -> None:
        """End streams; see the class."""
        self._live.close()

    async def aclose(self) -> None:
        """End everything; see the class."""
        self.close()
        if self._identity is not None:
            self._identity.close()
        if self._rooms is not None:
            self._rooms.close()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.aclose()
        await send({"type": "lifespan.shutdown.complete"})


def create_app(
    service: Service,
    *,
    settings: Settings,
    metrics: Metrics,
    access: Access,
    audit: AuditLog,
    clock: Clock,
    log: Log,
    decode: Any = None,
    wake: Callable[[], None] | None = None,
    drafter: Drafter | None = None,
    vault_chance: RandomBytes = random_bytes,
    warehouse: Path | None = None,
) -> App:
    """Return the API of a service.

    Args:
        decode: makes the decoder of a bulk request for a `Sender`, so that it is decoded beside the writer
            and not by it; None: the writer decodes.
        warehouse: folder of the warehouse; None: none is kept.
        wake: called when endpoints of webhooks have changed, so that deliveries look at them at once.
        drafter: makes reports of cases. vault_chance: where the vault of reports draws its ids and nonces.

    Raises:
        RuleErrors: a data file of case work, of the vault or of retention classes is wrong.
        ConfigError: a route is not in the table, or a line of it has no route; the key file of webhooks is
            set and cannot be used, or one of the files about sign-ins, or the vault's key.
    """
    parts = Parts(service, settings, metrics, access, audit, clock, log, decode)
    parts.warehouse = warehouse
    if wake is not None:
        parts.wake = wake
    if settings.webhook_key_file is not None:
        parts.master = master_of(settings)
    parts.identity = make_identity(settings, access, clock, service.store.random_bytes, log)
    parts.rooms = open_rooms(settings, service.store, clock=clock, random_bytes=vault_chance, drafter=drafter)
    return App(parts)


def document() -> dict[str, Any]:
    """Return the OpenAPI document, without a service."""
    return contract(_framework(Parts.__new__(Parts)))  # its routes are looked at, never called


def _framework(parts: Parts) -> FastAPI:
    app = FastAPI(
        title="txmon", version=txmon.__version__, docs_url=None, redoc_url=None, openapi_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    for module in _MODULES:
        module.routes(parts, app.router)

    made = cache(lambda: contract(app))

    @app.get("/openapi.json")
    async def openapi() -> Response:
        return plain(made())

    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _failed)
    # the framework has handlers of its own for these, which come before that of Exception
    app.add_exception_handler(Problem, _failed)
    return app


def _names(app: FastAPI) -> frozenset[str]:
    return frozenset(
        f"{method} {route.path}"
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    )


def _require_table(routes: frozenset[str], raw: frozenset[str]) -> None:
    unlisted, unserved = sorted(routes - BY_NAME.keys()), sorted(BY_NAME.keys() - routes)
    misplaced = sorted(entry.name for entry in TABLE if entry.raw != (entry.name in raw))
    if unlisted or unserved or misplaced:
        raise ConfigError(
            f"routes and table differ: not in the table {unlisted}, not served {unserved}, "
            f"raw or not {misplaced}; correct txmon/api/table.py"
        )


def _answer(request: Request, problem: Problem) -> Response:
    exchange: Exchange = request.scope[CALLER]
    headers = {name.decode(): value.decode() for name, value in problem.headers}
    body = problem.body(exchange.request_id)
    return Response(body, problem.status, headers=headers, media_type=CONTENT_TYPE)


async def _failed(request: Request, error: Exception) -> Response:
    return _answer(request, problem_of(error))


async def _http(request: Request, _error: Exception) -> Response:
    return _answer(request, Problem("bad_request", "the request cannot be read; correct its body"))


async def _invalid(request: Request, error: Exception) -> Response:
    """Say where a value is wrong and by which rule; never the value, nor a name that the caller made up."""
    found = error.errors() if isinstance(error, RequestValidationError) else ()
    faults = []
    for fault in found:
        place = [part for part in fault["loc"] if isinstance(part, (str, int))]
        if fault["type"] in ("extra_forbidden", "json_invalid"):
            place = place[:1]
        faults.append({"in": place, "rule": fault["type"], "message": fault["msg"].partition(", got")[0]})
    if any(fault["rule"] == "json_invalid" for fault in faults):
        return _answer(request, Problem("malformed_json", "the body is not JSON; correct it"))
    where = "; ".join(f"{'.'.join(map(str, f['in']))}: {f['message']}" for f in faults[:5])
    return _answer(request, Problem("invalid", where or "a value is wrong", more={"faults": faults[:20]}))
