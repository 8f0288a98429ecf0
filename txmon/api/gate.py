"""The door of the API: every request passes here, and nothing else decides who may come in.

    find the route -> who is it -> may they -> not too often -> body within bounds -> handler -> answer

Owns this order, the headers of every answer, request ids, and the turning of errors into problems. Raw
handlers get the exchange, everything else goes on to the framework with its body read and checked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from txmon.api.bodies import JSON, Gone, check_depth, check_pictures, media_type, read_body, unread_type
from txmon.api.callers import caller
from txmon.api.context import (
    PROBLEM_TYPE,
    Answer,
    ASGIApp,
    Exchange,
    Message,
    Parts,
    RawHandler,
    Receive,
    Scope,
    Send,
)
from txmon.api.idempotency import Keeper, Ticket, idempotency_key
from txmon.api.limits import Addresses, Buckets, Failures
from txmon.api.problems import Problem, problem_of, retry_after
from txmon.api.table import TABLE, Entry
from txmon.api.vaultdoor import VaultAnswers, note_failure, unknown_path, vault_caller
from txmon.api.vaulttable import is_vault
from txmon.clock import monotonic_s
from txmon.errors import AuthError
from txmon.logs import new_request_id
from txmon.store.identity import Principal
from txmon.vault.caller import Caller

_UNROUTED = "unrouted"
_WITH_BODY = ("POST", "PATCH", "PUT", "DELETE")
CALLER = "txmon.exchange"  # where handlers of the framework find the exchange


class Routes:
    """Finds the entry of the table for a path and a method."""

    def __init__(self) -> None:
        self._exact: dict[str, dict[str, Entry]] = defaultdict(dict)
        patterns: dict[str, dict[str, Entry]] = defaultdict(dict)
        for entry in TABLE:
            (patterns if "{" in entry.path else self._exact)[entry.path][entry.method] = entry
        self._patterns = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), found) for path, found in patterns.items()
        ]

    def find(self, method: str, path: str) -> Entry:
        """Return the entry.

        Raises:
            Problem: not_found, method_not_allowed.
        """
        found = self._exact.get(path)
        if found is None:
            found = next((e for pattern, e in self._patterns if pattern.fullmatch(path)), None)
        if found is None:
            raise unknown_path()
        entry = found.get(method)
        if entry is None:
            allowed = ", ".join(sorted(found))
            raise Problem(
                "method_not_allowed", f"this path takes {allowed}", headers=((b"allow", allowed.encode()),)
            )
        return entry


class Gate:
    """See the module."""

    def __init__(self, parts: Parts, inner: ASGIApp, raw: Mapping[str, RawHandler], keeper: Keeper) -> None:
        s = parts.settings
        self._parts, self._inner, self._raw, self._keeper = parts, inner, raw, keeper
        self._routes = Routes()
        self._buckets, self._failures = Buckets(s.rate_limit, s.rate_burst), Failures(s.auth_failures)
        self._inside, self._answers = Buckets(s.rate_limit, s.rate_burst), VaultAnswers(parts)
        self._addresses = Addresses(s.trusted_proxies)
        self._headers = list(parts.transport_headers())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        started = monotonic_s()
        hidden = is_vault(scope["path"])
        number = "" if hidden else new_request_id(self._parts.store.random_bytes)
        exchange = Exchange(scope, receive, send, number)
        try:
            if hidden:
                await self._admit_hidden(exchange)
            answer = await self._answer(exchange)
        except Gone:
            return
        except Exception as error:  # whatever it is, the caller gets a problem and the log the error
            answer = self._failed(exchange, error)
        if answer is not None:
            await self._reply(exchange, answer)
        if exchange.inside:
            return
        entry = exchange.entry
        self._parts.metrics.request_seconds.labels(
            _UNROUTED if entry is None else entry.path,
            scope["method"],
            f"{exchange.status // 100}xx",
        ).observe(monotonic_s() - started)

    async def _answer(self, exchange: Exchange) -> Answer | None:
        scope = exchange.scope
        entry = exchange.entry = self._routes.find(scope["method"], scope["path"])
        if exchange.inside:
            self._require_role(entry, exchange.vault)
        elif entry.scopes and not (entry.path == "/metrics" and self._parts.settings.metrics_open):
            await self._admit(exchange, entry)
        handler = self._raw.get(entry.name)
        if handler is not None:
            return await handler(exchange)
        if entry.scopes and exchange.known:
            exchange.who = replace(exchange.who, past=self._parts.past())
        return await self._framework(exchange, entry)

    # -- who and how often ---------------------------------------------------------------------------

    async def _admit(self, exchange: Exchange, entry: Entry) -> None:
        who = await self._identify(exchange)
        exchange.who = who
        wait = self._buckets.take(who.key_id or "", monotonic_s())
        if wait:
            self._parts.metrics.rate_limited_total.inc()
            raise _too_often(wait)
        if not entry.admits(who):
            self._refuse(entry, who)

    async def _admit_hidden(self, exchange: Exchange) -> None:
        """Let somebody into the vault, or answer as an unknown path does.

        Ids of requests inside are the vault's to draw: they leave no gap in those of others.
        """
        rooms, chance = self._parts.rooms, self._parts.store.random_bytes
        try:
            found = await vault_caller(self._parts, exchange)
            if found is not None and rooms is not None:
                exchange.vault, chance = found, rooms.vault.random_bytes
        finally:
            exchange.request_id = new_request_id(chance)
        if found is None:
            raise unknown_path()
        wait = self._inside.take(found.who.key_id or "", monotonic_s())
        if wait:
            raise _too_often(wait)

    @staticmethod
    def _require_role(entry: Entry, found: Caller) -> None:
        if not entry.roles & found.roles:
            roles = " or ".join(sorted(entry.roles))
            raise Problem("forbidden", f"this takes the role {roles}; ask someone who has it")

    async def _identify(self, exchange: Exchange) -> Principal:
        try:
            return await caller(self._parts, exchange)
        except AuthError as error:
            self._parts.metrics.auth_failures_total.labels(error.reason).inc()
            address = self._addresses.of(exchange.scope, exchange.headers)
            wait = self._failures.note(address, monotonic_s())
            if wait:
                self._parts.metrics.auth_failures_total.labels("blocked").inc()
                raise Problem(
                    "too_many_failures",
                    "too many refused keys came from this address; wait, then send a valid one",
                    headers=(retry_after(wait),),
                ) from None
            raise

    def _refuse(self, entry: Entry, who: Principal) -> None:
        metric = self._parts.metrics.auth_failures_total
        if not entry.scopes & who.scopes:
            metric.labels("scope").inc()
            wanted = " or ".join(sorted(entry.scopes))
            raise Problem("forbidden", f"this takes a key with the scope {wanted}; use one that has it")
        metric.labels("role").inc()
        if entry.people and not who.is_person:
            raise Problem("four_eyes", "this is done by people; a service's key cannot")
        roles = " or ".join(sorted(entry.roles))
        raise Problem("forbidden", f"this takes the role {roles}; ask someone who has it")

    # -- to the framework ----------------------------------------------------------------------------

    async def _framework(self, exchange: Exchange, entry: Entry) -> Answer | None:
        body = b""
        if entry.method in _WITH_BODY:
            settings, headers = self._parts.settings, exchange.headers
            if headers.get(b"content-encoding", b"identity") != b"identity":
                raise Problem("unsupported_media_type", "bodies are read as they are; send it unpacked")
            length = headers.get(b"content-length")
            body = await read_body(exchange.receive, length, settings.request_max_bytes)
            kind = media_type(headers.get(b"content-type"))
            if body and kind != JSON:
                raise unread_type(kind, JSON)
            check_depth(body, settings.json_depth_max)
            await check_pictures(body)
        exchange.body = body
        key = idempotency_key(exchange.headers) if entry.method == "POST" else None
        if key is None:
            await self._through(exchange)
            return None

        async def answer(_: Ticket | None = None) -> Answer:
            found = _Collected()
            await self._through(exchange, found)
            return Answer(found.status, found.body, found.headers)

        if exchange.inside:
            return await self._answers.once(exchange, key, body, answer)
        return await self._keeper.once(exchange, key, body, answer, memory_only=entry.secret)

    async def _through(self, exchange: Exchange, collected: _Collected | None = None) -> None:
        """Let the framework answer; into `collected` where the answer is to be kept."""
        sent = False

        async def receive() -> Message:
            nonlocal sent
            if sent:
                return await exchange.receive()
            sent = True
            return {"type": "http.request", "body": exchange.body or b"", "more_body": False}

        async def send(message: Message) -> None:
            if collected is not None:
                collected.take(message)
                return
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                own = {name for name, _ in message["headers"]}
                always = [each for each in self._always(exchange) if each[0] not in own]
                message["headers"] = [*message["headers"], *always]
            await exchange.send(message)

        exchange.scope[CALLER] = exchange
        try:
            await self._inner(exchange.scope, receive, send)
        except Exception as error:
            begun = exchange.status if collected is None else collected.status
            if not begun:
                raise
            self._note(exchange, error)  # the framework has answered, and raises what made it answer so

    # -- answers -------------------------------------------------------------------------------------

    def _always(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        return [*self._headers, (b"x-request-id", exchange.request_id.encode())]

    async def _reply(self, exchange: Exchange, answer: Answer) -> None:
        exchange.status = answer.status
        length = (b"content-length", str(len(answer.body)).encode())
        headers = [*answer.headers, length, *self._always(exchange)]
        await exchange.send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await exchange.send({"type": "http.response.body", "body": answer.body})

    def _failed(self, exchange: Exchange, error: Exception) -> Answer | None:
        problem = problem_of(error)
        self._note(exchange, error)
        if exchange.status:  # it broke while the answer was being sent: nothing can be said any more
            return None
        return Answer(problem.status, problem.body(exchange.request_id), (PROBLEM_TYPE, *problem.headers))

    def _note(self, exchange: Exchange, error: Exception) -> None:
        """Log what is a failure of ours; what a caller did wrong, or what passes, only the caller is told."""
        if problem_of(error).status != 500:
            return
        if exchange.inside:
            note_failure(self._parts, error)
            return
        route = _UNROUTED if exchange.entry is None else exchange.entry.path.lstrip("/")
        self._parts.log.error(
            "request.failed",
            request_id=exchange.request_id,
            route=route,
            method=exchange.scope["method"],
            exc_info=error,
        )


def _too_often(wait_s: float) -> Problem:
    return Problem(
        "rate_limited", "this key sends more than it may; spread requests", headers=(retry_after(wait_s),)
    )


class _Collected:
    """An answer of the framework, kept instead of sent."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: tuple[tuple[bytes, bytes], ...] = ()
        self.body = b""

    def take(self, message: Message) -> None:
        """Take a message of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = tuple((k, v) for k, v in message["headers"] if k != b"content-length")
        else:
            self.body += message.get("body", b"")
