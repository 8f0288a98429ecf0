"""From a token or a session to a person of ours.

Owns the joining: the issuer vouches for a subject, the store says which person that is and what two people
have granted, the groups narrow it. Nothing here gives more than the store does.
"""

from __future__ import annotations

from dataclasses import dataclass

from txmon.errors import AuthError
from txmon.oidc.groups import Bounds, Groups, groups_in, narrowed
from txmon.oidc.sessions import Session, Sessions
from txmon.oidc.signin import Returned, SignIn
from txmon.oidc.tokens import Claims, Tokens
from txmon.store.access import Access
from txmon.store.identity import Principal


@dataclass(frozen=True)
class Terms:
    """Whose tokens are taken. audience: None: no bearer tokens. groups: None: they change nothing."""

    issuer: str
    audience: str | None
    groups: Groups | None
    claim: str


class Unlinked(AuthError):
    """Who signed in is nobody here; ``subject`` is told to that very person, for an administrator."""

    def __init__(self, error: AuthError, subject: str) -> None:
        super().__init__(error.reason, error.detail)
        self.subject = subject


class Identity:
    """See the module. signin, sessions: None where nobody signs in by browser."""

    def __init__(
        self, terms: Terms, access: Access, tokens: Tokens, signin: SignIn | None, sessions: Sessions | None
    ) -> None:
        self._terms, self._access, self._tokens = terms, access, tokens
        self.signin, self.sessions = signin, sessions

    def close(self) -> None:
        """Give up what is being asked of the issuer."""
        self._tokens.close()

    @property
    def issuer(self) -> str:
        """The issuer's name."""
        return self._terms.issuer

    async def by_token(self, token: str) -> Principal:
        """Return who sends a bearer token.

        Raises:
            AuthError: it is not to be believed, or its subject is nobody here. IssuerUnavailable.
        """
        if self._terms.audience is None:
            raise AuthError("malformed")
        claims = await self._tokens.check(token, self._terms.audience)
        return self._person(claims["sub"], self._bounds(claims))

    def by_session(self, session: Session) -> Principal:
        """Return whose session it is, as things stand now.

        Raises:
            AuthError: the person was locked out, or is linked no more.
        """
        return self._person(session.subject, session.bounds)

    async def finish(self, note: str | None, returned: Returned) -> tuple[str, Session, Principal]:
        """End a sign-in: begin a session; returns its secret, itself and whose it is.

        Raises:
            AuthError, IssuerUnavailable: see `SignIn.finish`. Unlinked: the subject is nobody here.
        """
        if self.signin is None or self.sessions is None:
            raise AuthError("missing")
        claims = await self.signin.finish(note, returned)
        subject, bounds = claims["sub"], self._bounds(claims)
        try:
            who = self._person(subject, bounds)
        except AuthError as error:
            raise Unlinked(error, subject) from None
        return *self.sessions.begin(subject, bounds), who

    def _person(self, subject: str, bounds: Bounds | None) -> Principal:
        return narrowed(self._access.recognise(self._terms.issuer, subject), bounds)

    def _bounds(self, claims: Claims) -> Bounds | None:
        groups = self._terms.groups
        return None if groups is None else groups.bounds(groups_in(claims.get(self._terms.claim)))
