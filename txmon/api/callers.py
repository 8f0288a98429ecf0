"""Who sends a request: by an API key, by a token of the issuer, or by the session of a browser.

    who = await caller(parts, exchange)

A key or a token that is sent is what counts; a cookie is looked at only where neither is. A browser sends
its cookies whoever made it ask. So a request that changes something must repeat the session's own
`X-CSRF-Token`, which other sites cannot read, and must not come from another site by `Origin` or
`Sec-Fetch-Site`. Owns credentials and cookies as requests have them; whose they are, `txmon.store.access`
and `txmon.oidc` know.
"""

from __future__ import annotations

from hmac import compare_digest
from urllib.parse import urlsplit

from txmon.api.context import Exchange, Parts
from txmon.api.problems import Problem
from txmon.errors import AuthError
from txmon.oidc import Identity
from txmon.oidc.signin import NOTE_S
from txmon.oidc.tokens import looks_like_token
from txmon.store.identity import Principal

# __Host-: only over TLS, only from this very host, for all its paths
SESSION, NOTE = "__Host-txmon_session", "__Host-txmon_signin"
_SAFE = ("GET", "HEAD", "OPTIONS")


def cookie_of(exchange: Exchange, name: str) -> str | None:
    """Return a cookie's value; None where it is not there, or there more than once."""
    pairs = exchange.headers.get(b"cookie", b"").decode("latin-1").split(";")
    found = [value for pair in pairs for key, _, value in [pair.strip().partition("=")] if key == name]
    return found[0] if len(found) == 1 else None


def session_cookie(secret: str, life_s: int) -> str:
    """Return the header that gives a browser its session; ended at once with a life of 0."""
    return _cookie(SESSION, secret, life_s)


def note_cookie(note: str) -> str:
    """Return the header that gives a browser the note of its sign-in; an empty one takes it away."""
    return _cookie(NOTE, note, NOTE_S if note else 0)


async def caller(parts: Parts, exchange: Exchange, *, used: bool = True, noted: bool = True) -> Principal:
    """Return who sends a request.

    Args:
        used: whether this counts as use of a session, which else ends by itself.
        noted: whether a use of a key is noted, and a failure counted.

    Raises:
        AuthError: nobody who is known. IssuerUnavailable: a token cannot be checked now. Problem: csrf.
    """
    text = exchange.headers.get(b"authorization", b"").decode("latin-1")
    scheme, _, token = text.partition(" ")
    token, identity = token.strip(), parts.identity
    if text and scheme.lower() != "bearer":
        raise AuthError("malformed")
    if identity is not None:
        if not text and b"cookie" in exchange.headers:
            return _by_session(parts, exchange, identity, used=used, noted=noted)
        if looks_like_token(token):
            return await identity.by_token(token)
    return parts.access.authenticate(token, parts.clock.now_us(), noted=noted)


def _by_session(
    parts: Parts, exchange: Exchange, identity: Identity, *, used: bool, noted: bool
) -> Principal:
    secret = cookie_of(exchange, SESSION)
    if secret is None or identity.sessions is None:
        raise AuthError("missing")
    session = identity.sessions.find(secret, used=used)
    if session is None:
        raise AuthError("session", "the session is over; sign in again at /auth/login")
    who = identity.by_session(session)
    if exchange.scope["method"] not in _SAFE and not _meant(parts, exchange, session.csrf):
        if noted:
            parts.metrics.auth_failures_total.labels("csrf").inc()
        raise Problem(
            "csrf", "repeat the `csrf_token` of /auth/me in X-CSRF-Token, from a page of this service"
        )
    exchange.session = session
    return who


def _meant(parts: Parts, exchange: Exchange, csrf: str) -> bool:
    """Whether a request was made by a page of ours."""
    given = exchange.headers.get(b"x-csrf-token", b"")
    origin = exchange.headers.get(b"origin")
    site = exchange.headers.get(b"sec-fetch-site", b"same-origin")
    return (
        compare_digest(given, csrf.encode())
        and site in (b"same-origin", b"none")
        and (origin is None or origin.decode("latin-1") == _own_origin(parts))
    )


def _own_origin(parts: Parts) -> str:
    own = urlsplit(parts.settings.oidc_redirect_url or "")
    return f"{own.scheme}://{own.netloc}"


def _cookie(name: str, value: str, life_s: int) -> str:
    return f"{name}={value}; Max-Age={life_s}; Path=/; Secure; HttpOnly; SameSite=Lax"
