"""Checks of clocks: wall against monotonic, against the journal and the database; time-zone data.

Owns how far clocks may be apart. Sets no clock and asks no server of time.
"""

from __future__ import annotations

import json
import zoneinfo
from collections.abc import Iterator

import sqlalchemy as sa

from txmon.clock import rfc3339, sleep_s
from txmon.doctor.ground import Ground
from txmon.doctor.report import FAIL, OK, SKIPPED, WARN, Finding
from txmon.pipeline.config import versions
from txmon.store.schema import journal

_LOOK_S, _APART_S = 0.25, 0.02
_AHEAD_S, _DATABASE_S, _DATABASE_FAR_S = 1.0, 1.0, 30.0
_RELEASED_US = 1_763_942_400_000_000  # 2025-11-24: no machine's clock is right before it
_REMEDY = "set the clock and keep it by NTP (`timedatectl`, `chronyc tracking`)"


def wall(ground: Ground) -> Iterator[Finding]:
    """Watch the wall clock for a moment beside one that never jumps."""
    now = ground.clock.now_us()
    if now < _RELEASED_US:
        yield Finding(FAIL, f"the clock says {rfc3339(now)}, before this program was made", _REMEDY)
        return
    before, error_before = _offset(ground)
    sleep_s(_LOOK_S)
    after, error_after = _offset(ground)
    apart = after - before
    if abs(apart) > _APART_S + error_before + error_after:
        yield Finding(
            WARN, f"in {_LOOK_S} s the wall clock moved {apart:+.3f} s against the monotonic one", _REMEDY
        )
    else:
        yield Finding(OK, f"{rfc3339(now)}; wall and monotonic clock go alike")


def _offset(ground: Ground) -> tuple[float, float]:
    """Return seconds of the wall clock beyond the monotonic one, and how unsure that is."""
    start = ground.monotonic()
    now = ground.clock.now_us() / 1e6
    end = ground.monotonic()
    return now - (start + end) / 2, (end - start) / 2


def against_journal(ground: Ground) -> Iterator[Finding]:
    """Compare with the newest row of the journal, which nobody can have written tomorrow."""
    with ground.opened.read() as conn:
        newest = conn.execute(
            sa.select(journal.c.received_at).order_by(journal.c.seq.desc()).limit(1)
        ).scalar()
    if newest is None:
        yield Finding(OK, "the journal is empty")
        return
    ahead = (newest - ground.clock.now_us()) / 1e6
    if ahead > _AHEAD_S:
        text = (
            f"the journal's newest row was written at {rfc3339(newest)}, {ahead:,.1f} s ahead of this clock"
        )
        yield Finding(FAIL, text, f"{_REMEDY}; until then events of now are refused as ahead of the clock")
    else:
        yield Finding(OK, f"the newest row was written {max(-ahead, 0):,.1f} s ago")


def against_database(ground: Ground) -> Iterator[Finding]:
    """Compare with the clock of the database server."""
    if not ground.settings.store_is_database:
        yield Finding(SKIPPED, "the store is a folder")
        return
    with ground.opened.read() as conn:
        start = ground.clock.now_us()
        theirs = int(
            conn.execute(sa.text("select (extract(epoch from clock_timestamp()) * 1000000)::bigint")).scalar()
            or 0
        )
        end = ground.clock.now_us()
    apart = (theirs - (start + end) / 2) / 1e6
    unsure = (end - start) / 2e6
    text = f"the database server's clock is {apart:+.3f} s from this one (± {unsure:.3f} s)"
    if abs(apart) - unsure > _DATABASE_FAR_S:
        yield Finding(FAIL, text, f"{_REMEDY} on both machines")
    elif abs(apart) - unsure > _DATABASE_S:
        yield Finding(WARN, text, f"{_REMEDY} on both machines")
    else:
        yield Finding(OK, text)


def zones(ground: Ground) -> Iterator[Finding]:
    """Look for time-zone data, the entity's zone, and the version that the journal's config was made with."""
    version = versions()["tzdata"]
    wanted = ground.settings.entity_tz
    remedy = "install the package tzdata; name an IANA zone such as Europe/Paris in TXMON_ENTITY_TZ"
    for name in ("UTC", *([wanted] if wanted else [])):
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            yield Finding(FAIL, f"there is no time zone {name!r}", remedy)
            return
    known = _journaled(ground)
    if known not in (None, version):
        text = f"tzdata {version} is installed; the config in force was made with {known}"
        yield Finding(WARN, text, "run `txmon replay`: it says whether an outcome depends on it")
    else:
        yield Finding(OK, f"tzdata {version}" + (f", zone {wanted}" if wanted else ""))


def _journaled(ground: Ground) -> str | None:
    document = ground.document
    return None if document is None else json.loads(document)["versions"].get("tzdata")
