"""What the issuer's groups are here: roles and reporting entities, from a file.

    [groups."payments-analysts"]
    roles = ["analyst"]
    entities = ["north"]            # left out: all of them

A group narrows and never widens: who is in it may do of its roles what two people have granted that person.
The same content may be JSON. Owns the file's form and what several groups are together.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from txmon.errors import ConfigError
from txmon.store.identity import ROLES, Principal
from txmon.store.known import both

_FIELDS = ("roles", "entities")
# what a role's work needs of the routes
_SCOPES: Mapping[str, frozenset[str]] = {
    "ingest": frozenset({"ingest"}),
    "analyst": frozenset({"read", "explain"}),
    "approver": frozenset({"read", "explain"}),
    "safeguarding": frozenset({"read", "explain"}),
    "auditor": frozenset({"read", "explain", "admin"}),
    "coalition": frozenset({"read"}),
    "admin": frozenset({"read", "admin"}),
}


@dataclass(frozen=True)
class Bounds:
    """What a sign-in may do at most. entities: None: all."""

    roles: frozenset[str]
    entities: frozenset[str] | None


class Groups:
    """Groups of a file by name."""

    def __init__(self, groups: Mapping[str, Bounds]) -> None:
        self._groups = dict(groups)

    def bounds(self, names: Iterable[str]) -> Bounds:
        """Return what those who are in these groups may do at most: their sum."""
        held = [self._groups[name] for name in sorted(set(names)) if name in self._groups]
        roles = frozenset[str]().union(*(each.roles for each in held))
        if any(each.entities is None for each in held):
            return Bounds(roles, None)
        return Bounds(roles, frozenset[str]().union(*(each.entities or () for each in held)))


def narrowed(who: Principal, bounds: Bounds | None) -> Principal:
    """Return a person within the bounds of a sign-in, with the scopes that the remaining roles need."""
    roles = who.roles if bounds is None else who.roles & bounds.roles
    entities = who.entities if bounds is None else both(who.entities, bounds.entities)
    scopes = frozenset[str]().union(*(_SCOPES.get(role, frozenset()) for role in roles))
    return replace(who, roles=roles, scopes=scopes, entities=entities)


def groups_in(value: object) -> frozenset[str]:
    """Return the names in a token's claim: a list of texts, or one text; of anything else none."""
    names: Collection[object] = value if isinstance(value, list) else [value]
    return frozenset(name for name in names if isinstance(name, str))


def load_groups(path: Path) -> Groups:
    """Read a file of groups.

    Raises:
        ConfigError: it cannot be read, or says what cannot be; every fault at once.
    """
    label = f"TXMON_OIDC_GROUPS: {path}"
    try:
        text = path.read_text(encoding="utf-8")
        content: Any = orjson.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{label}: {error.strerror}; correct the path") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise ConfigError(f"{label}: {error}; it is TOML, or JSON where its name ends in .json") from error
    listed = content.get("groups") if isinstance(content, dict) else None
    if not isinstance(listed, dict) or not listed or set(content) != {"groups"}:
        raise ConfigError(f'{label}: it holds a table `groups` and nothing else, as [groups."NAME"]')
    faults = [
        f"{label}: group {name!r}: {fault}" for name, group in listed.items() for fault in _faults(group)
    ]
    if faults:
        raise ConfigError("\n".join(faults))
    return Groups(
        {
            name: Bounds(
                frozenset(group["roles"]), frozenset(group["entities"]) if "entities" in group else None
            )
            for name, group in listed.items()
        }
    )


def _faults(group: object) -> Iterable[str]:
    if not isinstance(group, dict):
        yield "is a table of roles and entities"
        return
    unknown = sorted(set(group) - set(_FIELDS))
    if unknown:
        yield f"{unknown[0]!r} is neither roles nor entities; correct or remove it"
    roles = group.get("roles")
    if not _texts(roles):
        yield f"roles is a list of one or more of {', '.join(sorted(ROLES))}"
    elif wrong := sorted(set(roles or ()) - ROLES):
        yield f"role {wrong[0]!r} is not one of {', '.join(sorted(ROLES))}"
    if "entities" in group and not _texts(group["entities"]):
        yield "entities is a list of names; leave it out for all of them"


def _texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) and v.strip() for v in value)
