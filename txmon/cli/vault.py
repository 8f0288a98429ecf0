"""`txmon vault`: make the vault of reports, check, back up, restore, retain, change its key.

Owns arguments and what is printed; the work is done in `txmon.vault`. Prints nothing of what the vault holds.
Exit codes: 0 done, 1 `verify` found something, 2 an error, told on one line with its remedy.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer

from txmon.cli.options import Json, Place, SettingsFile
from txmon.cli.storeplace import places_of
from txmon.cli.vaultplace import key_file_of, opened, settings_of
from txmon.clock import SystemClock, random_bytes, rfc3339
from txmon.errors import InputError
from txmon.store.schema import people
from txmon.vault import Vault
from txmon.vault import backup as backups

app = typer.Typer(
    no_args_is_help=True,
    help="The vault of reports: make, verify, back up, restore, retain, rotate; see docs/vault.md.",
    rich_markup_mode=None,
)

VaultFile = Annotated[
    Path | None, typer.Option("--vault", help="The vault's file; else TXMON_VAULT_FILE, else in the store.")
]
KeyFile = Annotated[
    Path | None, typer.Option("--key", help="The vault's key file; else TXMON_VAULT_KEY_FILE.")
]
_NOTED = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


@app.command()
def init(
    mlro: Annotated[str, typer.Option("--mlro", help="Id or name of the person who drafts reports.")],
    release: Annotated[str, typer.Option("--release", help="Id or name of another one, who releases them.")],
    store: Place = None,
    settings: SettingsFile = None,
    vault: VaultFile = None,
    key: KeyFile = None,
    backup_key: Annotated[
        Path | None,
        typer.Option("--backup-key", help="Where the private backup key goes; move it away then."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the vault, its key file and its backup key, and let in the first two people. Once."""
    chosen = settings_of(store, settings, vault, key)
    key_file = key_file_of(chosen)
    private = backup_key or key_file.with_name("vault-backup.key")
    persons = _persons(store, settings, (mlro, release))
    clock = SystemClock()
    Vault.make(chosen.vault_path, key_file, private, persons, clock=clock, random_bytes=random_bytes).close()
    facts = {"vault": str(chosen.vault_path), "key": str(key_file), "backup_key": str(private)}
    lines = [
        f"vault {chosen.vault_path}, key {key_file}",
        f"move {private} to another place: it opens backups, and only `restore` needs it",
        "restart the service; then both may let in others",
    ]
    _tell(facts | {"people": list(persons)}, lines, as_json)


@app.command()
def verify(
    head: Annotated[
        str | None, typer.Option("--head", help="Row and head that were noted elsewhere, as SEQ:HEX.")
    ] = None,
    store: Place = None,
    settings: SettingsFile = None,
    vault: VaultFile = None,
    key: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Check the log, every seal and every record, beside a running service, too; exit 1 if one is wrong."""
    noted = _noted(head)
    with opened(settings_of(store, settings, vault, key)) as vault_:
        found = vault_.verify(noted)
    facts: dict[str, Any] = {
        "ok": found.ok, "rows": found.rows, "records": found.records, "seq": found.seq,
        "head": found.head.hex(), "findings": list(found.findings),
    }  # fmt: skip
    told = f"{found.rows:,} rows, {found.records:,} records; note {found.seq}:{found.head.hex()} elsewhere"
    _tell(facts, [told, *found.findings], as_json)
    if not found.ok:
        raise typer.Exit(1)


@app.command()
def backup(
    out: Annotated[Path, typer.Option("--out", help="A new file.")],
    store: Place = None,
    settings: SettingsFile = None,
    vault: VaultFile = None,
    key: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Write one file that only the private backup key opens, beside a running service, too."""
    with opened(settings_of(store, settings, vault, key)) as vault_:
        made = backups.backup(vault_, out)
    facts = {"file": str(out), "seq": made.seq, "head": made.head.hex(), "made": rfc3339(made.made_us)}
    _tell(facts, [f"{out}: up to row {made.seq} with head {made.head.hex()}"], as_json)


@app.command()
def restore(
    source: Annotated[Path, typer.Option("--from", help="The backup.")],
    private: Annotated[Path, typer.Option("--backup-key", help="File of the private backup key.")],
    store: Place = None,
    settings: SettingsFile = None,
    vault: VaultFile = None,
    key: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Unpack a backup where there is no vault, with a new key file, and verify it. Service stopped."""
    chosen = settings_of(store, settings, vault, key)
    made = backups.restore(
        source,
        private,
        chosen.vault_path,
        key_file_of(chosen),
        clock=SystemClock(),
        random_bytes=random_bytes,
    )
    facts = {"vault": str(chosen.vault_path), "seq": made.seq, "head": made.head.hex()}
    _tell(
        facts | {"made": rfc3339(made.made_us)},
        [f"{chosen.vault_path}: as it was at {rfc3339(made.made_us)}, up to row {made.seq}"],
        as_json,
    )


@app.command()
def retain(
    store: Place = None,
    settings: SettingsFile = None,
    vault: VaultFile = None,
    key: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Take out the copies whose time is over, and their bytes from the file."""
    with opened(settings_of(store, settings, vault, key)) as vault_:
        gone = vault_.retain()
    _tell({"copies": gone}, [f"{gone:,} copies taken out"], as_json)


@app.command()
def rotate(
    store: Place = None,
    settings: SettingsFile = None,
    vault: VaultFile = None,
    key: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Put a new key into the key file; what the vault holds stays sealed as it is."""
    chosen = settings_of(store, settings, vault, key)
    key_file = key_file_of(chosen)
    with opened(chosen) as vault_:
        vault_.rotate(key_file)
    _tell({"key": str(key_file)}, [f"{key_file} holds a new key; the old one opens nothing"], as_json)


def _persons(store: str | None, settings: Path | None, named: tuple[str, str]) -> tuple[str, str]:
    """Return the ids of two active people of the store, named by id or name.

    Raises:
        InputError: one is nobody, or not active.
    """
    with places_of(store, settings).open(read_only=True) as there, there.read() as conn:
        rows = conn.execute(sa.select(people.c.id, people.c.name).where(people.c.state == "active")).all()
    active = {key: row.id for row in rows for key in (row.name, row.id)}
    for person in named:
        if person not in active:
            raise InputError(f"{person!r} is no active person of this store; see `txmon keys person list`")
    return active[named[0]], active[named[1]]


def _noted(text: str | None) -> tuple[int, bytes] | None:
    if text is None:
        return None
    found = _NOTED.fullmatch(text)
    if found is None:
        raise InputError("--head is SEQ:HEX, as `txmon vault verify` prints it")
    return int(found[1]), bytes.fromhex(found[2])


def _tell(facts: dict[str, Any], lines: list[str], as_json: bool) -> None:
    for line in [json.dumps(facts)] if as_json else lines:
        typer.echo(line)
