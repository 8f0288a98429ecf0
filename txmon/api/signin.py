"""Signing in by browser: to the issuer, back from it, who one is, and out.

Owns these routes and how often one address may fail to come back; the protocol is `txmon.oidc`'s part, and
the pages are `txmon.console`'s.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from txmon.api.callers import NOTE, SESSION, cookie_of, note_cookie, session_cookie
from txmon.api.context import Exchange, Parts
from txmon.api.limits import Addresses, Failures
from txmon.api.pages import plain
from txmon.api.personal import Asked
from txmon.api.problems import Problem, retry_after
from txmon.clock import monotonic_s, rfc3339
from txmon.errors import AuthError
from txmon.oidc import Identity, Returned, Session
from txmon.oidc.identity import Unlinked

_ME, _CONSOLE = "/auth/me", "/console"
_Text = Annotated[str | None, Query(max_length=4096)]


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""
    door: list[_Door] = []

    def the_door() -> _Door:
        if not door:  # made at the first use: the contract is written without settings
            door.append(_Door(parts))
        return door[0]

    @router.get("/auth/login")
    async def sign_in() -> Response:
        identity = _identity(parts)
        assert identity.signin is not None
        location, note = await identity.signin.begin()
        return _away(location, note_cookie(note))

    @router.get("/auth/callback")
    async def come_back(
        exchange: Asked, code: _Text = None, state: _Text = None, iss: _Text = None, error: _Text = None
    ) -> Response:
        return await the_door().enter(exchange, Returned(code, state, iss, error))

    @router.get(_ME)
    async def who_am_i(exchange: Asked) -> Response:
        return plain(_shown(exchange))

    @router.post("/auth/logout")
    async def sign_out(exchange: Asked) -> Response:
        identity, secret = parts.identity, cookie_of(exchange, SESSION)
        if identity is None or identity.sessions is None or exchange.session is None or secret is None:
            return plain({"signed_out": False, "issuer_logout": None})
        identity.sessions.end(secret)
        assert identity.signin is not None
        answer = {"signed_out": True, "issuer_logout": await identity.signin.goodbye()}
        return plain(answer, headers={"set-cookie": session_cookie("", 0)})


class _Door:
    """The way back from the issuer."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._failures = Failures(parts.settings.auth_failures)
        self._addresses = Addresses(parts.settings.trusted_proxies)

    async def enter(self, exchange: Exchange, returned: Returned) -> Response:
        """Begin the session of who comes back.

        Raises:
            AuthError, IssuerUnavailable. Problem: too_many_failures, forbidden.
        """
        identity = _identity(self._parts)
        assert identity.sessions is not None
        address = self._addresses.of(exchange.scope, exchange.headers)
        wait = self._failures.wait(address, monotonic_s())
        if wait:
            raise Problem(
                "too_many_failures",
                "too many sign-ins from this address have failed; wait, then begin again",
                headers=(retry_after(wait),),
            )
        try:
            secret, _, who = await identity.finish(cookie_of(exchange, NOTE), returned)
        except AuthError as error:
            self._failures.note(address, monotonic_s())
            self._parts.metrics.auth_failures_total.labels(error.reason).inc()
            if isinstance(error, Unlinked):  # told to that person alone, who has just proved to be it
                more = {"reason": error.reason, "issuer": identity.issuer, "subject": error.subject}
                raise Problem("unauthenticated", error.detail, more=more) from None
            raise
        if not who.scopes:
            identity.sessions.end(secret)
            raise Problem("forbidden", "none of your groups does anything here; ask an administrator")
        before = cookie_of(exchange, SESSION)
        if before is not None:
            identity.sessions.end(before)
        self._parts.log.info("session.begun", identity=who.identity, key_id=who.key_id)
        to = _CONSOLE if self._parts.settings.console else _ME
        return _away(to, session_cookie(secret, identity.sessions.life_s), note_cookie(""))


def _identity(parts: Parts) -> Identity:
    if parts.identity is None or parts.identity.signin is None:
        raise Problem("not_found", "nobody signs in by browser here; send an API key")
    return parts.identity


def _away(location: str, *cookies: str) -> Response:
    answer = Response(status_code=303, headers={"location": location})
    for cookie in cookies:
        answer.headers.append("set-cookie", cookie)
    return answer


def _shown(exchange: Exchange) -> dict[str, Any]:
    who = exchange.who
    return {
        "identity": who.identity,
        "person_id": who.person_id,
        "key_id": who.key_id,
        "name": who.name,
        "kind": who.kind,
        "roles": sorted(who.roles),
        "scopes": sorted(who.scopes),
        "mode": who.mode,
        "entities": None if who.entities is None else sorted(who.entities),
        "session": _session(exchange.session),
    }


def _session(session: Session | None) -> dict[str, Any] | None:
    return None if session is None else {"ends": rfc3339(session.ends_us), "csrf_token": session.csrf}
