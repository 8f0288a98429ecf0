"""Who acts: a person or a service, what it may do, and the text of a key.

    txm_<live|test>_<prefix, 8 characters>_<secret, 43 characters: 32 random bytes in base64url>

The prefix names a key in lists and logs; only the SHA-256 of the whole text is stored. A fast hash is
enough for 256 random bits: there is nothing to guess.
Owns names of roles and scopes and the form of keys and ids; reads no table.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

from txmon.clock import RandomBytes
from txmon.errors import Forbidden, FourEyes, InputError
from txmon.store.retention import Past

ROLES = frozenset(("ingest", "analyst", "approver", "safeguarding", "auditor", "coalition", "admin"))
RESERVED_ROLES = frozenset(("mlro", "mlro_release", "examiner"))  # of the vault of reports
SERVICE_ROLES = frozenset(("ingest", "analyst", "auditor", "coalition"))  # none that decides
SCOPES = frozenset(("ingest", "explain", "read", "admin"))
SERVICE_SCOPES = SCOPES - {"admin"}
ENROL = "enrol"  # the one scope of a key that another person made: to be exchanged by its owner
MODES = ("live", "test")

_TOKEN = re.compile(r"txm_(live|test)_([a-z2-7]{8})_([A-Za-z0-9_-]{43})", re.ASCII)
_NAME_MAX = 80


@dataclass(frozen=True)
class Principal:
    """Who makes a request.

    mode: the only one it may touch; None: both. entities: the only reporting entities; None: all.
    identity: ``person:<id>`` or ``service:<key id>``; all keys of a person are one identity. past: what this
    one does not see since it is past its retention at the moment of the request; None: nothing is.
    """

    key_id: str | None
    person_id: str | None
    name: str
    kind: str  # person | service
    roles: frozenset[str]
    scopes: frozenset[str]
    mode: str | None
    entities: frozenset[str] | None
    identity: str
    past: Past | None = field(default=None, compare=False, repr=False)

    @property
    def is_person(self) -> bool:
        """Say whether this is a human being."""
        return self.kind == "person"

    def require_person(self) -> None:
        """Demand a human being with a key that only this person knows.

        Raises:
            FourEyes: a service. Forbidden: the key was made by another and not exchanged yet.
        """
        if not self.is_person:
            raise FourEyes("a service neither proposes nor approves; use a person's key")
        if ENROL in self.scopes:
            raise Forbidden("exchange this key for one of your own first: rotate it")

    def may_touch(self, mode: str, entity: str) -> bool:
        """Say whether data of a mode and a reporting entity are this one's to see."""
        return self.mode in (None, mode) and (self.entities is None or entity in self.entities)

    def require(self, scope: str, roles: Collection[str] = ()) -> None:
        """Demand a scope, and one of `roles` if any are named.

        Raises:
            Forbidden: it has not.
        """
        if scope not in self.scopes:
            raise Forbidden(f"the key lacks the scope {scope!r}; use one that has it")
        if roles and not self.roles & frozenset(roles):
            raise Forbidden(f"this takes the role {' or '.join(sorted(roles))}; ask someone who has it")


class Grantable(Protocol):
    """What a grant of a key says of it: a `KeySpec` before it is made, a row of the table behind that."""

    @property
    def name(self) -> str: ...
    @property
    def scopes(self) -> frozenset[str]: ...
    @property
    def roles(self) -> frozenset[str] | None: ...
    @property
    def mode(self) -> str | None: ...
    @property
    def entities(self) -> frozenset[str] | None: ...
    @property
    def expires_us(self) -> int | None: ...


@dataclass(frozen=True)
class KeySpec:
    """What a new key is to be.

    person_id: whose it is; None: a service's, called `name`. roles: of a service; a person's key has the
    person's. expires_us: None: never.
    """

    name: str
    scopes: frozenset[str]
    person_id: str | None = None
    roles: frozenset[str] | None = None
    mode: str | None = None
    entities: frozenset[str] | None = None
    expires_us: int | None = None

    def check(self) -> None:
        """Raises: InputError: what no key may be."""
        check_name(self.name)
        service = self.person_id is None
        check_words(self.scopes, SERVICE_SCOPES if service else SCOPES, "scope")
        if not self.scopes:
            raise InputError(f"a key needs a scope; one or more of {', '.join(sorted(SCOPES))}")
        if self.mode not in (None, *MODES):
            raise InputError(f"mode {self.mode!r} is not one of {', '.join(MODES)}")
        if service and not self.roles:
            raise InputError(f"a service's key needs a role; of {', '.join(sorted(SERVICE_ROLES))}")
        if not service and self.roles is not None:
            raise InputError("a person's key has the person's roles; name none")
        if self.roles:
            check_words(self.roles, SERVICE_ROLES, "role of a service")
        check_entities(self.entities)


@dataclass(frozen=True)
class NewKey:
    """A key as it is told once. grant_id: the proposal that must be approved first; None: it works."""

    key_id: str
    token: str
    grant_id: str | None

    def __repr__(self) -> str:
        return f"NewKey({self.key_id}, grant_id={self.grant_id})"


def new_id(kind: str, source: RandomBytes) -> str:
    """Make an id, ``psn_`` and 16 characters: 80 random bits."""
    return f"{kind}_{_base32(source(10))}"


def new_token(mode: str | None, source: RandomBytes) -> str:
    """Make the text of a key; one for both modes is marked live."""
    secret = base64.urlsafe_b64encode(source(32)).decode().rstrip("=")
    return f"txm_{mode or 'live'}_{_base32(source(5))}_{secret}"


def prefix_of(token: str) -> str | None:
    """Return the prefix in a key's text, None where the text is no key."""
    found = _TOKEN.fullmatch(token)
    return found[2] if found else None


def digest(token: str) -> bytes:
    """Return what is stored of a key's text."""
    return sha256(token.encode()).digest()


def fingerprint(stored: bytes) -> str:
    """Return what the journal says of a key: it tells a swapped row, and opens nothing."""
    return sha256(stored).hexdigest()


def shown(key: Grantable) -> dict[str, Any]:
    """Return what a key may do as plain values, as a grant shows it."""
    given = {"scopes": key.scopes, "roles": key.roles, "entities": key.entities}
    lists = {name: None if values is None else sorted(values) for name, values in given.items()}
    return {"name": key.name, "mode": key.mode, "expires_us": key.expires_us} | lists


def check_roles(roles: Collection[str]) -> None:
    """Raises: InputError: a role that is none, or that only the vault of reports knows."""
    reserved = sorted(set(roles) & RESERVED_ROLES)
    if reserved:
        raise InputError(f"{', '.join(reserved)}: roles of the vault of reports; they are not granted here")
    check_words(roles, ROLES, "role")


def check_words(given: Collection[str], known: frozenset[str], what: str) -> None:
    """Raises: InputError: a word that is not known."""
    unknown = sorted(set(given) - known)
    if unknown:
        raise InputError(f"{what} {unknown[0]!r} is not one of {', '.join(sorted(known))}")


def check_entities(entities: Collection[str] | None) -> None:
    """Raises: InputError: an empty list, or an empty name."""
    if entities is not None and (not entities or any(not e.strip() for e in entities)):
        raise InputError("name reporting entities, or leave the list out for all of them")


def check_name(name: str) -> None:
    """Raises: InputError: empty, long, or with characters that no name has."""
    if not name.strip() or len(name) > _NAME_MAX or not name.isprintable():
        raise InputError(f"a name has 1 to {_NAME_MAX} printable characters")


def _base32(value: bytes) -> str:
    return base64.b32encode(value).decode().rstrip("=").lower()
