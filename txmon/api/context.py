"""What handlers work with: the parts of the service, a request that is under way, an answer.

Owns the shapes and the headers that every answer carries; no behaviour of a route.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import orjson

from txmon.api.problems import Header
from txmon.api.table import EXPLAIN, Entry
from txmon.clock import Clock
from txmon.errors import AuthError
from txmon.metrics import Metrics
from txmon.notify import Master
from txmon.oidc import Identity, Session
from txmon.pipeline.config import Config
from txmon.pipeline.inbox import Done
from txmon.pipeline.log import Log
from txmon.pipeline.work import Decoded, Sender, Work
from txmon.rules.ir import Rule
from txmon.settings import Settings
from txmon.store import Store, Tx
from txmon.store.access import Access
from txmon.store.audit import AuditLog
from txmon.store.identity import Principal
from txmon.store.retention import Past
from txmon.store.retentionfile import load_classes
from txmon.vault.caller import Caller
from txmon.vault.rooms import Rooms

T = TypeVar("T")
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Decode = Callable[[Sequence[bytes]], Decoded]

JSON_TYPE: Header = (b"content-type", b"application/json")
PROBLEM_TYPE: Header = (b"content-type", b"application/problem+json")
SECURITY_HEADERS: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
TRANSPORT_SECURITY: Header = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")


class Service(Protocol):
    """What the API needs of `txmon.pipeline.service.Service`."""

    store: Store
    config: Config

    @property
    def rules(self) -> Mapping[str, Rule]:
        """The rules at work by id."""
        ...

    def submit(self, work: Work, done: Done) -> None:
        """Hand events over; see there."""
        ...

    def change(self, make: Callable[[Tx], T]) -> Future[T]:
        """Run a change in the writer's turn; see there."""
        ...

    def readiness(self) -> list[str]:
        """Return what keeps events from being taken."""
        ...

    def status(self) -> dict[str, Any]:
        """Return how far everything is."""
        ...

    def stage(self) -> Config | None:
        """Read the rule files again; see there."""
        ...

    def activate(self, config: Config, decision: Mapping[str, Any]) -> Future[int]:
        """Put a config in force; see there."""
        ...


def _nobody() -> None:
    """Wakes nobody: there are no deliveries."""


@dataclass
class Parts:
    """Everything the handlers share.

    decode: makes a decoder for a bulk request, off the writer's thread. wake: has the deliveries of webhooks
    look at the endpoints. master: makes their secrets; None: no key file is set. identity: recognises tokens
    and sessions of people who sign in elsewhere; None: nobody does. rooms: the vault of reports; None:
    there is none. warehouse: its folder, or None.
    """

    service: Service
    settings: Settings
    metrics: Metrics
    access: Access
    audit: AuditLog
    clock: Clock
    log: Log
    decode: Callable[[Sender], Decode] | None = None
    wake: Callable[[], None] = _nobody
    master: Master | None = None
    identity: Identity | None = None
    rooms: Rooms | None = None
    warehouse: Path | None = None
    senders: dict[tuple[str, str], tuple[Principal, Sender]] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        """The store of the service."""
        return self.service.store

    def past(self) -> Past:
        """Return what is past its retention now."""
        return load_classes(self.settings.retention_file).at(self.clock.now_us())

    def sender(self, who: Principal, feed: str) -> Sender:
        """Return whose events a key sends: what absent fields mean, and what it may send.

        A key of one entity or mode gives its events that one; a key of several that do not include the
        service's own must name the entity in each event.
        """
        named = (who.key_id or "", feed)
        found = self.senders.get(named)
        if found is not None and found[0] is who:
            return found[1]
        own = self.settings.entity
        if who.entities is not None and own not in who.entities and len(who.entities) == 1:
            (own,) = who.entities
        modes = None if who.mode is None else frozenset((who.mode,))
        made = Sender(feed, own, who.mode or "live", who.entities, modes)
        self.senders[named] = (who, made)
        return made

    def transport_headers(self) -> tuple[Header, ...]:
        """Return the headers that every answer carries."""
        tls = self.settings.tls_cert_file is not None or self.settings.behind_tls_proxy
        return (*SECURITY_HEADERS, TRANSPORT_SECURITY) if tls else SECURITY_HEADERS


@dataclass
class Answer:
    """A whole answer."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = (JSON_TYPE,)


class Exchange:
    """A request under way."""

    __slots__ = (
        "_vault", "_who", "body", "entry", "headers", "receive", "request_id", "scope", "send", "session",
        "status",
    )  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = request_id
        self.entry: Entry | None = None
        self.status = 0  # of the answer, once it has begun
        self.body: bytes | None = None  # where the gate has read it
        self.session: Session | None = None  # by which it came, if by one
        self._who: Principal | None = None
        self._vault: Caller | None = None

    @property
    def inside(self) -> bool:
        """Whether whoever asks was let into the vault: then nothing of it is noted elsewhere."""
        return self._vault is not None

    @property
    def vault(self) -> Caller:
        """Who asks, in the vault.

        Raises:
            AuthError: nobody whom it lets in.
        """
        if self._vault is None:
            raise AuthError("missing")
        return self._vault

    @vault.setter
    def vault(self, caller: Caller) -> None:
        self._vault, self._who = caller, caller.who

    @property
    def who(self) -> Principal:
        """Who asks.

        Raises:
            AuthError: nobody, on a public route.
        """
        if self._who is None:
            raise AuthError("missing")
        return self._who

    @who.setter
    def who(self, who: Principal) -> None:
        self._who = who

    @property
    def known(self) -> bool:
        """Whether it is known who asks."""
        return self._who is not None

    @property
    def explained(self) -> bool:
        """Whether the answer may name rules and reasons."""
        return EXPLAIN in self.who.scopes


RawHandler = Callable[[Exchange], Awaitable[Answer | None]]  # None: it has answered by itself


def json_answer(value: Any, status: int = 200, headers: Sequence[Header] = ()) -> Answer:
    """Return a value as an answer."""
    return Answer(status, orjson.dumps(value), (JSON_TYPE, *headers))
