"""What the issuer says of itself, and its keys: asked for when needed, kept, and asked again in measure.

    issuer = Issuer(name, fetch, policy, log)
    key = await issuer.key("2026-11", "RS256")
    found = await issuer.description()

Known keys are used at once; when they are older than `keys_s` they are fetched again beside, and when they
are older than twice that, before. An unknown key is a reason to look, at most once in `pause_s` whoever asks,
so that made-up names cost the issuer nothing. One request is under way at a time. Without the issuer its keys
are trusted for `stale_s`, no longer.
Owns the cache; used in the event loop only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from txmon.clock import monotonic_s
from txmon.errors import IssuerUnavailable
from txmon.oidc.fetch import Fetch
from txmon.oidc.jwks import ALGORITHMS, KeySet, PublicKey, key_set

WELL_KNOWN = "/.well-known/openid-configuration"
_DESCRIPTION_MAX, _KEYS_MAX = 1 << 16, 1 << 19
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "end_session_endpoint")


class Log(Protocol):
    """Where it is said what happened."""

    def warning(self, event: str, **values: Any) -> None: ...
    def info(self, event: str, **values: Any) -> None: ...


@dataclass(frozen=True)
class Policy:
    """How keys are kept; times in seconds."""

    algorithms: tuple[str, ...] = ALGORITHMS
    keys_s: float = 300.0
    pause_s: float = 10.0
    stale_s: float = 86_400.0
    description_s: float = 3600.0


@dataclass(frozen=True)
class Description:
    """What the issuer says of itself. The endpoints that are there were looked at."""

    jwks_uri: str
    endpoints: dict[str, str]
    basic: bool  # the client's secret goes into a header; else into the form
    names_itself: bool  # in answers to a sign-in (RFC 9207)


class Issuer:
    """See the module."""

    def __init__(
        self, name: str, fetch: Fetch, policy: Policy, log: Log,
        *, now_s: Callable[[], float] = monotonic_s,
    ) -> None:  # fmt: skip
        self.name, self.policy = name, policy
        self._fetch, self._log, self._now_s = fetch, log, now_s
        self._description: tuple[float, Description] | None = None
        self._keys: tuple[float, KeySet] | None = None  # when they came
        self._tried_s = float("-inf")
        self._failed: IssuerUnavailable | None = None
        self._under_way: asyncio.Task[None] | None = None
        self._one = asyncio.Lock()
        self._silent: tuple[float, IssuerUnavailable] | None = None  # when it could not be described, and why

    async def key(self, name: str, algorithm: str) -> PublicKey | None:
        """Return a public key of the issuer; None: it has none of this name for this algorithm.

        Raises:
            IssuerUnavailable: it cannot be asked now.
        """
        keys = self._kept()
        if keys is None:
            await self._refreshed()
            keys = self._kept()
            if keys is None:
                raise (self._failed or IssuerUnavailable("the issuer's keys are too old", "stale")).again()
        found = keys.find(name, algorithm)
        if found is not None:
            if self._age_s() > self.policy.keys_s and self._may_ask():
                self._start()  # the answer counts for the next one
            if self._under_way is None or self._failed is not None:
                return found
            if self._age_s() <= 2 * self.policy.keys_s:
                return found  # after a long quiet it counts for this one
        await self._refreshed()
        keys = self._kept()
        found = None if keys is None else keys.find(name, algorithm)
        if found is None and self._failed is not None:  # it may be a new key that cannot be seen
            raise self._failed.again()
        return found

    async def description(self) -> Description:
        """Return what the issuer says of itself.

        Raises:
            IssuerUnavailable: it cannot be asked now, or says what cannot be.
        """
        async with self._one:
            kept = self._description
            if kept is not None and self._now_s() - kept[0] <= self.policy.description_s:
                return kept[1]
            if self._silent is not None and self._now_s() - self._silent[0] < self.policy.pause_s:
                raise self._silent[1].again()
            try:
                found = await self._fetch.get(self.name.rstrip("/") + WELL_KNOWN, _DESCRIPTION_MAX)
                described = self._checked(found)
            except IssuerUnavailable as error:
                self._silent = (self._now_s(), error)
                self._log.warning("issuer.failed", reason=error.reason)
                raise
            self._description, self._silent = (self._now_s(), described), None
            return described

    def close(self) -> None:
        """Give up what is under way."""
        if self._under_way is not None:
            self._under_way.cancel()

    # -- keys ----------------------------------------------------------------------------------------

    def _kept(self) -> KeySet | None:
        return None if self._keys is None or self._age_s() > self.policy.stale_s else self._keys[1]

    def _age_s(self) -> float:
        return float("inf") if self._keys is None else self._now_s() - self._keys[0]

    def _may_ask(self) -> bool:
        return self._under_way is None and self._now_s() - self._tried_s >= self.policy.pause_s

    def _start(self) -> asyncio.Task[None]:
        self._tried_s = self._now_s()
        self._under_way = asyncio.get_running_loop().create_task(self._refresh())
        return self._under_way

    async def _refreshed(self) -> None:
        """Wait for keys that are asked for now, or are being asked for; not at all within the pause."""
        if self._under_way is None and self._may_ask():
            self._start()
        if self._under_way is not None:
            await asyncio.shield(self._under_way)

    async def _refresh(self) -> None:
        try:
            described = await self.description()
            keys = key_set(await self._fetch.get(described.jwks_uri, _KEYS_MAX), self.policy.algorithms)
            if not keys:
                raise IssuerUnavailable("the issuer has no key that can be used", "no_key")
            self._keys, self._failed = (self._now_s(), keys), None
        except IssuerUnavailable as error:
            if self._description is not None:  # else it has been said
                self._log.warning("issuer.failed", reason=error.reason)
            self._failed, self._description = error, None
        finally:
            self._under_way = None

    def _checked(self, found: dict[str, Any]) -> Description:
        if found.get("issuer") != self.name:
            raise IssuerUnavailable("the issuer calls itself otherwise; correct TXMON_OIDC_ISSUER", "name")
        given = {name: found[name] for name in ("jwks_uri", *_ENDPOINTS) if found.get(name) is not None}
        if "jwks_uri" not in given or not all(self._fetch.is_safe(url) for url in given.values()):
            raise IssuerUnavailable("the issuer names an address that is not https", "address")
        ways = found.get("token_endpoint_auth_methods_supported")
        return Description(
            jwks_uri=given.pop("jwks_uri"),
            endpoints=given,
            basic=not isinstance(ways, list) or "client_secret_basic" in ways,
            names_itself=found.get("authorization_response_iss_parameter_supported") is True,
        )
