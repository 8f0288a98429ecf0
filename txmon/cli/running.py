"""What `serve`, `stream` and the other commands on a store share: settings, doors, the stop signals.

The only place where a real clock, real chance and the process's environment meet the service. Owns no
behaviour of the service itself.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from txmon.clock import SystemClock, random_bytes, sleep_s
from txmon.errors import ConfigError
from txmon.logs import LibraryLogs, make_logger
from txmon.metrics import Metrics
from txmon.model.keys import PanKey, ensure_key, load_key
from txmon.model.rates import Rates
from txmon.pipeline.commit import Fault, no_fault
from txmon.pipeline.service import Doors, Service
from txmon.settings import Settings, load
from txmon.store.aliasuse import newest_keys
from txmon.streams.intake import FeedIntake

CRASH_VARIABLE = "TXMON_TEST_CRASH"
ANSWERS_SHARE = 0.3  # of the time of a clean stop, for requests under way


def settings_of(arguments: Mapping[str, Any]) -> Settings:
    """Read the settings of this process; arguments that are None were not said."""
    return load(os.environ, arguments)


def doors_of(settings: Settings) -> Doors:
    """Return the real doors of a process."""
    clock = SystemClock()
    metrics = Metrics()
    log = make_logger(clock, level=settings.log_level, strict=not settings.production)
    for name in ("uvicorn", "txmon.kafka", "txmon.nats"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [LibraryLogs(log)], False
        library.setLevel(logging.WARNING)
    return Doors(clock, random_bytes, sleep_s, metrics, log, crash_point(settings))


def crash_point(settings: Settings) -> Fault:
    """Return what kills this process at the step that a drill names, ``STEP:COUNT``; else nothing.

    Raises:
        ConfigError: a drill in production, or a text that is none.
    """
    text = os.environ.get(CRASH_VARIABLE, "")
    if not text:
        return no_fault
    step, _, count = text.partition(":")
    if settings.production or not count.isdigit():
        raise ConfigError(f"{CRASH_VARIABLE} is for crash drills only, as STEP:COUNT; unset it")
    left = [int(count)]

    def point(name: str) -> None:
        if name == step:
            left[0] -= 1
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return point


def pan_key(settings: Settings) -> PanKey:
    """Return the key of card tokens; made on a first start unless production names its file."""
    return load_key(settings.key_file) if settings.production else ensure_key(settings.key_file)


def open_service(settings: Settings, doors: Doors) -> Service:
    """Open the service with the feeds that ship, saying on the terminal what takes long."""
    key = pan_key(settings)

    def intake(rates: Rates) -> FeedIntake:
        found = FeedIntake(key, rates, doors.aliases)
        found.feed(settings.feed)  # a wrong feed is an error now, not at the first event
        return found

    service = Service.open(settings, doors, intake, lambda text: typer.echo(text, err=True))
    _compare_keys(service, key)
    gc.collect()
    gc.freeze()  # what was loaded so far stays: the collector need not walk it again
    return service


def _compare_keys(service: Service, key: PanKey) -> None:
    """Say so if the store's cards are known by other keys than the one that the file holds."""
    used = newest_keys(service.store)
    if used and key.id not in used and not service.doors.aliases.lead_from(key.id):
        service.doors.log.warning("card_key.unknown")
        typer.echo(
            f"key {key.id} of card tokens is new to this store, whose cards are known by key "
            f"{', '.join(sorted(used))}: every card counts as another one from now on. Unless "
            "`txmon keys card rotate --compromised` made it so, stop and bring the key file back",
            err=True,
        )


def new_intake(service: Service) -> FeedIntake:
    """Return another intake of an open service, for another thread.

    The key of card tokens is read once a process: were the file changed while it runs, two decoders would
    give one card two tokens.
    """
    made = service.new_intake()
    if not isinstance(made, FeedIntake):
        raise AssertionError("the service was opened by `open_service`")
    return made


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Give an event that SIGTERM and SIGINT set; a second signal ends the process at once."""
    stop = threading.Event()

    def heard(number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    before = {number: signal.signal(number, heard) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def store_place(settings: Settings) -> str | Path:
    """Return the store as `Store.open` takes it."""
    return settings.store if settings.store_is_database else Path(settings.store)
