"""`txmon store`: verify, back up, restore, rebuild the warehouse, erase, and drop what is past its retention.

Owns arguments and what is printed; the work is done in `txmon.store`. Exit codes: 0 done, 1 `verify` found
something, 2 an error, told on one line with its remedy.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from txmon.cli.options import Json, Place, SettingsFile
from txmon.cli.storeplace import Places, keys_of, lines_of, places_of, why_of
from txmon.clock import SystemClock, monotonic_s, random_bytes, rfc3339
from txmon.errors import InputError
from txmon.store import backup as backups
from txmon.store import erase as erasing
from txmon.store import journal
from txmon.store import verify as checking
from txmon.store.db import Store
from txmon.store.holds import held
from txmon.store.warehouse import Damage, State, Warehouse, forget, inspect
from txmon.store.warehouse.forget import drop_snapshots

app = typer.Typer(
    no_args_is_help=True,
    help="Verify, back up, restore, rebuild, erase; see docs/operations.md.",
    rich_markup_mode=None,
)

Heads = Annotated[
    Path | None, typer.Option("--heads", help="Log of heads, where it is not beside the store.")
]
Reason = Annotated[str, typer.Option("--reason", help="Request or rule it rests on; no personal value.")]
Author = Annotated[str, typer.Option("--author", help="Id of the person who asks for it.")]
Approver = Annotated[str, typer.Option("--approver", help="Id of the other person who approves it.")]
_DAY_US = 86_400_000_000
_SHOWN = 20


@app.command()
def verify(
    store: Place = None,
    settings: SettingsFile = None,
    heads: Heads = None,
    warehouse: Annotated[bool, typer.Option(help="Look at the warehouse, too.")] = True,
    as_json: Json = False,
) -> None:
    """Check every row, hash and file, beside a running service, too; exit 1 and name the first bad row."""
    places = places_of(store, settings, heads)
    started = monotonic_s()
    with places.open(read_only=True) as opened, _busy("verifying") as say:
        report = checking.verify(opened, places.heads, lambda rows, _: say(f"{rows:,} rows"))
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
            "seconds": _seconds(started),
        }  # fmt: skip
        typer.echo(json.dumps(found))
    else:
        _print_report(report, state)
    if not ok:
        raise typer.Exit(1)


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
    with places.open(read_only=True) as opened, _busy("copying"):
        manifest = backups.backup(opened, target)
    facts = {
        "folder": str(target), "file": manifest.file, "sha256": manifest.sha256, "seq": manifest.seq,
        "head": manifest.head, "events": manifest.events, "made": rfc3339(manifest.made_us),
    }  # fmt: skip
    _done(as_json, started, facts, f"row {manifest.seq:,} with {manifest.events:,} events is in {target}")


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
    with _busy("restoring"):
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
    _done(as_json, started, facts, text)


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
    with places.open(read_only=True) as opened, _busy("rebuilding the warehouse"):
        made = _renew(opened, places, fill=True)
        seconds = max(monotonic_s() - started, 1e-6)
        mark, size = made.mark, made.size_bytes
    facts = {
        "folder": str(places.warehouse), "seq": mark.seq, "events": mark.events, "bytes": size,
        "events_per_second": round(mark.events / seconds),
    }  # fmt: skip
    _done(as_json, started, facts, f"{mark.events:,} events up to row {mark.seq:,} in {places.warehouse}")


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
    erased what and why. Older backups keep the values until they are destroyed or restored.
    """
    places = places_of(store, settings, heads)
    values = [*(subjects or []), *lines_of(subjects_file)]
    keys = keys_of(events_file)
    if bool(values) == bool(keys):
        raise InputError("name either subjects, or single events with --events")
    if column and not keys:
        raise InputError("--column goes with --events; a subject is erased wholly")
    started = monotonic_s()
    with places.open() as opened, _busy("erasing"):
        why = why_of(opened, reason, author, approver)
        if values:
            outcome = erasing.erase_subjects(opened, values, why)
        else:
            outcome = erasing.erase_events(opened, keys, why, column or ())
        dropped = forget(opened, places.warehouse, places.snapshots)
    _told(as_json, started, outcome, dropped)


@app.command()
def retain(
    reason: Reason,
    author: Author,
    approver: Approver,
    before: Annotated[
        str | None, typer.Option("--before", help="First day that is kept, UTC: 2021-01-01.")
    ] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, help="Or: days that are kept.")] = None,
    hold: Annotated[
        Path | None, typer.Option("--hold", help="File of subjects under legal hold, one a line.")
    ] = None,
    hold_events: Annotated[
        Path | None, typer.Option("--hold-events", help="CSV file of events under hold: source,event_id.")
    ] = None,
    alerts: Annotated[bool, typer.Option(help="Keep what alerts that were not dismissed are about.")] = True,
    store: Place = None,
    settings: SettingsFile = None,
    heads: Heads = None,
    as_json: Json = False,
) -> None:
    """Drop events of days past their retention; what a hold or an alert needs stays. Service stopped."""
    places = places_of(store, settings, heads)
    before_us = _start_of(before, days)
    subjects, keys = lines_of(hold), keys_of(hold_events)
    started = monotonic_s()
    with places.open() as opened, _busy("dropping old days"):
        why = why_of(opened, reason, author, approver)
        keep = held(opened, before_us, subjects, keys, alerts_too=alerts)
        outcome = erasing.retain(opened, before_us, why, keep)
        dropped = forget(opened, places.warehouse, places.snapshots)
    _told(as_json, started, outcome, dropped, before=rfc3339(before_us), held=len(keep))


def _start_of(before: str | None, days: int | None) -> int:
    """Microseconds UTC of the start of the first day that is kept."""
    if (before is None) == (days is None):
        raise InputError("say either --before DATE or --days N")
    if days is not None:
        return (SystemClock().now_us() // _DAY_US - days) * _DAY_US
    try:
        day = date.fromisoformat(before or "")
    except ValueError as error:
        raise InputError(f"--before {before!r} is no date; give one like 2021-01-01") from error
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return start // timedelta(microseconds=1)


def _told(as_json: bool, started: float, outcome: erasing.Outcome, dropped: int, **more: Any) -> None:
    facts = {
        "rows": outcome.rows, "journal_rows": outcome.journal, "deleted": outcome.deleted,
        "blanked": outcome.blanked, "snapshots_removed": dropped, **more,
    }  # fmt: skip
    others = sum(outcome.deleted.values()) + sum(outcome.blanked.values())
    text = (
        f"{outcome.rows:,} rows of {outcome.journal:,} journal rows are gone, {others:,} rows of tables were "
        f"deleted or emptied, {dropped} snapshots removed"
    )
    _done(as_json, started, facts, text)


def _done(as_json: bool, started: float, facts: dict[str, Any], text: str) -> None:
    seconds = _seconds(started)
    typer.echo(json.dumps({**facts, "seconds": seconds}) if as_json else f"{text}; {seconds:.1f} s")


def _seconds(started: float) -> float:
    return round(monotonic_s() - started, 3)


@contextmanager
def _busy(doing: str) -> Iterator[Any]:
    """Show on a terminal that work goes on; yields what tells how far it is."""
    console = Console(file=sys.stderr)
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"),
        console=console, disable=not sys.stderr.isatty(), transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task(doing, total=None)
        yield lambda text: bar.update(task, description=f"{doing}: {text}")
