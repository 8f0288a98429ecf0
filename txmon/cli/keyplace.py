"""What the commands of `txmon keys` share: the store, whose key is used, and how things are printed.

A change needs the store to itself and the key of the person who makes it, so that the journal names a human
being. A list needs neither. Owns no rule of who may do what; that is in `txmon.store.access`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import typer

from txmon.cli.storeplace import places_of
from txmon.clock import SystemClock, random_bytes, rfc3339
from txmon.errors import ConfigError, InputError, WriterActive
from txmon.store import Store, Tx
from txmon.store.access import Access, KeyRow, KeySpec, NewKey, Person, Principal
from txmon.store.identity import SERVICE_SCOPES

T = TypeVar("T")
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Hands:
    """An open store and who changes it."""

    store: Store
    access: Access
    who: Principal

    def change(self, make: Callable[[Tx, Access, Principal], T]) -> T:
        """Run a change in a transaction of its own."""
        with self.store.write() as tx:
            return make(tx, self.access, self.who)


@contextmanager
def opened(place: str | None, settings: Path | None, *, make: bool = False) -> Iterator[Store]:
    """Open a store for writing; `make` one where there is none.

    Raises:
        WriterActive: the service or another command writes it.
    """
    places = places_of(place, settings)
    try:
        if make:
            store = Store.open(
                places.store,
                clock=SystemClock(),
                random_bytes=random_bytes,
                heads=places.heads,
                erasures=places.erasures,
            )
        else:
            store = places.open()
    except WriterActive as error:
        raise WriterActive(
            f"{error.detail}. While the service runs, people and keys are changed by its API "
            "(/v1/people, /v1/keys, /v1/proposals); this command needs the store to itself"
        ) from error
    with store:
        yield store


@contextmanager
def hands(place: str | None, settings: Path | None, key_file: Path | None) -> Iterator[Hands]:
    """Open a store in the name of whose key it is.

    Raises:
        AuthError: the key is none, or not valid. ConfigError: its file cannot be read.
    """
    with opened(place, settings) as store:
        access = Access(store)
        yield Hands(store, access, access.authenticate(token_of(key_file), store.clock.now_us()))


def token_of(key_file: Path | None) -> str:
    """Return the key in a file, or ask for it.

    Raises:
        ConfigError: the file cannot be read, or others may read it.
    """
    if key_file is None:
        asked: str = typer.prompt("your API key", hide_input=True, err=True)
        return asked.strip()
    try:
        if key_file.stat().st_mode & 0o077:
            raise ConfigError(f"{key_file} may be read by others; run `chmod 600 {key_file}`")
        return key_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key_file}: cannot be read; it holds one API key, as it was printed") from error


def spec_of(
    owner: Person | str, scopes: list[str] | None, roles: list[str] | None, mode: str | None,
    entities: list[str] | None, days: float | None,
) -> KeySpec:  # fmt: skip
    """Return what a new key is to be, for a person or for a service of this name; expiry in days from now.

    Raises:
        InputError: no scope given, or days that lie behind us.
    """
    if not scopes:
        raise InputError(
            f"name what the key is for by --scope; one or more of {', '.join(sorted(SERVICE_SCOPES))}"
        )
    if days is not None and days <= 0:
        raise InputError("--days: a key that has expired is of no use; name a number above 0")
    expires = None if days is None else SystemClock().now_us() + int(days * DAY_US)
    of_roles = frozenset(roles) if roles else None
    within = frozenset(entities) if entities else None
    name, person = (owner, None) if isinstance(owner, str) else (owner.name, owner.id)
    return KeySpec(name, frozenset(scopes), person, of_roles, mode, within, expires)


def tell_key(key: NewKey, as_json: bool, **facts: Any) -> None:
    """Print a new key, this once."""
    grant = "" if key.grant_id is None else f"; it works when another person approves {key.grant_id}"
    lines = [f"key {key.key_id}{grant}", "this is shown once, keep it safe:", key.token]
    tell({"key_id": key.key_id, "key": key.token, "grant_id": key.grant_id} | facts, lines, as_json)


def tell(facts: dict[str, Any], lines: Iterable[str], as_json: bool) -> None:
    """Print for a person, or one JSON object."""
    for line in [json.dumps(facts)] if as_json else lines:
        typer.echo(line)


def person_facts(person: Person) -> dict[str, Any]:
    """Return a person as plain values."""
    return {
        "id": person.id,
        "name": person.name,
        "roles": sorted(person.roles),
        "entities": None if person.entities is None else sorted(person.entities),
        "state": person.state,
        "created": rfc3339(person.created_us),
    }


def key_facts(key: KeyRow) -> dict[str, Any]:
    """Return a key as plain values, without its text."""
    return {
        "id": key.id,
        "prefix": key.prefix,
        "name": key.name,
        "person": key.person_id,
        "scopes": sorted(key.scopes),
        "roles": None if key.roles is None else sorted(key.roles),
        "mode": key.mode,
        "entities": None if key.entities is None else sorted(key.entities),
        "state": key.state,
        "expires": _time(key.expires_us),
        "last_used": _time(key.last_used_us),
        "replaced_by": key.replaced_by,
    }


def _time(moment_us: int | None) -> str | None:
    return None if moment_us is None else rfc3339(moment_us)
