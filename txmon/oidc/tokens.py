"""Whether a token is the issuer's, is for us, and is of now.

    claims = await Tokens(issuer, rules, clock).check(token, "https://txmon.example.com")

The header chooses among the issuer's keys by name and nothing else: no key, address or certificate in a token
is looked at, and its algorithm must be one of ours that this very key verifies. Times are compared with
our clock, not the library's. Owns these checks; who the subject is here is not its question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from jwt import PyJWS
from jwt.exceptions import InvalidSignatureError, PyJWTError

from txmon.clock import Clock
from txmon.errors import AuthError
from txmon.oidc.issuer import Issuer
from txmon.oidc.jwks import NAME_MAX, PublicKey
from txmon.store.links import SUBJECT_MAX

TOKEN_MAX = 16_384
SKEW_S = 60
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_OUTSIDE_KEYS = ("jwk", "jku", "x5u", "x5c")  # keys that a token brings or points to
_CHANGES = ("crit", "b64", "zip", "enc")  # what makes a token other than it looks
_TYPES = (None, "jwt", "at+jwt", "application/at+jwt", "application/jwt")
_SECOND_US = 1_000_000
Claims = Mapping[str, Any]


@dataclass(frozen=True)
class Rules:
    """age_s: the oldest token that is taken, whatever it says of its end. Seconds."""

    algorithms: tuple[str, ...]
    age_s: float = 7200.0


def looks_like_token(text: str) -> bool:
    """Say whether a credential is to be read as a token; a key of ours has no dot."""
    return text.count(".") >= 2


class Tokens:
    """See the module."""

    def __init__(self, issuer: Issuer, rules: Rules, clock: Clock) -> None:
        self._issuer, self._rules, self._clock = issuer, rules, clock
        self._jws = PyJWS(algorithms=rules.algorithms)

    def close(self) -> None:
        """Give up what is being asked of the issuer."""
        self._issuer.close()

    async def check(self, token: str, audience: str) -> Claims:
        """Return the claims of a token.

        Raises:
            AuthError: it is not to be believed. IssuerUnavailable: its key cannot be looked up now.
        """
        name, algorithm = self._head(token)
        key = await self._issuer.key(name, algorithm)
        if key is None:
            raise AuthError("unknown", "the issuer has no such key for this algorithm; get a new token")
        claims = self._signed(token, key, algorithm)
        if claims.get("iss") != self._issuer.name:
            raise AuthError("issuer", "the token is of another issuer")
        _check_audience(claims.get("aud"), audience)
        self._check_times(claims)
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 1 <= len(subject) <= SUBJECT_MAX or not subject.isprintable():
            raise AuthError("claims", "the token names no subject that can be")
        if "cnf" in claims:  # to be used only by who proves to hold a key, which nobody does here
            raise AuthError("claims", "the token is bound to a key; send one that is not")
        return claims

    def _head(self, token: str) -> tuple[str, str]:
        """Name of the key and algorithm."""
        if len(token) > TOKEN_MAX or not _FORM.fullmatch(token):
            raise AuthError("malformed", "the token is not three parts in base64url; send it as issued")
        try:
            header = self._jws.get_unverified_header(token)
        except PyJWTError:
            raise AuthError("malformed", "the token's header cannot be read") from None
        algorithm, name, kind = header.get("alg"), header.get("kid"), header.get("typ")
        if algorithm not in self._rules.algorithms:
            allowed = ", ".join(self._rules.algorithms)
            raise AuthError("algorithm", f"tokens are signed with {allowed}; this one is not")
        if any(word in header for word in (*_OUTSIDE_KEYS, *_CHANGES)):
            raise AuthError("header", "the token's header brings keys or changes how it is to be read")
        if kind is not None and (not isinstance(kind, str) or kind.lower() not in _TYPES):
            raise AuthError("header", "this kind of token opens nothing here")
        if not isinstance(name, str) or not 1 <= len(name) <= NAME_MAX or not name.isprintable():
            raise AuthError("header", "the token does not name its key")
        return name, algorithm

    def _signed(self, token: str, key: PublicKey, algorithm: str) -> Claims:
        try:
            payload = self._jws.decode(token, key, algorithms=[algorithm])
            claims = orjson.loads(payload)
        except InvalidSignatureError:
            raise AuthError("signature", "the token's signature is not the issuer's") from None
        except (PyJWTError, ValueError, TypeError):
            raise AuthError("malformed", "the token cannot be read") from None
        if not isinstance(claims, dict):
            raise AuthError("malformed", "the token holds no claims")
        return claims

    def _check_times(self, claims: Claims) -> None:
        now = self._clock.now_us() / _SECOND_US
        ends, made = _time(claims, "exp"), _time(claims, "iat")
        begins = _time(claims, "nbf") if "nbf" in claims else made
        if now >= ends + SKEW_S:
            raise AuthError("expired", "the token has expired; get a new one")
        if now - made > self._rules.age_s + SKEW_S:
            raise AuthError("expired", "the token was made too long ago; get a new one")
        if made > now + SKEW_S or begins > now + SKEW_S:
            raise AuthError("claims", "the token is of the future; compare the clocks")


def _check_audience(found: object, audience: str) -> None:
    named = found if isinstance(found, list) else [found]
    if not all(isinstance(each, str) for each in named) or audience not in named:
        raise AuthError("audience", "the token is not for this service; ask the issuer for one that is")


def _time(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**53:
        raise AuthError("claims", f"the token lacks {name} as seconds since 1970")
    return float(value)
