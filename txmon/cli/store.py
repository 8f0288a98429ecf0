"""`txmon store`: verify, back up, restore, rebuild the warehouse, erase, and drop what is past its retention.

Owns arguments and what is printed; the work is done in `txmon.store`. Exit codes: 0 done, 1 `verify` found
something, 2 an error, told on one line with its remedy.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from txmon.cli import retain, subject
from txmon.cli.options import Json, Place, SettingsFile
from txmon.cli.storeoptions import Approver, Author, Heads, Reason, busy, done, seconds, told
from txmon.cli.storeplace import Places, keys_of, lines_of, places_of, why_of
from txmon.clock import SystemClock, monotonic_s, random_bytes, rfc3339
from txmon.errors import InputError
from txmon.evidence import heads as signed
from txmon.evidence import signing
from txmon.store import backup as backups
from txmon.store import erasable, journal
from txmon.store import erase as erasing
from txmon.store import verify as checking
from txmon.store.db import Store
from txmon.store.preserved import guard
from txmon.store.warehouse import Damage, State, Warehouse, forget, inspect
from txmon.store.warehouse.forget import drop_snapshots

app = typer.Typer(
    no_args_is_help=True,
    help="Verify, back up, restore, rebuild, erase; see docs/operations.md.",
    rich_markup_mode=None,
)

_SHOWN = 20


@app.command()
def verify(
    store: Place = None,
    settings: SettingsFile = None,
    heads: Annotated[
        Path | None,
        typer.Option("--heads", help="Log of heads, where it is not beside the store; or signed heads."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Public key by which signed heads are believed; else one's own."),
    ] = None,
    warehouse: Annotated[bool, typer.Option(help="Look at the warehouse, too.")] = True,
    as_json: Json = False,
) -> None:
    """Check every row, hash and file, beside a running service, too; exit 1 and name the first bad row."""
    places = places_of(store, settings, heads)
    settings_heads = places_of(store, settings).heads
    started = monotonic_s()
    with places.open(read_only=True) as opened, busy("verifying") as say:
        signed_file = heads if heads is not None and signed.is_signed(heads) else None
        plain = settings_heads if signed_file is not None else places.heads
        report = checking.verify(opened, plain, lambda rows, _: say(f"{rows:,} rows"))
        if signed_file is not None:
            _signed(opened, signed_file, _keys(places, key), report)
        state = _warehouse(opened, places.warehouse) if warehouse else State("not asked")
    ok = report.ok and state.state != "damaged"
    if as_json:
        found: dict[str, Any] = {
            "ok": ok, "rows": report.rows, "events": report.events, "erased": report.erased,
            "head_lines": report.head_lines, "seq": report.seq, "head": report.head.hex(),
            "first_bad_row": report.first_bad_row, "findings": [str(f) for f in report.findings],
            "warehouse": {
                "state": state.state, "seq": state.mark.seq if state.mark else None, "files": state.files,
                "rows": state.rows, "damages": [str(d) for d in state.damages],
            },
            "seconds": seconds(started),
        }  # fmt: skip
        typer.echo(json.dumps(found))
    else:
        _print_report(report, state)
    if not ok:
        raise typer.Exit(1)


def _keys(places: Places, key: Path | None) -> list[Ed25519PublicKey]:
    """Return the keys by which signed heads are believed: the one that is named, else one's own."""
    if key is None:
        return [signing.load_key(places.signing_key).public_key()]
    return [signing.read_public(_read(key), str(key))]


def _signed(store: Store, path: Path, keys: list[Ed25519PublicKey], report: checking.Report) -> None:
    """Hold the journal against signed heads."""
    good, faults = signed.check(store, path, keys)
    report.head_lines += good
    for seq, what in faults:
        report.add(min(seq, report.seq + 1), what)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name the file of a public key") from error


def _warehouse(store: Store, folder: Path) -> State:
    """Look at the warehouse, and whether it was made from this journal."""
    state = inspect(folder)
    if state.state == "ok" and state.mark is not None and state.mark.seq:
        head = next((e.head for e in journal.read(store, state.mark.seq, state.mark.seq)), None)
        if head != state.mark.head:
            state.state = "damaged"
            state.damages = [*state.damages, _other_journal(state.mark.seq)]
    return state


def _other_journal(seq: int) -> Damage:
    return Damage("warehouse.duckdb", f"stands at row {seq} of another journal; run `txmon store rebuild`")


def _print_report(report: checking.Report, state: State) -> None:
    typer.echo(
        f"{report.rows:,} rows, {report.events:,} events ({report.erased:,} erased), "
        f"{report.head_lines:,} logged heads; row {report.seq} has head {report.head.hex()}"
    )
    if report.first_bad_row is not None:
        typer.echo(f"first bad row: {report.first_bad_row}", err=True)
    for finding in report.findings[:_SHOWN]:
        typer.echo(str(finding), err=True)
    if len(report.findings) > _SHOWN:
        typer.echo(f"... {len(report.findings) - _SHOWN} more; --json shows them", err=True)
    words = {
        "absent": "there is no warehouse",
        "open_elsewhere": "the warehouse is open in the service: ask it, or stop it and verify again",
        "not asked": "the warehouse was not looked at",
        "damaged": "the warehouse is damaged; run `txmon store rebuild`",
    }
    at = f"the warehouse stands at row {state.mark.seq}: {state.files:,} files" if state.mark else ""
    typer.echo(words.get(state.state, at))
    for damage in state.damages[:_SHOWN]:
        typer.echo(str(damage), err=True)
    typer.echo("ok" if report.ok and state.state != "damaged" else "NOT ok")


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="A new folder for the backup.")],
    store: Place = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Copy the store while it is being written. What is derived is left out: it is made again."""
    places = places_of(store, settings)
    started = monotonic_s()
    with places.open(read_only=True) as opened, busy("copying"):
        manifest = backups.backup(opened, target)
    facts = {
        "folder": str(target), "file": manifest.file, "sha256": manifest.sha256, "seq": manifest.seq,
        "head": manifest.head, "events": manifest.events, "made": rfc3339(manifest.made_us),
    }  # fmt: skip
    done(as_json, started, facts, f"row {manifest.seq:,} with {manifest.events:,} events is in {target}")


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="Folder of a backup.")],
    store: Place = None,
    settings: SettingsFile = None,
    erasures: Annotated[
        Path | None,
        typer.Option("--erasures", help="The lost store's erasures.log: what was erased since the backup."),
    ] = None,
    warehouse: Annotated[bool, typer.Option(help="Build the warehouse at once.")] = True,
    as_json: Json = False,
) -> None:
    """Make a store of a backup, in an empty place; what was erased since is erased again."""
    places = places_of(store, settings)
    started = monotonic_s()
    with busy("restoring"):
        if erasures is None and places.erasures is not None:
            erasures = places.erasures
        outcome = backups.restore(
            source, places.store, clock=SystemClock(), random_bytes=random_bytes, erasures=erasures
        )
        # left by another store that was in this place
        dropped = drop_snapshots(places.snapshots)
        with places.open(read_only=True) as opened:
            if warehouse or places.warehouse.exists():
                _renew(opened, places, fill=warehouse)
            seq, head = journal.head(opened)
            events = opened.marks.events
    facts = {
        "store": str(places.store), "seq": seq, "head": head.hex(), "events": events,
        "erased_again": outcome.rows, "snapshots_removed": dropped,
    }  # fmt: skip
    text = f"row {seq:,} with {events:,} events; {outcome.rows:,} rows were erased again"
    done(as_json, started, facts, text)


def _renew(store: Store, places: Places, *, fill: bool) -> Warehouse:
    with Warehouse.open(places.warehouse, anew=True) as made:
        if fill:
            made.catch_up(store)
    return made


@app.command()
def rebuild(store: Place = None, settings: SettingsFile = None, as_json: Json = False) -> None:
    """Make the warehouse anew from the journal; the service must not have it open."""
    places = places_of(store, settings)
    started = monotonic_s()
    with places.open(read_only=True) as opened, busy("rebuilding the warehouse"):
        made = _renew(opened, places, fill=True)
        seconds = max(monotonic_s() - started, 1e-6)
        mark, size = made.mark, made.size_bytes
    facts = {
        "folder": str(places.warehouse), "seq": mark.seq, "events": mark.events, "bytes": size,
        "events_per_second": round(mark.events / seconds),
    }  # fmt: skip
    done(as_json, started, facts, f"{mark.events:,} events up to row {mark.seq:,} in {places.warehouse}")


@app.command()
def erase(
    reason: Reason,
    author: Author,
    approver: Approver,
    subjects: Annotated[
        list[str] | None,
        typer.Argument(help="Accounts, parties, cards, devices ... as the events name them."),
    ] = None,
    subjects_file: Annotated[
        Path | None, typer.Option("--subjects", help="File of subjects, one a line; keeps them out of `ps`.")
    ] = None,
    events_file: Annotated[
        Path | None, typer.Option("--events", help="CSV file of single events: source,event_id.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option("--column", help="With --events: erase only this value of them.")
    ] = None,
    store: Place = None,
    settings: SettingsFile = None,
    heads: Heads = None,
    as_json: Json = False,
) -> None:
    """Erase subjects or events from the journal, its tables, the warehouse and snapshots; service stopped.

    Verification and replay go on to pass: the journal keeps the salted hashes, and a row that says who
    erased what and why. What a preservation order holds is copied into the vault first. Older backups keep
    the values until they are destroyed or restored.
    """
    places = places_of(store, settings, heads)
    values = [*(subjects or []), *lines_of(subjects_file)]
    keys = keys_of(events_file)
    if bool(values) == bool(keys):
        raise InputError("name either subjects, or single events with --events")
    if column and not keys:
        raise InputError("--column goes with --events; a subject is erased wholly")
    started = monotonic_s()
    with places.open() as opened, busy("erasing"):
        why = why_of(opened, reason, author, approver)
        held = erasable.of_subjects(opened, values) if values else erasable.of_events(opened, keys)
        with places.keeper() as keeper:
            guard(opened, SystemClock().now_us(), held, why, keeper)
        if values:
            outcome = erasing.erase_subjects(opened, values, why)
        else:
            outcome = erasing.erase_events(opened, keys, why, column or ())
        dropped = forget(opened, places.warehouse, places.snapshots)
    told(as_json, started, outcome, dropped)


retain.add(app)
subject.add(app)
