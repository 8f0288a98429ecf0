"""Webhooks out: who is told, how a message is signed, where it may go, and that it arrives.

    master = load_master(settings.webhook_key_file)
    endpoint, secret = endpoints.add(tx, master, Wanted(url, scope="neutral"), by=principal.identity)
    dispatcher = Dispatcher(store, change, Deliverer(Limits(...), clock), master, Parts(clock, ...))
    dispatcher.start(); dispatcher.wake(); dispatcher.stop()

`change` runs a function of a `Tx` in the writer's turn and returns when it is committed:
``lambda make: service.change(make).result(timeout=60)``. See docs/webhooks.md, and `endpoints` for what
people do.
"""

from __future__ import annotations

from txmon.notify.backoff import Backoff
from txmon.notify.deliver import Deliverer, Limits, Reply
from txmon.notify.dispatcher import Dispatcher, Parts
from txmon.notify.endpoints import Delivery, Endpoint, Wanted
from txmon.notify.guard import Blocked
from txmon.notify.signing import Master, Secret, load_master

__all__ = [
    "Backoff",
    "Blocked",
    "Deliverer",
    "Delivery",
    "Dispatcher",
    "Endpoint",
    "Limits",
    "Master",
    "Parts",
    "Reply",
    "Secret",
    "Wanted",
    "load_master",
]
