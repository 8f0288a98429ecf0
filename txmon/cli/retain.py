"""`txmon store retain` and `due`: what is past its retention leaves the store, or is counted.

Owns arguments and what is printed. With `--before` or `--days` all events of old days go, but for those that
a hold file or an alert needs; without, each retention class ends by itself.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from txmon.cli.options import Json, Place, SettingsFile
from txmon.cli.storeoptions import Approver, Author, Heads, Reason, busy, done, told
from txmon.cli.storeplace import Places, keys_of, lines_of, places_of, why_of
from txmon.clock import SystemClock, monotonic_s, rfc3339
from txmon.errors import InputError
from txmon.store import erase as erasing
from txmon.store.due import find_due
from txmon.store.holds import held
from txmon.store.preserved import scope_of
from txmon.store.retention import DAY_US
from txmon.store.retentionfile import load_classes
from txmon.store.retire import retire
from txmon.store.warehouse import forget

Classes = Annotated[
    Path | None, typer.Option("--classes", help="File of retention classes; else TXMON_RETENTION_FILE.")
]
Moment = Annotated[
    str | None, typer.Option("--now", help="UTC date to count from, not after today; else now.")
]


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
    classes: Classes = None,
    now: Moment = None,
    store: Place = None,
    settings: SettingsFile = None,
    heads: Heads = None,
    as_json: Json = False,
) -> None:
    """Drop what is past its retention: each class by itself, or days by --before or --days. Service stopped.

    What a preservation order holds is copied into the vault before anything goes.
    """
    places = places_of(store, settings, heads)
    started = monotonic_s()
    if before is None and days is None:
        if hold is not None or hold_events is not None or not alerts:
            raise InputError("--hold, --hold-events and --no-alerts go with --before or --days")
        _by_class(places, (reason, author, approver), _moment(now), classes, as_json)
        return
    if classes is not None or now is not None:
        raise InputError("--classes and --now go without --before and --days")
    before_us = _start_of(before, days)
    subjects, keys = lines_of(hold), keys_of(hold_events)
    with places.open() as opened, busy("dropping old days"):
        why = why_of(opened, reason, author, approver)
        keep = held(opened, before_us, subjects, keys, alerts_too=alerts)
        keep |= scope_of(opened, SystemClock().now_us()).events
        outcome = erasing.retain(opened, before_us, why, keep)
        dropped = forget(opened, places.warehouse, places.snapshots)
    told(as_json, started, outcome, dropped, before=rfc3339(before_us), held=len(keep))


def _by_class(
    places: Places, asked: tuple[str, str, str], now_us: int, classes: Path | None, as_json: bool
) -> None:
    started = monotonic_s()
    past = load_classes(classes or places.retention).at(now_us)
    with places.open() as opened, places.keeper() as keeper, busy("ending retention classes"):
        made = retire(opened, past, why_of(opened, *asked), keeper)
        dropped = forget(opened, places.warehouse, places.snapshots)
    more = {"now": rfc3339(now_us), "forgotten": made.forgotten, "copied": made.copied}
    told(as_json, started, made.outcome, dropped, **more)


def due(
    classes: Classes = None,
    now: Moment = None,
    store: Place = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Count what `retain` would take out now, or at a day to come; changes nothing."""
    places = places_of(store, settings)
    started = monotonic_s()
    now_us = _moment(now, ahead=True)
    with places.open(read_only=True) as opened, busy("counting"):
        counts = find_due(opened, load_classes(classes or places.retention).at(now_us)).counts
    text = ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "nothing is due"
    done(as_json, started, {"now": rfc3339(now_us), "due": counts}, text)


def _moment(text: str | None, *, ahead: bool = False) -> int:
    """Microseconds UTC of a day's start, else now."""
    now = SystemClock().now_us()
    if text is None:
        return now
    found = _day(text, "--now")
    if found > now and not ahead:
        raise InputError("--now is a day to come: what is not past yet is not taken out")
    return found


def _start_of(before: str | None, days: int | None) -> int:
    """Microseconds UTC of the start of the first day that is kept."""
    if (before is None) == (days is None):
        raise InputError("say either --before DATE or --days N")
    if days is not None:
        return (SystemClock().now_us() // DAY_US - days) * DAY_US
    return _day(before or "", "--before")


def _day(text: str, option: str) -> int:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {text!r} is no date; give one like 2021-01-01") from None
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return start // timedelta(microseconds=1)


def add(app: typer.Typer) -> None:
    """Add the commands to `txmon store`."""
    app.command()(retain)
    app.command()(due)
