"""The service that `txmon demo` works with: the real one, in this process, on a folder of its own.

Owns starting and stopping it, and the two people's keys, which are written beside the store for a first look.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from txmon.cli.port import Port
from txmon.cli.running import doors_of, open_service
from txmon.clock import SystemClock, random_bytes
from txmon.demo import papers
from txmon.demo.desk import ANA, BEN, Desk
from txmon.errors import ConfigError
from txmon.settings import Settings
from txmon.store import Store
from txmon.store.access import Access
from txmon.store.accounts import list_people
from txmon.store.dialects import DATABASE_FILE
from txmon.vault.vault import Vault

STORE, SETTINGS = "store", "settings.toml"
_ROLES = {ANA: ("analyst", "admin"), BEN: ("approver", "safeguarding", "admin")}


@contextmanager
def open_desk(out: Path) -> Iterator[Desk]:
    """Start a service on a fresh store; see `txmon.demo.desk.OpenDesk`.

    Raises:
        ConfigError: the folder holds something that is no store.
    """
    folder = out / STORE
    _empty(folder)
    with Store.open(folder, clock=SystemClock(), random_bytes=random_bytes) as opened:
        access = Access(opened)
        with opened.write() as tx:
            made = access.bootstrap(tx, list(_ROLES.items()))
        with opened.read() as conn:
            ids = {person.name: person.id for person in list_people(conn)}
    keys = {name: new.token for name, new in zip(_ROLES, made, strict=True)}
    for name, token in keys.items():
        _write(folder / f"{name.lower()}.key", token)
    settings = _settings(out.resolve())
    vault_key, backup_key = folder / "vault.key", folder / "vault-backup.key"
    files = (settings.vault_path, vault_key, backup_key)
    Vault.make(*files, (ids[ANA], ids[BEN]), clock=SystemClock(), random_bytes=random_bytes).close()
    service = open_service(settings, doors_of(settings))
    try:
        port = Port(service)
        port.start()
        yield Desk(port.address, service.store, keys)
        port.drain()
        port.stop()
    finally:
        service.close()


def _settings(out: Path) -> Settings:
    """Write the settings of the demo's service to a file, for a later start, and return them for this one."""
    places = {
        "store": out / STORE,
        "vault_key_file": out / STORE / "vault.key",
        "filer_file": out / papers.FILER,
        "records_dir": out / papers.RECORDS,
        "rates_file": out / papers.RATES,
        "evidence_key": out / papers.KEY,
    }
    lines = [f"{name} = {json.dumps(str(path))}" for name, path in places.items()]
    try:
        (out / SETTINGS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {out / SETTINGS}: {error.strerror}; choose another --out") from error
    named: dict[str, Any] = places | {"store": str(out / STORE)}
    return Settings(**named, port=0, log_level="error")


def _empty(folder: Path) -> None:
    """Remove the store of an earlier demo, and nothing that is not one."""
    if not folder.exists():
        return
    if not (folder / DATABASE_FILE).exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} holds something that is no store; choose another --out")
    shutil.rmtree(folder)


def _write(path: Path, token: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(token + "\n")
