"""What a service is born with, before it has files and threads: its rules, and where engines come from.

Owns the order: rules are read first, so that engines that are forked have them already. Never opens a store.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from txmon.engine.engine import Limits
from txmon.errors import StateError
from txmon.pipeline.config import Config, read_config
from txmon.pipeline.enginehost import Setup, child_of
from txmon.pipeline.nursery import Nursery
from txmon.settings import Settings

SNAPSHOTS = "snapshots"


@dataclass(frozen=True)
class Birth:
    """The config of the files; the nursery, if engines have processes of their own."""

    config: Config
    nursery: Nursery | None


def be_born(settings: Settings) -> Birth:
    """Read the rules, then fork the nursery.

    Raises:
        RuleErrors, ConfigError: the files are wrong. StateError: the store is open here already.
    """
    config = config_of(settings)
    if not settings.engine_process:
        return Birth(config, None)
    _require_closed(Path(settings.store), settings)
    place = settings.store if settings.store_is_database else Path(settings.store)
    setup = Setup(place, state_folder(settings) / SNAPSHOTS, (config,))
    return Birth(config, Nursery.start(child_of(setup)))


def _require_closed(folder: Path, settings: Settings) -> None:
    """SQLite in a forked process would use files of its parent's, which are closed there."""
    held = Path("/proc/self/fd")
    if settings.store_is_database or not held.exists():
        return
    for link in held.iterdir():
        with suppress(OSError):  # the one that lists them
            if link.readlink().is_relative_to(folder.resolve()):
                raise StateError(
                    f"{folder} is open in this process already, which cannot fork an engine; close it, or "
                    "set engine_process to false"
                )


def config_of(settings: Settings) -> Config:
    """Read the rules and rates that the settings name.

    Raises:
        RuleErrors, ConfigError: the files are wrong.
    """
    return read_config(
        None if settings.rules is None else [settings.rules],
        base_currency=settings.base_currency,
        entity_tz=settings.entity_tz,
        rates=settings.rates_file,
        limits=Limits(settings.max_lateness_days, settings.dedup_days),
    )


def state_folder(settings: Settings) -> Path:
    """Return where snapshots and the warehouse lie: the store's folder, or `state_dir` beside a database."""
    return settings.state_dir if settings.store_is_database else Path(settings.store)
