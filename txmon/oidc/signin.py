"""The way of a browser to the issuer and back: authorization code with PKCE, state and nonce.

    location, note = await signin.begin()            the browser goes there, and keeps the note as a cookie
    claims = await signin.finish(note, returned)     of the ID token that the code was exchanged for

State, nonce and verifier are made of the note and of a secret of this process, so that nothing is stored for
who only begins, and a note of another browser fits no answer. Owns the protocol; cookies are the routes'
part.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote, urlencode

from txmon.clock import Clock, RandomBytes
from txmon.errors import AuthError, IssuerUnavailable
from txmon.oidc.fetch import Fetch, Refused
from txmon.oidc.issuer import Description, Issuer
from txmon.oidc.tokens import Claims, Tokens

NOTE_S = 600
_AT_ONCE, _WAITING_MAX = 8, 100  # exchanges under way, and those with what waits for its turn
_ANSWER_MAX = 1 << 17
_NOTE = re.compile(r"(\d{10})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True)
class Client:
    """What the issuer knows this service as. secret: None: none was agreed."""

    id: str
    redirect_url: str
    scopes: str = "openid"
    secret: str | None = None


@dataclass(frozen=True)
class Returned:
    """What a browser brings back from the issuer."""

    code: str | None = None
    state: str | None = None
    issuer: str | None = None
    error: str | None = None


class SignIn:
    """See the module."""

    def __init__(
        self, client: Client, issuer: Issuer, tokens: Tokens, fetch: Fetch, clock: Clock,
        random_bytes: RandomBytes,
    ) -> None:  # fmt: skip
        self._client, self._issuer, self._tokens, self._fetch = client, issuer, tokens, fetch
        self._clock, self._random, self._key = clock, random_bytes, random_bytes(32)
        self._turn, self._waiting = asyncio.Semaphore(_AT_ONCE), 0

    async def begin(self) -> tuple[str, str]:
        """Return where the browser goes, and the note that it keeps.

        Raises:
            IssuerUnavailable: it cannot be asked now, or has no place to sign in.
        """
        described = await self._issuer.description()
        seed = f"{self._now_s():010d}.{_text(self._random(32))}"
        challenge = _text(sha256(self._derived("verifier", seed).encode()).digest())
        query = {
            "response_type": "code",
            "client_id": self._client.id,
            "redirect_uri": self._client.redirect_url,
            "scope": self._client.scopes,
            "state": self._derived("state", seed),
            "nonce": self._derived("nonce", seed),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        place = _endpoint(described, "authorization_endpoint")
        joint = "&" if "?" in place else "?"
        return f"{place}{joint}{urlencode(query, quote_via=quote)}", f"{seed}.{self._derived('note', seed)}"

    async def finish(self, note: str | None, returned: Returned) -> Claims:
        """Exchange a code; returns the claims of the ID token.

        Raises:
            AuthError: the answer is not to this browser's request, or the issuer does not vouch for it.
            IssuerUnavailable: it cannot be asked now.
        """
        seed = self._seed(note)
        if returned.state is None or not _same(returned.state, self._derived("state", seed)):
            raise AuthError("session", "this is no answer to a sign-in of this browser; begin again")
        described = await self._issuer.description()
        if returned.issuer != self._issuer.name and (returned.issuer is not None or described.names_itself):
            raise AuthError("issuer", "the answer is of another issuer; begin again")
        if returned.error is not None or not returned.code:
            raise AuthError("session", "the issuer did not sign you in; begin again")
        if self._waiting >= _WAITING_MAX:
            raise IssuerUnavailable("too many sign-ins are under way; try again", "busy")
        self._waiting += 1
        try:
            async with self._turn:
                answer = await self._exchange(described, returned.code, self._derived("verifier", seed))
        finally:
            self._waiting -= 1
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise IssuerUnavailable(
                "the issuer answered without an ID token; let it know us by OpenID", "form"
            )
        claims = await self._tokens.check(token, self._client.id)
        nonce, audience, party = claims.get("nonce"), claims.get("aud"), claims.get("azp")
        if not isinstance(nonce, str) or not _same(nonce, self._derived("nonce", seed)):
            raise AuthError("claims", "the ID token is not of this sign-in; begin again")
        several = isinstance(audience, list) and len(audience) > 1
        if party != self._client.id and (party is not None or several):
            raise AuthError("audience", "the ID token was made for another party; begin again")
        return claims

    async def goodbye(self) -> str | None:
        """Return where a browser may end its session at the issuer, if the issuer says."""
        try:
            place = (await self._issuer.description()).endpoints.get("end_session_endpoint")
        except IssuerUnavailable:
            return None
        if place is None:
            return None
        return f"{place}{'&' if '?' in place else '?'}{urlencode({'client_id': self._client.id})}"

    async def _exchange(self, described: Description, code: str, verifier: str) -> dict[str, object]:
        client = self._client
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_url,
            "code_verifier": verifier,
        }
        auth = None
        if client.secret is not None and described.basic:
            auth = (quote(client.id, safe=""), quote(client.secret, safe=""))
        else:
            form["client_id"] = client.id
            if client.secret is not None:
                form["client_secret"] = client.secret
        try:
            return await self._fetch.post(_endpoint(described, "token_endpoint"), form, _ANSWER_MAX, auth)
        except Refused:
            raise AuthError(
                "session", "the issuer does not know this code, or no more; begin again"
            ) from None

    def _seed(self, note: str | None) -> str:
        found = _NOTE.fullmatch(note or "")
        if found is None:
            raise AuthError("session", "this browser began no sign-in here, or long ago; begin again")
        seed = f"{found[1]}.{found[2]}"
        if not _same(found[3], self._derived("note", seed)) or self._now_s() - int(found[1]) >= NOTE_S:
            raise AuthError("session", "this browser began no sign-in here, or long ago; begin again")
        return seed

    def _derived(self, what: str, seed: str) -> str:
        return _text(hmac.new(self._key, f"{what} {seed}".encode(), sha256).digest())

    def _now_s(self) -> int:
        return self._clock.now_us() // 1_000_000


def _endpoint(described: Description, name: str) -> str:
    found = described.endpoints.get(name)
    if found is None:
        raise IssuerUnavailable(f"the issuer names no {name}; nobody can sign in", "form")
    return found


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
