"""`txmon keys card`: change the key that turns card numbers into tokens.

A change has three steps, days or months apart: `rotate`, a restart of the programs that read the key, and
`retire`. Owns arguments, the calendar and what is printed, which names keys and never shows one; the file is
`txmon.model.keychange`'s, the aliases are the store's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from txmon.cli.keyplace import opened, tell
from txmon.cli.options import Json, Place, SettingsFile
from txmon.cli.storeplace import places_of
from txmon.clock import SystemClock, random_bytes, rfc3339
from txmon.errors import ConfigError, InputError, StateError
from txmon.model.keychange import begin_change, break_with, finish_change
from txmon.model.keys import PanKey, default_key_path, load_key
from txmon.settings import load
from txmon.store import aliases
from txmon.store.dialects import DATABASE_FILE

app = typer.Typer(no_args_is_help=True, help="Change the key of card tokens.", rich_markup_mode=None)

DAYS = 90  # as long as an event's identity is known: one that is sent again is the same event by then
_RESTART = "restart txmon serve and txmon stream, which read the file when they start"


@dataclass(frozen=True)
class _Seen:
    """Aliases of a store. `where` is None if there is no store."""

    where: str | None
    counts: list[aliases.Count]

    def cards(self, key_id: str) -> int:
        """Cards that have a token of this key beside the one they keep."""
        return sum(count.cards for count in self.counts if count.key_id == key_id)


@app.callback()
def group() -> None:
    """Cards that are seen while both keys are known keep their tokens for good."""


@app.command()
def status(store: Place = None, settings: SettingsFile = None, as_json: Json = False) -> None:
    """Show which keys the file holds, until when, and how many cards are known by both."""
    path = _path(settings)
    key, seen = load_key(path), _seen(store, settings)
    facts = _facts(path, key) | {
        "store": seen.where,
        "aliases": [
            {
                "key_id": c.key_id,
                "kept_key_id": c.kept_key_id,
                "cards": c.cards,
                "first": rfc3339(c.first_us),
                "last": rfc3339(c.last_us),
            }
            for c in seen.counts
        ],
    }
    lines = [f"key {key.id} in {path}"]
    if key.successor is not None and key.alias_until is not None:
        left = (key.alias_until - _today()).days
        when = f"in {left} days" if left > 0 else "now: txmon keys card retire"
        lines.append(f"key {key.successor.id} takes over; it may do so from {key.alias_until}, {when}")
    lines += [
        f"{c.cards:,} cards of key {c.key_id} are known by their token of key {c.kept_key_id}, "
        f"noted {rfc3339(c.first_us)[:10]} to {rfc3339(c.last_us)[:10]}"
        for c in seen.counts
    ]
    if seen.where is None:
        lines.append("no store was found; name one with --store to see which cards are known by both keys")
    elif not seen.counts:
        lines.append(f"no card is known by two tokens in {seen.where}")
    tell(facts, lines, as_json)


@app.command()
def rotate(
    until: Annotated[
        str | None, typer.Option("--until", help="First UTC day on which the old key may be retired.")
    ] = None,
    days: Annotated[int | None, typer.Option("--days", help=f"The same in days from today; {DAYS}.")] = None,
    compromised: Annotated[
        bool,
        typer.Option("--compromised", help="The secret is known to others: end its use at once."),
    ] = False,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Put a new key beside the one in use; cards go on with their tokens until it is retired, and after."""
    path = _path(settings)
    if compromised:
        if until is not None or days is not None:
            raise InputError("--compromised ends the old key at once; leave out --until and --days")
        before, now = break_with(path, random_bytes)
        lines = [
            f"key {now.id} is in {path}; {_named(before)} is out of it",
            f"{_RESTART}; do it now, they use the old key until then",
            "every card gets a new token: what counts over days begins anew, for every card",
            "whoever has the old secret can find the number behind each old token by trying: where they may "
            "have copies of the store as well, treat its old tokens as card numbers",
        ]
        tell(_facts(path, now) | {"before": before.id}, lines, as_json)
        return
    changed = begin_change(path, _until(until, days), random_bytes)
    if changed.successor is None:
        raise AssertionError("a change that has begun has a successor")
    lines = [
        f"key {changed.successor.id} is beside key {changed.id} in {path}",
        f"{_RESTART}; from then on each card that is seen is noted under both keys",
        f"from {changed.alias_until} on: txmon keys card retire; a card not seen by then gets a new token",
    ]
    tell(_facts(path, changed), lines, as_json)


@app.command()
def retire(
    at_once: Annotated[
        bool, typer.Option("--now", help="Before the day, or although no card was seen.")
    ] = False,
    store: Place = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Remove the old key; cards that were seen under both keys keep their tokens."""
    path = _path(settings)
    key, seen = load_key(path), _seen(store, settings)
    if key.successor is None or key.alias_until is None:
        raise ConfigError(f"key file {path}: no change of keys is under way; key {key.id} is in use")
    cards = seen.cards(key.successor.id)
    if not at_once:
        _may_retire(key, key.alias_until, seen, cards)
    now = finish_change(path, key)
    lines = [
        f"key {now.id} is in {path}; key {key.id} is out of it",
        f"{cards:,} cards keep their tokens of before; any other gets a new one when it is seen"
        if seen.where is not None
        else "no store was found: cards keep their tokens only where a store knows them",
        f"{_RESTART}; destroy copies of the old file, since its tokens stay in use",
    ]
    tell(_facts(path, now) | {"before": key.id, "cards": cards, "store": seen.where}, lines, as_json)


@app.command()
def prune(store: Place = None, settings: SettingsFile = None, as_json: Json = False) -> None:
    """Forget aliases of cards so long unseen that no window can hold them; the service must not run."""
    from txmon.engine.engine import DAY_US, Engine
    from txmon.pipeline.history import epochs
    from txmon.store.aliasuse import prune as forget

    with opened(store, settings) as at:
        found = epochs(at)
        if not found:
            raise StateError(f"{at.place} holds no config yet: no window, and no event, is known")
        config = found[-1].config
        # an event may be as late as the longest window and more, and has windows of its own
        reach = 2 * Engine(config.plan, config.rates).store.longest_us
        keep_us = reach + config.limits.max_lateness_days * DAY_US
        forgotten = forget(at, keep_us)
    days = -(-keep_us // DAY_US)
    text = f"{forgotten:,} cards not seen for {days} days before the newest event get their new token"
    tell({"forgotten": forgotten, "days": days}, [text], as_json)


def _path(settings: Path | None) -> Path:
    return load(os.environ, {"settings": settings}).key_file or default_key_path()


def _seen(store: str | None, settings: Path | None) -> _Seen:
    """What a store knows; a folder that was not named and holds none is no store."""
    places = places_of(store, settings)
    if isinstance(places.store, Path) and not (places.store / DATABASE_FILE).exists() and store is None:
        return _Seen(None, [])
    with places.open(read_only=True) as opened_store, opened_store.read() as conn:
        return _Seen(opened_store.place, aliases.counts(conn))


def _until(until: str | None, days: int | None) -> date:
    """Read the first day on which the old key may be retired.

    Raises:
        InputError: both are given, or the day is none or not ahead.
    """
    if until is not None and days is not None:
        raise InputError("give --until or --days, not both")
    if until is None:
        wanted = DAYS if days is None else days
        if not 1 <= wanted <= 3660:
            raise InputError(f"--days {wanted}: give 1 to 3660")
        return _today() + timedelta(days=wanted)
    try:
        day = date.fromisoformat(until)
    except ValueError as error:
        raise InputError(f"--until {until!r} is no date; write it as 2026-12-31") from error
    if day <= _today():
        raise InputError(f"--until {day} is not ahead; name a later day, or --compromised to end it at once")
    return day


def _may_retire(key: PanKey, until: date, seen: _Seen, cards: int) -> None:
    """Raises: StateError: the day has not come, or it looks as if no program has read the file."""
    if _today() < until:
        raise StateError(
            f"key {key.id} may be retired from {until} on; so far {cards:,} cards were seen under both keys, "
            "any other would get a new token. Wait, or say --now"
        )
    if seen.where is None:
        raise ConfigError("no store was found; name the one whose cards are to keep their tokens by --store")
    if not cards:
        raise StateError(
            f"no card was seen under both keys in {seen.where}: every card would get a new token. "
            f"If events have cards, {_RESTART}, and wait; else say --now"
        )


def _facts(path: Path, key: PanKey) -> dict[str, Any]:
    until = None if key.alias_until is None else key.alias_until.isoformat()
    after = None if key.successor is None else key.successor.id
    return {"key_file": str(path), "key_id": key.id, "next_key_id": after, "alias_until": until}


def _named(key: PanKey) -> str:
    return f"key {key.id}" if key.successor is None else f"key {key.id} and key {key.successor.id}"


def _today() -> date:
    return date.fromisoformat(rfc3339(SystemClock().now_us())[:10])
