"""Changing the key of card tokens.

    begin    the file holds both keys: every card goes on with its old token, and the new token of each card
             that is seen is noted beside it (`txmon.model.aliases`)
    finish   the old secret leaves the file: a card that was seen keeps its token by what was noted, any
             other gets its new one
    break    the secret is known to others: it leaves the file at once, and no token of it comes again

Each is one replacement of the file. Owns what the file says at each step; running programs read it when
they start. Never decides when: the caller looks at the calendar and at how many cards were seen.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from txmon.clock import RandomBytes
from txmon.errors import ConfigError
from txmon.model.keys import KEY_BYTES, PanKey, changing, key_of, load_key, write_whole


def begin_change(path: Path, alias_until: date, random: RandomBytes) -> PanKey:
    """Put a new key beside the one in use; returns what the file then holds.

    Raises:
        ConfigError: a change is under way, or the file is absent, wrong or cannot be written.
    """
    with changing(path):
        key = load_key(path)
        if key.successor is not None:
            raise ConfigError(
                f"key file {path}: the change from {key.id} to {key.successor.id} is under way; "
                "finish it with `txmon keys card retire` first"
            )
        changed = replace(key, successor=key_of(random(KEY_BYTES)), alias_until=alias_until)
        write_whole(path, changed)
    return changed


def finish_change(path: Path, seen: PanKey) -> PanKey:
    """Remove the old secret; returns the key that is left.

    Args:
        seen: what the caller read and decided about.

    Raises:
        ConfigError: no change is under way, or another process has changed the file since.
    """
    with changing(path):
        key = load_key(path)
        if key.successor is None:
            raise ConfigError(f"key file {path}: no change of keys is under way; key {key.id} is in use")
        if key != seen:
            raise ConfigError(f"key file {path} was changed meanwhile; look at it and try again")
        write_whole(path, key.successor)
    return key.successor


def break_with(path: Path, random: RandomBytes) -> tuple[PanKey, PanKey]:
    """Replace every secret of the file by one new one, at once; returns (before, now).

    Raises:
        ConfigError: the file is absent, wrong or cannot be written.
    """
    with changing(path):
        before = load_key(path)
        now = key_of(random(KEY_BYTES))
        write_whole(path, now)
    return before, now
