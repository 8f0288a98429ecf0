"""Where a store and what is derived from it lie, and who may ask for an erasure; shared by `txmon store`.

Owns paths and the reading of lists of subjects and events from files; changes nothing.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from txmon.clock import SystemClock, random_bytes
from txmon.errors import ConfigError, FourEyes, InputError
from txmon.evidence import signing
from txmon.settings import load
from txmon.store import Store
from txmon.store.db import ERASURES_FILE
from txmon.store.dialects import DATABASE_FILE
from txmon.store.erase import Why
from txmon.store.keeping import Keeper
from txmon.store.schema import people
from txmon.store.warehouse import layout
from txmon.store.warehouse.forget import SNAPSHOTS
from txmon.vault import keyfiles
from txmon.vault.vault import Vault


@dataclass(frozen=True)
class Places:
    """A store, its log of heads and file of erasures (None: beside a folder's database), what is derived."""

    store: str | Path
    heads: Path | None
    erasures: Path | None
    warehouse: Path
    snapshots: Path
    retention: Path | None = None  # file of retention classes; None: the one that ships
    vault: Path | None = None  # the vault that copies of what is held go to
    vault_key: Path | None = None
    evidence_key: Path | None = None  # key that signs bundles and heads; None: the user's own

    @property
    def signing_key(self) -> Path:
        """The key that signs bundles and heads."""
        return self.evidence_key or signing.default_key_path()

    def open(self, *, read_only: bool = False) -> Store:
        """Open the store.

        Raises:
            StoreError: as `Store.open`. ConfigError: a folder that holds no store.
        """
        if isinstance(self.store, Path) and not (self.store / DATABASE_FILE).exists():
            raise ConfigError(f"{self.store} holds no store; name its folder with --store")
        return Store.open(
            self.store,
            clock=SystemClock(),
            random_bytes=random_bytes,
            heads=self.heads,
            erasures=self.erasures,
            read_only=read_only,
        )

    @contextmanager
    def keeper(self) -> Iterator[Keeper | None]:
        """Give the vault that copies of what is held go to; None where none was made.

        Raises:
            ConfigError, StateError: it is there and cannot be opened.
        """
        if self.vault is None or not self.vault.exists():
            yield None
            return
        key_file = self.vault_key or keyfiles.default_key_path()
        with Vault.open(self.vault, key_file, clock=SystemClock(), random_bytes=random_bytes) as vault:
            yield vault


def places_of(store: str | None, settings: Path | None, heads: Path | None = None) -> Places:
    """Return the places of a store; what is not said comes from the settings."""
    said = {"store": store, "settings": settings, "heads_file": heads}
    chosen = load(os.environ, said)
    database = chosen.store_is_database
    state = chosen.state_dir if database else Path(chosen.store)
    return Places(
        chosen.store if database else state,
        chosen.heads_file,
        state / ERASURES_FILE if database else None,
        layout.folder_of(state),
        state / SNAPSHOTS,
        chosen.retention_file,
        chosen.vault_path,
        chosen.vault_key_file,
        chosen.evidence_key,
    )


def why_of(store: Store, reason: str, author: str, approver: str) -> Why:
    """Return the decision behind an erasure, by two people that the store knows.

    A store whose people were never named takes the two ids as they are.

    Raises:
        FourEyes: a person is not known or not active, or the second one may not approve. InputError: no two
        people, no reason.
    """
    with store.read() as conn:
        rows = conn.execute(sa.select(people.c.id, people.c.name, people.c.state, people.c.roles)).all()
    if not rows:
        why = Why(reason, author, approver)
        why.check()
        return why
    active = {named: row for row in rows if row.state == "active" for named in (row.id, row.name)}
    for person in (author, approver):
        if person not in active:
            raise FourEyes(f"{person!r} is no active person of this store; give a person's name or id")
    if '"approver"' not in active[approver].roles:
        raise FourEyes(f"{approver!r} has not the role 'approver'; ask someone who has")
    why = Why(reason, active[author].id, active[approver].id)
    why.check()
    return why


def lines_of(path: Path | None) -> list[str]:
    """Return the lines of a file of names, without empty ones.

    Raises:
        InputError: it cannot be read.
    """
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text, one name a line") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def keys_of(path: Path | None) -> list[tuple[str, str]]:
    """Return events from a CSV file of two columns, source and event id, without a heading.

    Raises:
        InputError: a line is none.
    """
    return [_key(row, number, path) for number, row in enumerate(csv.reader(lines_of(path)), 1)]


def _key(row: Iterable[str], number: int, path: Path | None) -> tuple[str, str]:
    parts = list(row)
    if len(parts) != 2:
        raise InputError(f"{path}:{number}: give source,event_id; {len(parts)} columns are not two")
    return parts[0], parts[1]
