"""Puts the parts together as the settings say.

Owns the reading of the settings of webhooks; starts nothing.
"""

from __future__ import annotations

from typing import Protocol

from txmon.clock import Clock, RandomBytes
from txmon.errors import ConfigError
from txmon.notify.deliver import Deliverer, Limits
from txmon.notify.dispatcher import Change, Dispatcher, Log, Measures, Parts
from txmon.notify.signing import Master, load_master
from txmon.settings import Settings
from txmon.store import Store


class Doors(Protocol):
    """What the service has of the world outside."""

    @property
    def clock(self) -> Clock: ...
    @property
    def random_bytes(self) -> RandomBytes: ...
    @property
    def metrics(self) -> Measures: ...
    @property
    def log(self) -> Log: ...


def master_of(settings: Settings) -> Master:
    """Return the secret behind the secrets of endpoints.

    Raises:
        ConfigError: there is no key file, or it cannot be used.
    """
    if settings.webhook_key_file is None:
        raise ConfigError(
            "webhooks need a key file: `openssl rand -hex 32 > FILE; chmod 600 FILE`, and set "
            "TXMON_WEBHOOK_KEY_FILE to it"
        )
    return load_master(settings.webhook_key_file)


def make_dispatcher(
    settings: Settings, store: Store, change: Change, doors: Doors, *, settles: bool = True
) -> Dispatcher:
    """Return a dispatcher that is not started yet.

    Args:
        change: runs a change in the writer's turn and returns when it is committed.
        settles: false where another consumer of the outbox marks messages as sent.

    Raises:
        ConfigError: see `master_of`.
    """
    limits = Limits(
        timeout_s=settings.webhook_timeout_ms / 1000,
        reply_bytes=settings.webhook_reply_bytes,
        loopback=settings.webhook_test_loopback,
    )
    parts = Parts(
        doors.clock,
        doors.random_bytes,
        doors.metrics,
        doors.log,
        workers=settings.webhook_workers,
        tries=settings.webhook_tries,
        settles=settles,
    )
    return Dispatcher(store, change, Deliverer(limits, doors.clock), master_of(settings), parts)
